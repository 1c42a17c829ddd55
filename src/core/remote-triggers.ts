/** When a remote is pushed to and when it is asked for news: values that each remote has of its own. Pure. */

/** `at-once`: as soon as there is a commit; `debounce`: once none has come for `quietMs`; `scheduled`: when told that its time has come; `manual`: when a person asks. */
export type PushTrigger = { kind: 'at-once' } | { kind: 'debounce'; quietMs: number } | { kind: 'scheduled' } | { kind: 'manual' };

/** `poll`: on an interval that stretches while there is no news; `every`: on exactly this interval. */
export type PullTrigger = { kind: 'poll'; everyMs: number } | { kind: 'every'; everyMs: number } | { kind: 'scheduled' } | { kind: 'manual' };

export interface RemoteTriggers {
  push: PushTrigger;
  pull: PullTrigger;
  /** How long after the last word that something moved there it is fetched; undefined: such words do not count. */
  hintQuietMs: number | undefined;
  /** Talks to the remote take long and concern no other, so they run beside everything else. */
  apart: boolean;
}

/** With a notifier, polling is only a safety net. */
const livePollFactor = 10;
/** Polls without news stretch the interval up to this factor. */
const maxIdleFactor = 5;
/** What never rests is taken after so many quiet periods, but not before `minCapMs`. */
const capFactor = 10;
const minCapMs = 2_000;

/** How an ordinary remote is kept in step: at once and by polling, or at the times of a schedule only. */
export function ordinaryTriggers({ pollMs, scheduled }: { pollMs: number; scheduled: boolean }): RemoteTriggers {
  if (scheduled) return { push: { kind: 'scheduled' }, pull: { kind: 'scheduled' }, hintQuietMs: undefined, apart: false };
  return { push: { kind: 'at-once' }, pull: { kind: 'poll', everyMs: pollMs }, hintQuietMs: 0, apart: false };
}

/** From one fetch to the next; Infinity: only when told. */
export function pullDelayMs({ pull }: RemoteTriggers, { live, idlePolls }: { live: boolean; idlePolls: number }): number {
  if (pull.kind === 'every') return pull.everyMs;
  if (pull.kind !== 'poll') return Infinity;
  return pull.everyMs * Math.max(live ? livePollFactor : 1, Math.min(1 + idlePolls / 10, maxIdleFactor));
}

/** Before which time nothing is pushed while nobody asks: 0, or Infinity where only being told counts. */
export function pushClosedUntilMs({ push }: RemoteTriggers): number {
  return push.kind === 'scheduled' || push.kind === 'manual' ? Infinity : 0;
}

/** When something that moved at `nowMs`, and first at `sinceMs`, has rested. */
export function restedAtMs(quietMs: number, sinceMs: number, nowMs: number): number {
  return Math.max(nowMs, Math.min(nowMs + quietMs, sinceMs + Math.max(minCapMs, quietMs * capFactor)));
}
