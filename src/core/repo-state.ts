/**
 * What one repository's agent does next: a pure function over what is known.
 * The driver (agent/repo-loop.ts) carries out one action at a time and reports
 * back with an event.
 */
import { backoffMs } from './backoff.ts';
import { clean, dueAtMs, isClean, markDirty, putBack, takeBatch, type BatchTimes, type Dirty } from './batch.ts';
import type { RawPath } from './raw-path.ts';
import { absorbRemote, isNetworkTrouble, newRemote, type RemoteEvent, type RemoteState } from './remote-state.ts';

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
  | { type: 'publish'; remote: string; commit: string; fallback: boolean }
  /** The second look at what updates replaced, and the upkeep of the repository. */
  | { type: 'tidy' };

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
  tidyAtMs: number;
  remotes: ReadonlyMap<string, RemoteState>;
}

export type Event =
  | { type: 'changed'; hint: ReadonlySet<RawPath> | 'all' }
  /** `leftovers`: incoming versions wait for a place that may be free now. */
  | { type: 'captured'; local: string | null; standsStill: boolean; waiting: readonly RawPath[]; complete: boolean; leftovers: boolean }
  /** `retryMs`: a short wait for a race; undefined: longer each time. */
  | { type: 'capture-failed'; retryMs: number | undefined; random: number }
  /** Another branch is checked out, or the remotes changed: start over with these. */
  | { type: 'targets'; remotes: readonly string[] }
  | RemoteEvent
  /** The schedule's time has come. */
  | { type: 'schedule' }
  /** `local`: the branch's commit, where it moved; `again`: something still has to be looked at. */
  | { type: 'tidied'; local: string | undefined; again: boolean }
  | { type: 'network-up' }
  | { type: 'sync' }
  | { type: 'pause'; untilMs: number }
  | { type: 'resume' }
  | { type: 'tick' };

/** A program that held a replaced file open has this long to write its last words before the second look. */
const tidySoonMs = 2_000;
const tidyAgainMs = 10_000;
/** A race that is lost again and again is tried again after this at the latest. */
const longestRaceMs = 3_000;

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
    tidyAtMs: nowMs + tidyAgainMs,
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

/** Takes in what happened; the action that reported is over. */
function absorb(state: RepoState, event: Event, nowMs: number): RepoState {
  switch (event.type) {
    case 'changed':
      return { ...state, dirty: markDirty(state.dirty, event.hint, nowMs) };
    case 'captured':
      return absorbCapture(state, event, nowMs);
    case 'capture-failed': {
      const failures = state.captureFailures + 1;
      // A lock may be held for as long as somebody thinks about a commit message.
      const waitMs = event.retryMs !== undefined ? Math.min(event.retryMs * failures, longestRaceMs) : Math.min(backoffMs(failures, event.random), 60_000);
      return { ...state, busy: undefined, dirty: mergeBack(state.dirty, state.taking), taking: clean, captureFailures: failures, captureRetryAtMs: nowMs + waitMs };
    }
    case 'targets':
      return { ...state, remotes: new Map(event.remotes.map((name) => [name, newRemote(nowMs)])) };
    case 'remote-moved':
    case 'remote-live':
      return absorbReport(state, event, nowMs);
    case 'integrated':
      return absorbReport({ ...state, busy: undefined, local: event.local, tidyAtMs: Math.min(state.tidyAtMs, nowMs + tidySoonMs) }, event, nowMs);
    case 'not-integrated':
      // Where the branch moved by other hands, it is looked at first.
      return absorbReport({ ...state, busy: undefined, dirty: event.why === 'moved' ? markDirty(state.dirty, 'all', nowMs) : state.dirty }, event, nowMs);
    case 'fetched':
    case 'pushed':
    case 'push-rejected':
    case 'push-refused':
    case 'remote-failed':
      return absorbReport({ ...state, busy: undefined }, event, nowMs);
    case 'tidied':
      return { ...state, busy: undefined, local: event.local ?? state.local, tidyAtMs: nowMs + (event.again ? tidyAgainMs : state.settings.fullScanMs) };
    case 'schedule':
      return withEachRemote(state, () => ({ open: true, fetchAtMs: nowMs, retryAtMs: 0 }));
    case 'network-up':
      return withEachRemote(state, (remote) => ({ retryAtMs: 0, fetchAtMs: nowMs, failures: Math.min(remote.failures, 1) }));
    case 'sync':
      return {
        ...withEachRemote(state, () => ({ retryAtMs: 0, fetchAtMs: nowMs, failures: 0, open: true, refused: false })),
        dirty: { ...state.dirty, all: { firstMs: nowMs - state.settings.maxDelayMs, lastMs: nowMs - state.settings.maxDelayMs } },
        captureRetryAtMs: 0,
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

function absorbReport(state: RepoState, event: RemoteEvent, nowMs: number): RepoState {
  return withRemote(state, event.remote, (remote) => absorbRemote(remote, event, { local: state.local, pollMs: state.settings.pollMs, nowMs }));
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
    ...(event.leftovers ? { tidyAtMs: Math.min(state.tidyAtMs, nowMs + tidySoonMs) } : {}),
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
  const action = remoteAction(state, nowMs) ?? (nowMs >= state.tidyAtMs ? { type: 'tidy' as const } : undefined);
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
  return Math.min(capture, state.tidyAtMs, ...remotes);
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
