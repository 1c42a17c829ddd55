/**
 * What one repository's agent does next: a pure function over what is known.
 * The driver (agent/repo-loop.ts) carries out one action at a time and reports
 * back with an event.
 */
import type { ErrorKind, Retry } from '../errors.ts';
import { backoffMs } from './backoff.ts';
import { clean, dueAtMs, isClean, markDirty, putBack, takeBatch, type BatchTimes, type Dirty } from './batch.ts';
import type { RawPath } from './raw-path.ts';

/** Why a remote is not in step, in terms that decide when to try again. */
export interface RemoteFailure {
  kind: ErrorKind | 'unrelated' | 'branch-missing' | 'stopped' | 'refused' | 'unborn';
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
  lastSyncMs: number | undefined;
}

export interface RepoSettings extends BatchTimes {
  pollMs: number;
  fullScanMs: number;
  /** Remote work happens only when the schedule says so. */
  scheduled: boolean;
}

export type Action =
  | { type: 'capture'; scan: ReadonlySet<RawPath> | 'all'; overdue: ReadonlySet<RawPath> }
  | { type: 'fetch'; remote: string }
  | { type: 'integrate'; remote: string; tip: string }
  | { type: 'publish'; remote: string; commit: string; fallback: boolean };

export interface RepoState {
  settings: RepoSettings;
  dirty: Dirty;
  /** What the running capture was asked to take. */
  taking: Dirty;
  nextScanMs: number;
  /** The action being carried out. */
  busy: Action | undefined;
  /** The branch's commit; null: unborn; undefined: not looked yet. */
  local: string | null | undefined;
  /** The branch must not move now (open merge, detached HEAD, ...): nothing is integrated or published. */
  standsStill: boolean;
  pausedUntilMs: number;
  captureRetryAtMs: number;
  captureFailures: number;
  remotes: ReadonlyMap<string, RemoteState>;
}

export type Event =
  | { type: 'changed'; hint: ReadonlySet<RawPath> | 'all' }
  | { type: 'captured'; local: string | null; standsStill: boolean; waiting: readonly RawPath[]; complete: boolean }
  /** `retryMs`: a short wait for a race; undefined: longer each time. */
  | { type: 'capture-failed'; retryMs: number | undefined; random: number }
  /** Another branch is checked out, or the remotes changed: start over with these. */
  | { type: 'targets'; remotes: readonly string[] }
  | { type: 'remote-moved'; remote: string }
  | { type: 'remote-live'; remote: string; live: boolean }
  | { type: 'fetched'; remote: string; tip: string | null }
  | { type: 'integrated'; remote: string; local: string }
  | { type: 'not-integrated'; remote: string; why: 'busy' | 'moved' }
  | { type: 'pushed'; remote: string; commit: string; fallback: boolean }
  | { type: 'push-rejected'; remote: string }
  | { type: 'push-refused'; remote: string; sentence: string }
  | { type: 'remote-failed'; remote: string; failure: Omit<RemoteFailure, 'sinceMs'>; retry: Retry; random: number }
  /** The schedule's time has come. */
  | { type: 'schedule' }
  | { type: 'network-up' }
  | { type: 'sync' }
  | { type: 'pause'; untilMs: number }
  | { type: 'resume' }
  | { type: 'tick' };

/** How long to leave a remote alone whose trouble only a person or a new state can end. */
const onChangeRetryMs = 30 * 60_000;
/** With a notifier, polling is only a safety net. */
const livePollFactor = 10;
/** Polls without news stretch the interval up to this factor. */
const maxIdleFactor = 5;
/** A race lost (index locked, branch moved) is tried again this soon. */
const soonMs = 200;

export function newRemote(nowMs: number): RemoteState {
  return { tip: undefined, toIntegrate: undefined, fetchAtMs: nowMs, retryAtMs: 0, failures: 0, failure: undefined, live: false, idlePolls: 0, refused: false, fallbackTip: undefined, open: false, lastSyncMs: undefined };
}

/** The state at start: everything is looked at once. */
export function initialState(settings: RepoSettings, remotes: readonly string[], nowMs: number): RepoState {
  return {
    settings,
    dirty: { ...clean, all: { firstMs: nowMs - settings.maxDelayMs, lastMs: nowMs - settings.maxDelayMs } },
    taking: clean,
    nextScanMs: nowMs + settings.fullScanMs,
    busy: undefined,
    local: undefined,
    standsStill: false,
    pausedUntilMs: 0,
    captureRetryAtMs: 0,
    captureFailures: 0,
    remotes: new Map(remotes.map((name) => [name, newRemote(nowMs)])),
  };
}

function withRemote(state: RepoState, name: string, change: (remote: RemoteState) => Partial<RemoteState>): RepoState {
  const remote = state.remotes.get(name);
  if (remote === undefined) return state;
  return { ...state, remotes: new Map(state.remotes).set(name, { ...remote, ...change(remote) }) };
}

function withEachRemote(state: RepoState, change: (remote: RemoteState) => Partial<RemoteState>): RepoState {
  return [...state.remotes.keys()].reduce((next, name) => withRemote(next, name, change), state);
}

function pollDelayMs(settings: RepoSettings, remote: RemoteState): number {
  const idle = Math.min(1 + remote.idlePolls / 10, maxIdleFactor);
  return settings.pollMs * (remote.live ? Math.max(livePollFactor, idle) : idle);
}

/** Takes in what happened; the action that reported is over. */
function absorb(state: RepoState, event: Event, nowMs: number): RepoState {
  switch (event.type) {
    case 'changed':
      return { ...state, dirty: markDirty(state.dirty, event.hint, nowMs) };
    case 'captured':
      return absorbCapture(state, event, nowMs);
    case 'capture-failed': {
      const failures = state.captureFailures + 1;
      const waitMs = event.retryMs ?? Math.min(backoffMs(failures, event.random), 60_000);
      return { ...state, busy: undefined, dirty: mergeBack(state.dirty, state.taking), taking: clean, captureFailures: failures, captureRetryAtMs: nowMs + waitMs };
    }
    case 'targets':
      return { ...state, remotes: new Map(event.remotes.map((name) => [name, newRemote(nowMs)])) };
    case 'remote-moved':
      return withRemote(state, event.remote, (remote) => ({ fetchAtMs: nowMs, idlePolls: 0, ...reachable(remote) }));
    case 'remote-live':
      // What happened before the notifier was there is found by one fetch.
      return withRemote(state, event.remote, (remote) => ({
        live: event.live,
        fetchAtMs: event.live && !remote.live ? nowMs : Math.min(remote.fetchAtMs, nowMs + state.settings.pollMs),
        ...(event.live ? reachable(remote) : {}),
      }));
    case 'fetched':
      return withRemote({ ...state, busy: undefined }, event.remote, (remote) => {
        const news = event.tip !== remote.tip;
        const next = { ...remote, idlePolls: news ? 0 : remote.idlePolls + 1 };
        const healed = remote.failure !== undefined && remote.failure.kind !== 'refused' ? { failure: undefined } : {};
        return {
          tip: event.tip,
          toIntegrate: event.tip === null || event.tip === state.local ? undefined : event.tip,
          idlePolls: next.idlePolls,
          fetchAtMs: nowMs + pollDelayMs(state.settings, next),
          failures: 0,
          retryAtMs: 0,
          ...healed,
          ...(news ? { refused: false } : {}),
          ...(event.tip !== null && event.tip === state.local ? { lastSyncMs: nowMs, open: false } : {}),
        };
      });
    case 'integrated':
      return withRemote({ ...state, busy: undefined, local: event.local }, event.remote, (remote) => ({
        toIntegrate: undefined,
        ...(event.local === remote.tip ? { lastSyncMs: nowMs, open: false } : {}),
      }));
    case 'not-integrated':
      return withRemote({ ...state, busy: undefined, dirty: event.why === 'moved' ? markDirty(state.dirty, 'all', nowMs) : state.dirty }, event.remote, () => ({ retryAtMs: nowMs + soonMs }));
    case 'pushed':
      return withRemote({ ...state, busy: undefined }, event.remote, (remote) =>
        event.fallback
          ? { fallbackTip: event.commit, failures: 0 }
          : { tip: event.commit, failures: 0, retryAtMs: 0, failure: undefined, refused: false, lastSyncMs: nowMs, open: false, fetchAtMs: nowMs + pollDelayMs(state.settings, remote) },
      );
    case 'push-rejected':
      return withRemote({ ...state, busy: undefined }, event.remote, (remote) => ({
        fetchAtMs: nowMs,
        failures: remote.failures + 1,
        retryAtMs: remote.failures < 3 ? nowMs : nowMs + soonMs * 2 ** Math.min(remote.failures, 6),
      }));
    case 'push-refused':
      return withRemote({ ...state, busy: undefined }, event.remote, (remote) => ({
        refused: true,
        failure: { kind: 'refused', sentence: event.sentence, hint: undefined, sinceMs: remote.failure?.sinceMs ?? nowMs },
      }));
    case 'remote-failed':
      return withRemote({ ...state, busy: undefined }, event.remote, (remote) => {
        const failures = remote.failures + 1;
        const waitMs = event.retry === 'soon' ? soonMs * failures : event.retry === 'backoff' ? backoffMs(failures, event.random) : onChangeRetryMs;
        const sinceMs = remote.failure?.kind === event.failure.kind ? remote.failure.sinceMs : nowMs;
        return { failures, retryAtMs: nowMs + waitMs, fetchAtMs: Math.max(remote.fetchAtMs, nowMs + waitMs), failure: { ...event.failure, sinceMs } };
      });
    case 'schedule':
      return withEachRemote(state, () => ({ open: true, fetchAtMs: nowMs, retryAtMs: 0 }));
    case 'network-up':
      return withEachRemote(state, (remote) => ({ retryAtMs: 0, fetchAtMs: nowMs, failures: Math.min(remote.failures, 1) }));
    case 'sync':
      return {
        ...withEachRemote(state, () => ({ retryAtMs: 0, fetchAtMs: nowMs, failures: 0, open: true, refused: false })),
        dirty: { ...state.dirty, all: { firstMs: nowMs - state.settings.maxDelayMs, lastMs: nowMs - state.settings.maxDelayMs } },
        captureRetryAtMs: 0,
        pausedUntilMs: 0,
      };
    case 'pause':
      return { ...state, pausedUntilMs: event.untilMs };
    case 'resume':
      return { ...withEachRemote(state, () => ({ fetchAtMs: nowMs })), pausedUntilMs: 0, dirty: markDirty(state.dirty, 'all', nowMs) };
    case 'tick':
      return state;
    default:
      return event satisfies never;
  }
}

function isNetworkTrouble({ failure }: RemoteState): boolean {
  return failure !== undefined && ['offline', 'timeout', 'not-found'].includes(failure.kind);
}

/** A remote that told us something can be reached: waiting for it is over. */
function reachable(remote: RemoteState): Partial<RemoteState> {
  return isNetworkTrouble(remote) ? { retryAtMs: 0 } : {};
}

function mergeBack(dirty: Dirty, taking: Dirty): Dirty {
  return { paths: new Map([...dirty.paths, ...taking.paths]), all: taking.all ?? dirty.all };
}

function absorbCapture(state: RepoState, event: Event & { type: 'captured' }, nowMs: number): RepoState {
  const moved = event.local !== state.local;
  const next: RepoState = {
    ...state,
    busy: undefined,
    dirty: putBack(state.dirty, event.waiting, state.taking, nowMs),
    taking: clean,
    local: event.local,
    standsStill: event.standsStill,
    captureFailures: 0,
    captureRetryAtMs: 0,
    ...(event.complete ? { nextScanMs: nowMs + state.settings.fullScanMs } : {}),
  };
  // A new commit is worth an early attempt where only the network was in the way.
  return moved ? withEachRemote(next, (remote) => (isNetworkTrouble(remote) ? { retryAtMs: Math.min(remote.retryAtMs, nowMs + 1_000) } : {})) : next;
}

/** Whether remote work is allowed at all now. */
function isOpen(state: RepoState, remote: RemoteState, nowMs: number): boolean {
  return remote.retryAtMs <= nowMs && (!state.settings.scheduled || remote.open);
}

/** What this branch still has to bring to the remote: nothing while an incoming tip waits. */
function publishAction(state: RepoState, name: string, remote: RemoteState): Action | undefined {
  const { local } = state;
  if (typeof local !== 'string' || state.standsStill || remote.tip === undefined || remote.toIntegrate !== undefined || remote.tip === local) return undefined;
  if (remote.failure !== undefined && ['unrelated', 'branch-missing', 'stopped'].includes(remote.failure.kind)) return undefined;
  if (remote.refused) return remote.fallbackTip === local ? undefined : { type: 'publish', remote: name, commit: local, fallback: true };
  return { type: 'publish', remote: name, commit: local, fallback: false };
}

function remoteAction(state: RepoState, nowMs: number): Action | undefined {
  const remotes = [...state.remotes].filter(([, remote]) => isOpen(state, remote, nowMs));
  for (const [name, remote] of remotes) {
    if (remote.toIntegrate !== undefined && !state.standsStill && state.local !== undefined && remote.failure?.kind !== 'unrelated') return { type: 'integrate', remote: name, tip: remote.toIntegrate };
  }
  for (const [name, remote] of remotes) {
    if (remote.fetchAtMs <= nowMs) return { type: 'fetch', remote: name };
    const publish = publishAction(state, name, remote);
    if (publish !== undefined) return publish;
  }
  return undefined;
}

/** Chooses the next action, if the repository is free and something is due. */
function choose(state: RepoState, nowMs: number): [RepoState, Action[]] {
  if (state.busy !== undefined || nowMs < state.pausedUntilMs) return [state, []];
  const start = (next: RepoState, action: Action): [RepoState, Action[]] => [{ ...next, busy: action }, [action]];
  if (nowMs >= state.captureRetryAtMs) {
    if (nowMs >= state.nextScanMs) {
      const overdue = takeBatch(state.dirty, nowMs, state.settings).overdue;
      return start({ ...state, dirty: clean, taking: { ...state.dirty, all: state.dirty.all ?? { firstMs: nowMs, lastMs: nowMs } } }, { type: 'capture', scan: 'all', overdue });
    }
    if (dueAtMs(state.dirty, state.settings) <= nowMs) {
      const { scan, overdue, rest } = takeBatch(state.dirty, nowMs, state.settings);
      return start({ ...state, dirty: rest, taking: state.dirty }, { type: 'capture', scan, overdue });
    }
  }
  if (state.local === undefined) return [state, []];
  const action = remoteAction(state, nowMs);
  return action === undefined ? [state, []] : start(state, action);
}

/** One step: takes in an event and says what to do now (at most one action). */
export function step(state: RepoState, event: Event, nowMs: number): [RepoState, Action[]] {
  return choose(absorb(state, event, nowMs), nowMs);
}

/** When the driver has to call again if nothing else happens; Infinity: never. */
export function wakeAtMs(state: RepoState, nowMs: number): number {
  if (state.busy !== undefined) return Infinity;
  if (nowMs < state.pausedUntilMs) return state.pausedUntilMs;
  const capture = Math.max(state.captureRetryAtMs, Math.min(state.nextScanMs, dueAtMs(state.dirty, state.settings)));
  // Remote work begins when the branch has been looked at.
  if (state.local === undefined) return capture;
  const remotes = [...state.remotes].map(([name, remote]) => {
    if (state.settings.scheduled && !remote.open) return Infinity;
    const waits = (remote.toIntegrate !== undefined && !state.standsStill && remote.failure?.kind !== 'unrelated') || publishAction(state, name, remote) !== undefined;
    return Math.max(remote.retryAtMs, waits ? nowMs : remote.fetchAtMs);
  });
  return Math.min(capture, ...remotes);
}

/** A race that is tried again this soon still counts as under way. */
const underWayMs = 3_000;

/** Whether everything that can be done now is done; what remains waits for time, a person or a remote. */
export function isSettled(state: RepoState, nowMs: number): boolean {
  if (state.busy !== undefined) return false;
  if (nowMs < state.pausedUntilMs) return true;
  if (state.captureFailures > 0 && state.captureRetryAtMs > nowMs + underWayMs) return true;
  if (!isClean(state.dirty) || state.local === undefined || remoteAction(state, nowMs) !== undefined) return false;
  return ![...state.remotes].some(([name, remote]) => {
    const waits = remote.toIntegrate !== undefined || publishAction(state, name, remote) !== undefined;
    return waits && !state.standsStill && remote.failure === undefined && remote.retryAtMs <= nowMs + underWayMs;
  });
}
