/** From the keys of a section to the meaning that the schema gives them. */
import { suggest, type Finding } from './config-problem.ts';
import type { IniEntry, IniSection } from './ini-document.ts';
import { schema, sections, type Row, type SectionName, type Settings } from './schema.ts';
import { readWords, type Word, type WordMode } from './words.ts';

/** A word and its line; the columns are those of the line. */
export interface LocatedWord extends Word {
  line: number;
}

/** The words of all lines of a value. */
export function wordsOf(entry: IniEntry, mode: WordMode): LocatedWord[] {
  return entry.segments.flatMap(({ line, column, text }) =>
    readWords(text, mode).map((word) => ({ text: word.text, start: word.start + column, end: word.end + column, line })),
  );
}

/** The entries of a section by the row that they belong to, and those that belong to none. */
export function matchEntries(section: IniSection, rows: readonly Row[]): { entries: Map<Row, IniEntry[]>; findings: Finding[] } {
  const entries = new Map<Row, IniEntry[]>();
  const findings: Finding[] = [...section.problems];
  for (const entry of section.entries) {
    const row = rows.find(({ key }) => key === entry.key);
    if (row === undefined) findings.push(unknownKey(entry, rows));
    else entries.set(row, [...(entries.get(row) ?? []), entry]);
  }
  return { entries, findings };
}

function unknownKey(entry: IniEntry, rows: readonly Row[]): Finding {
  const keys = rows.map(({ key }) => key);
  const elsewhere = schema.find(({ key }) => key === entry.key);
  return {
    line: entry.line,
    message: `unknown key "${entry.key}"`,
    expected: `one of ${keys.join(', ')}`,
    hint: elsewhere === undefined ? suggest(entry.key, keys) : `${entry.key} belongs in [${headerOf(elsewhere.section)}]`,
  };
}

/** What stands in the header of a section: `repo PATH`. */
export function headerOf(name: keyof typeof sections): string {
  const { argument } = sections[name];
  return argument === undefined ? name : `${name} ${argument}`;
}

/** A value, or the findings that say why there is none. */
export interface Reading {
  value?: unknown;
  findings: Finding[];
}

/** The value of a key, from every line that gives it. */
export function readValue(row: Row, entries: readonly IniEntry[]): Reading {
  const words = entries.flatMap((entry) => wordsOf(entry, row.type.mode));
  const findings = findLayoutTrouble(row, entries, words);
  return findings.length > 0 ? { findings } : checkWords(row, words);
}

/** The values of a section's keys; what cannot be read is reported and left out. */
export function readValues(entries: ReadonlyMap<Row, IniEntry[]>, report: (finding: Finding) => void): Map<Row, unknown> {
  const values = new Map<Row, unknown>();
  for (const [row, rowEntries] of entries) {
    const { value, findings } = readValue(row, rowEntries);
    if (findings.length === 0) values.set(row, value);
    for (const finding of findings) report(finding);
  }
  return values;
}

/** The values of one section's fields; that they fit the fields is what the type of the schema's rows says. */
export function valuesFor<S extends SectionName>(section: S, values: ReadonlyMap<Row, unknown>): Partial<Settings[S]> {
  const own = [...values].filter(([row]) => row.section === section).map(([row, value]) => [row.field, value]);
  return Object.fromEntries(own) as Partial<Settings[S]>;
}

/** The meaning of the words of a value. */
export function checkWords(row: Row, words: readonly LocatedWord[]): Reading {
  const result = row.type.schema.safeParse(words.map(({ text }) => text));
  if (result.success) return { value: result.data, findings: [] };
  const findings = result.error.issues.map((issue) => ({
    line: words[Number(issue.path[0] ?? 0)]?.line ?? 0,
    message: `${row.key}: ${issue.message}`,
    expected: row.type.expected,
    hint: issue.code === 'custom' ? (issue.params?.['hint'] as string | undefined) : undefined,
  }));
  return { findings };
}

/** Nothing after the `=`; or, for a key with one value, more lines than one. */
function findLayoutTrouble(row: Row, entries: readonly IniEntry[], words: readonly LocatedWord[]): Finding[] {
  const first = entries[0] as IniEntry;
  if (row.type.mode !== 'line') return words.length > 0 ? [] : [{ line: first.line, message: `${row.key} has no value`, expected: row.type.expected }];
  const repeated = entries.slice(1).map(({ line }) => ({ line, message: `${row.key} is set twice, first on line ${first.line}`, expected: 'each key once' }));
  const further = entries.flatMap(({ segments }) => segments.slice(1));
  const stray = further.map(({ line, text }) => ({ line, message: `${JSON.stringify(text.trim())} is not a setting`, expected: `KEY = VALUE, since ${row.key} has one line only` }));
  const empty = words.length > 0 ? [] : [{ line: first.line, message: `${row.key} has no value`, expected: row.type.expected }];
  return [...repeated, ...stray, ...empty];
}
