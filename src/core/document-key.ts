/** Lines of MongoDB documents: Extended JSON, as docs/design/handlers.md has it. */

const asNumber = (value: unknown): string | undefined => {
  if (typeof value === 'number') return String(value);
  const [[kind, text] = ['', ''], ...others] = Object.entries(value as object) as [string, unknown][];
  if (others.length > 0 || typeof text !== 'string') return undefined;
  if (kind === '$numberInt' || kind === '$numberLong') return text;
  // The server takes 1.0 and 1 for the same.
  return kind === '$numberDouble' && Number.isSafeInteger(Number(text)) ? String(Number(text)) : undefined;
};

/**
 * What tells a document from all others of its collection: its `_id`, as a text that sorts like it where all are
 * numbers, all strings or all object ids. Undefined where the line does not tell.
 */
export function documentKey(line: string): string | undefined {
  let id: unknown;
  try {
    id = (JSON.parse(line) as { _id?: unknown } | null)?._id;
  } catch {
    return undefined;
  }
  if (id === undefined) return undefined;
  const text = JSON.stringify(id);
  // Without its last quote, so that "a sorts before "a!, as the server has it.
  if (typeof id === 'string') return text.slice(0, -1);
  return id === null ? text : (asNumber(id) ?? text);
}
