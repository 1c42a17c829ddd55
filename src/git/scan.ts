/** Finds what differs between the private index and the work tree. */
import { lstatSync, type BigIntStats } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { absoluteOf, isUtf8, rawToText, splitNul, type RawPath } from '../core/raw-path.ts';
import { isTransientName } from '../core/transient-names.ts';
import { git, type Repo } from './git.ts';
import { parseRawDiff, type Entry } from './tree.ts';

/** A path whose content may have to be taken. */
export interface Finding {
  path: RawPath;
  kind: 'add' | 'modify' | 'delete';
  /** What the private index holds; null for a path that it does not know. */
  old: Entry | null;
  sizeBytes: number;
  /** The file's identity and times when it was found; undefined when it is gone. */
  stat: BigIntStats | undefined;
}

export interface Scan {
  findings: Finding[];
  /** Repositories inside the work tree that are not submodules: reported, never added. */
  nested: RawPath[];
  /** Submodules whose checked-out commit moved: theirs to commit, not ours. */
  movedSubmodules: RawPath[];
  /** Directories or files that could not be read: what seems deleted may only be unreadable. */
  readProblem: string | undefined;
}

/** More paths than this are found quicker by looking at everything. */
const scanEachUpTo = 300;

/** The file's stat, or undefined when it is not there (or a parent is no directory). */
export function statOf(repo: Repo, path: RawPath): BigIntStats | undefined {
  try {
    return lstatSync(absoluteOf(repo.workTree, path), { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

function pathspecs(paths: ReadonlySet<RawPath> | 'all'): string[] {
  // Arguments are UTF-8; a name that is not has to be found by a full scan.
  if (paths === 'all' || paths.size > scanEachUpTo || paths.has('' as RawPath) || ![...paths].every(isUtf8)) return [];
  return ['--', ...[...paths].map(rawToText)];
}

/**
 * Lists the changed, new and missing files among `paths` (files or
 * directories), or in the whole work tree.
 */
export async function scanWorkTree(repo: Repo, indexFile: string, paths: ReadonlySet<RawPath> | 'all', allowed: ReadonlySet<RawPath>): Promise<Scan> {
  const scan: Scan = { findings: [], nested: [], movedSubmodules: [], readProblem: undefined };
  if (paths !== 'all' && paths.size === 0) return scan;
  const limit = pathspecs(paths);
  const options = { indexFile, env: { GIT_LITERAL_PATHSPECS: '1' } };
  const [tracked, others] = await Promise.all([
    git(repo, ['diff-files', '-z', '--raw', '--no-renames', '--ignore-submodules=dirty', ...limit], options),
    git(repo, ['ls-files', '-z', '--others', '--exclude-standard', ...limit], options),
  ]);
  scan.readProblem = readProblemIn(tracked.stderr + others.stderr);
  const addFinding = (path: RawPath, old: Entry | null): void => {
    try {
      const stat = statOf(repo, path);
      // Gone since, or no file (socket, pipe): nothing to take; a deletion is found by the next round.
      if (stat === undefined || !(stat.isFile() || stat.isSymbolicLink())) return;
      scan.findings.push({ path, kind: old === null ? 'add' : 'modify', old, sizeBytes: Number(stat.size), stat });
    } catch (error) {
      scan.readProblem ??= error instanceof Error ? error.message : String(error);
    }
  };
  for (const change of parseRawDiff(tracked.stdout)) {
    if (change.old?.mode === '160000' || change.new?.mode === '160000') scan.movedSubmodules.push(change.path);
    else if (change.new === null) scan.findings.push({ path: change.path, kind: 'delete', old: change.old, sizeBytes: 0, stat: undefined });
    else addFinding(change.path, change.old);
  }
  for (const path of splitNul(others.stdout)) {
    if (path.endsWith('/')) scan.nested.push(path.slice(0, -1) as RawPath);
    else if (allowed.has(path) || !isTransientName(path)) addFinding(path, null);
  }
  return scan;
}

function readProblemIn(stderr: string): string | undefined {
  return /^.*(could not open directory|Input\/output error|Permission denied|Stale file handle|Transport endpoint).*$/im.exec(stderr)?.[0];
}
