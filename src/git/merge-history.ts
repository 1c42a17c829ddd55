/** When, by whom and where each side of a merge last changed a path; and how often paths conflicted lately. */
import { clampTime } from '../core/merge-policy.ts';
import { splitNul, type RawPath } from '../core/raw-path.ts';
import { git, type Repo } from './git.ts';
import { parseRecordedConflicts } from './merge-message.ts';

/** The commit that counts as a side's last change of a path. */
export interface Touch {
  commit: string;
  /** Author time, clamped; seconds since 1970. */
  timeSeconds: number;
  /** The machine (trailer `Gitsync-Host`), else the author's name. */
  host: string;
}

/** A tip of a branch: its dates and its author. */
export interface Tip extends Touch {
  committerSeconds: number;
  authorSeconds: number;
  author: { name: string; email: string };
}

/** What one side did since the sides went apart. */
export interface SideHistory {
  /**
   * The last commit of the side that gave the path this content; the one that
   * gave it to some path (before a rename); one that touched the path; the tip.
   */
  touchOf(path: RawPath, oid: string): Touch;
}

/** Starts each commit; cannot begin a raw diff line, which starts with a colon. */
const commitMark = '\u0002';
const format = ['%H', '%at', '%ct', '%an', '%ae', '%(trailers:key=Gitsync-Host,valueonly,separator=%x2C)'].join('%x1f');
const logArgs = ['--encoding=UTF-8', '--no-show-signature', '--no-notes', `--format=tformat:%x02${format}`];

function parseCommit(field: string, tipSeconds: number): Tip {
  const text = Buffer.from(field.slice(commitMark.length), 'latin1').toString('utf8');
  const [commit = '', author = '', committer = '', name = '', email = '', hosts = ''] = text.trimEnd().split('\u001f');
  const committerSeconds = Number(committer);
  const host = hosts.split(',').at(-1)?.trim() ?? '';
  return {
    commit,
    timeSeconds: clampTime(Number(author), committerSeconds, tipSeconds),
    host: host === '' ? name : host,
    committerSeconds,
    authorSeconds: Number(author),
    author: { name, email },
  };
}

/** Dates and authors of some commits, in the order given. */
export async function readTips(repo: Repo, commits: readonly string[]): Promise<Tip[]> {
  const { stdout } = await git(repo, ['log', '-z', '--no-walk=unsorted', ...logArgs, ...commits, '--']);
  const tips = splitNul(stdout).map((field) => parseCommit(field, Infinity));
  // git lists a commit that was asked for twice only once.
  return commits.map((commit) => tips.find((tip) => tip.commit === commit) as Tip);
}

/** The later of two touches; equal times by commit id, so that the order of listing does not matter. */
function later(a: Touch | undefined, b: Touch): Touch {
  if (a === undefined || a.timeSeconds < b.timeSeconds) return b;
  return a.timeSeconds === b.timeSeconds && a.commit < b.commit ? b : a;
}

/** One file of a raw diff (`:` once for each parent): the object id that the commit gave it. */
function resultOid(meta: string): string {
  return meta.trimStart().split(' ').at(-2) ?? '';
}

/**
 * Reads what the commits of `tip` that are not in `excluding` did, with one git
 * process. A merge counts where its result differs from all of its parents.
 */
export async function readSideHistory(repo: Repo, tip: Tip, excluding: string): Promise<SideHistory> {
  const { stdout } = await git(
    repo,
    ['log', '-z', '-c', '--raw', '--no-abbrev', '--no-renames', '--no-relative', '--no-ext-diff', '--ignore-submodules=none', ...logArgs, tip.commit, `^${excluding}`, '--'],
    { config: ['log.showRoot=true'] },
  );
  const known = new Map<string, Touch>();
  const note = (key: string, touch: Touch): unknown => known.set(key, later(known.get(key), touch));
  const fields = splitNul(stdout);
  let touch: Touch = tip;
  for (let at = 0; at < fields.length; at += 1) {
    const field = fields[at] as string;
    if (field.startsWith(commitMark)) touch = parseCommit(field, tip.committerSeconds);
    else if (field.trimStart().startsWith(':')) {
      const oid = resultOid(field);
      const path = fields[(at += 1)] as string;
      note(`both ${oid} ${path}`, touch);
      note(`content ${oid}`, touch);
      note(`path ${path}`, touch);
    }
  }
  return { touchOf: (path, oid) => known.get(`both ${oid} ${path}`) ?? known.get(`content ${oid}`) ?? known.get(`path ${path}`) ?? tip };
}

/** How often each path conflicted in merges of ours that are in `tips` and not older than `sinceSeconds`. */
export async function countRecentConflicts(repo: Repo, tips: readonly string[], sinceSeconds: number): Promise<Map<RawPath, number>> {
  const { stdout } = await git(repo, ['log', '-z', '--encoding=UTF-8', '--no-show-signature', '--no-notes', `--max-age=${sinceSeconds}`, '--extended-regexp', '--grep=^Gitsync-Conflict: ', '--format=tformat:%B', ...tips, '--']);
  const counts = new Map<RawPath, number>();
  for (const message of splitNul(stdout)) {
    const text = Buffer.from(message, 'latin1').toString('utf8');
    for (const path of new Set(parseRecordedConflicts(text).map((conflict) => conflict.path))) counts.set(path, (counts.get(path) ?? 0) + 1);
  }
  return counts;
}
