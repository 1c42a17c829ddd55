/**
 * The tree of watched directories, kept in step with the disk by the events
 * that its own watches bring.
 *
 * A directory is watched first and listed then, so nothing created in between
 * is missed. A watch follows the directory, not its name: whatever comes, goes
 * or is renamed is closed with everything below it and watched afresh.
 */
import { forEachBounded } from '../core/for-each-bounded.ts';
import { joinRaw, splitRaw, type RawPath } from '../core/raw-path.ts';
import { errnoOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { ChangeBatch } from './change-batch.ts';
import type { EventType, OnEvent, OpenWatch } from './kernel-watch.ts';
import { findDirectories, listDirectory, type Listing } from './list-directory.ts';

/** How one directory is watched. */
export interface DirectorySource {
  /** Opens a watch; resolved when it sees changes. Throws the system's errors. */
  open(directory: RawPath, onEvent: OnEvent): OpenWatch | Promise<OpenWatch>;
  /** Told for each watch that is closed without being replaced. */
  onDrop?(): void;
}

export interface TreeOptions {
  root: string;
  source: DirectorySource;
  batch: ChangeBatch;
  ignoredDirectories(directories: RawPath[]): Promise<ReadonlySet<RawPath>>;
  onUnreadable(directory: RawPath, error: unknown): void;
  /** The root may be gone or replaced. */
  onRootSuspect(): void;
  /** The kernel refused a watch; called at the end of a round, with how many directories there are to watch. */
  onRefused(error: unknown, directoryCount: number): void;
  log: Log;
}

interface Directory {
  watch: OpenWatch | undefined;
  children: Set<string>;
  /** A repository of its own: watched only for its `.git` to go. */
  isNested: boolean;
  isUnreadable: boolean;
}

interface State extends TreeOptions {
  directories: Map<RawPath, Directory>;
  watchCount: number;
  /** Names that came or went, by directory: any of them may be a directory. */
  names: Map<RawPath, Set<string>>;
  /** Directories to watch afresh, with everything below. */
  toRefresh: Set<RawPath>;
  /** The round that is running; only it opens watches. */
  round: Promise<void> | undefined;
  /** Counts up when everything is dropped, so that a running round stops. */
  epoch: number;
  isClosed: boolean;
}

export interface WatchedTree {
  /** Watches everything afresh without reporting it; resolved when all is watched. */
  watchAll(): Promise<void>;
  /** Watches a directory and everything below afresh, then reports it. */
  refresh(directory: RawPath): void;
  /** Closes all watches; watchAll or refresh of the root begins again. */
  clear(): void;
  readonly watchCount: number;
  close(): Promise<void>;
}

const rootPath = '' as RawPath;
const listingsAtOnce = 16;

/** Makes a tree that watches nothing yet. */
export function createWatchedTree(options: TreeOptions): WatchedTree {
  const state: State = {
    ...options, directories: new Map(), watchCount: 0, names: new Map(), toRefresh: new Set(), round: undefined, epoch: 0, isClosed: false,
  };
  const clear = (): void => {
    state.epoch += 1;
    state.names.clear();
    state.toRefresh.clear();
    drop(state, rootPath);
  };
  return {
    async watchAll() {
      while (state.round !== undefined) await state.round;
      await begin(state, () => watchBelow(state, [rootPath]));
    },
    refresh: (directory) => requestRefresh(state, directory),
    clear,
    get watchCount() {
      return state.watchCount;
    },
    async close() {
      state.isClosed = true;
      clear();
      await state.round;
    },
  };
}

function requestRefresh(state: State, directory: RawPath): void {
  state.toRefresh.add(directory);
  wake(state);
}

function hasWork(state: State): boolean {
  return !state.isClosed && (state.names.size > 0 || state.toRefresh.size > 0);
}

/** Starts a round when there is something to do and none is running. */
function wake(state: State): void {
  if (state.round === undefined && hasWork(state)) void begin(state, () => settle(state));
}

function begin(state: State, work: () => Promise<void>): Promise<void> {
  if (state.isClosed) return Promise.resolve();
  state.round = work().catch((error: unknown) => {
    // Nothing is known to throw here; the long scan of the caller finds what this round missed.
    state.log.error('Watching failed', { root: state.root, error: String(error) });
    state.batch.addAll();
  }).finally(() => {
    state.round = undefined;
    wake(state);
  });
  return state.round;
}

async function settle(state: State): Promise<void> {
  while (hasWork(state)) {
    // The rest of this turn's events first: they often concern the same directories.
    await new Promise((resolve) => setImmediate(resolve));
    await look(state);
    const tops = outermost(state.toRefresh);
    state.toRefresh.clear();
    await watchBelow(state, tops);
    for (const top of tops) state.batch.add(top);
  }
}

/** The paths that do not lie below another one of them. */
function outermost(paths: ReadonlySet<RawPath>): RawPath[] {
  return [...paths].filter((path) => {
    for (let above = path; above !== ''; ) {
      above = splitRaw(above).directory;
      if (paths.has(above)) return false;
    }
    return true;
  });
}

/** Finds which of the names that came or went are directories now: those are watched afresh, the others no longer. */
async function look(state: State): Promise<void> {
  const pending = state.names;
  state.names = new Map();
  await forEachBounded(pending, listingsAtOnce, async ([directory, names]) => {
    if (!state.directories.has(directory)) return;
    const found = await findDirectories(state.root, directory, names);
    for (const name of names) {
      const path = joinRaw(directory, name);
      if (found.has(name)) state.toRefresh.add(path);
      else drop(state, path);
    }
  });
}

/** Watches the directories and everything below, level by level, so that git is asked once for each level. */
async function watchBelow(state: State, tops: RawPath[]): Promise<void> {
  const { epoch } = state;
  let refusal: unknown;
  let level = tops;
  while (level.length > 0 && state.epoch === epoch) {
    const next: RawPath[] = [];
    const ignored = await askIgnored(state, level);
    await forEachBounded(level, listingsAtOnce, async (directory) => {
      if (state.epoch !== epoch) return;
      if (ignored.has(directory)) return drop(state, directory);
      refusal = (await openWatch(state, directory)) ?? refusal;
      for (const name of await listChildren(state, directory)) next.push(joinRaw(directory, name));
    });
    level = next;
  }
  if (refusal !== undefined && state.epoch === epoch) state.onRefused(refusal, state.directories.size);
}

async function askIgnored(state: State, directories: RawPath[]): Promise<ReadonlySet<RawPath>> {
  const asked = directories.filter((directory) => directory !== rootPath);
  if (asked.length === 0) return new Set();
  try {
    return await state.ignoredDirectories(asked);
  } catch (error) {
    state.log.warn('Watching ignored directories too, since git did not say which they are', { root: state.root, error: String(error) });
    return new Set();
  }
}

/** Opens a directory's watch (afresh where there is one) and returns the kernel's refusal, if any; without a watch the walk still goes on. */
async function openWatch(state: State, directory: RawPath): Promise<unknown> {
  const parent = state.directories.get(splitRaw(directory).directory);
  if (directory !== rootPath && (parent === undefined || parent.isNested)) return undefined;
  const old = state.directories.get(directory);
  const entry: Directory = { watch: undefined, children: old?.children ?? new Set(), isNested: false, isUnreadable: false };
  state.directories.set(directory, entry);
  if (directory !== rootPath) parent?.children.add(splitRaw(directory).name);
  try {
    const watch = await state.source.open(directory, (type, name) => {
      if (state.directories.get(directory) === entry) handleEvent(state, directory, entry, type, name);
    });
    // Dropped while it was being opened.
    if (state.directories.get(directory) !== entry) return void watch.close();
    entry.watch = watch;
    state.watchCount += 1;
    return undefined;
  } catch (error) {
    return handleFailure(state, directory, old, error);
  } finally {
    // Only now: while the new watch exists the kernel keeps its own, so a refresh leaves no gap and no flood of IN_IGNORED.
    if (old?.watch !== undefined) {
      state.watchCount -= 1;
      old.watch.close();
    }
  }
}

/** Returns the error when it is the kernel's refusal of a further watch. */
function handleFailure(state: State, directory: RawPath, old: Directory | undefined, error: unknown): unknown {
  const code = errnoOf(error);
  if (code === 'ENOSPC' || code === 'EMFILE' || code === 'ENFILE') return error;
  const entry = state.directories.get(directory);
  if (directory === rootPath) state.onRootSuspect();
  if (entry === undefined) return undefined;
  if (directory === rootPath || code === 'ENOENT' || code === 'ENOTDIR') {
    drop(state, directory);
    return undefined;
  }
  // It stays known, so that it is said once, and tried again when its permissions change.
  for (const name of entry.children) drop(state, joinRaw(directory, name));
  entry.isUnreadable = true;
  if (old?.isUnreadable !== true) state.onUnreadable(directory, error);
  return undefined;
}

/** Lists a directory that is watched now, forgets the subdirectories that it no longer has, and returns those to watch. */
async function listChildren(state: State, directory: RawPath): Promise<string[]> {
  const entry = state.directories.get(directory);
  if (entry === undefined || entry.isUnreadable) return [];
  let listing: Listing;
  try {
    listing = await listDirectory(state.root, directory);
  } catch (error) {
    handleFailure(state, directory, undefined, error);
    return [];
  }
  if (state.directories.get(directory) !== entry) return [];
  entry.isNested = listing.hasGit && directory !== rootPath;
  const names = entry.isNested ? [] : listing.directories;
  const present = new Set(names);
  for (const name of entry.children) if (!present.has(name)) drop(state, joinRaw(directory, name));
  return names;
}

/** Closes the watch of a path and of everything below it. */
function drop(state: State, path: RawPath): void {
  const entry = state.directories.get(path);
  if (entry === undefined) return;
  state.directories.delete(path);
  const { directory, name } = splitRaw(path);
  if (path !== rootPath) state.directories.get(directory)?.children.delete(name);
  if (entry.watch !== undefined) {
    entry.watch.close();
    state.watchCount -= 1;
    state.source.onDrop?.();
  }
  for (const child of entry.children) drop(state, joinRaw(path, child));
}

function handleEvent(state: State, directory: RawPath, entry: Directory, type: EventType, name: string | undefined): void {
  if (name === undefined) return requestRefresh(state, directory);
  if (name === '.git') {
    // A directory becomes a nested repository, or ceases to be one.
    if (directory !== rootPath && type === 'rename') requestRefresh(state, directory);
    return;
  }
  if (entry.isNested) return;
  if (directory === rootPath && type === 'rename' && isRootName(state.root, name)) state.onRootSuspect();
  const path = joinRaw(directory, name);
  state.batch.add(path);
  if (name === '.gitignore') requestRefresh(state, directory);
  if (type === 'rename' || state.directories.get(path)?.isUnreadable === true) {
    const names = state.names.get(directory);
    if (names === undefined) state.names.set(directory, new Set([name]));
    else names.add(name);
    wake(state);
  }
}

/** An event about the root itself carries its last name; a file in it may be called the same, so this is only a suspicion. */
function isRootName(root: string, name: string): boolean {
  return Buffer.from(root.slice(root.lastIndexOf('/') + 1)).toString('latin1') === name;
}
