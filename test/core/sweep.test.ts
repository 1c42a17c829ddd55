import { describe, expect, test } from '@jest/globals';
import { createSweep } from '../../src/core/sweep.ts';

describe('one removal over several commits', () => {
  test('counts what went in those that follow each other shortly', () => {
    const sweep = createSweep();
    expect(sweep.before('a', 0)).toBe(0);
    sweep.add('b', 'a', 10, 0);
    sweep.add('c', 'b', 7, 50_000);
    expect(sweep.before('c', 100_000)).toBe(17);
  });

  test('ends with a pause, and with a commit of somebody else', () => {
    const sweep = createSweep();
    sweep.add('b', 'a', 10, 0);
    expect(sweep.before('b', 60_001)).toBe(0);
    expect(sweep.before('other', 10)).toBe(0);
    expect(sweep.before(undefined, 10)).toBe(0);
    sweep.add('d', 'other', 3, 20);
    expect(sweep.before('d', 30)).toBe(3);
  });

  test('is made up for by new files, but never counted in advance', () => {
    const sweep = createSweep();
    sweep.add('b', 'a', 10, 0);
    sweep.add('c', 'b', -4, 1);
    expect(sweep.before('c', 2)).toBe(6);
    sweep.add('d', 'c', -50, 3);
    sweep.add('e', 'd', 5, 4);
    expect(sweep.before('e', 5)).toBe(5);
  });

  test('goes on when the clock is set back', () => {
    const sweep = createSweep();
    sweep.add('b', 'a', 10, 1_000_000);
    expect(sweep.before('b', 0)).toBe(10);
  });
});
