/**
 * Drives one repository: takes events from watchers, remotes, timers and
 * people, asks the state machine, and carries out one action at a time.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { schedule as scheduleCron } from 'node-cron';
import type { RepoConfig } from '../config/config.ts';
import { GitsyncError, toGitsyncError } from '../errors.ts';
import { clearStaleLocks } from '../git/stale-locks.ts';
import { withFields, type Log } from '../log.ts';
import { initialState, isSettled, restOf, step, wakeAtMs, type Action, type Event, type RepoState } from '../core/repo-state.ts';
import { steadyFromWall, steadyNow } from '../process/steady-clock.ts';
import { performAction } from './actions.ts';
import { changeOwnState } from './own-state.ts';
import { failureOf, openSession, type RepoSession } from './repo-session.ts';
import { startTriggers, type Triggers } from './triggers.ts';
import type { Slots } from './slots.ts';
import { cronTriggers } from './targets.ts';

export interface RepoLoop {
  readonly config: RepoConfig;
  /** The opened repository; undefined while it cannot be opened. */
  readonly session: RepoSession | undefined;
  readonly state: RepoState | undefined;
  /** Why the repository cannot be opened now. */
  readonly unavailable: ReturnType<typeof failureOf> | undefined;
  post(event: Event): void;
  /** Resolves when the last pause or its end is on disk, or the log says why it is not. */
  noted(): Promise<void>;
  /** Resolves when everything that can be done now is done (or the repository is unavailable). */
  settled(): Promise<void>;
  /** Runs `work` while no action is running, with the repository open. */
  exclusively<T>(work: (session: RepoSession) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface LoopOptions {
  config: RepoConfig;
  log: Log;
  /** Bounds how many repositories work at the same moment. */
  slots: Slots;
  /** Bounds how many containers are talked to at the same moment, which takes long. */
  containerSlots: Slots;
  /** `daemon`: watches and waits; `once`: does what is due and no more. */
  mode: 'daemon' | 'once';
  /** Called after every event. */
  onChange?: () => void;
}

/** How often a directory that cannot be opened is looked for again. */
const reopenMs = 3_000;
/** The first look does not wait longer than this until every directory is watched. */
const longestWatchWaitMs = 5_000;
/** How much of the quiet time a capture may use to prepare its commit. */
const leadShare = 0.6;
const longestLeadMs = 250;
/** setTimeout overflows beyond this. */
const maxTimerMs = 2 ** 31 - 1;

export function startRepoLoop(options: LoopOptions): RepoLoop {
  const { config, slots, containerSlots, mode } = options;
  const log = withFields(options.log, { repo: config.path });
  const abort = new AbortController();
  let session: RepoSession | undefined;
  let state: RepoState | undefined;
  let unavailable: ReturnType<typeof failureOf> | undefined;
  let triggers: Triggers | undefined;
  let timer: NodeJS.Timeout | undefined;
  let noting: Promise<void> = Promise.resolve();
  let running: Promise<void> | undefined;
  /** Tells a capture that was begun ahead of its time how that ended. */
  let settleRest: ((isRested: boolean) => void) | undefined;
  /** Talks with containers, beside everything else. */
  const talks = new Set<Promise<void>>();
  let talking = new AbortController();
  let closed = false;
  let waiters: (() => void)[] = [];

  const wakeWaiters = (): void => {
    if (running !== undefined || talks.size > 0) return;
    if (!closed && unavailable === undefined && (state === undefined || !isSettled(state, steadyNow()))) return;
    for (const wake of waiters.splice(0)) wake();
  };

  const arm = (nowMs: number): void => {
    clearTimeout(timer);
    if (closed || state === undefined) return;
    const waitMs = wakeAtMs(state, nowMs) - steadyNow();
    if (Number.isFinite(waitMs)) timer = setTimeout(() => post({ type: 'tick' }), Math.min(Math.max(waitMs, 0), maxTimerMs));
  };

  const isApart = (action: Action): boolean => (action.type === 'fetch' || action.type === 'publish') && (state?.remotes.get(action.remote)?.triggers.apart ?? false);

  /** Settles whether the capture that was begun ahead of its time may be committed. */
  const lookAtRest = (nowMs: number): void => {
    if (settleRest === undefined) return;
    const rest = closed || state === undefined ? 'disturbed' : restOf(state, nowMs);
    if (rest === 'resting') return;
    settleRest(rest === 'rested');
    settleRest = undefined;
  };

  const waitForRest = (): Promise<boolean> => new Promise((resolve) => (settleRest = resolve));

  const act = (action: Action): Promise<void> => {
    const rested = action.type === 'capture' && action.restedAtMs !== undefined ? waitForRest() : undefined;
    return slots
      .use(() => performAction(session as RepoSession, action, abort.signal, rested))
      .then(takeIn)
      .catch(recoverLoop)
      .finally(wakeWaiters);
  };

  const talk = (action: Action): void => {
    const mine = session as RepoSession;
    const { signal } = talking;
    const work: Promise<void> = containerSlots
      .use(() => performAction(mine, action, signal))
      .then((events) => {
        // The repository may have been opened anew meanwhile: that one knows nothing of this talk.
        if (!closed && session === mine) events.forEach(post);
      })
      .catch(recoverLoop)
      .finally(() => {
        talks.delete(work);
        wakeWaiters();
      });
    talks.add(work);
  };

  const post = (event: Event): void => {
    if (closed || state === undefined) return;
    const nowMs = steadyNow();
    const [next, actions] = step(state, event, nowMs);
    state = next;
    for (const action of actions) if (isApart(action)) talk(action);
    for (const action of actions) if (!isApart(action)) running = act(action);
    // Of the same moment: what is not due in one of them has to be due later in the other.
    lookAtRest(nowMs);
    arm(nowMs);
    wakeWaiters();
    options.onChange?.();
  };

  /** What should not happen must not be the end of the loop: it starts over. */
  const recoverLoop = (error: unknown): void => {
    log.error('The loop stumbled', { error: (error as Error).stack ?? String(error) });
    if (!closed && mode === 'daemon') timer = setTimeout(() => void reopen().catch(recoverLoop), reopenMs);
  };

  /** Takes in what an action led to. Until then nothing else may begin. */
  const takeIn = async (events: readonly Event[]): Promise<void> => {
    try {
      if (closed) return;
      if (events.some(({ type }) => type === 'targets')) await triggers?.retarget();
      const held = session;
      const kind = held?.lastError?.kind;
      const isLocked = kind === 'locked' || events.some((event) => event.type === 'remote-failed' && event.failure.kind === 'locked');
      // While no git of ours runs, and one that lets the index follow may.
      if (isLocked && held !== undefined) await held.index.ready().then(() => clearStaleLocks(held.repo)).catch((error: unknown) => log.debug('Locks cannot be looked at', { error: String(error) }));
      // A directory that went away, or damage: opening it again finds out, and repairs.
      if (kind === 'not-a-repository' || kind === 'corrupt' || kind === 'not-found') await shut();
    } finally {
      running = undefined;
      settleRest = undefined;
    }
    if (closed) return;
    if (session === undefined) return open();
    for (const event of events) post(event);
  };

  const open = async (): Promise<void> => {
    try {
      session = await openSession(config, log);
    } catch (error) {
      const known = toGitsyncError(error);
      if (known.kind !== unavailable?.kind) log[known.kind === 'locked' ? 'warn' : 'error']('The repository cannot be opened', { error: known.message });
      unavailable = { ...failureOf(error), ...(known.kind === 'not-a-repository' ? { hint: `is a drive not mounted? else: gitsync rm ${config.path}` } : {}) };
      if (mode === 'daemon' && !closed) timer = setTimeout(() => void open().catch(recoverLoop), reopenMs);
      options.onChange?.();
      wakeWaiters();
      return;
    }
    if (unavailable !== undefined) log.info('The repository is back');
    unavailable = undefined;
    session.mode = mode;
    talking = new AbortController();
    const mine = session;
    if (mode === 'daemon') {
      triggers = startTriggers(mine, { post, reopen: () => void reopen().catch(recoverLoop), state: () => state });
      // Looked at before everything is watched, it would have to be looked at once more.
      await Promise.race([triggers.watching, wait(longestWatchWaitMs, undefined, { signal: abort.signal, ref: false }).catch(() => undefined)]);
      if (closed || session !== mine) return;
    }
    // Hooks, and programs that sign, are not started in vain.
    const leadMs = config.hooks || config.sign ? 0 : Math.min(config.quietMs * leadShare, longestLeadMs);
    const settings = { quietMs: config.quietMs, maxDelayMs: config.maxDelayMs, fullScanMs: config.fullScanMs, leadMs };
    const { pausedUntilMs } = session.own;
    state = { ...initialState(settings, [], steadyNow()), pausedUntilMs: steadyFromWall(pausedUntilMs ?? Infinity) };
    post({ type: 'tick' });
  };

  const reopen = async (): Promise<void> => {
    while (running !== undefined) await running;
    if (closed || session === undefined) return;
    await shut();
    await open();
  };

  const shut = async (): Promise<void> => {
    clearTimeout(timer);
    const [oldSession, oldTriggers] = [session, triggers];
    if (session !== undefined && state !== undefined) await rememberSyncTimes(session, state).catch(() => undefined);
    session = undefined;
    state = undefined;
    triggers = undefined;
    talking.abort();
    await Promise.all(talks);
    const note = (error: unknown): void => log.error('The repository could not be let go of in order', { error: String(error) });
    await oldTriggers?.close().catch(note);
    await oldSession?.close().catch(note);
  };

  const crons = mode === 'once' ? [] : [
    ...(config.schedule === undefined ? [] : [scheduleCron(config.schedule, () => post({ type: 'schedule', what: 'both' }))]),
    ...cronTriggers(config).map(({ remote, what, expression }) => scheduleCron(expression, () => post({ type: 'schedule', remote, what }))),
  ];
  running = open().finally(() => {
    running = undefined;
    wakeWaiters();
  });

  return {
    config,
    get session() {
      return session;
    },
    get state() {
      return state;
    },
    get unavailable() {
      return unavailable;
    },
    post(event) {
      if (event.type === 'network-up') triggers?.wake();
      if (session !== undefined && (event.type === 'pause' || event.type === 'resume')) {
        const until = event.type === 'resume' ? 0 : Number.isFinite(event.untilMs) ? event.untilMs : null;
        // It holds until the agent ends, even where the disk is too full to note it.
        noting = changeOwnState(session.repo, () => ({ pausedUntilMs: until })).then(
          (own) => {
            if (session !== undefined) session.own = own;
          },
          (error: unknown) => log.warn('The pause could not be noted', { error: String(error) }),
        );
      }
      // The person's end of it is a time on the wall.
      post(event.type === 'pause' ? { ...event, untilMs: steadyFromWall(event.untilMs) } : event);
    },
    noted: () => noting,
    settled() {
      return new Promise((resolve) => {
        waiters.push(resolve);
        wakeWaiters();
      });
    },
    async exclusively(work) {
      // One action at a time: wait for the running one, and let none start meanwhile.
      while (running !== undefined) await running;
      if (session === undefined || state === undefined) {
        const { kind, sentence, hint } = unavailable ?? { kind: 'not-running' as const, sentence: `${config.path} is no longer watched.`, hint: 'gitsync status' };
        throw new GitsyncError(kind, sentence, hint === undefined ? {} : { hint });
      }
      const held = session;
      const busy = state;
      state = { ...busy, busy: { type: 'capture', scan: new Set(), overdue: new Set() } };
      let finish: () => void = () => undefined;
      running = new Promise((resolve) => (finish = resolve));
      try {
        await held.index.ready();
        return await work(held);
      } finally {
        running = undefined;
        finish();
        if (state !== undefined) state = { ...state, busy: undefined };
        post({ type: 'tick' });
      }
    },
    async close() {
      closed = true;
      lookAtRest(steadyNow());
      abort.abort();
      talking.abort();
      for (const cron of crons) await cron.destroy();
      clearTimeout(timer);
      await Promise.all([running?.catch(() => undefined), ...talks]);
      await shut();
      for (const wake of waiters.splice(0)) wake();
      waiters = [];
    },
  };
}

/** So that a later command without an agent can say how fresh the remotes are. */
async function rememberSyncTimes(session: RepoSession, state: RepoState): Promise<void> {
  const times = [...state.remotes].flatMap(([name, { lastSyncMs }]) => (lastSyncMs === undefined ? [] : [[name, lastSyncMs] as const]));
  if (times.length > 0) await changeOwnState(session.repo, (own) => ({ lastSyncMs: { ...own.lastSyncMs, ...Object.fromEntries(times) } }));
}
