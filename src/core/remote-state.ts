/**
 * What is known of one remote, and what each report about it changes: when to
 * ask it next, when to leave it alone, and what is wrong with it. Pure.
 */
import type { ErrorKind, Retry } from '../errors.ts';
import { backoffMs } from './backoff.ts';

/** Why a remote is not in step, in terms that decide when to try again. */
export interface RemoteFailure {
  kind: ErrorKind | 'unrelated' | 'branch-missing' | 'stopped' | 'refused';
  sentence: string;
  hint: string | undefined;
  sinceMs: number;
}

export interface RemoteState {
  /** The commit that the remote's branch is known to be at; null: it has no such branch yet; undefined: never looked. */
  tip: string | null | undefined;
  /** A fetched tip that has not been integrated yet. */
  toIntegrate: string | undefined;
  fetchAtMs: number;
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
  /** With a schedule: whether its time has come and is not used up. */
  open: boolean;
  /** When both were last known to be equal. */
  lastSyncMs: number | undefined;
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
  | { type: 'remote-failed'; remote: string; failure: Omit<RemoteFailure, 'sinceMs'>; retry: Retry; random: number };

/** How long to leave a remote alone whose trouble only a person or a new state can end. */
const onChangeRetryMs = 30 * 60_000;
/** With a notifier, polling is only a safety net. */
const livePollFactor = 10;
/** Polls without news stretch the interval up to this factor. */
const maxIdleFactor = 5;
/** A race lost (index locked, branch moved) is tried again this soon. */
const soonMs = 200;
/** So many rejected pushes in a row are tried again at once. */
const quickRejections = 3;

export function newRemote(nowMs: number): RemoteState {
  return {
    tip: undefined, toIntegrate: undefined, fetchAtMs: nowMs, retryAtMs: 0, failures: 0, failure: undefined, live: false, idlePolls: 0,
    refused: false, fallbackTip: undefined, open: false, lastSyncMs: undefined,
  };
}

/** Trouble that ends by itself once the remote can be reached. */
export function isNetworkTrouble({ failure }: RemoteState): boolean {
  return failure !== undefined && ['offline', 'timeout', 'not-found'].includes(failure.kind);
}

/** A remote that told us something can be reached: waiting for it is over. */
function reachable(remote: RemoteState): Partial<RemoteState> {
  return isNetworkTrouble(remote) ? { retryAtMs: 0 } : {};
}

function pollDelayMs(pollMs: number, { live, idlePolls }: Pick<RemoteState, 'live' | 'idlePolls'>): number {
  return pollMs * Math.max(live ? livePollFactor : 1, Math.min(1 + idlePolls / 10, maxIdleFactor));
}

interface Context {
  /** The branch's commit here. */
  local: string | null | undefined;
  pollMs: number;
  nowMs: number;
}

/** What is known of the remote after a report. */
export function absorbRemote(remote: RemoteState, event: RemoteEvent, context: Context): RemoteState {
  const { pollMs, nowMs } = context;
  const inStep = { lastSyncMs: nowMs, open: false };
  switch (event.type) {
    case 'remote-moved':
      return { ...remote, fetchAtMs: nowMs, idlePolls: 0, ...reachable(remote) };
    case 'remote-live':
      // What happened before the notifier was there is found by one fetch.
      if (event.live) return { ...remote, live: true, fetchAtMs: remote.live ? remote.fetchAtMs : nowMs, ...reachable(remote) };
      return { ...remote, live: false, fetchAtMs: Math.min(remote.fetchAtMs, nowMs + pollMs) };
    case 'fetched':
      return absorbFetch(remote, event.tip, context);
    case 'integrated':
      return { ...remote, toIntegrate: undefined, ...(event.local === remote.tip ? inStep : {}) };
    case 'not-integrated':
      return { ...remote, failures: remote.failures + 1, retryAtMs: nowMs + soonMs * Math.min(remote.failures + 1, 15) };
    case 'pushed':
      if (event.fallback) return { ...remote, fallbackTip: event.commit, failures: 0 };
      return { ...remote, ...inStep, tip: event.commit, failures: 0, retryAtMs: 0, failure: undefined, refused: false, fetchAtMs: nowMs + pollDelayMs(pollMs, remote) };
    case 'push-rejected': {
      const failures = remote.failures + 1;
      const waitMs = failures <= quickRejections ? 0 : soonMs * 2 ** Math.min(failures, 6);
      return { ...remote, fetchAtMs: nowMs, failures, retryAtMs: nowMs + waitMs };
    }
    case 'push-refused':
      return { ...remote, refused: true, failure: { kind: 'refused', sentence: event.sentence, hint: undefined, sinceMs: remote.failure?.sinceMs ?? nowMs } };
    case 'remote-failed': {
      const failures = remote.failures + 1;
      const waitMs = event.retry === 'soon' ? soonMs * failures : event.retry === 'backoff' ? backoffMs(failures, event.random) : onChangeRetryMs;
      const sinceMs = remote.failure?.kind === event.failure.kind ? remote.failure.sinceMs : nowMs;
      return { ...remote, failures, retryAtMs: nowMs + waitMs, fetchAtMs: Math.max(remote.fetchAtMs, nowMs + waitMs), failure: { ...event.failure, sinceMs } };
    }
    default:
      return event satisfies never;
  }
}

function absorbFetch(remote: RemoteState, tip: string | null, { local, pollMs, nowMs }: Context): RemoteState {
  const news = tip !== remote.tip;
  const idlePolls = news ? 0 : remote.idlePolls + 1;
  return {
    ...remote,
    tip,
    idlePolls,
    toIntegrate: tip === null || tip === local ? undefined : tip,
    fetchAtMs: nowMs + pollDelayMs(pollMs, { live: remote.live, idlePolls }),
    failures: 0,
    retryAtMs: 0,
    // A fetch says nothing of whether the remote would take our branch.
    failure: remote.failure?.kind === 'refused' && !news ? remote.failure : undefined,
    refused: remote.refused && !news,
    ...(tip !== null && tip === local ? { lastSyncMs: nowMs, open: false } : {}),
  };
}
