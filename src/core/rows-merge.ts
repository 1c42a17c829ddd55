/** Merges exported rows by key: two people who edit neighbouring rows do not disagree. */
import { documentKey } from './document-key.ts';

/** The merged text, and how many rows both sides changed differently; these stand between git's usual marks. */
export interface RowsMerge {
  text: string;
  conflicts: number;
}

/** How the rows of one file are told apart and, for counters, which of two values wins. */
export interface RowsRule {
  /** Places of the columns of the key, from 0, or `document`: the rows are documents with an `_id`; undefined where only the whole row tells. */
  key: readonly number[] | 'document' | undefined;
  /** Place of a number of which the greater one wins, as it must for a sequence that both sides have drawn from. */
  greatest?: number;
}

type Rows = Map<string, string>;

/** The lines of a text, without the end of the last one. */
export function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** The key of a row, its columns divided by tabs, or the whole row; undefined when the line is no row of such a table. */
export function keyOf(line: string, key: RowsRule['key']): string | undefined {
  if (key === undefined) return line;
  if (key === 'document') return documentKey(line);
  const fields = line.split('\t');
  const values = key.map((place) => fields[place]);
  return values.includes(undefined) ? undefined : values.join('\t');
}

/** Rows by key, or undefined when a line is no row or a key is there twice. */
function rowsByKey(text: string, rule: NonNullable<RowsRule['key']>): Rows | undefined {
  const rows: Rows = new Map();
  for (const line of linesOf(text)) {
    const key = keyOf(line, rule);
    if (key === undefined || rows.has(key)) return undefined;
    rows.set(key, line);
  }
  return rows;
}

/** Whether a text is a whole number. */
export const isNumber = (text: string): boolean => /^-?\d+$/.test(text);

/** The order of whole numbers of any length. */
export function compareNumbers(a: string, b: string): number {
  const difference = BigInt(a) - BigInt(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** The order of bytes. */
export const compareTexts = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const isSorted = (keys: string[], compare: (a: string, b: string) => number): boolean => keys.every((key, i) => i === 0 || compare(keys[i - 1] as string, key) < 0);

/** All keys in the order of the sides where that is plain, else ours with what is only theirs behind its neighbour. */
function orderKeys(base: Rows, ours: Rows, theirs: Rows): string[] {
  const sides = [base, ours, theirs].map((rows) => [...rows.keys()]);
  for (const [fits, compare] of [
    [isNumber, compareNumbers],
    [() => true, compareTexts],
  ] as const) {
    if (sides.every((keys) => keys.every(fits) && isSorted(keys, compare))) return [...new Set(sides.flat())].sort(compare);
  }
  const behind = new Map<string | undefined, string[]>();
  let neighbour: string | undefined;
  for (const key of theirs.keys()) {
    if (ours.has(key)) neighbour = key;
    else behind.set(neighbour, [...(behind.get(neighbour) ?? []), key]);
  }
  return [...(behind.get(undefined) ?? []), ...[...ours.keys()].flatMap((key) => [key, ...(behind.get(key) ?? [])])];
}

function greaterOf(ours: string | undefined, theirs: string | undefined, place: number): string | undefined {
  const [a, b] = [ours?.split('\t')[place], theirs?.split('\t')[place]];
  if (a === undefined || b === undefined || !isNumber(a) || !isNumber(b)) return undefined;
  return compareNumbers(a, b) >= 0 ? ours : theirs;
}

/** What a key has in the result; where both sides changed the row differently, the two rows. */
export type Meeting = { line: string | undefined } | { mine: string | undefined; other: string | undefined };

/** Decides one row; `greatest` is the place of a number of which the greater one wins. */
export function meet(before: string | undefined, mine: string | undefined, other: string | undefined, greatest: number | undefined): Meeting {
  if (mine === other || other === before) return { line: mine };
  if (mine === before) return { line: other };
  const winner = greatest === undefined ? undefined : greaterOf(mine, other, greatest);
  return winner === undefined ? { mine, other } : { line: winner };
}

function mergeByKey(base: Rows, ours: Rows, theirs: Rows, greatest: number | undefined): RowsMerge {
  const out: string[] = [];
  let conflicts = 0;
  const put = (line: string | undefined): void => {
    if (line !== undefined) out.push(line);
  };
  for (const key of orderKeys(base, ours, theirs)) {
    const meeting = meet(base.get(key), ours.get(key), theirs.get(key), greatest);
    if ('line' in meeting) put(meeting.line);
    else {
      conflicts++;
      out.push('<<<<<<< ours');
      put(meeting.mine);
      out.push('=======');
      put(meeting.other);
      out.push('>>>>>>> theirs');
    }
  }
  return { text: textOf(out), conflicts };
}

/** Lines as a text. */
export const textOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

/** The merged rows, and those that gave way. */
export interface RowsResolution {
  text: string;
  /** Rows of the side that did not win, whose keys both sides changed; '' where there are none. */
  lost: string;
}

/**
 * Merges without marks: where both sides changed a row, the winner's stays; where
 * one changed it and the other deleted it, the change stays.
 * @returns undefined when the files are not rows of such a table
 */
export function resolveRows(base: string, ours: string, theirs: string, rule: RowsRule, winner: 'ours' | 'theirs'): RowsResolution | undefined {
  const { key } = rule;
  if (key === undefined) return { text: mergeByCount(base, ours, theirs).text, lost: '' };
  const [before, mine, other] = [base, ours, theirs].map((text) => rowsByKey(text, key));
  if (before === undefined || mine === undefined || other === undefined) return undefined;
  const kept: string[] = [];
  const lost: string[] = [];
  for (const id of orderKeys(before, mine, other)) {
    const meeting = meet(before.get(id), mine.get(id), other.get(id), rule.greatest);
    const [first, second] = 'line' in meeting ? [meeting.line, undefined] : winner === 'ours' ? [meeting.mine, meeting.other] : [meeting.other, meeting.mine];
    if (first !== undefined || second !== undefined) kept.push((first ?? second) as string);
    if (first !== undefined && second !== undefined) lost.push(second);
  }
  return { text: textOf(kept), lost: textOf(lost) };
}

/** Puts rows in the place of those with the same keys, or beside them where there are none; undefined when they are not rows of such a table. */
export function putRows(text: string, rows: string, rule: RowsRule): string | undefined {
  if (rule.key === undefined) return mergeByCount('', text, rows).text;
  const [present, put] = [rowsByKey(text, rule.key), rowsByKey(rows, rule.key)];
  if (present === undefined || put === undefined) return undefined;
  return textOf(orderKeys(present, present, put).map((key) => (put.get(key) ?? present.get(key)) as string));
}

function countLines(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of linesOf(text)) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}

/** Equal rows are counted: what either side added or took away is added or taken away. */
function mergeByCount(base: string, ours: string, theirs: string): RowsMerge {
  const [before, mine, other] = [base, ours, theirs].map(countLines) as [Map<string, number>, Map<string, number>, Map<string, number>];
  const wanted = new Map<string, number>();
  for (const line of new Set([...mine.keys(), ...other.keys()])) {
    const [b, m, o] = [before.get(line) ?? 0, mine.get(line) ?? 0, other.get(line) ?? 0];
    wanted.set(line, m === o ? m : Math.max(0, m + o - b));
  }
  const lines: string[] = [];
  for (const line of [...linesOf(ours), ...linesOf(theirs)]) {
    const left = wanted.get(line) ?? 0;
    if (left > 0) lines.push(...Array<string>(left).fill(line));
    wanted.set(line, 0);
  }
  // Exports without a key are ordered by the row itself; the next one puts this right where it is not by bytes.
  return { text: lines.map((line) => `${line}\n`).join(''), conflicts: 0 };
}

/**
 * Merges three versions of a file of rows.
 * @param base,ours,theirs whole files, bytes as latin1; an absent file is ''
 * @returns undefined when the files are not rows of such a table: then lines must be merged as lines
 */
export function mergeRows(base: string, ours: string, theirs: string, rule: RowsRule): RowsMerge | undefined {
  const { key } = rule;
  if (key === undefined) return mergeByCount(base, ours, theirs);
  const [before, mine, other] = [base, ours, theirs].map((text) => rowsByKey(text, key));
  if (before === undefined || mine === undefined || other === undefined) return undefined;
  return mergeByKey(before, mine, other, rule.greatest);
}

/** Where the manifest of a file of rows is and which table of it the file belongs to; counters have no table. */
export function placeOfRows(path: string): { manifest: string; table: string | undefined } | undefined {
  const rows = /^(.*?)data\/([^/]+)\/[^/]+\.(?:copy|tsv|json)$/.exec(path);
  if (rows !== null) return { manifest: `${rows[1]}manifest.tsv`, table: rows[2] };
  const counters = /^(.*?)(?:sequences|counters)\.tsv$/.exec(path);
  return counters === null ? undefined : { manifest: `${counters[1]}manifest.tsv`, table: undefined };
}

/**
 * The rule for one table, or for counters where `table` is undefined.
 * @param manifest the text of manifest.tsv (see docs/design/handlers.md)
 * @returns undefined when the manifest does not name the table
 */
export function ruleFor(manifest: string, table: string | undefined): RowsRule | undefined {
  if (table === undefined) return { key: [0, 1], greatest: 2 };
  const hasDocuments = /^engine\tmongodb$/m.test(manifest);
  for (const line of linesOf(manifest)) {
    const [what, path, , , , key, columns] = line.split('\t');
    if (what !== 'table' || path !== table || key === undefined || columns === undefined) continue;
    if (key === '-') return { key: hasDocuments ? 'document' : undefined };
    const names = columns.split(',');
    const places = key.split(',').map((name) => names.indexOf(name));
    return places.includes(-1) ? undefined : { key: places };
  }
  return undefined;
}

/** What a manifest says of a table, to see whether two of them mean the same rows; undefined when it does not name it. */
export function describeTable(manifest: string, table: string): string | undefined {
  for (const line of linesOf(manifest)) {
    const [what, path, , , , key, columns] = line.split('\t');
    if (what === 'table' && path === table && columns !== undefined) return `${key}\t${columns}`;
  }
  return undefined;
}

/** Where the rows of a table begin new files, as its manifest says; undefined when that does not name the table. */
export function cutOf(manifest: string, table: string): string | undefined {
  const line = linesOf(manifest).find((each) => each.startsWith(`table\t${table}\t`));
  return line?.split('\t')[4];
}

/** The lines of a directory's files by their path: what the handler `files` calls its manifest. */
export const filesRule: RowsRule = { key: [4] };

/** Whether a text is the manifest of a directory of files. */
export function isFilesManifest(text: string): boolean {
  const lines = linesOf(text);
  return lines.length > 0 && lines.every((line) => /^[dfl]\t(?:-|[0-7]{4})\t[^\t]*\t[^\t]*\t[^\t]+/.test(line));
}

/** Whether a text is a manifest of live state: of tables or of files. */
export function isManifest(text: string): boolean {
  return text.startsWith('gitted-rows\t') || isFilesManifest(text);
}
