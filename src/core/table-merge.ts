/**
 * Merges a table as a whole. Its rows lie in several files, and the two sides may
 * have cut it in different places: merged file by file, a row that one side
 * edited and the other moved to another file would be there twice. Pure.
 */
import { compareNumbers, compareTexts, isNumber, keyOf, linesOf, meet, putRows, textOf, type RowsRule } from './rows-merge.ts';

/** The files of a table: name without extension -> rows, bytes as latin1. */
export type Chunks = ReadonlyMap<string, string>;

export interface TableRule {
  rule: RowsRule;
  /** Where the result begins new files: `int:N`, `uuid:N` or `hash:M` (docs/design/handlers.md). */
  cut: string;
  /** Names of files of the table that neither side touched. */
  taken: ReadonlySet<string>;
}

/** One file of the merged table. */
export interface MergedChunk {
  /** Where the first row that both sides changed differently is on each side; undefined: nobody has to give way. */
  contested: { ours: string; theirs: string } | undefined;
  /** Its rows, and those that give way to the winner's. */
  resolve(winner: 'ours' | 'theirs'): { text: string; lost: string };
}

interface Placed {
  line: string;
  file: string;
  count: number;
}
type Side = Map<string, Placed>;

/** A row of the result; `other` where both sides have one. */
interface Item {
  key: string;
  line: string;
  other: string | undefined;
  count: number;
  home: string;
  otherHome: string;
}

/** All rows of one side; undefined when they are no rows of such a table, or a key is there twice. */
function readSide(chunks: Chunks, rule: RowsRule['key']): Side | undefined {
  const rows: Side = new Map();
  for (const [file, text] of chunks) {
    for (const line of linesOf(text)) {
      const key = keyOf(line, rule);
      if (key === undefined) return undefined;
      const known = rows.get(key);
      if (known === undefined) rows.set(key, { line, file, count: 1 });
      else if (rule === undefined) known.count += 1;
      else return undefined;
    }
  }
  return rows;
}

/** What becomes of a row; undefined: it goes. Of one that one side changed and the other deleted, the change stays. */
function mergeRow(key: string, before: Placed | undefined, mine: Placed | undefined, other: Placed | undefined, isCounted: boolean): Item | undefined {
  const there = mine ?? other;
  if (there === undefined) return undefined;
  const item = { key, line: there.line, other: undefined, count: 1, home: there.file, otherHome: other?.file ?? there.file };
  if (isCounted) {
    const [b, m, o] = [before, mine, other].map((placed) => placed?.count ?? 0) as [number, number, number];
    const count = m === o ? m : Math.max(0, m + o - b);
    return count === 0 ? undefined : { ...item, count };
  }
  const meeting = meet(before?.line, mine?.line, other?.line, undefined);
  if ('line' in meeting) return meeting.line === undefined ? undefined : { ...item, line: meeting.line };
  return meeting.mine === undefined ? item : { ...item, line: meeting.mine, other: meeting.other };
}

type Compare = (a: string, b: string) => number;

/** The order that the rows of every file are in; undefined where it cannot be told. */
function findOrder(sides: readonly Side[], isCounted: boolean): Compare | undefined {
  const columns = (key: string): string[] => (isCounted ? [key] : key.split('\t'));
  const width = Math.max(0, ...sides.flatMap((side) => [...side.keys()].slice(0, 1)).map((key) => columns(key).length));
  const compares = Array.from({ length: width }, (_, i) => (sides.every((side) => [...side.keys()].every((key) => isNumber(columns(key)[i] ?? ''))) ? compareNumbers : compareTexts));
  const compare: Compare = (a, b) => {
    const [left, right] = [columns(a), columns(b)];
    for (const [i, one] of compares.entries()) {
      const result = one(left[i] ?? '', right[i] ?? '');
      if (result !== 0) return result;
    }
    return 0;
  };
  for (const side of sides) {
    let last: [string, string] | undefined;
    for (const [key, { file }] of side) {
      if (last !== undefined && last[1] === file && compare(last[0], key) > 0) return undefined;
      last = [key, file];
    }
  }
  return compare;
}

const plainName = (file: string): string => file.replace(/_\d+$/, '');

/** Keys of rows that begin a file because their hash says so, as the names of the sides' files tell. */
function findBoundaries(sides: readonly Chunks[], rule: RowsRule['key'], bits: number): Map<string, string> {
  const found = new Map<string, string>();
  const mask = 2 ** Math.min(bits, 31) - 1;
  for (const chunks of sides) {
    for (const [file, text] of chunks) {
      const name = plainName(file);
      const key = keyOf(text.slice(0, text.indexOf('\n')), rule);
      if (key !== undefined && /^[0-9a-f]{16}$/.test(name) && (parseInt(name.slice(8), 16) & mask) === 0) found.set(key, name);
    }
  }
  return found;
}

/** The name of the file that a key of whole numbers or uuids belongs to. */
function nameByKey(kind: string, size: number, key: string): string | undefined {
  const value = key.split('\t')[0] ?? '';
  if (kind === 'uuid') return size === 0 ? 'all' : value.slice(0, size);
  if (!isNumber(value)) return undefined;
  const chunk = BigInt(value) >> BigInt(size);
  return chunk < 0n ? `m${String(-chunk).padStart(8, '0')}` : String(chunk).padStart(8, '0');
}

/** Divides the rows as the cut says; where that cannot be done, each stays in the file that a side has it in. */
function cutRows(items: Item[], sides: readonly [Chunks, Chunks], compare: Compare | undefined, { rule, cut, taken }: TableRule): Map<string, Item[]> {
  const [kind = '', bits = '0'] = cut.split(':');
  const files = new Map<string, Item[]>();
  const put = (file: string, item: Item): void => void (files.get(file)?.push(item) ?? files.set(file, [item]));
  const sorted = compare === undefined ? items : items.sort((a, b) => compare(a.key, b.key));
  if (kind !== 'hash' && rule.key !== undefined) {
    for (const item of sorted) put(nameByKey(kind, Number(bits), item.key) ?? item.home, item);
    return files;
  }
  if (compare === undefined) {
    for (const item of sorted) put(item.home, item);
    return files;
  }
  const boundaries = findBoundaries(sides, rule.key, Number(bits));
  let file = freeName('first', taken);
  for (const item of sorted) {
    const name = boundaries.get(item.key);
    if (name !== undefined) file = freeName(name, new Set([...taken, ...files.keys()]));
    put(file, item);
  }
  return files;
}

function freeName(name: string, taken: ReadonlySet<string>): string {
  let file = name;
  for (let n = 2; taken.has(file); n += 1) file = `${name}_${n}`;
  return file;
}

function toChunk(items: readonly Item[]): MergedChunk {
  const disputed = items.filter(({ other }) => other !== undefined);
  const [first] = disputed;
  return {
    contested: first === undefined ? undefined : { ours: first.home, theirs: first.otherHome },
    resolve: (winner) => ({
      text: textOf(items.flatMap(({ line, other, count }) => Array<string>(count).fill(winner === 'theirs' ? (other ?? line) : line))),
      lost: textOf(disputed.map(({ line, other }) => (winner === 'theirs' ? line : (other as string)))),
    }),
  };
}

/**
 * Merges the files of a table that either side touched.
 * @returns the files of the result by name, or undefined when they are no rows of such a table
 */
export function mergeTable(base: Chunks, ours: Chunks, theirs: Chunks, how: TableRule): Map<string, MergedChunk> | undefined {
  const { key } = how.rule;
  const [before, mine, other] = [base, ours, theirs].map((chunks) => readSide(chunks, key));
  if (before === undefined || mine === undefined || other === undefined) return undefined;
  const isCounted = key === undefined;
  const items = [...new Set([...mine.keys(), ...other.keys()])].flatMap((row) => mergeRow(row, before.get(row), mine.get(row), other.get(row), isCounted) ?? []);
  const files = cutRows(items, [ours, theirs], findOrder([mine, other], isCounted), how);
  return new Map([...files].map(([file, rows]) => [file, toChunk(rows)]));
}

/**
 * Puts rows in the place of those with the same keys, whichever file these are in by now; new ones into the file `home`.
 * @returns the files that change, or undefined when they are no rows of such a table
 */
export function putTableRows(chunks: Chunks, rows: string, rule: RowsRule, home: string): Map<string, string> | undefined {
  const present = readSide(chunks, rule.key);
  if (present === undefined) return undefined;
  const byFile = new Map<string, string[]>();
  for (const line of linesOf(rows)) {
    const file = present.get(keyOf(line, rule.key) ?? '')?.file ?? home;
    byFile.set(file, [...(byFile.get(file) ?? []), line]);
  }
  const changed = new Map<string, string>();
  for (const [file, lines] of byFile) {
    const text = putRows(chunks.get(file) ?? '', textOf(lines), rule);
    if (text === undefined) return undefined;
    changed.set(file, text);
  }
  return changed;
}
