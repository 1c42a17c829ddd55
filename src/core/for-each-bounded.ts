/** Runs an asynchronous step for many items with a bound on how many run at once. */

/** Calls `step` for every item, at most `atOnce` at a time; the first failure rejects and no further item is begun. */
export async function forEachBounded<T>(items: Iterable<T>, atOnce: number, step: (item: T) => Promise<void>): Promise<void> {
  const rest = items[Symbol.iterator]();
  let hasFailed = false;
  const runNext = async (): Promise<void> => {
    for (let next = rest.next(); !next.done && !hasFailed; next = rest.next()) await step(next.value);
  };
  await Promise.all(Array.from({ length: atOnce }, () => runNext().catch((error: unknown) => {
    hasFailed = true;
    throw error;
  })));
}
