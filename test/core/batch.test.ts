import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { clean, dueAtMs, isClean, markDirty, putBack, takeBatch, type Dirty } from '../../src/core/batch.ts';
import type { RawPath } from '../../src/core/raw-path.ts';

const times = { quietMs: 300, maxDelayMs: 15_000 };
const set = (...names: string[]): Set<RawPath> => new Set(names as RawPath[]);

describe('batching', () => {
  test('a change is due one quiet period after it rests', () => {
    const dirty = markDirty(clean, set('a'), 1_000);
    expect(dueAtMs(dirty, times)).toBe(1_300);
    expect(dueAtMs(markDirty(dirty, set('a'), 1_200), times)).toBe(1_500);
  });

  test('files saved together are taken together', () => {
    const dirty = markDirty(markDirty(clean, set('a'), 1_000), set('b'), 1_200);
    expect(dueAtMs(dirty, times)).toBe(1_500);
    expect(takeBatch(dirty, 1_500, times).scan).toEqual(set('a', 'b'));
  });

  test('a file that never rests does not make the others wait for long', () => {
    let dirty = markDirty(clean, set('note', 'log'), 0);
    for (let now = 50; now <= 900; now += 50) dirty = markDirty(dirty, set('log'), now);
    expect(dueAtMs(dirty, times)).toBe(900);
    const batch = takeBatch(dirty, 900, times);
    expect(batch.scan).toEqual(set('note'));
    expect([...batch.rest.paths.keys()]).toEqual(['log']);
  });

  test('a file that never rests is taken at the cap', () => {
    let dirty = markDirty(clean, set('log'), 0);
    for (let now = 50; now <= 15_000; now += 50) dirty = markDirty(dirty, set('log'), now);
    expect(dueAtMs(dirty, times)).toBe(15_000);
    expect(takeBatch(dirty, 15_000, times).overdue).toEqual(set('log'));
  });

  test('a burst of thousands of paths becomes one whole look', () => {
    const many = new Set(Array.from({ length: 3_000 }, (_, i) => `f${i}` as RawPath));
    const dirty = markDirty(clean, many, 0);
    expect(takeBatch(dirty, 300, times).scan).toBe('all');
  });

  test('what could not be taken keeps its age', () => {
    const dirty = markDirty(clean, set('open'), 0);
    const batch = takeBatch(dirty, 300, times);
    const back = putBack(batch.rest, [...set('open')], dirty, 400);
    expect(back.paths.get('open' as RawPath)?.firstMs).toBe(0);
  });

  test('property: nothing marked is ever forgotten, and everything is due within the cap', () => {
    const steps = fc.array(fc.record({ wait: fc.integer({ min: 0, max: 2_000 }), path: fc.option(fc.constantFrom('a', 'b', 'c', 'd')) }), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (list) => {
        let now = 0;
        let dirty: Dirty = clean;
        const open = new Map<string, number>();
        for (const { wait, path } of list) {
          const until = now + wait;
          for (let due = dueAtMs(dirty, times); due <= until; due = dueAtMs(dirty, times)) {
            now = Math.max(now, due);
            const batch = takeBatch(dirty, now, times);
            expect(batch.scan === 'all' || batch.scan.size > 0).toBe(true);
            for (const [name, since] of open) {
              if (batch.scan !== 'all' && !batch.scan.has(name as RawPath)) continue;
              expect(now - since).toBeLessThanOrEqual(times.maxDelayMs);
              open.delete(name);
            }
            dirty = batch.rest;
          }
          now = until;
          const name = path ?? 'all';
          dirty = markDirty(dirty, path === null ? 'all' : set(path), now);
          if (!open.has(name)) open.set(name, now);
        }
        expect(isClean(dirty)).toBe(open.size === 0);
      }),
    );
  });
});
