/** What a person sees while something takes time; on standard error, since standard output may belong to git. */

/** A new phase. */
export function phase(text: string): void {
  process.stderr.write(`-----> ${text}\n`);
}

/** A detail of the phase. */
export function detail(text: string): void {
  process.stderr.write(`       ${text}\n`);
}

/** The end of it all. */
export function finished(text: string): void {
  process.stderr.write(`=====> ${text}\n`);
}

/** `3.2 s` since a time taken with performance.now(). */
export function secondsSince(startedMs: number): string {
  return `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
}
