/** Amounts of bytes as people write them: `50MB` (decimal), `1.5GiB` (binary), `50M` (binary, as in git's own settings). */

const unitBytes = new Map([['b', 1], ['byte', 1], ['bytes', 1]]);
for (const [index, letter] of ['k', 'm', 'g', 't'].entries()) {
  unitBytes.set(`${letter}b`, 1000 ** (index + 1));
  unitBytes.set(`${letter}ib`, 1024 ** (index + 1)).set(letter, 1024 ** (index + 1));
}

/** Reads an amount of bytes; undefined for anything else (a bare number too, except 0). */
export function parseByteSize(text: string): number | undefined {
  const wanted = text.trim().toLowerCase();
  if (wanted === '0') return 0;
  const match = /^(\d+(?:\.\d+)?|\.\d+)\s*([a-z]+)$/.exec(wanted);
  const unit = match === null ? undefined : unitBytes.get(match[2] as string);
  if (match === null || unit === undefined) return undefined;
  const sizeBytes = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(sizeBytes) ? sizeBytes : undefined;
}

/** An amount of bytes for people, in decimal units: `812 B`, `1.5 kB`, `50 MB`. */
export function formatByteSize(sizeBytes: number): string {
  let amount = Math.max(0, sizeBytes);
  for (const unit of ['B', 'kB', 'MB', 'GB']) {
    // 999.95 would be shown as "1000.0", which is one of the next unit.
    if (amount < 999.5) return `${unit === 'B' ? Math.round(amount) : oneDecimal(amount)} ${unit}`;
    amount /= 1000;
  }
  return `${oneDecimal(amount)} TB`;
}

function oneDecimal(amount: number): string {
  return amount >= 10 ? String(Math.round(amount)) : String(Math.round(amount * 10) / 10);
}
