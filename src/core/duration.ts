/** Lengths of time as people write them: `300ms`, `0.3s`, `15s`, `5m`, `2h`, `1d`, `1h30m`. */

const unitMs = new Map([
  ...['ms', 'msec'].map((unit) => [unit, 1] as const),
  ...['s', 'sec', 'second', 'seconds'].map((unit) => [unit, 1000] as const),
  ...['m', 'min', 'minute', 'minutes'].map((unit) => [unit, 60_000] as const),
  ...['h', 'hour', 'hours'].map((unit) => [unit, 3_600_000] as const),
  ...['d', 'day', 'days'].map((unit) => [unit, 86_400_000] as const),
  ...['w', 'week', 'weeks'].map((unit) => [unit, 604_800_000] as const),
]);

const part = /(\d+(?:\.\d+)?|\.\d+)\s*([a-z]+)\s*/gy;

/** Reads a length of time in milliseconds; undefined for anything else (a bare number too, except 0). */
export function parseDuration(text: string): number | undefined {
  const wanted = text.trim().toLowerCase();
  if (wanted === '0') return 0;
  let total = 0;
  part.lastIndex = 0;
  while (part.lastIndex < wanted.length) {
    const match = part.exec(wanted);
    const unit = match === null ? undefined : unitMs.get(match[2] as string);
    if (match === null || unit === undefined) return undefined;
    total += Number(match[1]) * unit;
  }
  return wanted === '' || !Number.isSafeInteger(Math.round(total)) ? undefined : Math.round(total);
}

const friendlyUnits = [
  ['day', 86_400_000, 48 * 3_600_000],
  ['h', 3_600_000, 3_600_000],
  ['min', 60_000, 60_000],
  ['s', 1000, 1000],
] as const;

/** A length of time for people, in one unit, rounded down: `300 ms`, `15 s`, `2 min`, `47 h`, `3 days`. */
export function formatDuration(durationMs: number): string {
  for (const [unit, sizeMs, fromMs] of friendlyUnits) {
    if (durationMs >= fromMs) return `${Math.floor(durationMs / sizeMs)} ${unit}${unit === 'day' ? 's' : ''}`;
  }
  return `${Math.max(0, Math.floor(durationMs))} ms`;
}
