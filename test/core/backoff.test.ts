import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { backoffMs } from '../../src/core/backoff.ts';

describe('backoffMs', () => {
  test('doubles from 5 seconds to 15 minutes', () => {
    const waits = [1, 2, 3, 4, 5, 6, 7, 8, 9, 100].map((failures) => backoffMs(failures, 0) / 1000);
    expect(waits).toEqual([5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
  });

  test('takes off up to a quarter', () => {
    expect(backoffMs(1, 1)).toBe(3_750);
    expect(backoffMs(50, 1)).toBe(675_000);
  });

  test('is bounded and never shrinks with more failures', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
        const waitMs = backoffMs(failures, random);
        expect(waitMs).toBeGreaterThanOrEqual(3_750);
        expect(waitMs).toBeLessThanOrEqual(900_000);
        expect(backoffMs(failures + 1, random)).toBeGreaterThanOrEqual(waitMs);
      }),
    );
  });
});
