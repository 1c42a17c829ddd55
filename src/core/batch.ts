/**
 * The batching rule: what changed is taken once it has rested for the quiet
 * period; a path that never rests does not starve (cap), and does not make
 * the others wait for it.
 */
import type { RawPath } from './raw-path.ts';

interface Span {
  firstMs: number;
  lastMs: number;
}

/** What is known to have changed and has not been taken yet. */
export interface Dirty {
  paths: ReadonlyMap<RawPath, Span>;
  /** Set when nobody can say which paths: everything has to be looked at. */
  all: Span | undefined;
}

export interface BatchTimes {
  quietMs: number;
  maxDelayMs: number;
}

export interface Batch {
  scan: ReadonlySet<RawPath> | 'all';
  /** Paths that never rested: to be taken as they are. */
  overdue: ReadonlySet<RawPath>;
  /** What stays dirty. */
  rest: Dirty;
}

export const clean: Dirty = { paths: new Map(), all: undefined };

/** More marked paths than this are remembered as "everything". */
const maxMarkedPaths = 2_000;

/** How many quiet periods a rested path waits for others that are still moving, so that one save of many files is one commit. */
const patience = 2;

function extend(span: Span | undefined, nowMs: number): Span {
  return { firstMs: span?.firstMs ?? nowMs, lastMs: nowMs };
}

function union(span: Span, other: Span = span): Span {
  return { firstMs: Math.min(span.firstMs, other.firstMs), lastMs: Math.max(span.lastMs, other.lastMs) };
}

export function isClean(dirty: Dirty): boolean {
  return dirty.all === undefined && dirty.paths.size === 0;
}

/** Notes a hint of a change. */
export function markDirty(dirty: Dirty, hint: ReadonlySet<RawPath> | 'all', nowMs: number): Dirty {
  if (hint === 'all') return { ...dirty, all: extend(dirty.all, nowMs) };
  const paths = new Map(dirty.paths);
  for (const path of hint) paths.set(path, extend(paths.get(path), nowMs));
  if (paths.size <= maxMarkedPaths) return { ...dirty, paths };
  return { paths: new Map(), all: extend(dirty.all, nowMs) };
}

/** Takes back what was to be taken, with what was marked meanwhile. */
export function mergeBack(dirty: Dirty, taking: Dirty): Dirty {
  const paths = new Map(dirty.paths);
  for (const [path, span] of taking.paths) paths.set(path, union(span, paths.get(path)));
  return { paths, all: taking.all === undefined ? dirty.all : union(taking.all, dirty.all) };
}

/** Puts paths back that could not be taken yet; since when they wait is kept, and they need no new rest. */
export function putBack(dirty: Dirty, waiting: readonly RawPath[], since: Dirty, nowMs: number): Dirty {
  const paths = new Map(dirty.paths);
  for (const path of waiting) {
    const firstMs = since.paths.get(path)?.firstMs ?? since.all?.firstMs ?? nowMs;
    paths.set(path, { firstMs: Math.min(firstMs, paths.get(path)?.firstMs ?? firstMs), lastMs: Math.max(nowMs, paths.get(path)?.lastMs ?? 0) });
  }
  return { ...dirty, paths };
}

/** The time at which something is to be taken; Infinity when nothing is dirty. */
export function dueAtMs(dirty: Dirty, { quietMs, maxDelayMs }: BatchTimes): number {
  const spans = [...dirty.paths.values(), ...(dirty.all === undefined ? [] : [dirty.all])];
  if (spans.length === 0) return Infinity;
  let allRested = -Infinity;
  let firstRested = Infinity;
  let capped = Infinity;
  for (const { firstMs, lastMs } of spans) {
    allRested = Math.max(allRested, lastMs + quietMs);
    firstRested = Math.min(firstRested, lastMs + quietMs);
    capped = Math.min(capped, firstMs + maxDelayMs);
  }
  return Math.min(allRested, firstRested + patience * quietMs, capped);
}

/** When everything that is dirty will have rested, if nothing else happens; undefined where it is not to be waited for, or not known what it is. */
export function restedAtMs(dirty: Dirty, times: BatchTimes): number | undefined {
  const dueMs = dueAtMs(dirty, times);
  const isWhole = dirty.all === undefined && [...dirty.paths.values()].every(({ firstMs, lastMs }) => lastMs + times.quietMs <= dueMs && firstMs + times.maxDelayMs > dueMs);
  return isWhole && dirty.paths.size > 0 ? dueMs : undefined;
}

/** What to take now. Call it at or after `dueAtMs`. */
export function takeBatch(dirty: Dirty, nowMs: number, { quietMs, maxDelayMs }: BatchTimes): Batch {
  const isOverdue = ({ firstMs }: Span): boolean => firstMs + maxDelayMs <= nowMs;
  const isRested = ({ lastMs }: Span): boolean => lastMs + quietMs <= nowMs;
  const overdue = new Set([...dirty.paths].filter(([, span]) => isOverdue(span)).map(([path]) => path));
  if (dirty.all !== undefined && (isOverdue(dirty.all) || isRested(dirty.all))) return { scan: 'all', overdue, rest: clean };
  const scan = new Set([...dirty.paths].filter(([, span]) => isOverdue(span) || isRested(span)).map(([path]) => path));
  return { scan, overdue, rest: { paths: new Map([...dirty.paths].filter(([path]) => !scan.has(path))), all: dirty.all } };
}
