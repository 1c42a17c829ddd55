/** Collects what changed in one turn of the event loop and hands it on at once. */
import type { RawPath } from '../core/raw-path.ts';

export interface ChangeBatch {
  add(path: RawPath): void;
  addAll(): void;
  /** Drops what was not handed on, and everything that comes later. */
  close(): void;
}

/** Hands on the paths of a turn as one set, or 'all'; the root itself means 'all'. */
export function createChangeBatch(deliver: (paths: ReadonlySet<RawPath> | 'all') => void): ChangeBatch {
  let pending: Set<RawPath> | 'all' = new Set();
  let isScheduled = false;
  let isClosed = false;
  const flush = (): void => {
    isScheduled = false;
    const paths = pending;
    pending = new Set();
    if (!isClosed) deliver(paths);
  };
  const schedule = (): void => {
    if (isScheduled || isClosed) return;
    isScheduled = true;
    setImmediate(flush);
  };
  const addAll = (): void => {
    pending = 'all';
    schedule();
  };
  return {
    add(path) {
      if (path === '') return addAll();
      if (pending !== 'all') pending.add(path);
      schedule();
    },
    addAll,
    close() {
      isClosed = true;
    },
  };
}
