/** Adding a directory to the text of a config and taking it out again; comments and layout stay. */
import { readIni, splitLines, type IniEntry, type IniSection } from './ini-document.ts';
import { wordsOf, type LocatedWord } from './read-section.ts';
import { resolvePath } from './work-paths.ts';
import { quoteWord } from './words.ts';

const newFileText = '# What gitsync keeps in sync; every key is explained by: gitsync config --help\n';

/** Whether a path that the file lists is the one in question. */
export type IsMeant = (path: string) => boolean;

const isGeneral = ({ name, argument }: IniSection): boolean => name === 'gitsync' && argument === undefined;

const workDirEntries = (sections: readonly IniSection[]): IniEntry[] =>
  sections.filter(isGeneral).flatMap(({ entries }) => entries.filter(({ key }) => key === 'work_dir'));

/** Every path that a text lists, by work_dir or by a section of its own. */
export function listPaths(text: string, home: string): string[] {
  const sections = readIni(text);
  const words = workDirEntries(sections).flatMap((entry) => wordsOf(entry, 'words').map((word) => word.text));
  const own = sections.flatMap(({ name, argument }) => (name === 'repo' && argument !== undefined ? [argument] : []));
  return [...words, ...own].flatMap((path) => resolvePath(path, home) ?? []);
}

/** The lines of a text, the last of them empty, and what ends each (a carriage return is part of its line). */
interface Lines {
  lines: string[];
  insert(at: number, content: string): void;
  toText(): string;
}

function openLines(text: string): Lines {
  const carriage = /\r\n/.test(text) ? '\r' : '';
  const lines = splitLines(text === '' || text.endsWith('\n') ? text : `${text}${carriage}\n`);
  return { lines, insert: (at, content) => void lines.splice(at, 0, `${content}${carriage}`), toText: () => lines.join('\n') };
}

/** The last line of a section that is neither blank nor a comment. */
function lastLineOf(section: IniSection): number {
  const inEntries = section.entries.flatMap(({ segments }) => segments.map(({ line }) => line));
  return Math.max(section.line, ...inEntries, ...section.problems.map(({ line }) => line));
}

/** The text with one directory more, written as it is to stand there. */
export function insertWorkDir(text: string, written: string): string {
  const document = openLines(text.trim() === '' ? newFileText : text);
  const sections = readIni(text);
  const entry = workDirEntries(sections).at(-1);
  const section = sections.find(isGeneral);
  const setting = `work_dir = ${quoteWord(written)}`;
  if (entry !== undefined) extendEntry(document, entry, quoteWord(written));
  // Below a line that is wrong, which could otherwise be taken for a part of the new value.
  else if (section !== undefined) document.insert(section.problems.length === 0 ? section.line : lastLineOf(section), setting);
  else {
    const end = document.lines.length - 1;
    for (const line of [setting, '[gitsync]', '']) document.insert(end, line);
  }
  return document.toText();
}

/** Puts a path behind the last one of an entry, in the way in which those before are written. */
function extendEntry(document: Lines, entry: IniEntry, path: string): void {
  const words = wordsOf(entry, 'words');
  const last = words.at(-1);
  const lineOf = (line: number): string => document.lines[line - 1] as string;
  const indent = (line: number): string => /^[ \t]*/.exec(lineOf(line))?.[0] ?? '';
  const lastLine = (entry.segments.at(-1) ?? entry).line;
  if (entry.bracketed) {
    document.insert(lastLine, `${indent(entry.line)}work_dir[] = ${path}`);
  } else if (last === undefined) {
    const column = entry.segments[0]?.column ?? 0;
    const rest = lineOf(entry.line).slice(column);
    document.lines[entry.line - 1] = `${lineOf(entry.line).slice(0, column)} ${path}${/^\s|^$/.test(rest) ? '' : ' '}${rest}`;
  } else if (last.line === entry.line) {
    appendToWord(document, last, `${words.length === 1 || usesCommas(document, words) ? ',' : ''} ${path}`);
  } else {
    document.insert(last.line, `${indent(last.line)}${path}`);
    if (usesCommas(document, words)) appendToWord(document, last, ',');
  }
}

/** Whether a comma follows the last word but one. */
function usesCommas(document: Lines, words: readonly LocatedWord[]): boolean {
  const word = words.at(-2);
  return word !== undefined && /^[ \t]*,/.test((document.lines[word.line - 1] as string).slice(word.end));
}

function appendToWord(document: Lines, word: LocatedWord, addition: string): void {
  const line = document.lines[word.line - 1] as string;
  const raw = line.slice(word.start, word.end);
  // A backslash at the end of a line is itself; with something behind it, it would be an escape.
  const safe = raw.endsWith('\\') ? quoteWord(word.text) : raw;
  document.lines[word.line - 1] = `${line.slice(0, word.start)}${safe}${addition}${line.slice(word.end)}`;
}

/** The text without a directory and without the section of its own; undefined if neither is there. */
export function dropPath(text: string, home: string, isMeant: IsMeant): string | undefined {
  const isListed = (path: string): boolean => {
    const resolved = resolvePath(path, home);
    return resolved !== undefined && isMeant(resolved);
  };
  let result = text;
  // One at a time, since each changes the columns and lines of the others.
  for (;;) {
    const next = dropWord(result, isListed) ?? dropSection(result, isListed);
    if (next === undefined) return result === text ? undefined : result;
    result = next;
  }
}

function dropWord(text: string, isListed: IsMeant): string | undefined {
  for (const entry of workDirEntries(readIni(text))) {
    const words = wordsOf(entry, 'words');
    const word = words.find((candidate) => isListed(candidate.text));
    if (word === undefined) continue;
    const lines = splitLines(text);
    const onLine = words.filter(({ line }) => line === word.line);
    const isRemovable = word.line !== entry.line || (entry.bracketed && entry.segments.length === 1);
    if (onLine.length === 1 && isRemovable) lines.splice(word.line - 1, 1);
    else lines[word.line - 1] = cutWord(lines[word.line - 1] as string, onLine, word);
    return lines.join('\n');
  }
  return undefined;
}

/** The line without a word and without the separator that it needed. */
function cutWord(line: string, words: readonly LocatedWord[], word: LocatedWord): string {
  const index = words.indexOf(word);
  const [previous, next] = [words[index - 1], words[index + 1]];
  if (next !== undefined) return line.slice(0, word.start) + line.slice(next.start);
  if (previous !== undefined) return line.slice(0, previous.end) + line.slice(word.end);
  return line.slice(0, word.start).trimEnd() + line.slice(word.end).replace(/^[ \t]*,/, '');
}

/** The paths of the repositories that a section is about: its own, or a container's. */
function ownersOf({ name, argument, entries }: IniSection): string[] {
  if (name === 'repo') return argument === undefined ? [] : [argument];
  return name === 'container' ? entries.filter(({ key }) => key === 'repo').flatMap((entry) => wordsOf(entry, 'line').map(({ text }) => text)) : [];
}

function dropSection(text: string, isListed: IsMeant): string | undefined {
  const sections = readIni(text);
  const index = sections.findIndex((section) => ownersOf(section).some(isListed));
  const section = sections[index];
  if (section === undefined) return undefined;
  const lines = splitLines(text);
  const nextHeader = sections[index + 1]?.line ?? Infinity;
  let end = lastLineOf(section);
  const comments = countWhile(lines, end, (line) => /^[ \t]*[#;]/.test(line));
  // A comment right below belongs to the section, unless it stands right above the next one.
  if (end + comments + 1 < nextHeader) end += comments;
  const start = section.line - 1;
  const isBlank = (line: string): boolean => line.trim() === '';
  if (start === 0 || isBlank(lines[start - 1] as string)) end += countWhile(lines.slice(0, -1), end, isBlank);
  lines.splice(start, end - start);
  return lines.join('\n');
}

function countWhile(lines: readonly string[], from: number, test: (line: string) => boolean): number {
  let count = 0;
  while (from + count < lines.length && test(lines[from + count] as string)) count++;
  return count;
}
