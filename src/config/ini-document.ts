/**
 * An ini file as sections and keys that remember their lines. The `ini` package
 * is not used: it splits section names at dots (`[repo ~/site.example.org]`),
 * reads `'/a b', '/c d'` as one broken string and `feature#1` as `feature`,
 * lets the last of two equal keys win in silence, and knows no lines.
 */
import { findQuoteEnd, unquote } from './words.ts';

/** A piece of a value: what follows the `=`, or one indented line below it. */
export interface Segment {
  /** From 1. */
  line: number;
  /** The column of the line at which `text` begins. */
  column: number;
  text: string;
}

export interface IniEntry {
  key: string;
  /** Written as `key[] = value`. */
  bracketed: boolean;
  line: number;
  segments: Segment[];
}

/** A line that is neither header, key, continuation, comment nor blank. */
export interface IniProblem {
  line: number;
  message: string;
  expected: string;
}

/** `[name argument]` and what stands below it. */
export interface IniSection {
  /** '' for what stands above the first header; undefined for a header that could not be read. */
  name: string | undefined;
  argument: string | undefined;
  line: number;
  entries: IniEntry[];
  problems: IniProblem[];
}

/** Splits a file into lines, keeping a carriage return as the end of each. */
export const splitLines = (text: string): string[] => text.split('\n');

/** Reads the shape of an ini file, not what it means. Never throws. */
export function readIni(text: string): IniSection[] {
  const found: IniSection[] = [];
  for (const [index, raw] of splitLines(text).entries()) {
    // A byte order mark counts as a space, so that columns stay what they are.
    const content = raw.replace(/\r+$/, '').replace(/^\ufeff/, ' ');
    const line = index + 1;
    if (content.trim() === '' || /^[ \t]*[#;]/.test(content)) continue;
    if (/^[ \t]*\[/.test(content)) {
      found.push(openSection(content.trim(), line));
    } else {
      if (found.length === 0) found.push({ name: '', argument: undefined, line, entries: [], problems: [] });
      readLine(found.at(-1) as IniSection, content, line);
    }
  }
  return found;
}

function openSection(header: string, line: number): IniSection {
  const problem = { line, message: `section header ${header} is not closed`, expected: '[gitsync], [repo PATH] or [container NAME]' };
  const read = readHeader(header);
  return { name: read?.name, argument: read?.argument, line, entries: [], problems: read === undefined ? [problem] : [] };
}

const keyPattern = /^[ \t]*([A-Za-z][\w.-]*)[ \t]*(\[\])?[ \t]*[=:]/;
/** Lines below a key that go on with its value: indented, or plainly a path. */
const continuationPattern = /^[ \t]|^[/~"']/;

function readLine(section: IniSection, content: string, line: number): void {
  const match = keyPattern.exec(content);
  const segmentAt = (column: number): Segment => ({ line, column, text: content.slice(column) });
  const current = section.entries.at(-1);
  if (match !== null) {
    section.entries.push({ key: match[1] as string, bracketed: match[2] !== undefined, line, segments: [segmentAt(match[0].length)] });
  } else if (current !== undefined && continuationPattern.test(content)) {
    current.segments.push(segmentAt(0));
  } else {
    section.problems.push({ line, message: `${JSON.stringify(content.trim())} is not a setting`, expected: 'KEY = VALUE' });
  }
}

/** Reads `[name]`, `[name argument]` or `[name "argument"]`, a comment after it allowed; undefined if it is not closed. */
function readHeader(header: string): { name: string; argument: string | undefined } | undefined {
  const [whole, name] = /^\[[ \t]*([^\s\]"']*)[ \t]*/.exec(header) as unknown as [string, string];
  const rest = header.slice(whole.length);
  const quoteEnd = findQuoteEnd(rest, 0);
  if (quoteEnd !== undefined && /^[ \t]*\][ \t]*(?:[#;]|$)/.test(rest.slice(quoteEnd))) return { name, argument: unquote(rest.slice(0, quoteEnd)) };
  // A path may hold brackets: the closing one is the first with nothing but a comment behind it.
  for (let at = rest.indexOf(']'); at >= 0; at = rest.indexOf(']', at + 1)) {
    if (/^[ \t]*(?:[#;]|$)/.test(rest.slice(at + 1))) return { name, argument: rest.slice(0, at).trim() || undefined };
  }
  return undefined;
}
