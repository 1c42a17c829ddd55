/** How long to wait before trying again. */

const firstMs = 5_000;
const longestMs = 15 * 60_000;

/**
 * Milliseconds to wait after the given number of failures in a row (1 or more):
 * 5 s, doubling up to 15 min, less up to a quarter, so that many machines which
 * lost the same server do not all come back at the same moment.
 * @param random from 0 to 1: which part of that quarter is taken off
 */
export function backoffMs(failures: number, random: number): number {
  // The exponent is bounded: 2 ** 2000 would be Infinity.
  const fullMs = Math.min(longestMs, firstMs * 2 ** Math.min(20, Math.max(0, failures - 1)));
  return Math.round(fullMs * (1 - random / 4));
}
