/** Brings files of the work tree into the private index, each complete and at rest, or not at all. */
import type { BigIntStats } from 'node:fs';
import { rm } from 'node:fs/promises';
import { GitsyncError, toGitsyncError } from '../errors.ts';
import { absoluteOf, joinNul, splitRaw, type RawPath } from '../core/raw-path.ts';
import { findOpenForWriting } from '../process/open-files.ts';
import { wasKilled } from '../process/run.ts';
import { git, type Repo } from './git.ts';
import { statOf, type Finding } from './scan.ts';
import { indexInfo } from './tree.ts';

export interface Taken {
  taken: Finding[];
  /** Still being written: they wait for the next round. */
  waiting: RawPath[];
  /** Could not be read or hashed, and why. */
  failed: { path: RawPath; why: string }[];
}

/** Errors that concern the whole repository, not one path: halving the list would not help. */
const repositoryWide = new Set(['no-space', 'read-only', 'locked', 'corrupt', 'interrupted']);

const slowestHashingBytesPerMs = 2_000;

/** How long git may be silent over files of this size: it says nothing while it reads and packs, and a filter may hang for good. */
export function hashingDeadlineMs(sizeBytes: number): number {
  return Number(process.env['GITSYNC_HASH_DEADLINE_MS'] ?? 120_000) + sizeBytes / slowestHashingBytesPerMs;
}

export function sameFile(a: BigIntStats | undefined, b: BigIntStats | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
}

/** Removes entries by name alone: the path may by now lie beyond a symbolic link, where git would refuse to look. */
async function dropEntries(repo: Repo, indexFile: string, findings: readonly Finding[]): Promise<void> {
  if (findings.length === 0) return;
  const input = indexInfo(findings.map(({ path }) => [path, null] as const), repo.oidLength);
  await git(repo, ['update-index', '-z', '--index-info'], { indexFile, input });
}

/** Hashes files into the index; where git stops at one of them, or hangs, finds which by halving. */
export async function hashIntoIndex(repo: Repo, indexFile: string, findings: readonly Pick<Finding, 'path' | 'sizeBytes'>[], failed: Taken['failed'], isSecondTry = false): Promise<void> {
  if (findings.length === 0) return;
  try {
    const idleTimeoutMs = hashingDeadlineMs(findings.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
    await git(repo, ['update-index', '-z', '--add', '--remove', '--replace', '--stdin'], { indexFile, idleTimeoutMs, input: joinNul(findings.map(({ path }) => path)) });
  } catch (error) {
    const known = toGitsyncError(error);
    if (repositoryWide.has(known.kind)) throw known;
    if (wasKilled(known)) {
      // The dead one's lock: nobody else writes this index.
      await rm(`${indexFile}.lock`, { force: true });
      if (!isSecondTry) return hashIntoIndex(repo, indexFile, findings, failed, true);
    }
    if (findings.length === 1) {
      failed.push({ path: (findings[0] as Finding).path, why: known.kind === 'timeout' ? 'git (or a filter of it) gave no answer in time' : causeText(known) });
      return;
    }
    const middle = findings.length >> 1;
    await hashIntoIndex(repo, indexFile, findings.slice(0, middle), failed);
    await hashIntoIndex(repo, indexFile, findings.slice(middle), failed);
  }
}

function causeText(error: GitsyncError): string {
  return error.cause instanceof Error ? error.cause.message : error.message;
}

/**
 * Takes each finding whose file is the same before and after hashing and that
 * nobody has open for writing. Paths in `overdue` have waited long enough and
 * are taken as they are.
 */
export async function takeFiles(repo: Repo, indexFile: string, findings: readonly Finding[], overdue: ReadonlySet<RawPath> | 'all'): Promise<Taken> {
  const isOverdue = ({ path }: Finding): boolean => overdue === 'all' || overdue.has(path);
  const absolute = ({ path }: Finding): string => absoluteOf(repo.workTree, path).toString('latin1');
  const isDelete = ({ kind }: Finding): boolean => kind === 'delete';
  const open = await findOpenForWriting(new Set(findings.filter((finding) => !isDelete(finding) && !isOverdue(finding)).map(absolute)));

  const isResting = (finding: Finding): boolean => (isDelete(finding) ? isStillGone(repo, finding) : !open.has(absolute(finding)));
  const ready = findings.filter(isResting);
  const waiting = findings.filter((finding) => !isResting(finding)).map(({ path }) => path);
  const failed: Taken['failed'] = [];
  await dropEntries(repo, indexFile, ready.filter(isDelete));
  await hashIntoIndex(repo, indexFile, ready.filter((finding) => !isDelete(finding)), failed);

  const failedPaths = new Set(failed.map(({ path }) => path));
  const hashed = ready.filter(({ path }) => !failedPaths.has(path));
  const isComplete = (finding: Finding): boolean => isDelete(finding) || isOverdue(finding) || sameFile(finding.stat, statOf(repo, finding.path));
  const taken = hashed.filter(isComplete);
  const torn = hashed.filter((finding) => !isComplete(finding));
  if (torn.length > 0) {
    await git(repo, ['update-index', '-z', '--replace', '--index-info'], { indexFile, input: indexInfo(torn.map(({ path, old }) => [path, old] as const), repo.oidLength) });
    waiting.push(...torn.map(({ path }) => path));
  }
  return { taken, waiting, failed };
}

/** Whether no file is at the path: nothing, a directory, or something beyond a symbolic link. */
function isStillGone(repo: Repo, finding: Finding): boolean {
  try {
    const stat = statOf(repo, finding.path);
    return stat === undefined || stat.isDirectory() || parentIsSymlink(repo, finding.path);
  } catch {
    return false;
  }
}

function parentIsSymlink(repo: Repo, path: RawPath): boolean {
  const { directory } = splitRaw(path);
  if (directory === '') return false;
  return (statOf(repo, directory)?.isSymbolicLink() ?? false) || parentIsSymlink(repo, directory);
}
