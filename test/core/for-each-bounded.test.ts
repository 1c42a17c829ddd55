import { describe, expect, test } from '@jest/globals';
import { forEachBounded } from '../../src/core/for-each-bounded.ts';

describe('forEachBounded', () => {
  test('does every item once and never more than so many at a time', async () => {
    let running = 0;
    let most = 0;
    const done: number[] = [];
    await forEachBounded(Array.from({ length: 20 }, (_, i) => i), 3, async (item) => {
      running += 1;
      most = Math.max(most, running);
      await Promise.resolve();
      running -= 1;
      done.push(item);
    });
    expect(done.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(most).toBe(3);
  });

  test('rejects with the first failure and begins nothing after it', async () => {
    const begun: number[] = [];
    const work = forEachBounded([1, 2, 3, 4, 5], 2, async (item) => {
      begun.push(item);
      await Promise.resolve();
      if (item === 1) throw new Error('one');
    });
    await expect(work).rejects.toThrow('one');
    expect(begun.length).toBeLessThan(5);
  });
});
