/** Watching on macOS and Windows: one recursive watch, where the system itself sees the whole tree. */
import { existsSync, watch, type FSWatcher } from 'node:fs';
import { rawToText, splitRaw, type RawPath } from '../core/raw-path.ts';
import { createChangeBatch } from './change-batch.ts';
import { guardDirectory } from './directory-guard.ts';
import type { EventType } from './kernel-watch.ts';
import type { Watcher, WatchOptions } from './watcher.ts';

/** Where a path lies: in the work tree proper, in an ignored directory, or in a nested repository (which one). */
type Place = { kind: 'tree' } | { kind: 'ignored' } | { kind: 'nested'; at: RawPath };

/** Keeps what is known about directories: git is asked about each one once, until an ignore file changes. */
function createPlaces(options: WatchOptions) {
  const known = new Map<RawPath, Place['kind']>();
  const ancestors = (path: RawPath): RawPath[] => {
    const parts = path.split('/');
    return parts.map((_, depth) => parts.slice(0, depth).join('/') as RawPath).slice(1);
  };
  return {
    forget: () => known.clear(),
    async learn(paths: Iterable<RawPath>): Promise<void> {
      const unknown = new Set([...paths].flatMap(ancestors).filter((directory) => !known.has(directory)));
      if (unknown.size === 0) return;
      const ignored = await options.ignoredDirectories([...unknown]).catch(() => new Set<RawPath>());
      for (const directory of unknown) {
        const isNested = existsSync(`${options.root}/${rawToText(directory)}/.git`);
        known.set(directory, ignored.has(directory) ? 'ignored' : isNested ? 'nested' : 'tree');
      }
    },
    placeOf(path: RawPath): Place {
      for (const directory of ancestors(path)) {
        const kind = known.get(directory);
        if (kind === 'ignored') return { kind };
        if (kind === 'nested') return { kind, at: directory };
      }
      return { kind: 'tree' };
    },
  };
}

/** Watches with the system's own recursive watch. */
export function startRecursiveWatcher(options: WatchOptions): Watcher {
  const { root, log } = options;
  const places = createPlaces(options);
  const batch = createChangeBatch((paths) => options.onChange(paths));
  const pending = new Set<RawPath>();
  let sorting: Promise<void> | undefined;
  let watcher: FSWatcher | undefined;
  let isClosed = false;

  const sort = async (): Promise<void> => {
    while (pending.size > 0 && !isClosed) {
      await new Promise((resolve) => setImmediate(resolve));
      const paths = [...pending];
      pending.clear();
      await places.learn(paths);
      for (const path of paths) {
        const place = places.placeOf(path);
        if (place.kind !== 'ignored') batch.add(place.kind === 'nested' ? place.at : path);
      }
    }
    sorting = undefined;
  };
  const onEvent = (type: EventType, name: Buffer | string | null): void => {
    // No name: the system lost track (a full buffer on Windows).
    if (name === null) return batch.addAll();
    const text = Buffer.from(name).toString('latin1');
    const path = (process.platform === 'win32' ? text.replaceAll('\\', '/') : text) as RawPath;
    const parts = path.split('/');
    // The root may be going, with what is in it.
    if (type === 'rename' && parts.length === 1) void guard.check();
    const gitAt = parts.indexOf('.git');
    if (gitAt === 0 && path !== '.git/info/exclude') return;
    // A directory became a nested repository, or ceases to be one.
    if (gitAt > 0 && gitAt === parts.length - 1) places.forget();
    if (gitAt > 0) return;
    if (gitAt === 0 || splitRaw(path).name === '.gitignore') {
      places.forget();
      batch.add(gitAt === 0 ? ('' as RawPath) : splitRaw(path).directory);
    }
    if (gitAt === 0) return;
    pending.add(path);
    sorting ??= sort();
  };
  const open = (): void => {
    watcher?.close();
    try {
      watcher = watch(root, { recursive: true, persistent: false, encoding: 'buffer' }, onEvent);
      watcher.on('error', () => void guard.check());
    } catch (error) {
      log.warn('The work tree cannot be watched', { root, error: String(error) });
    }
  };
  const guard = guardDirectory(root, {
    marker: '.git',
    onGone(message) {
      watcher?.close();
      watcher = undefined;
      options.onProblem({ kind: 'root-gone', message, hint: 'is a drive not mounted? gitsync goes on by itself when it is back' });
    },
    onBack() {
      open();
      places.forget();
      batch.addAll();
    },
  });
  const start = async (): Promise<void> => {
    if (await guard.check()) open();
  };
  return {
    ready: start(),
    kind: 'recursive',
    get watchCount() {
      return watcher === undefined ? 0 : 1;
    },
    async close() {
      isClosed = true;
      batch.close();
      guard.close();
      watcher?.close();
      await sorting;
    },
  };
}
