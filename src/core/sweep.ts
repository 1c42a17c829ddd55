/**
 * A removal of very many files takes time, and the machine may stand still in
 * the middle of it: it comes as several commits, each too small for the rule
 * about mass deletions. Deletions that follow each other shortly count together.
 */

/** Longer than `max_delay` by default, after which a removal that goes on and on is committed up to there. */
const longestPauseMs = 60_000;

/** Counts the deletions of one removal over its commits. */
export interface Sweep {
  /** How many files more than they added the last commits deleted, if they led to `head` and it goes on shortly after them. */
  before(head: string | undefined, nowMs: number): number;
  /** Another commit was made upon `parent`. */
  add(commit: string, parent: string | undefined, deletedMinusAdded: number, nowMs: number): void;
}

export function createSweep(): Sweep {
  let last = { commit: '', count: 0, atMs: -Infinity };
  const before = (head: string | undefined, nowMs: number): number => (head === last.commit && nowMs - last.atMs <= longestPauseMs ? last.count : 0);
  return {
    before,
    add(commit, parent, deletedMinusAdded, nowMs) {
      last = { commit, count: Math.max(0, before(parent, nowMs) + deletedMinusAdded), atMs: nowMs };
    },
  };
}
