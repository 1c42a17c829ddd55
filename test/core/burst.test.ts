import { describe, expect, test } from '@jest/globals';
import { createBurstCounter } from '../../src/core/burst.ts';

describe('the burst counter', () => {
  test('assumes a loss once a burst has as many events as the queue holds', () => {
    const burst = createBurstCounter(3);
    expect([burst.add(), burst.add(), burst.add(), burst.add()]).toEqual([false, false, true, false]);
  });

  test('starts afresh after a quiet moment', () => {
    const burst = createBurstCounter(3);
    burst.add(2);
    expect(burst.quiet()).toBe(false);
    expect(burst.add(2)).toBe(false);
  });

  test('says at the quiet moment that the burst before it may have lost events, once', () => {
    const burst = createBurstCounter(3);
    burst.add(3);
    expect([burst.quiet(), burst.quiet()]).toEqual([true, false]);
  });

  test('speaks up again for every further queue-full in a burst that does not end', () => {
    const burst = createBurstCounter(2);
    expect([1, 2, 3, 4, 5, 6].map(() => burst.add())).toEqual([false, true, false, true, false, true]);
  });

  test('one addition that fills the queue several times counts as one loss', () => {
    const burst = createBurstCounter(2);
    expect([burst.add(7), burst.add(), burst.add()]).toEqual([true, true, false]);
  });
});
