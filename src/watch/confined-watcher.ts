/** Tells that something changed below a directory of a root that is not trusted. Hints only: no name and no content comes out. */
import { closeSync } from 'node:fs';
import { openKernelWatch, type OpenWatch } from './kernel-watch.ts';
import { identityOf, listBelow, openBelow, openConfined, pathOfDescriptor } from './confined-directory.ts';

export interface ConfinedWatcher {
  /** Whether the directory is there and watched. */
  readonly isWatching: boolean;
  close(): void;
}

export interface ConfinedOptions {
  /** How often to look whether the directory is (still) the one that is watched. */
  checkMs?: number;
  /** More directories than this are not watched one by one; what happens in those is found by the regular pull. */
  maxDirectories?: number;
}

interface Watched {
  watch: OpenWatch;
  identity: string;
}

/** A burst of new names is looked at together. */
const settleMs = 50;

/** Watches `path` below `root` and everything under it, whether or not it is there yet. */
export function watchConfined(root: string, path: string, onTouched: () => void, options: ConfinedOptions = {}): ConfinedWatcher {
  const { checkMs = 5_000, maxDirectories = 20_000 } = options;
  const watched = new Map<string, Watched>();
  const stale = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  const drop = (below: string): void => {
    for (const [name, { watch }] of watched) {
      if (name !== below && below !== '' && !name.startsWith(`${below}/`)) continue;
      watch.close();
      watched.delete(name);
    }
  };
  /** Watches an open directory and what is below; takes the descriptor over. */
  const add = (descriptor: number, below: string): void => {
    try {
      const identity = identityOf(descriptor);
      if (watched.get(below)?.identity !== identity) {
        drop(below);
        if (watched.size >= maxDirectories) return;
        const watch = openKernelWatch(Buffer.from(pathOfDescriptor(descriptor)), (type) => onEvent(type, below));
        watched.set(below, { watch, identity });
      }
      const names = listBelow(descriptor);
      const prefix = below === '' ? '' : `${below}/`;
      for (const name of [...watched.keys()]) {
        const child = name.startsWith(prefix) && name !== '' ? name.slice(prefix.length) : '/';
        if (!child.includes('/') && !names.includes(child)) drop(name);
      }
      for (const name of names) {
        const child = openBelow(descriptor, name);
        if (child !== undefined) add(child, `${prefix}${name}`);
      }
    } finally {
      closeSync(descriptor);
    }
  };
  const onEvent = (type: 'rename' | 'change', below: string): void => {
    if (isClosed) return;
    if (type === 'rename') {
      stale.add(below);
      timer ??= setTimeout(refresh, settleMs).unref();
    }
    onTouched();
  };
  /** Looks again at the directories in which names came or went. */
  const refresh = (): void => {
    timer = undefined;
    const all = [...stale];
    stale.clear();
    for (const below of all) {
      try {
        const descriptor = openConfined(root, below === '' ? path : `${path}/${below}`);
        if (watched.has(below)) add(descriptor, below);
        else closeSync(descriptor);
      } catch {
        drop(below);
      }
    }
  };
  const check = (isFirst: boolean): void => {
    const before = watched.get('')?.identity;
    let now: string | undefined;
    try {
      const descriptor = openConfined(root, path);
      now = identityOf(descriptor);
      if (now === before) closeSync(descriptor);
      else add(descriptor, '');
    } catch {
      // Not there (yet), not readable, or the kernel gives no more watches: looked for again.
      if (now === undefined) drop('');
    }
    if (now !== before && !isFirst) onTouched();
  };
  check(true);
  const regular = setInterval(() => check(false), checkMs).unref();
  return {
    get isWatching() {
      return watched.has('');
    },
    close() {
      isClosed = true;
      clearInterval(regular);
      clearTimeout(timer);
      drop('');
    },
  };
}
