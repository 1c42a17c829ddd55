/** A watcher under test that keeps what it was told. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { absoluteOf, rawFromText, splitRaw, type RawPath } from '../../src/core/raw-path.ts';
import { silentLog } from '../../src/log.ts';
import { startDirectoryWatcher } from '../../src/watch/directory-watcher.ts';
import type { Watcher, WatchOptions, WatchProblem } from '../../src/watch/watcher.ts';
import { converge } from '../helpers/converge.ts';

export interface Watching {
  root: string;
  watcher: Watcher;
  /** Everything reported since the last forget(). */
  reported: Set<RawPath | 'all'>;
  problems: WatchProblem[];
  /** Whether the path itself was named. */
  named(path: string | RawPath): boolean;
  /** Whether the path, a directory above it, or 'all' was reported. */
  covers(path: string | RawPath): boolean;
  forget(): void;
}

const running: Watcher[] = [];

export async function closeAllWatchers(): Promise<void> {
  await Promise.all(running.splice(0).map((watcher) => watcher.close()));
}

export const raw = (path: string | RawPath): RawPath => (/[\u0080-\u00ff]/.test(path) ? (path as RawPath) : rawFromText(path));

/** Starts to watch and waits until it is ready. Directories named in `ignored()` count as ignored by git. */
export async function watching(root: string, options: Partial<WatchOptions> & { ignored?: () => string[] } = {}, start: (options: WatchOptions) => Watcher = startDirectoryWatcher): Promise<Watching> {
  const reported = new Set<RawPath | 'all'>();
  const problems: WatchProblem[] = [];
  const watcher = start({
    root,
    ignoredDirectories: (directories) => {
      const ignored = new Set((options.ignored?.() ?? []).map(raw));
      return Promise.resolve(new Set(directories.filter((directory) => ignored.has(directory))));
    },
    onChange(paths) {
      if (paths === 'all') reported.add('all');
      else for (const path of paths) reported.add(path);
    },
    onProblem: (problem) => problems.push(problem),
    log: silentLog,
    ...options,
  });
  running.push(watcher);
  await watcher.ready;
  return {
    root, watcher, reported, problems,
    named: (path) => reported.has(raw(path)),
    covers: (path) => isCovered(reported, raw(path)),
    forget: () => reported.clear(),
  };
}

/** Whether a set of reports sends a reader to the path. */
export function isCovered(reported: ReadonlySet<RawPath | 'all'>, path: RawPath): boolean {
  if (reported.has('all')) return true;
  for (let at = path; at !== ''; at = splitRaw(at).directory) if (reported.has(at)) return true;
  return false;
}

/** Writes a file whose name may be any bytes, making its parents. */
export function put(root: string, path: string | RawPath, content = `${Math.random()}`): void {
  const absolute = absoluteOf(root, raw(path)).toString('latin1');
  mkdirSync(Buffer.from(dirname(absolute), 'latin1'), { recursive: true });
  writeFileSync(Buffer.from(absolute, 'latin1'), content);
}

/** Waits until what is reported covers the path. */
export async function untilCovered(watched: Watching, path: string | RawPath): Promise<void> {
  await converge(`a report that covers ${path}`, () => watched.covers(path));
}

/** Waits until edits of a file are reported by its own name: proof that its directory is watched under that name. */
export async function untilEditsAreNamed(watched: Watching, path: string): Promise<void> {
  await converge(`a report that names ${path}`, () => {
    put(watched.root, path);
    return watched.named(path);
  });
}

/** Waits until what happened so far has been dealt with, by the fate of a directory that comes and goes after it. */
export async function untilQuiet(watched: Watching): Promise<void> {
  const marker = `marker-${Math.random()}`;
  await untilEditsAreNamed(watched, `${marker}/file`);
  const withMarker = watched.watcher.watchCount;
  rmSync(join(watched.root, marker), { recursive: true });
  await converge('the marker no longer watched', () => watched.watcher.watchCount < withMarker);
}
