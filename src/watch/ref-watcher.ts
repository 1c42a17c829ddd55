/** Tells when a ref of a repository on this machine may have moved. */
import { watchPaths, type PathWatcher } from './path-watcher.ts';

/**
 * Calls back when `ref` (`refs/heads/main`) of the repository at `gitDirectory`
 * may have moved: its loose file, `packed-refs`, `HEAD`, or the tables of a
 * repository that keeps its refs in a reftable. Give the git directory that all
 * work trees share. A hint: it may have not moved, but no move goes unsaid; it
 * goes on when refs are packed and when the repository is deleted and made again.
 */
export function watchRef(gitDirectory: string, ref: string, onMoved: () => void): PathWatcher {
  return watchPaths(gitDirectory, [ref, 'HEAD', 'packed-refs', 'reftable/tables.list'], onMoved, { marker: 'HEAD' });
}
