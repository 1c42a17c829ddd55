/**
 * The conflict table as functions over values: one path that changed on both
 * sides -> what keeps the name, what goes beside it. Both machines ask with
 * the sides swapped and must get the same answer, so nothing here may depend
 * on which side is which, except where a person's rule says `ours` or `theirs`.
 */
import picomatch from 'picomatch';
import type { ConflictPolicy, ConflictRule } from './conflict-rule.ts';
import { originalOfCopy } from './conflict-name.ts';
import { rawToText, splitRaw, type RawPath } from './raw-path.ts';

/** `local` is this machine, `remote` the other one. */
export type Side = 'local' | 'remote';

export function otherSide(side: Side): Side {
  return side === 'local' ? 'remote' : 'local';
}

/** A tree entry: a file (`100644`, `100755`), a symlink (`120000`) or a submodule (`160000`). */
export interface MergeEntry {
  mode: '100644' | '100755' | '120000' | '160000';
  oid: string;
}

/** What one side has at a conflicting path, and when that side last changed it (seconds since 1970). */
export interface Version {
  side: Side;
  entry: MergeEntry;
  timeSeconds: number;
  /** On its own side it has another name; it only comes here because the other side renamed it. */
  isGuest?: boolean;
}

/**
 * - `content`: both edited the same place; also two targets of one symlink
 * - `both-added`: both made a file of that name
 * - `edit-delete`: one edited, the other deleted
 * - `rename`: renamed two ways, or renamed against deleted
 * - `file-directory`: a file against a directory
 * - `type`: file, symlink, submodule: two of these
 * - `submodule`: two commits of one submodule
 * - `invalid-result`: merged without a conflict, but no longer a valid JSON, YAML or TOML file
 */
export type ConflictKind = 'content' | 'both-added' | 'edit-delete' | 'rename' | 'file-directory' | 'type' | 'submodule' | 'invalid-result';

/** A conflict that was resolved, as people and history hear of it. */
export interface Conflict {
  path: RawPath;
  /** Where the other side's file went; undefined where there is none (deleted, empty, by a rule, machine-written). */
  copy: RawPath | undefined;
  kind: ConflictKind;
  /** Whose version counts at the path. */
  winner: Side;
  /** The newer won without a copy, since the path looks machine-written and conflicts all the time. */
  machineWritten?: boolean;
}

/** One path that conflicts. `V` is what the caller knows about a version beside this. */
export interface ConflictCase<V extends Version = Version> {
  path: RawPath;
  kind: ConflictKind;
  /** What the path was before both sides changed it, if it existed. */
  base: MergeEntry | undefined;
  /** One for each different content that wants the name, from either side; at least one. */
  versions: readonly V[];
  /** The side whose directory has the name (kind `file-directory`). */
  directorySide?: Side;
  /** Git does not merge lines here: binary content, or `-merge` in `.gitattributes`. */
  binary: boolean;
}

/** What becomes of a conflicting path. */
export interface Decision<V extends Version = Version> {
  /** Whose version counts; the other side is the one that finds its file beside. */
  winner: Side;
  /** What stays at the path; undefined: nothing, or a directory that is there already. */
  at: { version: V; mode: MergeEntry['mode'] } | undefined;
  /** Versions that go beside it as whole files. */
  beside: V[];
  /** Whether hunks of the other version that do not collide are put into the one at the path. */
  hunks: boolean;
}

/** The policy for a path: the last rule that matches; `copies` where none does. */
export function policyFor(rules: readonly ConflictRule[], path: RawPath): ConflictPolicy {
  const text = rawToText(path);
  const rule = rules.findLast(({ glob }) => glob === undefined || picomatch.isMatch(text, glob, { dot: true }));
  return rule?.policy ?? 'copies';
}

function extensionOf(path: RawPath): string {
  return /\.([A-Za-z0-9]+)$/.exec(path)?.[1]?.toLowerCase() ?? '';
}

const proseExtensions = new Set(['md', 'markdown', 'txt', 'org', 'tex', 'rst', 'adoc', 'asciidoc']);

/** Whether a file is written for people to read, so that lines of both sides make sense together. */
export function isProse(path: RawPath): boolean {
  return proseExtensions.has(extensionOf(path));
}

const structuredExtensions = { json: 'json', yaml: 'yaml', yml: 'yaml', toml: 'toml' } as const;

/** A format that merging lines can break. */
export type StructuredFormat = (typeof structuredExtensions)[keyof typeof structuredExtensions];

/** The format that a file's name promises, if it is one that we can check. */
export function structuredFormatOf(path: RawPath): StructuredFormat | undefined {
  const extension = extensionOf(path);
  return Object.hasOwn(structuredExtensions, extension) ? structuredExtensions[extension as keyof typeof structuredExtensions] : undefined;
}

const machineWrittenNames: readonly RegExp[] = [
  /\.(log|lock|pid|db|sqlite3?|db-wal|db-shm|cache|idx|tmp|bak|state|session|history)$/i,
  /(^|[-_.])(workspaces?|sessions?|state|history|recent|cache|lock|window|timestamp|lastrun)([-_.](mobile|json|ya?ml|toml|xml|ini|plist|dat)){1,2}$/i,
  /^(\.ds_store|thumbs\.db|desktop\.ini|package-lock\.json|pnpm-lock\.yaml|\.(bash|zsh|python|node_repl|lesshs|viminfo).*|.*_history|recently-used\.xbel)$/i,
  /[0-9a-f]{16,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/i,
];
const machineWrittenDirectory = /(^|\/)(\.obsidian|\.idea|\.vs|\.vscode|\.?caches?|__pycache__)\//i;

/** Whether a path looks like a program's own bookkeeping rather than a person's work; prose never does (Joplin names notes by UUID). */
export function looksMachineWritten(path: RawPath): boolean {
  const original = originalOfCopy(path);
  const { name } = splitRaw(original);
  return !isProse(original) && (machineWrittenDirectory.test(original) || machineWrittenNames.some((pattern) => pattern.test(name)));
}

/** This many conflicts at one machine-written path within a day are worth copies; the next ones are noise. */
export const machineConflictsWithCopies = 5;
/** The day of the machine-written rule. */
export const machineConflictWindowSeconds = 24 * 3600;

/**
 * When a commit happened, from history alone, so that every machine agrees:
 * its author time, but never later than when it was committed, nor than the
 * tip that was committed on top of it. A date typed by a person or a clock that
 * ran ahead for a while does not win for years.
 */
export function clampTime(authorSeconds: number, committerSeconds: number, tipSeconds: number): number {
  const seconds = Math.min(authorSeconds, committerSeconds, tipSeconds);
  return Number.isFinite(seconds) ? Math.max(0, seconds) : 0;
}

const isRegular = (entry: MergeEntry): boolean => entry.mode === '100644' || entry.mode === '100755';
const isSubmodule = (entry: MergeEntry): boolean => entry.mode === '160000';

/** Which kind of thing an entry is: `file` whether executable or not. */
export function typeOf(entry: MergeEntry): 'file' | 'symlink' | 'submodule' {
  if (isRegular(entry)) return 'file';
  return isSubmodule(entry) ? 'submodule' : 'symlink';
}

/** Newest first; equal times by object id, larger first. A submodule is a directory and keeps its name from files; guests come last. */
function byClaim(a: Version, b: Version): number {
  if (a.isGuest !== b.isGuest) return a.isGuest === true ? 1 : -1;
  const submoduleFirst = Number(isSubmodule(b.entry)) - Number(isSubmodule(a.entry));
  if (submoduleFirst !== 0) return submoduleFirst;
  if (a.timeSeconds !== b.timeSeconds) return b.timeSeconds - a.timeSeconds;
  if (a.entry.oid !== b.entry.oid) return a.entry.oid < b.entry.oid ? 1 : -1;
  return a.entry.mode < b.entry.mode ? 1 : -1;
}

/** The mode of the merged file: what one side changed it to; without a base executable if either says so. */
export function mergeModes(base: MergeEntry | undefined, entries: readonly MergeEntry[]): '100644' | '100755' {
  const modes = entries.filter(isRegular).map(({ mode }) => mode);
  if (base === undefined || !isRegular(base)) return modes.includes('100755') ? '100755' : '100644';
  const isExecutable = modes.some((mode) => mode !== base.mode) !== (base.mode === '100755');
  return isExecutable ? '100755' : '100644';
}

/** What a copy would add: nothing for empty content, for what the base had, for a submodule's commit, for what stays anyway. */
function worthCopying(version: Version, stays: Version | undefined, base: MergeEntry | undefined, emptyOid: string): boolean {
  const { oid } = version.entry;
  return !isSubmodule(version.entry) && oid !== emptyOid && oid !== base?.oid && oid !== stays?.entry.oid;
}

/** What keeps the path's name, and the versions that do not. */
function chooseWinner<V extends Version>(conflict: ConflictCase<V>, prefer: Side | undefined): { winner: Side; stays: V | undefined; others: V[] } {
  const ranked = [...conflict.versions].sort(byClaim);
  const claim = prefer === undefined ? ranked[0] : ranked.find(({ side }) => side === prefer);
  if (conflict.directorySide !== undefined) return { winner: prefer ?? conflict.directorySide, stays: undefined, others: ranked };
  // The preferred side has nothing here: it deleted the file, or gave it another name.
  if (claim === undefined) return { winner: prefer as Side, stays: undefined, others: ranked };
  return { winner: claim.side, stays: claim, others: ranked.filter((version) => version !== claim) };
}

/** Which versions of a path that a person gave to one side still go beside it: only a file that a directory keeps from its name. */
function besidePreferred<V extends Version>(conflict: ConflictCase<V>, prefer: Side, others: readonly V[]): V[] {
  return conflict.directorySide === undefined ? [] : others.filter(({ side }) => side === prefer).slice(0, 1);
}

/**
 * Decides one conflict.
 * @param options.prefer a person's rule: this side's version wins without a copy
 * @param options.copies false where copies are noise (machine-written): the newer wins
 * @param options.emptyOid the object id of empty content
 */
export function decide<V extends Version>(conflict: ConflictCase<V>, options: { prefer?: Side | undefined; copies: boolean; emptyOid: string }): Decision<V> {
  const { base, versions } = conflict;
  const { prefer, copies, emptyOid } = options;
  const { winner, stays, others } = chooseWinner(conflict, prefer);
  const candidates = prefer === undefined ? others : besidePreferred(conflict, prefer, others);
  const isFileLoser = conflict.directorySide !== undefined;
  const beside = copies || isFileLoser ? candidates.filter((version) => worthCopying(version, stays, isFileLoser ? undefined : base, emptyOid)) : [];
  if (stays === undefined) return { winner, at: undefined, beside, hunks: false };
  const isMergeable = conflict.kind === 'content' && base !== undefined && [base, ...versions.map(({ entry }) => entry)].every(isRegular);
  const mode = prefer === undefined && isMergeable ? mergeModes(base, versions.map(({ entry }) => entry)) : stays.entry.mode;
  const hunks = prefer === undefined && copies && isMergeable && versions.length === 2 && !conflict.binary && isProse(conflict.path);
  return { winner, at: { version: stays, mode }, beside, hunks };
}
