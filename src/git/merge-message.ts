/** Messages of the commits that integrating makes: the same words on every machine, and trailers that say what conflicted. */
import type { Conflict } from '../core/merge-policy.ts';
import { isUtf8, rawFromText, rawToText, type RawPath } from '../core/raw-path.ts';

const conflictKey = 'Gitsync-Conflict';
const copyKey = 'Gitsync-Copy';

/** A conflict as history remembers it. */
export interface RecordedConflict {
  path: RawPath;
  copy: RawPath | undefined;
}

/** The path in one line of text: `%` and what would end or change the line become `%XX`; so does everything beyond ASCII where it is not UTF-8. */
function escapePath(path: RawPath): string {
  const percent = (c: string): string => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  const unsafe = isUtf8(path) ? /[\x00-\x1f\x7f%]|^ | $/g : /[\x00-\x1f\x7f-\xff%]|^ | $/g;
  return rawToText(path.replace(unsafe, percent) as RawPath);
}

function unescapePath(text: string): RawPath {
  return rawFromText(text).replace(/%([0-9A-F]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16))) as RawPath;
}

function trailersFor(conflicts: readonly Conflict[]): string {
  if (conflicts.length === 0) return '';
  const lines = conflicts.flatMap(({ path, copy }) => [`${conflictKey}: ${escapePath(path)}`, ...(copy === undefined ? [] : [`${copyKey}: ${escapePath(copy)}`])]);
  return `\n${lines.join('\n')}\n`;
}

/** The message of a merge commit; `sides` sorted. */
export function mergeMessage(sides: readonly [string, string], conflicts: readonly Conflict[]): string {
  return `gitsync: merge ${sides[0].slice(0, 10)} and ${sides[1].slice(0, 10)}\n${trailersFor(conflicts)}`;
}

/** The message of the commit that puts local changes on top of a history that was rewritten. */
export function reapplyMessage(changes: number, remote: string, conflicts: readonly Conflict[]): string {
  const files = changes === 1 ? '1 local change' : `${changes} local changes`;
  return `gitsync: ${files} on top of the rewritten history\n\nThe remote's history was replaced; it is now at ${remote.slice(0, 10)}.\n${trailersFor(conflicts)}`;
}

/** The conflicts that a commit message records in its last paragraph. */
export function parseRecordedConflicts(message: string): RecordedConflict[] {
  const last = message.trimEnd().split('\n\n').at(-1) ?? '';
  const conflicts: RecordedConflict[] = [];
  for (const line of last.split('\n')) {
    const colon = line.indexOf(': ');
    const key = line.slice(0, colon);
    const path = unescapePath(line.slice(colon + 2));
    const previous = conflicts.at(-1);
    if (key === conflictKey) conflicts.push({ path, copy: undefined });
    else if (key === copyKey && previous !== undefined) previous.copy = path;
  }
  return conflicts;
}
