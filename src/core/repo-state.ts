/**
 * What one repository's agent does next: a pure function over what is known.
 * The driver (agent/repo-loop.ts) carries out one action at a time and reports
 * back with an event.
 */
import { backoffMs } from './backoff.ts';
import { clean, dueAtMs, isClean, markDirty, mergeBack, putBack, restedAtMs, takeBatch, type BatchTimes, type Dirty } from './batch.ts';
import type { RawPath } from './raw-path.ts';
import { absorbRemote, isNetworkTrouble, newRemote, noteFetchStart, noteLocalMove, openRemote, urgeRemote, type RemoteEvent, type RemoteSetup, type RemoteState } from './remote-state.ts';
import { pullDelayMs } from './remote-triggers.ts';

export interface RepoSettings extends BatchTimes {
  fullScanMs: number;
  /** How long before the end of the quiet time a capture may begin, so that only its commit has to wait for it. */
  leadMs: number;
}

export type Action =
  /** `restedAtMs`: begun ahead; the commit waits until then, and is given up when something changes before (see `restOf`). */
  | { type: 'capture'; scan: ReadonlySet<RawPath> | 'all'; overdue: ReadonlySet<RawPath>; restedAtMs?: number }
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
  /** How long after a look that could not save a file the next one comes; 0: the last whole look could save all. */
  failedRetryMs: number;
  /** The action being carried out, other than those of remotes that are talked to apart. */
  busy: Action | undefined;
  /** The branch's commit; null: unborn; undefined: not looked yet. */
  local: string | null | undefined;
  /** The branch must not move now (open merge, detached HEAD, ...): nothing is integrated or published. */
  standsStill: boolean;
  pausedUntilMs: number;
  captureRetryAtMs: number;
  captureFailures: number;
  /** A capture that was begun ahead was given up: the next one is not begun before its time. */
  wasDisturbed: boolean;
  tidyAtMs: number;
  remotes: ReadonlyMap<string, RemoteState>;
  /** Commits of branches beside the checked-out one that some remote follows. */
  sides: ReadonlyMap<string, string | null>;
}

export type Event =
  | { type: 'changed'; hint: ReadonlySet<RawPath> | 'all' }
  /** `leftovers`: incoming versions wait for a place that may be free now; `failed`: some file could not be saved. */
  | { type: 'captured'; local: string | null; standsStill: boolean; waiting: readonly RawPath[]; complete: boolean; leftovers: boolean; failed: boolean }
  /** A capture that was begun ahead was given up, without a trace. */
  | { type: 'disturbed' }
  /** `retryMs`: a short wait for a race; undefined: longer each time. */
  | { type: 'capture-failed'; retryMs: number | undefined; random: number }
  /** Another branch is checked out, or the remotes changed: start over with these. */
  | { type: 'targets'; remotes: readonly RemoteSetup[] }
  /** Where the branches beside the checked-out one are. */
  | { type: 'sides'; tips: ReadonlyMap<string, string | null> }
  | RemoteEvent
  /** The schedule's time has come: of one remote, else of all that have the repository's. */
  | { type: 'schedule'; remote?: string; what: 'push' | 'pull' | 'both' }
  /** A person asks for one remote. */
  | { type: 'ask'; remote: string; what: 'push' | 'pull' | 'both' }
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
/** What could not be saved is tried again after this, and then after longer and longer. */
const failedAgainMs = 10_000;
/** More paths than this are not begun with ahead of their time: it may be in vain. */
const mostPathsAhead = 100;
/** A race that is lost again and again is tried again after this at the latest. */
const longestRaceMs = 3_000;

/** The state at start: everything is looked at once. */
export function initialState(settings: RepoSettings, remotes: readonly RemoteSetup[], nowMs: number): RepoState {
  return {
    settings,
    dirty: { ...clean, all: { firstMs: nowMs - settings.maxDelayMs, lastMs: nowMs - settings.maxDelayMs } },
    taking: clean,
    nextScanMs: nowMs + settings.fullScanMs,
    failedRetryMs: 0,
    busy: undefined,
    local: undefined,
    standsStill: false,
    pausedUntilMs: 0,
    captureRetryAtMs: 0,
    captureFailures: 0,
    wasDisturbed: false,
    tidyAtMs: nowMs + tidyAgainMs,
    remotes: new Map(remotes.map((setup) => [setup.name, newRemote(nowMs, setup)])),
    sides: new Map(),
  };
}

/** The commit here of the branch that a remote follows. */
export function localOf(state: Pick<RepoState, 'local' | 'sides'>, { side }: Pick<RemoteState, 'side'>): string | null | undefined {
  return side === undefined ? state.local : state.sides.get(side);
}

/** A branch beside the checked-out one moves without a work tree, so nothing in that makes it stand still. */
function isStill(state: RepoState, { side }: RemoteState): boolean {
  return side === undefined && state.standsStill;
}

function withRemote(state: RepoState, name: string, change: (remote: RemoteState) => Partial<RemoteState>): RepoState {
  const remote = state.remotes.get(name);
  if (remote === undefined) return state;
  return { ...state, remotes: new Map(state.remotes).set(name, { ...remote, ...change(remote) }) };
}

function withEachRemote(state: RepoState, change: (remote: RemoteState, name: string) => Partial<RemoteState>): RepoState {
  return [...state.remotes.keys()].reduce((next, name) => withRemote(next, name, (remote) => change(remote, name)), state);
}

/** Takes in what happened; the action that reported is over. */
function absorb(state: RepoState, event: Event, nowMs: number): RepoState {
  switch (event.type) {
    case 'changed':
      return { ...state, dirty: markDirty(state.dirty, event.hint, nowMs) };
    case 'captured':
      return absorbCapture(state, event, nowMs);
    case 'disturbed':
      return { ...state, busy: undefined, dirty: mergeBack(state.dirty, state.taking), taking: clean, wasDisturbed: true };
    case 'capture-failed': {
      const failures = state.captureFailures + 1;
      // A lock may be held for as long as somebody thinks about a commit message.
      const waitMs = event.retryMs !== undefined ? Math.min(event.retryMs * failures, longestRaceMs) : Math.min(backoffMs(failures, event.random), 60_000);
      return { ...state, busy: undefined, dirty: mergeBack(state.dirty, state.taking), taking: clean, captureFailures: failures, captureRetryAtMs: nowMs + waitMs };
    }
    case 'targets': {
      // What a remote is busy with ends later, and must be known until then.
      const isBusy = (name: string): boolean => state.remotes.get(name)?.busy ?? false;
      return { ...state, remotes: new Map(event.remotes.map((setup) => [setup.name, { ...newRemote(nowMs, setup), busy: isBusy(setup.name) }])) };
    }
    case 'sides':
      return { ...state, sides: event.tips };
    case 'remote-moved':
    case 'remote-live':
      return absorbReport(state, event, nowMs);
    case 'integrated':
      return absorbIntegrated(state, event, nowMs);
    case 'not-integrated':
      // Where the branch moved by other hands, it is looked at first.
      return absorbReport({ ...state, busy: undefined, dirty: event.why === 'moved' ? markDirty(state.dirty, 'all', nowMs) : state.dirty }, event, nowMs);
    case 'fetched':
    case 'pushed':
    case 'push-rejected':
    case 'push-refused':
    case 'import-failed':
    case 'abandoned':
    case 'remote-failed':
      return absorbReport(endAction(state, event.remote), event, nowMs);
    case 'tidied':
      return { ...state, busy: undefined, local: event.local ?? state.local, tidyAtMs: nowMs + (event.again ? tidyAgainMs : state.settings.fullScanMs) };
    case 'schedule': {
      const isMeant = (name: string, { triggers }: RemoteState): boolean => (event.remote === undefined ? !triggers.apart && triggers.pull.kind === 'scheduled' : name === event.remote);
      return withEachRemote(state, (remote, name) => (isMeant(name, remote) ? openRemote(remote, event.what, { local: localOf(state, remote), nowMs }) : remote));
    }
    case 'ask':
      return withRemote(state, event.remote, (remote) => urgeRemote(remote, event.what, { local: localOf(state, remote), nowMs }));
    case 'network-up':
      return withEachRemote(state, (remote) => ({ retryAtMs: 0, fetchAtMs: pullDelayMs(remote.triggers, remote) === Infinity ? remote.fetchAtMs : nowMs, failures: Math.min(remote.failures, 1) }));
    case 'sync':
      return {
        ...withEachRemote(state, (remote) => urgeRemote(remote, 'both', { local: localOf(state, remote), nowMs })),
        dirty: { ...state.dirty, all: { firstMs: nowMs - state.settings.maxDelayMs, lastMs: nowMs - state.settings.maxDelayMs } },
        captureRetryAtMs: 0,
      };
    case 'pause':
      return { ...state, pausedUntilMs: event.untilMs };
    case 'resume':
      return { ...withEachRemote(state, (remote) => ({ fetchAtMs: pullDelayMs(remote.triggers, remote) === Infinity ? remote.fetchAtMs : nowMs })), pausedUntilMs: 0, dirty: markDirty(state.dirty, 'all', nowMs) };
    case 'tick':
      return state;
    default:
      return event satisfies never;
  }
}

function absorbReport(state: RepoState, event: RemoteEvent, nowMs: number): RepoState {
  return withRemote(state, event.remote, (remote) => absorbRemote(remote, event, { local: localOf(state, remote), nowMs }));
}

/** The remote's own action is over; where it has none, the one that everything else waits for. */
function endAction(state: RepoState, name: string): RepoState {
  if (state.remotes.get(name)?.busy === true) return withRemote(state, name, () => ({ busy: false }));
  const mine = state.busy !== undefined && 'remote' in state.busy && state.busy.remote === name;
  return mine ? { ...state, busy: undefined } : state;
}

function absorbIntegrated(state: RepoState, event: Event & { type: 'integrated' }, nowMs: number): RepoState {
  const side = state.remotes.get(event.remote)?.side;
  const next = { ...state, busy: undefined };
  if (side !== undefined) return absorbReport({ ...next, sides: new Map(state.sides).set(side, event.local) }, event, nowMs);
  return absorbReport({ ...next, local: event.local, tidyAtMs: Math.min(state.tidyAtMs, nowMs + tidySoonMs) }, event, nowMs);
}

/** A push that waits for its branch to rest waits anew when that moved. */
function noteLocalMoves(before: RepoState, after: RepoState, nowMs: number): RepoState {
  if (before.local === after.local && before.sides === after.sides) return after;
  const hasMoved = (remote: RemoteState): boolean => {
    const was = localOf(before, remote);
    return was !== undefined && was !== localOf(after, remote);
  };
  return withEachRemote(after, (remote) => (hasMoved(remote) && remote.tip !== localOf(after, remote) ? noteLocalMove(remote, nowMs) : remote));
}

function absorbCapture(state: RepoState, event: Event & { type: 'captured' }, nowMs: number): RepoState {
  const moved = event.local !== state.local;
  const failedRetryMs = event.failed ? Math.min(Math.max(2 * state.failedRetryMs, failedAgainMs), state.settings.fullScanMs) : event.complete ? 0 : state.failedRetryMs;
  const scanMs = event.complete ? nowMs + state.settings.fullScanMs : state.nextScanMs;
  const next: RepoState = {
    ...state,
    busy: undefined,
    dirty: putBack(state.dirty, event.waiting, state.taking, nowMs),
    taking: clean,
    local: event.local,
    standsStill: event.standsStill,
    captureFailures: 0,
    wasDisturbed: false,
    captureRetryAtMs: 0,
    nextScanMs: event.failed ? Math.min(scanMs, nowMs + failedRetryMs) : scanMs,
    failedRetryMs,
    ...(event.leftovers ? { tidyAtMs: Math.min(state.tidyAtMs, nowMs + tidySoonMs) } : {}),
  };
  // A new commit is worth an early attempt where only the network was in the way.
  return moved ? withEachRemote(next, (remote) => (isNetworkTrouble(remote) ? { retryAtMs: Math.min(remote.retryAtMs, nowMs + 1_000) } : {})) : next;
}

/** What this branch still has to bring to the remote, now or later: nothing while an incoming tip waits. */
function publishAction(state: RepoState, name: string, remote: RemoteState): Action | undefined {
  const local = localOf(state, remote);
  if (typeof local !== 'string' || isStill(state, remote) || remote.tip === undefined || remote.toIntegrate !== undefined || remote.tip === local) return undefined;
  if (remote.failure !== undefined && ['unrelated', 'branch-missing', 'stopped'].includes(remote.failure.kind)) return undefined;
  if (remote.failedCommit === local) return undefined;
  if (remote.refused) return remote.fallbackTip === local ? undefined : { type: 'publish', remote: name, commit: local, fallback: true };
  return { type: 'publish', remote: name, commit: local, fallback: false };
}

/** Whether a fetched tip can be brought in. */
function isIntegrable(state: RepoState, remote: RemoteState): boolean {
  return remote.toIntegrate !== undefined && !remote.busy && !isStill(state, remote) && localOf(state, remote) !== undefined && remote.failure?.kind !== 'unrelated';
}

/** What is due with one remote: a fetch, else a push. */
function talkAction(state: RepoState, name: string, remote: RemoteState, nowMs: number): Action | undefined {
  if (remote.busy || remote.retryAtMs > nowMs) return undefined;
  if (remote.fetchAtMs <= nowMs) return { type: 'fetch', remote: name };
  return remote.pushAtMs <= nowMs ? publishAction(state, name, remote) : undefined;
}

function remoteAction(state: RepoState, nowMs: number): Action | undefined {
  for (const [name, remote] of state.remotes) {
    if (remote.retryAtMs <= nowMs && isIntegrable(state, remote)) return { type: 'integrate', remote: name, tip: remote.toIntegrate as string };
  }
  for (const [name, remote] of state.remotes) {
    const action = remote.triggers.apart ? undefined : talkAction(state, name, remote, nowMs);
    if (action !== undefined) return action;
  }
  return undefined;
}

/** When what is dirty will have rested, where its capture may begin ahead. */
function leadFor({ dirty, settings, wasDisturbed, standsStill, local }: RepoState): { fromMs: number; restedMs: number } | undefined {
  const isSuited = settings.leadMs > 0 && !wasDisturbed && !standsStill && local !== undefined && dirty.paths.size <= mostPathsAhead;
  const restedMs = isSuited ? restedAtMs(dirty, settings) : undefined;
  return restedMs === undefined ? undefined : { fromMs: restedMs - settings.leadMs, restedMs };
}

/** A capture that begins ahead of its time, where that is now. */
function captureAhead(state: RepoState, nowMs: number): Action | undefined {
  const lead = nowMs < state.captureRetryAtMs ? undefined : leadFor(state);
  if (lead === undefined || nowMs < lead.fromMs) return undefined;
  return { type: 'capture', scan: new Set(state.dirty.paths.keys()), overdue: new Set(), restedAtMs: lead.restedMs };
}

/** When what the capture under way looks at will have rested, where it was begun ahead of that. */
function waitsUntilMs({ busy }: RepoState): number | undefined {
  return busy?.type === 'capture' ? busy.restedAtMs : undefined;
}

/** Whether the commit of the capture that was begun ahead may be made now; `disturbed` too where none is under way. */
export function restOf(state: RepoState, nowMs: number): 'resting' | 'rested' | 'disturbed' {
  const untilMs = waitsUntilMs(state);
  if (untilMs === undefined || !isClean(state.dirty) || nowMs < state.pausedUntilMs) return 'disturbed';
  return nowMs < untilMs ? 'resting' : 'rested';
}

/** Chooses the next action that touches the work tree or an ordinary remote, if the repository is free and something is due. */
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
  const action = remoteAction(state, nowMs) ?? captureAhead(state, nowMs) ?? (nowMs >= state.tidyAtMs ? { type: 'tidy' as const } : undefined);
  if (action === undefined) return [state, []];
  if (action.type === 'capture') return start({ ...state, dirty: clean, taking: state.dirty }, action);
  return start(action.type === 'fetch' ? withRemote(state, action.remote, noteFetchStart) : state, action);
}

/** Begins what is due with remotes that are talked to apart: each by itself, whatever else is under way. */
function chooseApart(state: RepoState, nowMs: number): [RepoState, Action[]] {
  if (nowMs < state.pausedUntilMs || state.local === undefined) return [state, []];
  const integrating = state.busy?.type === 'integrate' ? state.busy.remote : undefined;
  let next = state;
  const actions: Action[] = [];
  for (const [name, remote] of state.remotes) {
    const action = remote.triggers.apart && name !== integrating ? talkAction(state, name, remote, nowMs) : undefined;
    if (action === undefined) continue;
    actions.push(action);
    next = withRemote(next, name, (chosen) => ({ ...(action.type === 'fetch' ? noteFetchStart(chosen) : {}), busy: true }));
  }
  return [next, actions];
}

/** One step: takes in an event and says what to do now (at most one action, and one for each remote that is talked to apart). */
export function step(state: RepoState, event: Event, nowMs: number): [RepoState, Action[]] {
  const absorbed = noteLocalMoves(state, absorb(state, event, nowMs), nowMs);
  const [chosen, actions] = choose(absorbed, nowMs);
  const [next, apart] = chooseApart(chosen, nowMs);
  return [next, [...actions, ...apart]];
}

/** When something is due with one remote. */
function remoteWakeAtMs(state: RepoState, name: string, remote: RemoteState): number {
  if (remote.busy) return Infinity;
  const isFree = state.busy === undefined;
  if (isFree && isIntegrable(state, remote)) return remote.retryAtMs;
  if (!isFree && !remote.triggers.apart) return Infinity;
  const publishMs = publishAction(state, name, remote) === undefined ? Infinity : remote.pushAtMs;
  return Math.max(remote.retryAtMs, Math.min(remote.fetchAtMs, publishMs));
}

function captureWakeAtMs(state: RepoState, nowMs: number): number {
  if (state.busy !== undefined) return restOf(state, nowMs) === 'resting' ? (waitsUntilMs(state) ?? Infinity) : Infinity;
  return Math.max(state.captureRetryAtMs, Math.min(state.nextScanMs, leadFor(state)?.fromMs ?? dueAtMs(state.dirty, state.settings)));
}

/** When the driver has to call again if nothing else happens; Infinity: never. */
export function wakeAtMs(state: RepoState, nowMs: number): number {
  if (nowMs < state.pausedUntilMs) return state.busy === undefined ? state.pausedUntilMs : Infinity;
  const capture = captureWakeAtMs(state, nowMs);
  // Remote work begins when the branch has been looked at.
  if (state.local === undefined) return capture;
  const remotes = [...state.remotes].map(([name, remote]) => remoteWakeAtMs(state, name, remote));
  return Math.min(capture, state.busy === undefined ? state.tidyAtMs : Infinity, ...remotes);
}

/** A race that is tried again this soon still counts as under way. */
const underWayMs = 3_000;

/** Whether everything that can be done now is done; what remains waits for time, a person or a remote. */
export function isSettled(state: RepoState, nowMs: number): boolean {
  const remotes = [...state.remotes];
  if (state.busy !== undefined || remotes.some(([, remote]) => remote.busy)) return false;
  if (nowMs < state.pausedUntilMs) return true;
  if (state.captureFailures > 0 && state.captureRetryAtMs > nowMs + underWayMs) return true;
  if (!isClean(state.dirty) || state.local === undefined || remoteAction(state, nowMs) !== undefined) return false;
  return !remotes.some(([name, remote]) => {
    if (remote.triggers.apart && talkAction(state, name, remote, nowMs) !== undefined) return true;
    const waits = remote.toIntegrate !== undefined || (remote.pushAtMs <= nowMs && publishAction(state, name, remote) !== undefined);
    return waits && !isStill(state, remote) && remote.failure === undefined && remote.retryAtMs <= nowMs + underWayMs;
  });
}
