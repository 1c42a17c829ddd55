/** A watched tree with what surrounds it: the root that may go and come back, and the files that say what is ignored. */
import { statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { rawToDisplay, type RawPath } from '../core/raw-path.ts';
import type { ChangeBatch } from './change-batch.ts';
import { guardDirectory } from './directory-guard.ts';
import { watchPaths } from './path-watcher.ts';
import { createWatchedTree, type DirectorySource, type WatchedTree } from './watched-tree.ts';
import type { WatchOptions } from './watcher.ts';

export interface TreeWatcherParts {
  batch: ChangeBatch;
  source: DirectorySource;
  onRefused(error: unknown, directoryCount: number): void;
  /** Whether the tree is to be watched now (not while scanning instead). */
  isWatching(): boolean;
}

export interface TreeWatcher {
  ready: Promise<void>;
  tree: WatchedTree;
  close(): Promise<void>;
}

const rootPath = '' as RawPath;

function defaultIgnoreFiles(root: string): string[] {
  const isDirectory = statSync(`${root}/.git`, { throwIfNoEntry: false })?.isDirectory() ?? false;
  return isDirectory ? [`${root}/.git/info/exclude`] : [];
}

/** Starts to watch the root and everything below, for as long as it is there. */
export function startTreeWatcher(options: WatchOptions, parts: TreeWatcherParts): TreeWatcher {
  const { root, log } = options;
  let retry: NodeJS.Timeout | undefined;
  let isClosed = false;

  const tree = createWatchedTree({
    root, log, ...parts,
    ignoredDirectories: (directories) => options.ignoredDirectories(directories),
    onUnreadable(path, error) {
      if (isClosed) return;
      options.onProblem({ kind: 'unreadable', path, message: `The directory ${rawToDisplay(path)} cannot be watched: ${String((error as Error).message)}` });
    },
    onRootSuspect: () => void checkRoot(),
  });
  const checkRoot = async (): Promise<void> => {
    if (!(await guard.check()) || !parts.isWatching()) return;
    // It is there: perhaps a new directory that got the old one's inode, whose watch then sees nothing. Where it could
    // not be watched at all (an I/O error, say) there is no hurry.
    clearTimeout(retry);
    retry = setTimeout(() => tree.refresh(rootPath), tree.watchCount > 0 ? 0 : 1_000).unref();
  };
  const guard = guardDirectory(root, {
    marker: '.git',
    onGone(message) {
      tree.clear();
      options.onProblem({ kind: 'root-gone', message, hint: 'is a drive not mounted? gitsync goes on by itself when it is back' });
    },
    onBack() {
      log.info('The work tree is back', { root });
      if (parts.isWatching()) tree.refresh(rootPath);
      else parts.batch.addAll();
    },
  });
  const ignoreWatches = (options.ignoreFiles ?? defaultIgnoreFiles(root)).map((file) =>
    watchPaths(dirname(file), [basename(file)], () => parts.isWatching() && tree.refresh(rootPath), { marker: '', goneCheckMs: 10_000 }));
  const start = async (): Promise<void> => {
    if (await guard.check()) await tree.watchAll();
    await Promise.all(ignoreWatches.map((watch) => watch.ready));
  };
  return {
    ready: start(),
    tree,
    async close() {
      isClosed = true;
      clearTimeout(retry);
      guard.close();
      for (const watch of ignoreWatches) watch.close();
      await tree.close();
    },
  };
}
