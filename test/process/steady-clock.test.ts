import { describe, expect, test } from '@jest/globals';
import { createSteadyClock } from '../../src/process/steady-clock.ts';

function makeClock(): { now: () => number; pass: (wallMs: number, monotonicMs?: number) => void } {
  let [wall, monotonic] = [1_000_000, 5];
  return {
    now: createSteadyClock(() => wall, () => monotonic),
    pass(wallMs, monotonicMs = wallMs) {
      wall += wallMs;
      monotonic += monotonicMs;
    },
  };
}

describe('the steady clock', () => {
  test('begins with the time on the wall and goes on with it', () => {
    const { now, pass } = makeClock();
    expect(now()).toBe(1_000_000);
    pass(300);
    expect(now()).toBe(1_000_300);
  });

  test('goes on when somebody sets the clock back', () => {
    const { now, pass } = makeClock();
    pass(-7_200_000, 100);
    expect(now()).toBe(1_000_100);
    pass(50);
    expect(now()).toBe(1_000_150);
  });

  test('counts the time in which the machine slept', () => {
    const { now, pass } = makeClock();
    pass(3_600_000, 20);
    expect(now()).toBe(4_600_000);
  });

  test('does not add up the small differences between two clocks', () => {
    const { now, pass } = makeClock();
    for (let i = 0; i < 1_000; i += 1) {
      pass(1.5, 1);
      now();
    }
    expect(now()).toBe(1_001_000);
  });
});
