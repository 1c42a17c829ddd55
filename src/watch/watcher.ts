/** Watching a work tree: the interface, and the choice of the way that fits the disk it lies on. */
import type { RawPath } from '../core/raw-path.ts';
import type { Log } from '../log.ts';
import { startDirectoryWatcher } from './directory-watcher.ts';
import { networkFileSystemOf } from './mounts.ts';
import { startPollingWatcher } from './polling-watcher.ts';
import { startRecursiveWatcher } from './recursive-watcher.ts';

/** Something that a person should know about, said once when it begins. */
export interface WatchProblem {
  /**
   * `watch-limit`: the kernel gives no more watches, scanning instead.
   * `root-gone`: the work tree is not there (unmounted, moved, deleted); looked for until it is back.
   * `unreadable`: one directory cannot be read; the rest goes on.
   */
  kind: 'watch-limit' | 'root-gone' | 'unreadable';
  message: string;
  hint?: string;
  path?: RawPath;
}

export interface WatchOptions {
  /** The work tree's root, absolute. */
  root: string;
  /**
   * Which of these directories git ignores; asked in batches, never about `.git`.
   * A directory that holds tracked files should not count as ignored.
   */
  ignoredDirectories(directories: RawPath[]): Promise<ReadonlySet<RawPath>>;
  /**
   * Paths (files or directories, relative to the root) that may have changed, or
   * 'all' when nobody can know. A directory stands for everything below it.
   * Hints, never the truth: a path may be unchanged, ignored or gone.
   */
  onChange(paths: ReadonlySet<RawPath> | 'all'): void;
  onProblem(problem: WatchProblem): void;
  log: Log;
  /** Absolute files outside the tree that say what is ignored. Default: `.git/info/exclude`. */
  ignoreFiles?: readonly string[];
  /** The kernel queue's size; default: what /proc/sys/fs/inotify/max_queued_events says. */
  maxQueuedEvents?: number;
}

export type WatchKind = 'directories' | 'recursive' | 'polling' | 'scan-only';

/** A running watcher. It does not keep the process alive by itself. */
export interface Watcher {
  /** Resolved when every directory is watched; what changed earlier is the caller's to find by a scan after it. */
  ready: Promise<void>;
  /** How many watches it holds (of the kernel, or of the poller). */
  readonly watchCount: number;
  /** How it watches; becomes `scan-only` while the kernel gives no more watches. */
  readonly kind: WatchKind;
  /** Ends all reports at once; resolved when nothing of it runs any more. */
  close(): Promise<void>;
}

/** Watches a work tree in the way that sees changes on its file system. */
export function startWatcher(options: WatchOptions): Watcher {
  const { platform } = process;
  if (platform === 'darwin' || platform === 'win32') return startRecursiveWatcher(options);
  // Other systems have no inotify: their fs.watch does not see edits of files in a directory.
  if (platform !== 'linux') return startPollingWatcher(options);
  const network = networkFileSystemOf(options.root);
  if (network === undefined) return startDirectoryWatcher(options);
  options.log.info('Watching by polling, since the kernel cannot tell what other machines change', { root: options.root, filesystem: network });
  return startPollingWatcher(options);
}
