import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { RawPath } from '../../src/core/raw-path.ts';
import type { RemoteSetup } from '../../src/core/remote-state.ts';
import { ordinaryTriggers } from '../../src/core/remote-triggers.ts';
import { initialState as atStart, isSettled, restOf, step, wakeAtMs, type Action, type Event, type RepoSettings, type RepoState } from '../../src/core/repo-state.ts';

const settings: RepoSettings = { quietMs: 300, maxDelayMs: 15_000, fullScanMs: 900_000, leadMs: 0 };
const ordinary = (...names: string[]): RemoteSetup[] => names.map((name) => ({ name, triggers: ordinaryTriggers({ pollMs: 60_000, scheduled: false }) }));
const captured = (local: string | null, extra: Partial<Event & { type: 'captured' }> = {}): Event => ({ type: 'captured', local, standsStill: false, waiting: [], complete: true, leftovers: false, failed: false, ...extra });

/** Without the upkeep, which would only be one more reason to wake up. */
const initialState = (...args: Parameters<typeof atStart>): RepoState => ({ ...atStart(...args), tidyAtMs: Infinity });

/** Feeds events one after another at the same moment; returns the state and the last action. */
function feed(state: RepoState, events: readonly Event[], nowMs: number): [RepoState, Action | undefined] {
  let action: Action | undefined;
  for (const event of events) {
    const [next, actions] = step(state, event, nowMs);
    state = next;
    action = actions[0] ?? action;
  }
  return [state, action];
}

function settledState(): RepoState {
  return feed(initialState(settings, ordinary('origin'), 0), [{ type: 'tick' }, captured('c1'), { type: 'fetched', remote: 'origin', tip: 'c1' }], 0)[0];
}

describe('one repository', () => {
  test('starts with a look at everything, then at the remote', () => {
    const [first, capture] = feed(initialState(settings, ordinary('origin'), 0), [{ type: 'tick' }], 0);
    expect(capture).toMatchObject({ type: 'capture', scan: 'all' });
    const [second, fetch] = feed(first, [captured('c1')], 10);
    expect(fetch).toEqual({ type: 'fetch', remote: 'origin' });
    const [third] = feed(second, [{ type: 'fetched', remote: 'origin', tip: 'c1' }], 20);
    expect(isSettled(third, 20)).toBe(true);
    expect(wakeAtMs(third, 20)).toBeGreaterThan(50_000);
  });

  test('publishes a new commit at once, without fetching first', () => {
    const [changed] = step(settledState(), { type: 'changed', hint: new Set(['a' as RawPath]) }, 1_000);
    expect(wakeAtMs(changed, 1_000)).toBe(1_300);
    const [, actions] = step(changed, { type: 'tick' }, 1_300);
    expect(actions).toMatchObject([{ type: 'capture', scan: new Set(['a']) }]);
    const [, publish] = feed(changed, [{ type: 'tick' }, captured('c2')], 1_300);
    expect(publish).toEqual({ type: 'publish', remote: 'origin', commit: 'c2', fallback: false });
  });

  test('what could not be saved is tried again soon, and then after longer and longer', () => {
    const [changed] = feed(settledState(), [{ type: 'changed', hint: new Set(['a' as RawPath]) }], 0);
    const [failed] = feed(changed, [{ type: 'tick' }, captured('c1', { complete: false, failed: true })], 1_000);
    expect(failed.nextScanMs).toBe(11_000);
    // Looks at other files in between do not put it off.
    const [other] = feed(feed(failed, [{ type: 'changed', hint: new Set(['b' as RawPath]) }], 2_000)[0], [{ type: 'tick' }, captured('c2', { complete: false })], 3_000);
    expect(other.nextScanMs).toBe(11_000);
    const [again, look] = feed({ ...failed }, [{ type: 'tick' }], 11_000);
    expect(look).toMatchObject({ type: 'capture', scan: 'all' });
    expect(feed(again, [captured('c1', { failed: true })], 11_000)[0].nextScanMs).toBe(31_000);
    expect(feed(again, [captured('c1')], 11_000)[0].nextScanMs).toBe(911_000);
  });

  test('a rejected push leads to fetch, integration and another push', () => {
    const [state] = feed(settledState(), [{ type: 'changed', hint: 'all' }], 0);
    const [pushing] = feed(state, [{ type: 'tick' }, captured('c2')], 300);
    const [rejected, fetch] = feed(pushing, [{ type: 'push-rejected', remote: 'origin' }], 310);
    expect(fetch).toEqual({ type: 'fetch', remote: 'origin' });
    const [fetched, integrate] = feed(rejected, [{ type: 'fetched', remote: 'origin', tip: 'r2' }], 320);
    expect(integrate).toEqual({ type: 'integrate', remote: 'origin', tip: 'r2' });
    const [, publish] = feed(fetched, [{ type: 'integrated', remote: 'origin', local: 'm3' }], 330);
    expect(publish).toEqual({ type: 'publish', remote: 'origin', commit: 'm3', fallback: false });
  });

  test('a remote that is offline is left alone for longer each time, and woken by the network', () => {
    let state = settledState();
    let now = 100_000;
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) {
      [state] = feed(state, [{ type: 'tick' }, { type: 'remote-failed', remote: 'origin', failure: { kind: 'offline', sentence: 's', hint: undefined }, retry: 'backoff', random: 0 }], now);
      waits.push(wakeAtMs(state, now) - now);
      now = wakeAtMs(state, now);
    }
    expect(waits).toEqual([5_000, 10_000, 20_000, 40_000]);
    const [, action] = feed(state, [{ type: 'remote-failed', remote: 'origin', failure: { kind: 'offline', sentence: 's', hint: undefined }, retry: 'backoff', random: 0 }, { type: 'network-up' }], now);
    expect(action).toEqual({ type: 'fetch', remote: 'origin' });
  });

  test('credentials are not hammered, also not by new commits', () => {
    let state = settledState();
    [state] = feed(state, [{ type: 'remote-moved', remote: 'origin' }], 1_000);
    [state] = feed(state, [{ type: 'remote-failed', remote: 'origin', failure: { kind: 'auth', sentence: 's', hint: undefined }, retry: 'on-change', random: 0 }], 1_010);
    [state] = feed(state, [{ type: 'changed', hint: 'all' }], 1_500);
    const [capturing, action] = feed(state, [{ type: 'tick' }], 2_000);
    expect(action).toMatchObject({ type: 'capture' });
    const [after, next] = feed(capturing, [captured('c2')], 2_100);
    expect(next).toBeUndefined();
    expect(feed(after, [{ type: 'sync' }], 2_200)[1]).toMatchObject({ type: 'capture' });
  });

  test('a refused branch goes to the fallback branch, once for each commit', () => {
    let [state, action] = feed(settledState(), [{ type: 'changed', hint: 'all' }], 0);
    [state] = feed(state, [{ type: 'tick' }, captured('c2')], 300);
    [state, action] = feed(state, [{ type: 'push-refused', remote: 'origin', sentence: 'protected' }], 310);
    expect(action).toEqual({ type: 'publish', remote: 'origin', commit: 'c2', fallback: true });
    [state, action] = feed(state, [{ type: 'pushed', remote: 'origin', commit: 'c2', fallback: true }], 320);
    expect(action).toBeUndefined();
    expect(state.remotes.get('origin')?.failure?.kind).toBe('refused');
  });

  test('trouble with one remote does not stop another', () => {
    let [state, action] = feed(initialState(settings, ordinary('bad', 'good'), 0), [{ type: 'tick' }, captured('c1')], 0);
    expect(action).toEqual({ type: 'fetch', remote: 'bad' });
    [state, action] = feed(state, [{ type: 'remote-failed', remote: 'bad', failure: { kind: 'offline', sentence: 's', hint: undefined }, retry: 'backoff', random: 0 }], 10);
    expect(action).toEqual({ type: 'fetch', remote: 'good' });
    expect(state.remotes.get('bad')?.failure?.kind).toBe('offline');
  });

  test('does nothing while paused, and goes on afterwards', () => {
    const [paused] = feed(settledState(), [{ type: 'pause', untilMs: 10_000 }, { type: 'changed', hint: 'all' }], 0);
    expect(feed(paused, [{ type: 'tick' }], 5_000)[1]).toBeUndefined();
    expect(wakeAtMs(paused, 5_000)).toBe(10_000);
    expect(feed(paused, [{ type: 'tick' }], 10_000)[1]).toMatchObject({ type: 'capture' });
  });

  test('a sync that follows some other command does not end a pause', () => {
    const [paused] = feed(settledState(), [{ type: 'pause', untilMs: 10_000 }, { type: 'sync' }], 0);
    expect(feed(paused, [{ type: 'tick' }], 5_000)[1]).toBeUndefined();
    expect(feed(paused, [{ type: 'resume' }, { type: 'sync' }], 5_000)[1]).toMatchObject({ type: 'capture' });
  });

  test('neither integrates nor publishes while the branch stands still', () => {
    const [state] = feed(settledState(), [{ type: 'changed', hint: 'all' }], 0);
    const [still, action] = feed(state, [{ type: 'tick' }, captured('c2', { standsStill: true })], 300);
    expect(action).toMatchObject({ type: 'capture' });
    expect(feed(still, [{ type: 'remote-moved', remote: 'origin' }], 400)[1]).toEqual({ type: 'fetch', remote: 'origin' });
    const [fetched, next] = feed(still, [{ type: 'remote-moved', remote: 'origin' }, { type: 'fetched', remote: 'origin', tip: 'r2' }], 400);
    expect(next).toEqual({ type: 'fetch', remote: 'origin' });
    expect(fetched.busy).toBeUndefined();
  });

  test('with a schedule, remote work waits for its time', () => {
    const scheduled = [{ name: 'origin', triggers: ordinaryTriggers({ pollMs: 60_000, scheduled: true }) }];
    const [state, action] = feed(initialState(settings, scheduled, 0), [{ type: 'tick' }], 0);
    expect(action).toMatchObject({ type: 'capture' });
    const [after, next] = feed(state, [captured('c1')], 10);
    expect(next).toBeUndefined();
    const [, fetch] = feed(after, [{ type: 'schedule', what: 'both' }], 20);
    expect(fetch).toEqual({ type: 'fetch', remote: 'origin' });
  });
});

describe('a capture that begins ahead of its time', () => {
  const hasty: RepoSettings = { ...settings, leadMs: 180 };
  const settled = (): RepoState => ({ ...settledState(), settings: hasty });
  const changed = (...paths: string[]): Event => ({ type: 'changed', hint: new Set(paths as RawPath[]) });

  test('waits with its commit until everything has rested', () => {
    const [dirty] = step(settled(), changed('a', 'b'), 1_000);
    expect(wakeAtMs(dirty, 1_000)).toBe(1_120);
    const [ahead, action] = feed(dirty, [{ type: 'tick' }], 1_120);
    expect(action).toEqual({ type: 'capture', scan: new Set(['a', 'b']), overdue: new Set(), restedAtMs: 1_300 });
    expect(restOf(ahead, 1_299)).toBe('resting');
    expect(wakeAtMs(ahead, 1_299)).toBe(1_300);
    expect(restOf(ahead, 1_300)).toBe('rested');
    expect(wakeAtMs(ahead, 1_300)).toBe(Infinity);
    expect(feed(ahead, [captured('c2', { complete: false })], 1_310)[1]).toMatchObject({ type: 'publish', commit: 'c2' });
  });

  test('is given up when something changes, and then takes place in its time', () => {
    const [ahead] = feed(settled(), [changed('a', 'b')], 1_000);
    const [again] = feed(feed(ahead, [{ type: 'tick' }], 1_150)[0], [changed('b')], 1_200);
    expect(restOf(again, 1_200)).toBe('disturbed');
    const [rested, early] = feed(again, [{ type: 'disturbed' }], 1_210);
    expect(early).toBeUndefined();
    expect(wakeAtMs(rested, 1_210)).toBe(1_500);
    const [later, action] = feed(rested, [{ type: 'tick' }], 1_500);
    expect(action).toEqual({ type: 'capture', scan: new Set(['a', 'b']), overdue: new Set() });
    // What comes after that may be begun ahead again.
    const [next] = feed(later, [captured('c2', { complete: false }), { type: 'pushed', remote: 'origin', commit: 'c2', fallback: false }, changed('a')], 2_000);
    expect(wakeAtMs(next, 2_000)).toBe(2_120);
  });

  test('is given up when the person pauses', () => {
    const [ahead] = feed(feed(settled(), [changed('a')], 1_000)[0], [{ type: 'tick' }], 1_150);
    const [paused] = feed(ahead, [{ type: 'pause', untilMs: Infinity }], 1_200);
    expect(restOf(paused, 1_200)).toBe('disturbed');
    expect(feed(paused, [{ type: 'disturbed' }, { type: 'tick' }], 9_000)[1]).toBeUndefined();
  });

  test('does not begin where it is not known what changed, nor with many paths, nor before what is due with a remote', () => {
    expect(wakeAtMs(feed(settled(), [{ type: 'changed', hint: 'all' }], 1_000)[0], 1_000)).toBe(1_300);
    expect(wakeAtMs(feed(settled(), [changed(...Array.from({ length: 101 }, (_, i) => `f${i}`))], 1_000)[0], 1_000)).toBe(1_300);
    const moved = feed(settled(), [changed('a')], 1_000)[0];
    expect(feed(moved, [{ type: 'remote-moved', remote: 'origin' }], 1_150)[1]).toEqual({ type: 'fetch', remote: 'origin' });
  });
});

describe('property: whatever happens in whatever order', () => {
  const remoteEvents = (remote: string): fc.Arbitrary<Event> =>
    fc.oneof(
      fc.constant<Event>({ type: 'remote-moved', remote }),
      fc.boolean().map<Event>((live) => ({ type: 'remote-live', remote, live })),
    );
  const outside: fc.Arbitrary<Event> = fc.oneof(
    fc.constantFrom<Event>({ type: 'changed', hint: 'all' }, { type: 'changed', hint: new Set(['a' as RawPath]) }, { type: 'network-up' }, { type: 'sync' }, { type: 'resume' }, { type: 'tick' }),
    remoteEvents('one'),
    remoteEvents('two'),
  );

  /** A world of commit counters: what each action answers. */
  function answer(action: Action, world: { local: number; remotes: Record<string, number>; rest?: ReturnType<typeof restOf> }, luck: number): Event {
    if (action.type === 'capture') {
      if (luck < 0.1) return { type: 'capture-failed', retryMs: undefined, random: luck };
      if (action.restedAtMs !== undefined && (luck < 0.4 || world.rest === 'disturbed')) return { type: 'disturbed' };
      world.local += luck < 0.6 ? 1 : 0;
      return captured(`v${world.local}`, { complete: action.scan === 'all' });
    }
    if (action.type === 'tidy') return { type: 'tidied', local: undefined, again: luck < 0.5 };
    const { remote } = action;
    if (luck < 0.2) return { type: 'remote-failed', remote, failure: { kind: 'offline', sentence: '', hint: undefined }, retry: 'backoff', random: luck };
    if (action.type === 'fetch') return { type: 'fetched', remote, tip: `v${world.remotes[remote] ?? 0}` };
    if (action.type === 'integrate') {
      world.local = Math.max(world.local, Number(action.tip.slice(1))) + (Number(action.tip.slice(1)) > 0 ? 0 : 0);
      return { type: 'integrated', remote, local: `v${world.local}` };
    }
    const commit = Number(action.commit.slice(1));
    if ((world.remotes[remote] ?? 0) > commit) return { type: 'push-rejected', remote };
    world.remotes[remote] = commit;
    return { type: 'pushed', remote, commit: action.commit, fallback: false };
  }

  test('there is at most one action at a time, it never sleeps on due work, and in the end all remotes are equal', () => {
    const script = fc.array(fc.record({ event: outside, wait: fc.integer({ min: 0, max: 5_000 }), luck: fc.double({ min: 0, max: 1, noNaN: true }) }), { maxLength: 80 });
    fc.assert(
      fc.property(script, fc.constantFrom(0, 180), (steps, leadMs) => {
        let state = atStart({ ...settings, leadMs }, ordinary('one', 'two'), 0);
        const world: Parameters<typeof answer>[1] = { local: 1, remotes: { one: 0, two: 0 } };
        let now = 0;
        let running: Action | undefined;
        const take = (event: Event): void => {
          const [next, actions] = step(state, event, now);
          state = next;
          expect(actions.length).toBeLessThanOrEqual(1);
          if (actions[0] !== undefined) {
            expect(running).toBeUndefined();
            running = actions[0];
          }
          if (running === undefined) expect(wakeAtMs(state, now)).toBeGreaterThan(now);
        };
        const finish = (luck: number): void => {
          if (running === undefined) return;
          if (running.type === 'capture' && running.restedAtMs !== undefined) {
            // As the driver does it: woken at the time that the state names, unless something changed before.
            while ((world.rest = restOf(state, now)) === 'resting') {
              const wake = wakeAtMs(state, now);
              expect(wake).toBeGreaterThan(now);
              expect(wake).toBeLessThanOrEqual(running.restedAtMs);
              now = wake;
            }
          }
          const event = answer(running, world, luck);
          running = undefined;
          take(event);
        };
        for (const { event, wait, luck } of steps) {
          take(event);
          finish(luck);
          now += wait;
        }
        for (let i = 0; i < 300; i++) {
          finish(0.9);
          if (running === undefined) {
            const wake = wakeAtMs(state, now);
            now = Number.isFinite(wake) ? Math.max(now, wake) : now + 1_000;
            take({ type: 'tick' });
          }
        }
        expect(world.remotes).toEqual({ one: world.local, two: world.local });
      }),
      { numRuns: 200 },
    );
  });
});
