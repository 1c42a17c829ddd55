/** Tells when one of a few files below a directory may have changed, whether or not they and their parents exist. */
import { lstat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { untilNextMs } from '../process/steady-clock.ts';
import { guardDirectory } from './directory-guard.ts';
import { openKernelWatch, type EventType, type OpenWatch } from './kernel-watch.ts';
import { networkFileSystemOf } from './mounts.ts';

export interface PathWatchOptions {
  /** See GuardOptions. */
  marker: string;
  goneCheckMs?: number;
  /** Looks at the files on an interval instead of asking the kernel. Default: on network file systems. */
  poll?: boolean;
}

export interface PathWatcher {
  /** Resolved when it watches; what changed earlier is not told. */
  ready: Promise<void>;
  close(): void;
}

const pollMs = 2_000;

/** Each directory on the way to the files ('' first), with the names in it that matter. */
function namesByDirectory(paths: readonly string[]): Map<string, Set<string>> {
  const names = new Map<string, Set<string>>();
  for (const path of paths) {
    const parts = path.split('/');
    parts.forEach((part, depth) => {
      const directory = parts.slice(0, depth).join('/');
      names.set(directory, (names.get(directory) ?? new Set()).add(Buffer.from(part).toString('latin1')));
    });
  }
  return names;
}

/**
 * Watches files (paths relative to `base`, `/` between parts). Calls back once
 * for everything that happens in one turn of the event loop; a false alarm is
 * possible, a miss is not.
 */
export function watchPaths(base: string, paths: readonly string[], onTouched: () => void, options: PathWatchOptions): PathWatcher {
  if (options.poll ?? networkFileSystemOf(base) !== undefined) return pollPaths(base, paths, onTouched);
  const names = namesByDirectory(paths);
  const watches = new Map<string, OpenWatch>();
  let polling: PathWatcher | undefined;
  let isClosed = false;
  let isScheduled = false;
  let isStale = false;

  const closeAll = (): void => {
    for (const watch of watches.values()) watch.close();
    watches.clear();
  };
  /** Opens every directory afresh: a watch stays with a directory that was renamed or deleted, not with its name. */
  const openAll = (): void => {
    const old = [...watches.values()];
    watches.clear();
    try {
      for (const directory of names.keys()) openOne(directory);
    } catch {
      // The kernel gives no more watches: a few stats every two seconds do as well.
      closeAll();
      polling = pollPaths(base, paths, onTouched);
    } finally {
      for (const watch of old) watch.close();
    }
    if (polling === undefined && !watches.has('')) void lookForBase();
  };
  /** The base could not be opened: gone, which the guard then knows, or just replaced by another one. */
  const lookForBase = async (): Promise<void> => {
    if (!(await guard.check()) || isClosed || watches.has('')) return;
    isStale = true;
    schedule();
  };
  const openOne = (directory: string): void => {
    const absolute = join(base, directory);
    const ownName = Buffer.from(basename(absolute)).toString('latin1');
    try {
      watches.set(directory, openKernelWatch(Buffer.from(absolute), (type, name) => onEvent(directory, ownName, type, name)));
    } catch (error) {
      const code = errnoOf(error);
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    }
  };
  const onEvent = (directory: string, ownName: string, type: EventType, name: string | undefined): void => {
    const isOwn = type === 'rename' && name === ownName;
    if (isClosed || (name !== undefined && !isOwn && names.get(directory)?.has(name) !== true)) return;
    if (isOwn && directory === '') void guard.check();
    isStale ||= type === 'rename';
    schedule();
  };
  const schedule = (): void => {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      if (isClosed) return;
      if (isStale && polling === undefined) openAll();
      isStale = false;
      onTouched();
    });
  };
  const guard = guardDirectory(base, {
    ...options,
    onGone: closeAll,
    onBack: () => {
      isStale = true;
      schedule();
    },
  });
  const start = async (): Promise<void> => {
    if ((await guard.check()) && !isClosed) openAll();
    await polling?.ready;
  };
  return {
    ready: start(),
    close() {
      isClosed = true;
      guard.close();
      closeAll();
      polling?.close();
    },
  };
}

async function fingerprint(base: string, paths: readonly string[]): Promise<string> {
  const stats = await Promise.all(paths.map((path) => lstat(join(base, path), { bigint: true }).catch(() => undefined)));
  return stats.map((info) => (info === undefined ? '-' : `${info.ino}:${info.size}:${info.mtimeNs}:${info.ctimeNs}`)).join(' ');
}

function pollPaths(base: string, paths: readonly string[], onTouched: () => void): PathWatcher {
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  let last: string;
  const look = async (): Promise<void> => {
    const now = await fingerprint(base, paths);
    if (isClosed) return;
    if (now !== last) {
      last = now;
      onTouched();
    }
    timer = setTimeout(() => void look(), untilNextMs(pollMs)).unref();
  };
  const start = async (): Promise<void> => {
    last = await fingerprint(base, paths);
    if (!isClosed) timer = setTimeout(() => void look(), untilNextMs(pollMs)).unref();
  };
  return {
    ready: start(),
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
