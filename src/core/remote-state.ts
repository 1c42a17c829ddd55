/**
 * What is known of one remote, and what each report about it changes: when to
 * ask it next, when to leave it alone, and what is wrong with it. Pure.
 */
import type { ErrorKind, Retry } from '../errors.ts';
import { backoffMs } from './backoff.ts';
import { pullDelayMs, pushClosedUntilMs, restedAtMs, type RemoteTriggers } from './remote-triggers.ts';

/** Why a remote is not in step, in terms that decide when to try again. */
export interface RemoteFailure {
  kind: ErrorKind | 'unrelated' | 'branch-missing' | 'stopped' | 'refused' | 'import' | 'container-stopped' | 'container-absent';
  sentence: string;
  hint: string | undefined;
  sinceMs: number;
}

/** A remote as the loop is told of it. */
export interface RemoteSetup {
  /** Tells it from the others; a remote's name, where it has one branch only. */
  name: string;
  triggers: RemoteTriggers;
  /** The branch here that it follows, where that is not the checked-out one. */
  side?: string;
  /** Where it is known to be from earlier, for one that is not asked at the start. */
  knownTip?: string | null;
  /** When it was last asked. */
  lastPullMs?: number;
}

export interface RemoteState {
  triggers: RemoteTriggers;
  side: string | undefined;
  /** A fetch or push of a remote that is talked to apart from the others is under way. */
  busy: boolean;
  /** The commit that the remote's branch is known to be at; null: it has no such branch yet; undefined: never looked. */
  tip: string | null | undefined;
  /** A fetched tip that has not been integrated yet. */
  toIntegrate: string | undefined;
  fetchAtMs: number;
  /** Since when words that something moved there wait for a rest. */
  hintedSinceMs: number | undefined;
  /** No push before then. */
  pushAtMs: number;
  /** Since when a commit waits for the branch to rest. */
  movedSinceMs: number | undefined;
  /** A person asked: no waiting for rest. */
  urgent: boolean;
  /** No attempt before then. */
  retryAtMs: number;
  failures: number;
  failure: RemoteFailure | undefined;
  /** A notifier would tell of a move at once, so polling is rare. */
  live: boolean;
  idlePolls: number;
  /** The remote refuses this branch: new commits go to the fallback branch. */
  refused: boolean;
  /** The commit that the fallback branch holds. */
  fallbackTip: string | undefined;
  /** The commit that could not be imported: it is not tried again. */
  failedCommit: string | undefined;
  /** When both were last known to be equal. */
  lastSyncMs: number | undefined;
  lastPushMs: number | undefined;
  lastPullMs: number | undefined;
}

/** A report about one remote; all but `remote-moved` and `remote-live` end an action. */
export type RemoteEvent =
  | { type: 'remote-moved'; remote: string }
  | { type: 'remote-live'; remote: string; live: boolean }
  | { type: 'fetched'; remote: string; tip: string | null }
  | { type: 'integrated'; remote: string; local: string }
  | { type: 'not-integrated'; remote: string; why: 'busy' | 'moved' }
  | { type: 'pushed'; remote: string; commit: string; fallback: boolean }
  | { type: 'push-rejected'; remote: string }
  | { type: 'push-refused'; remote: string; sentence: string }
  /** The other side took the commit for what it is, and could not make it live. */
  | { type: 'import-failed'; remote: string; commit: string; sentence: string; hint: string | undefined }
  /** What was under way concerned a branch that the remote follows no longer. */
  | { type: 'abandoned'; remote: string }
  | { type: 'remote-failed'; remote: string; failure: Omit<RemoteFailure, 'sinceMs'>; retry: Retry; random: number };

/** How long to leave a remote alone whose trouble only a person or a new state can end. */
const onChangeRetryMs = 30 * 60_000;
/** A race lost (index locked, branch moved) is tried again this soon. */
const soonMs = 200;
/** So many rejected pushes in a row are tried again at once. */
const quickRejections = 3;

export function newRemote(nowMs: number, { triggers, side, knownTip, lastPullMs }: Omit<RemoteSetup, 'name'>): RemoteState {
  const delayMs = pullDelayMs(triggers, { live: false, idlePolls: 0 });
  return {
    triggers, side, busy: false, tip: knownTip, toIntegrate: undefined,
    fetchAtMs: delayMs === Infinity ? Infinity : lastPullMs === undefined ? nowMs : Math.min(nowMs, lastPullMs) + delayMs,
    hintedSinceMs: undefined, pushAtMs: pushClosedUntilMs(triggers), movedSinceMs: undefined, urgent: false,
    retryAtMs: 0, failures: 0, failure: undefined, live: false, idlePolls: 0,
    refused: false, fallbackTip: undefined, failedCommit: undefined, lastSyncMs: undefined, lastPushMs: undefined, lastPullMs,
  };
}

/** Trouble that ends by itself once the remote can be reached. */
export function isNetworkTrouble({ failure }: RemoteState): boolean {
  return failure !== undefined && ['offline', 'timeout', 'not-found', 'container-stopped', 'container-absent'].includes(failure.kind);
}

/** A remote that told us something can be reached: waiting for it is over. */
function reachable(remote: RemoteState): Partial<RemoteState> {
  return isNetworkTrouble(remote) ? { retryAtMs: 0 } : {};
}

/** Nothing is left to do: what a schedule or a person had opened is closed. */
function inStep(remote: RemoteState, nowMs: number): Partial<RemoteState> {
  return { lastSyncMs: nowMs, movedSinceMs: undefined, urgent: false, failedCommit: undefined, pushAtMs: pushClosedUntilMs(remote.triggers) };
}

interface Context {
  /** The branch's commit here. */
  local: string | null | undefined;
  nowMs: number;
}

/** The branch that the remote follows moved here: a push that waits for rest waits anew. */
export function noteLocalMove(remote: RemoteState, nowMs: number): RemoteState {
  const { push } = remote.triggers;
  if (push.kind !== 'debounce' || remote.urgent) return remote;
  const sinceMs = remote.movedSinceMs ?? nowMs;
  return { ...remote, movedSinceMs: sinceMs, pushAtMs: restedAtMs(push.quietMs, sinceMs, nowMs) };
}

/** What a person or a schedule asks for, whatever it was waiting for. */
export function openRemote(remote: RemoteState, what: 'push' | 'pull' | 'both', { local, nowMs }: Context): RemoteState {
  const isEqual = remote.tip !== undefined && remote.tip === local && remote.toIntegrate === undefined;
  return {
    ...remote,
    retryAtMs: 0,
    // Where nothing is known to be missing, there is nothing to open a push for.
    ...(what === 'pull' || (what === 'push' && isEqual) ? {} : { pushAtMs: nowMs }),
    ...(what === 'push' ? {} : { fetchAtMs: nowMs }),
  };
}

/** A person's wish: also what was given up is tried again. */
export function urgeRemote(remote: RemoteState, what: 'push' | 'pull' | 'both', context: Context): RemoteState {
  return { ...openRemote(remote, what, context), failures: 0, refused: false, ...(what === 'pull' ? {} : { urgent: true, failedCommit: undefined }) };
}

function absorbHint(remote: RemoteState, nowMs: number): RemoteState {
  const { hintQuietMs } = remote.triggers;
  if (hintQuietMs === undefined) return { ...remote, ...reachable(remote) };
  const sinceMs = remote.hintedSinceMs ?? nowMs;
  const atMs = restedAtMs(hintQuietMs, sinceMs, nowMs);
  // A fetch that is due anyway is not put off.
  return { ...remote, hintedSinceMs: sinceMs, fetchAtMs: remote.hintedSinceMs === undefined ? Math.min(remote.fetchAtMs, atMs) : atMs, idlePolls: 0, ...reachable(remote) };
}

/** A fetch begins: words that come from now on are of what it may miss. */
export function noteFetchStart(remote: RemoteState): RemoteState {
  return { ...remote, hintedSinceMs: undefined };
}

function nextFetchMs(remote: RemoteState, idlePolls: number, nowMs: number): number {
  const regularMs = nowMs + pullDelayMs(remote.triggers, { live: remote.live, idlePolls });
  const { hintQuietMs } = remote.triggers;
  return remote.hintedSinceMs === undefined || hintQuietMs === undefined ? regularMs : Math.min(regularMs, restedAtMs(hintQuietMs, remote.hintedSinceMs, nowMs));
}

function absorbLiveness(remote: RemoteState, live: boolean, nowMs: number): RemoteState {
  const { hintQuietMs, pull } = remote.triggers;
  if (!live) return { ...remote, live, fetchAtMs: pull.kind === 'poll' ? Math.min(remote.fetchAtMs, nowMs + pull.everyMs) : remote.fetchAtMs };
  // What happened before the notifier was there is found by one fetch.
  const isWorthAFetch = !remote.live && (hintQuietMs !== undefined || (isNetworkTrouble(remote) && pull.kind === 'every'));
  return { ...remote, live, fetchAtMs: isWorthAFetch ? nowMs : remote.fetchAtMs, ...reachable(remote) };
}

/** What is known of the remote after a report. */
export function absorbRemote(remote: RemoteState, event: RemoteEvent, context: Context): RemoteState {
  const { nowMs } = context;
  switch (event.type) {
    case 'remote-moved':
      return absorbHint(remote, nowMs);
    case 'remote-live':
      return absorbLiveness(remote, event.live, nowMs);
    case 'fetched':
      return absorbFetch(remote, event.tip, context);
    case 'integrated':
      return { ...remote, toIntegrate: undefined, ...(event.local === remote.tip ? inStep(remote, nowMs) : {}) };
    case 'not-integrated':
      return { ...remote, failures: remote.failures + 1, retryAtMs: nowMs + soonMs * Math.min(remote.failures + 1, 15) };
    case 'pushed':
      if (event.fallback) return { ...remote, fallbackTip: event.commit, failures: 0 };
      return {
        ...remote, ...inStep(remote, nowMs), tip: event.commit, failures: 0, retryAtMs: 0, failure: undefined, refused: false, lastPushMs: nowMs,
        // A commit that came meanwhile waits for its own rest.
        ...(context.local === event.commit ? {} : { movedSinceMs: remote.movedSinceMs, pushAtMs: remote.pushAtMs, urgent: remote.urgent }),
        fetchAtMs: afterPush(remote, nowMs),
      };
    case 'push-rejected': {
      const failures = remote.failures + 1;
      const waitMs = failures <= quickRejections ? 0 : soonMs * 2 ** Math.min(failures, 6);
      return { ...remote, fetchAtMs: nowMs, failures, retryAtMs: nowMs + waitMs };
    }
    case 'push-refused':
      return { ...remote, refused: true, failure: { kind: 'refused', sentence: event.sentence, hint: undefined, sinceMs: remote.failure?.sinceMs ?? nowMs } };
    case 'import-failed':
      return { ...remote, failedCommit: event.commit, failures: 0, retryAtMs: 0, urgent: false, failure: { kind: 'import', sentence: event.sentence, hint: event.hint, sinceMs: remote.failure?.sinceMs ?? nowMs } };
    case 'abandoned':
      return remote;
    case 'remote-failed': {
      const failures = remote.failures + 1;
      const waitMs = event.retry === 'soon' ? soonMs * failures : event.retry === 'backoff' ? backoffMs(failures, event.random) : onChangeRetryMs;
      const sinceMs = remote.failure?.kind === event.failure.kind ? remote.failure.sinceMs : nowMs;
      return { ...remote, failures, retryAtMs: nowMs + waitMs, fetchAtMs: Math.max(remote.fetchAtMs, nowMs + waitMs), urgent: false, failure: { ...event.failure, sinceMs } };
    }
    default:
      return event satisfies never;
  }
}

/** A push says where the remote's branch is; what else happens there (a word of it still waits) it does not. */
function afterPush(remote: RemoteState, nowMs: number): number {
  if (remote.triggers.pull.kind !== 'poll') return remote.fetchAtMs;
  return nowMs + pullDelayMs(remote.triggers, remote);
}

function absorbFetch(remote: RemoteState, tip: string | null, { local, nowMs }: Context): RemoteState {
  const news = tip !== remote.tip;
  const idlePolls = news ? 0 : remote.idlePolls + 1;
  const isEqual = tip !== null && tip === local;
  // A fetch says nothing of whether the remote would take our branch.
  const isKept = (remote.failure?.kind === 'refused' && !news) || (remote.failure?.kind === 'import' && !isEqual);
  return {
    ...remote,
    tip,
    idlePolls,
    toIntegrate: tip === null || tip === local ? undefined : tip,
    fetchAtMs: nextFetchMs(remote, idlePolls, nowMs),
    failures: 0,
    retryAtMs: 0,
    failure: isKept ? remote.failure : undefined,
    refused: remote.refused && !news,
    lastPullMs: nowMs,
    ...(isEqual ? inStep(remote, nowMs) : {}),
  };
}
