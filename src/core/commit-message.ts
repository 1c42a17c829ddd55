/** The message of a commit that gitsync makes by itself. */
import { printable } from '../log.ts';
import { rawToDisplay, type RawPath } from './raw-path.ts';

/** One changed path: added, modified, deleted, renamed (`from` is the old path), or turned into another type. */
export interface MessageChange {
  status: 'A' | 'M' | 'D' | 'R' | 'T';
  path: RawPath;
  from?: RawPath;
}

export interface MessageInput {
  /** This machine's name. */
  host: string;
  branch: string;
  /** ISO 8601, given by the caller. */
  date: string;
  changes: readonly MessageChange[];
  /** Config key `message`, with {host} {summary} {paths} {date} {branch}; undefined: the default. */
  template: string | undefined;
}

/** Subject and body where the config names no template. */
const defaultTemplate = '{host}: {summary}\n\n{paths}';

const subjectColumns = 72;
/** A path is never cut shorter than this, however long the host's name is. */
const pathColumnsAtLeast = 24;
const pathLinesAtMost = 200;

/** One line without control characters, whatever the text was. */
function oneLine(text: string): string {
  return printable(text).trim();
}

/** The end of a path says more than its beginning. */
function shorten(path: string, columns: number): string {
  const characters = [...path];
  return characters.length <= columns ? path : `…${characters.slice(characters.length - columns + 1).join('')}`;
}

/** The folder that all paths lie in, with its final slash; '' where they share none. */
function commonFolder(changes: readonly MessageChange[]): RawPath {
  const [first = [], ...others] = changes.map(({ path }) => path.split('/').slice(0, -1));
  const common = others.reduce((shared, folders) => {
    const differsAt = shared.findIndex((folder, i) => folder !== folders[i]);
    return differsAt < 0 ? shared : shared.slice(0, differsAt);
  }, first);
  return common.map((folder) => `${folder}/`).join('') as RawPath;
}

function countOf(changes: readonly MessageChange[]): string {
  const count = (...kinds: MessageChange['status'][]): number => changes.filter(({ status }) => kinds.includes(status)).length;
  return `+${count('A')} ~${count('M', 'R', 'T')} -${count('D')}`;
}

const whatHappened: Record<MessageChange['status'], string> = { A: 'added', M: 'changed', D: 'removed', R: 'renamed', T: 'changed type' };

/** "notes/todo.md changed"; for several paths their folder (or the first of them) and counts: "notes/, +2 ~1 -0". */
function summarize(changes: readonly MessageChange[], columns: number): string {
  const [first] = changes;
  if (first === undefined) return 'nothing changed';
  const ending = changes.length === 1 ? ` ${whatHappened[first.status]}` : `, ${countOf(changes)}`;
  const place = changes.length === 1 ? first.path : commonFolder(changes) || first.path;
  return shorten(rawToDisplay(place), Math.max(pathColumnsAtLeast, columns - ending.length)) + ending;
}

function pathLine({ status, path, from }: MessageChange): string {
  return from === undefined ? `${status} ${rawToDisplay(path)}` : `${status} ${rawToDisplay(from)} -> ${rawToDisplay(path)}`;
}

function pathList(changes: readonly MessageChange[]): string {
  const lines = changes.slice(0, pathLinesAtMost).map(pathLine);
  if (changes.length > lines.length) lines.push(`... and ${changes.length - lines.length} more`);
  return lines.join('\n');
}

/** Line breaks in the template count; any other control character is made visible, ends of lines are trimmed. */
function tidy(text: string): string {
  return text.split(/\r?\n/).map((line) => printable(line).trimEnd()).join('\n').replace(/\n{3,}/g, '\n\n').trim();
}

/** Whether a template ends in trailers of its own ("Signed-off-by: ..."), which ours then joins. */
function endsInTrailers(template: string): boolean {
  const paragraphs = template.trim().split(/\n\s*\n/);
  return paragraphs.length > 1 && (paragraphs.at(-1) ?? '').split('\n').every((line) => /^[A-Za-z][A-Za-z0-9-]*: (?!.*\{paths\})/.test(line));
}

/**
 * The whole message: subject, body, and one block of trailers that ends with
 * `Gitsync-Host`. Names of files are made printable, each on a line of its
 * own that begins with its status, so that none can pass for a trailer.
 */
export function commitMessage({ host, branch, date, changes, template }: MessageInput): string {
  const shownHost = oneLine(host) || 'unknown';
  const values: Record<string, string> = {
    host: shownHost,
    summary: summarize(changes, subjectColumns - [...shownHost].length - ': '.length),
    paths: pathList(changes),
    date: oneLine(date),
    branch: oneLine(branch),
  };
  const pattern = tidy(template ?? '') || defaultTemplate;
  // One pass: what a value contains is not expanded again.
  const text = tidy(pattern.replace(/\{(host|summary|paths|date|branch)\}/g, (_, name: string) => values[name] as string)) || values['summary'];
  return `${text}${endsInTrailers(pattern) ? '\n' : '\n\n'}Gitsync-Host: ${shownHost}\n`;
}
