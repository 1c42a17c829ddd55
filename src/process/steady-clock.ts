/**
 * Time that never goes back. Somebody sets the clock, or it is far off until the
 * network is up: what waits for a moment would else wait for hours. Sleep counts,
 * though timers stand still meanwhile.
 */
const jumpMs = 1_000;

/** Makes a clock (epoch milliseconds) from one that people set and one that only goes on. */
export function createSteadyClock(wallMs: () => number, monotonicMs: () => number): () => number {
  let [wall, monotonic] = [wallMs(), monotonicMs()];
  let now = wall;
  return () => {
    const [nextWall, nextMonotonic] = [wallMs(), monotonicMs()];
    const elapsed = nextMonotonic - monotonic;
    // The monotonic clock stands still during sleep: then the other one is far ahead.
    now += nextWall - wall > elapsed + jumpMs ? nextWall - wall : elapsed;
    [wall, monotonic] = [nextWall, nextMonotonic];
    return now;
  };
}

/** This process's clock for everything that waits. */
export const steadyNow = createSteadyClock(() => Date.now(), () => performance.now());

/**
 * The time until the next whole multiple of a period: what looks around
 * regularly does so at the same moments, and the processor wakes once for all.
 */
export function untilNextMs(periodMs: number): number {
  return periodMs - (performance.now() % periodMs);
}

/** A moment of the clock on the wall (epoch milliseconds) as the steady clock will show it. */
export function steadyFromWall(wallMs: number): number {
  const untilMs = wallMs - Date.now();
  return untilMs <= 0 ? 0 : steadyNow() + untilMs;
}
