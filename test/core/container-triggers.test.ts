/** Remotes with triggers of their own: when each is pushed to and fetched from, beside everything else. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { RemoteSetup } from '../../src/core/remote-state.ts';
import { ordinaryTriggers, restedAtMs, type RemoteTriggers } from '../../src/core/remote-triggers.ts';
import { initialState, isSettled, step, wakeAtMs, type Action, type Event, type RepoState } from '../../src/core/repo-state.ts';

const settings = { quietMs: 300, maxDelayMs: 15_000, fullScanMs: 900_000, leadMs: 0 };
const origin: RemoteSetup = { name: 'origin', triggers: ordinaryTriggers({ pollMs: 60_000, scheduled: false }) };
const container = (change: Partial<RemoteTriggers> = {}, more: Partial<RemoteSetup> = {}): RemoteSetup => ({
  name: 'box', triggers: { push: { kind: 'debounce', quietMs: 5_000 }, pull: { kind: 'every', everyMs: 300_000 }, hintQuietMs: 5_000, apart: true, ...change }, ...more,
});
const captured = (local: string): Event => ({ type: 'captured', local, standsStill: false, waiting: [], complete: true, leftovers: false, failed: false });

function feed(state: RepoState, events: readonly Event[], nowMs: number): [RepoState, Action[]] {
  const all: Action[] = [];
  for (const event of events) {
    const [next, actions] = step(state, event, nowMs);
    state = next;
    all.push(...actions);
  }
  return [state, all];
}

/** At c1 everywhere, with one container. */
function settled(setup: RemoteSetup = container()): RepoState {
  const start = { ...initialState(settings, [origin, setup], 0), tidyAtMs: Infinity };
  return feed(start, [{ type: 'tick' }, captured('c1'), { type: 'fetched', remote: 'origin', tip: 'c1' }, { type: 'fetched', remote: 'box', tip: 'c1' }], 0)[0];
}

/** A new commit at `nowMs`, which origin has at once. */
const commit = (state: RepoState, name: string, nowMs: number): [RepoState, Action[]] =>
  feed(state, [captured(name), { type: 'pushed', remote: 'origin', commit: name, fallback: false }], nowMs);

describe('a container', () => {
  test('is pushed to once the branch has rested, and not before', () => {
    let [state] = commit(settled(), 'c2', 1_000);
    expect(feed(state, [{ type: 'tick' }], 5_900)[1].filter(({ type }) => type === 'publish')).toEqual([]);
    [state] = commit(state, 'c3', 4_000);
    expect(feed(state, [{ type: 'tick' }], 6_100)[1].filter(({ type }) => type === 'publish')).toEqual([]);
    expect(feed(state, [{ type: 'tick' }], 9_000)[1]).toContainEqual({ type: 'publish', remote: 'box', commit: 'c3', fallback: false });
  });

  test('is pushed to in the end, however often the branch moves', () => {
    let state = settled();
    const pushes: Action[] = [];
    for (let now = 1_000; now < 70_000; now += 2_000) {
      const [next, actions] = commit(state, `v${now}`, now);
      state = next;
      pushes.push(...actions.filter((action) => action.type === 'publish' && action.remote === 'box'));
    }
    expect(pushes.length).toBeGreaterThan(0);
  });

  test('that takes minutes to answer holds up neither saving nor the other remotes', () => {
    let [state, actions] = commit(settled(), 'c2', 1_000);
    [state, actions] = feed(state, [{ type: 'tick' }], 6_000);
    expect(actions).toEqual([{ type: 'publish', remote: 'box', commit: 'c2', fallback: false }]);
    [state, actions] = feed(state, [{ type: 'changed', hint: 'all' }], 10_000);
    [state, actions] = feed(state, [{ type: 'tick' }], 10_300);
    expect(actions.map(({ type }) => type)).toEqual(['capture']);
    [state, actions] = feed(state, [captured('c3')], 10_400);
    expect(actions).toEqual([{ type: 'publish', remote: 'origin', commit: 'c3', fallback: false }]);
    expect(isSettled(state, 10_400)).toBe(false);
    // The commit that came meanwhile is not forgotten when the slow push is through.
    [state, actions] = feed(state, [{ type: 'pushed', remote: 'origin', commit: 'c3', fallback: false }, { type: 'pushed', remote: 'box', commit: 'c2', fallback: false }], 60_000);
    expect(actions).toContainEqual({ type: 'publish', remote: 'box', commit: 'c3', fallback: false });
  });

  test('is asked on its interval, exactly, however long nothing happens', () => {
    let state = settled();
    for (let round = 1; round <= 20; round++) {
      const at = round * 300_000;
      expect(state.remotes.get('box')?.fetchAtMs).toBe(at);
      [state] = feed({ ...state, nextScanMs: Infinity }, [{ type: 'tick' }, { type: 'fetched', remote: 'box', tip: 'c1' }], at);
    }
  });

  test('with newer state refuses a push: fetch, integrate, push again', () => {
    let [state, actions] = commit(settled(), 'c2', 1_000);
    [state] = feed(state, [{ type: 'tick' }], 6_000);
    [state, actions] = feed(state, [{ type: 'push-rejected', remote: 'box' }], 6_100);
    expect(actions).toEqual([{ type: 'fetch', remote: 'box' }]);
    [state, actions] = feed(state, [{ type: 'fetched', remote: 'box', tip: 'b2' }], 6_200);
    expect(actions).toEqual([{ type: 'integrate', remote: 'box', tip: 'b2' }]);
    [state, actions] = feed(state, [{ type: 'integrated', remote: 'box', local: 'm3' }], 6_300);
    expect(actions).toEqual([{ type: 'publish', remote: 'origin', commit: 'm3', fallback: false }]);
    [state, actions] = feed(state, [{ type: 'pushed', remote: 'origin', commit: 'm3', fallback: false }, { type: 'tick' }], 11_300);
    expect(actions).toContainEqual({ type: 'publish', remote: 'box', commit: 'm3', fallback: false });
  });

  test('that cannot import a commit is left alone with it until there is another, or a person asks', () => {
    let [state] = commit(settled(), 'c2', 1_000);
    [state] = feed(state, [{ type: 'tick' }, { type: 'import-failed', remote: 'box', commit: 'c2', sentence: 'no such user', hint: undefined }], 6_000);
    const later = { ...state, nextScanMs: Infinity, remotes: new Map([...state.remotes].map(([name, remote]) => [name, { ...remote, fetchAtMs: Infinity }])) };
    expect(feed(later, [{ type: 'tick' }], 40_000_000)[1]).toEqual([]);
    // A fetch that finds nothing new does not make it look healthy.
    const [fetched] = feed(later, [{ type: 'ask', remote: 'box', what: 'pull' }, { type: 'fetched', remote: 'box', tip: 'c1' }], 7_000);
    expect(fetched.remotes.get('box')?.failure).toMatchObject({ kind: 'import', sentence: 'no such user' });
    expect(feed(later, [{ type: 'ask', remote: 'box', what: 'push' }], 7_000)[1]).toEqual([{ type: 'publish', remote: 'box', commit: 'c2', fallback: false }]);
    const [next] = commit(later, 'c3', 8_000);
    expect(feed(next, [{ type: 'tick' }], 13_000)[1]).toContainEqual({ type: 'publish', remote: 'box', commit: 'c3', fallback: false });
  });

  test('set to manual is neither pushed to nor fetched from until a person says so', () => {
    const manual = container({ push: { kind: 'manual' }, pull: { kind: 'manual' }, hintQuietMs: undefined }, { knownTip: 'c0' });
    const start = { ...initialState(settings, [origin, manual], 0), tidyAtMs: Infinity };
    let [state, actions] = feed(start, [{ type: 'tick' }, captured('c1'), { type: 'fetched', remote: 'origin', tip: 'c1' }, { type: 'network-up' }, { type: 'remote-live', remote: 'box', live: true }], 0);
    expect(actions.filter((action) => 'remote' in action && action.remote === 'box')).toEqual([]);
    expect(wakeAtMs(state, 0)).toBeGreaterThan(50_000);
    [state, actions] = feed(state, [{ type: 'ask', remote: 'box', what: 'push' }], 10);
    expect(actions).toContainEqual({ type: 'publish', remote: 'box', commit: 'c1', fallback: false });
    [state] = feed(state, [{ type: 'pushed', remote: 'box', commit: 'c1', fallback: false }], 20);
    [state, actions] = commit(state, 'c2', 1_000);
    expect(feed(state, [{ type: 'tick' }], 100_000)[1].filter((action) => action.type === 'publish' && action.remote === 'box')).toEqual([]);
  });

  test('with a schedule is pushed to at its times, and a time with nothing to push is not saved up', () => {
    const state = settled(container({ push: { kind: 'scheduled' } }));
    const [idle] = feed(state, [{ type: 'schedule', remote: 'box', what: 'push' }], 500);
    const [changed, actions] = commit(idle, 'c2', 1_000);
    expect(actions.filter((action) => action.type === 'publish' && action.remote === 'box')).toEqual([]);
    expect(feed(changed, [{ type: 'schedule', remote: 'box', what: 'push' }], 2_000)[1]).toContainEqual({ type: 'publish', remote: 'box', commit: 'c2', fallback: false });
  });

  test('is fetched once its export points have rested, and again for what changed during the fetch', () => {
    let [state, actions] = feed(settled(), [{ type: 'remote-moved', remote: 'box' }], 1_000);
    [state, actions] = feed(state, [{ type: 'remote-moved', remote: 'box' }, { type: 'tick' }], 4_000);
    expect(actions).toEqual([]);
    [state, actions] = feed(state, [{ type: 'tick' }], 9_000);
    expect(actions).toEqual([{ type: 'fetch', remote: 'box' }]);
    [state] = feed(state, [{ type: 'remote-moved', remote: 'box' }, { type: 'fetched', remote: 'box', tip: 'c1' }], 9_500);
    expect(feed(state, [{ type: 'tick' }], 14_500)[1]).toEqual([{ type: 'fetch', remote: 'box' }]);
  });

  test('on another branch moves that branch, even while the checked-out one stands still', () => {
    const start = { ...initialState(settings, [origin, container({}, { side: 'live' })], 0), tidyAtMs: Infinity };
    let [state, actions] = feed(start, [{ type: 'tick' }, { type: 'sides', tips: new Map([['live', 's1']]) }, { ...captured('c1'), standsStill: true } as Event, { type: 'fetched', remote: 'origin', tip: 'c1' }], 0);
    [state, actions] = feed(state, [{ type: 'fetched', remote: 'box', tip: 's2' }], 10);
    expect(actions).toEqual([{ type: 'integrate', remote: 'box', tip: 's2' }]);
    [state] = feed(state, [{ type: 'integrated', remote: 'box', local: 's2' }], 20);
    expect(state.local).toBe('c1');
    expect(state.sides.get('live')).toBe('s2');
    [state] = feed(state, [{ type: 'sides', tips: new Map([['live', 's3']]) }], 1_000);
    expect(feed(state, [{ type: 'tick' }], 6_000)[1]).toContainEqual({ type: 'publish', remote: 'box', commit: 's3', fallback: false });
  });
});

describe('property: ordinary remotes and containers, whatever happens in whatever order', () => {
  const names = ['origin', 'box', 'cron'];
  const events: fc.Arbitrary<Event> = fc.oneof(
    fc.constantFrom<Event>({ type: 'changed', hint: 'all' }, { type: 'network-up' }, { type: 'sync' }, { type: 'resume' }, { type: 'tick' }, { type: 'schedule', remote: 'cron', what: 'push' }, { type: 'schedule', remote: 'cron', what: 'pull' }),
    fc.constantFrom(...names).map<Event>((remote) => ({ type: 'remote-moved', remote })),
    fc.record({ remote: fc.constantFrom(...names), live: fc.boolean() }).map<Event>(({ remote, live }) => ({ type: 'remote-live', remote, live })),
    fc.record({ remote: fc.constantFrom('box', 'cron'), what: fc.constantFrom('push' as const, 'pull' as const, 'both' as const) }).map<Event>((ask) => ({ type: 'ask', ...ask })),
  );

  /** Versions are numbers; a container may change by itself. */
  function answer(action: Action, world: { local: number; remotes: Record<string, number> }, luck: number): Event {
    if (action.type === 'capture') {
      if (luck < 0.1) return { type: 'capture-failed', retryMs: undefined, random: luck };
      world.local += luck < 0.4 ? 1 : 0;
      return captured(`v${world.local}`);
    }
    if (action.type === 'tidy') return { type: 'tidied', local: undefined, again: false };
    const { remote } = action;
    if (luck < 0.15) return { type: 'remote-failed', remote, failure: { kind: 'offline', sentence: '', hint: undefined }, retry: 'backoff', random: luck };
    if (action.type === 'fetch') return { type: 'fetched', remote, tip: `v${world.remotes[remote] ?? 0}` };
    if (action.type === 'integrate') {
      world.local = Math.max(world.local, Number(action.tip.slice(1)));
      return { type: 'integrated', remote, local: `v${world.local}` };
    }
    const commit = Number(action.commit.slice(1));
    if ((world.remotes[remote] ?? 0) > commit) return { type: 'push-rejected', remote };
    if (remote !== 'origin' && luck < 0.3) return { type: 'import-failed', remote, commit: action.commit, sentence: '', hint: undefined };
    world.remotes[remote] = commit;
    return { type: 'pushed', remote, commit: action.commit, fallback: false };
  }

  test('each remote has one talk at a time, nothing due is slept on, no failed import is tried twice unasked, and in the end all are equal', () => {
    const script = fc.array(fc.record({ event: events, wait: fc.integer({ min: 0, max: 20_000 }), luck: fc.double({ min: 0, max: 1, noNaN: true }), ends: fc.nat(3), drift: fc.boolean() }), { maxLength: 40 });
    const setups = [origin, container(), { ...container({ push: { kind: 'scheduled' }, pull: { kind: 'scheduled' } }, { knownTip: null }), name: 'cron' }];
    fc.assert(
      fc.property(script, (steps) => {
        let state: RepoState = { ...initialState(settings, setups, 0), tidyAtMs: Infinity };
        const world = { local: 1, remotes: { origin: 0, box: 0, cron: 0 } as Record<string, number> };
        let now = 0;
        let running: Action[] = [];
        const failed = new Set<string>();
        const laneOf = (action: Action): string => ('remote' in action && action.remote !== 'origin' && action.type !== 'integrate' ? action.remote : 'main');
        const take = (event: Event): void => {
          if (event.type === 'sync' || event.type === 'ask') failed.clear();
          const [next, actions] = step(state, event, now);
          state = next;
          for (const action of actions) {
            if (running.some((other) => laneOf(other) === laneOf(action))) throw new Error('two talks at a time');
            if (action.type === 'integrate' && running.some((other) => 'remote' in other && other.remote === action.remote)) throw new Error('integrated while it is being talked to');
            if (action.type === 'publish' && failed.has(`${action.remote} ${action.commit}`)) throw new Error('a failed import was tried again');
            running.push(action);
          }
          if (running.length === 0 && wakeAtMs(state, now) <= now) throw new Error('slept on due work');
        };
        const finish = (index: number, luck: number): void => {
          const action = running[index % Math.max(1, running.length)];
          if (action === undefined) return;
          running = running.filter((other) => other !== action);
          const event = answer(action, world, luck);
          if (event.type === 'import-failed') failed.add(`${event.remote} ${event.commit}`);
          take(event);
        };
        for (const { event, wait, luck, ends, drift } of steps) {
          if (drift) {
            // The live state inside moved on: the container's branch is ahead of ours now.
            world.remotes['box'] = Math.max(world.local, world.remotes['box'] ?? 0) + 1;
          }
          take(event);
          for (let i = 0; i < ends; i++) finish(i, luck);
          now += wait;
        }
        for (let i = 0; i < 150; i++) {
          if (running.length > 0) {
            finish(0, 0.9);
            continue;
          }
          if (i % 50 === 0) take({ type: 'sync' });
          now = Math.min(Math.max(now, wakeAtMs(state, now)), now + 600_000);
          take({ type: 'tick' });
        }
        take({ type: 'sync' });
        for (let i = 0; i < 60 && running.length > 0; i++) finish(0, 0.9);
        const versions = [...state.remotes.values()].map(({ tip }) => tip);
        expect(versions).toEqual([state.local, state.local, state.local]);
        expect(isSettled(state, now)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});

describe('resting', () => {
  test('ends after the quiet time, or at the cap for what never rests, and never in the past', () => {
    fc.assert(
      fc.property(fc.nat(60_000), fc.nat(1_000_000), fc.nat(1_000_000), (quietMs, sinceMs, laterMs) => {
        const nowMs = sinceMs + laterMs;
        const at = restedAtMs(quietMs, sinceMs, nowMs);
        expect(at).toBeGreaterThanOrEqual(nowMs);
        expect(at).toBeLessThanOrEqual(nowMs + quietMs);
        expect(at).toBeLessThanOrEqual(Math.max(nowMs, sinceMs + Math.max(2_000, quietMs * 10)));
      }),
    );
  });
});
