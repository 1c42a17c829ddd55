import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatByteSize, parseByteSize } from '../../src/core/byte-size.ts';

describe('parseByteSize', () => {
  test.each([
    ['50MB', 50_000_000], ['1GB', 1_000_000_000], ['1.5GiB', 1_610_612_736], ['50M', 52_428_800], ['10k', 10_240], ['2 kB', 2000],
    ['100 bytes', 100], ['7b', 7], ['0', 0], ['.5mb', 500_000], ['1TB', 1e12],
  ])('reads %j', (text, bytes) => expect(parseByteSize(text)).toBe(bytes));

  test.each(['', '50', '50MBs', 'MB', '-1MB', '5 0MB', '1e3kB', '9'.repeat(30) + 'TB', '1constructor', 'a lot'])(
    'refuses %j', (text) => expect(parseByteSize(text)).toBeUndefined());
});

describe('formatByteSize', () => {
  test.each([
    [0, '0 B'], [812, '812 B'], [1000, '1 kB'], [1500, '1.5 kB'], [999_499, '999 kB'], [999_999, '1 MB'], [50_000_000, '50 MB'],
    [1_610_612_736, '1.6 GB'], [2.5e12, '2.5 TB'], [5e15, '5000 TB'],
  ])('shows %d bytes as %s', (bytes, text) => expect(formatByteSize(bytes)).toBe(text));

  test('is read back as about the same', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 2 ** 50 }), (bytes) => {
      const back = parseByteSize(formatByteSize(bytes)) as number;
      expect(Math.abs(back - bytes) / bytes).toBeLessThanOrEqual(0.051);
    }));
  });
});
