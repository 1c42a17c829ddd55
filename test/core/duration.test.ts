import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatDuration, parseDuration } from '../../src/core/duration.ts';

describe('parseDuration', () => {
  test.each([
    ['300ms', 300], ['0.3s', 300], ['.5s', 500], ['15s', 15_000], ['5m', 300_000], ['2h', 7_200_000], ['1d', 86_400_000], ['1w', 604_800_000],
    ['5 min', 300_000], ['2 hours', 7_200_000], ['1h30m', 5_400_000], ['1 h 30 min', 5_400_000], ['0', 0], [' 15S ', 15_000],
  ])('reads %j', (text, ms) => expect(parseDuration(text)).toBe(ms));

  test.each(['', ' ', '5', '0.3', 's', '-5s', '5x', '1h30', '1.2.3s', '5s!', 'soon', '1e3s', '9'.repeat(400) + 'd', '1constructor', '1toString'])(
    'refuses %j', (text) => expect(parseDuration(text)).toBeUndefined());

  test('never throws and gives whole milliseconds or nothing', () => {
    fc.assert(fc.property(fc.string(), (text) => {
      const ms = parseDuration(text);
      expect(ms === undefined || (Number.isSafeInteger(ms) && ms >= 0)).toBe(true);
    }));
  });
});

describe('formatDuration', () => {
  test.each([
    [0, '0 ms'], [-5, '0 ms'], [300, '300 ms'], [999.9, '999 ms'], [1000, '1 s'], [59_999, '59 s'], [60_000, '1 min'], [150_000, '2 min'],
    [3_600_000, '1 h'], [3 * 3_600_000, '3 h'], [47 * 3_600_000, '47 h'], [48 * 3_600_000, '2 days'], [90 * 86_400_000, '90 days'],
  ])('shows %d ms as %s', (ms, text) => expect(formatDuration(ms)).toBe(text));

  test('is read back as no more than it was, and as at least half of it', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 400 * 86_400_000 }), (ms) => {
      const back = parseDuration(formatDuration(ms)) as number;
      expect(back <= ms && back * 2 > ms).toBe(true);
    }));
  });
});
