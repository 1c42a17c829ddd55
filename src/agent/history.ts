/** Finding former states: the commit that we held at a moment, and what it had below a path. */
import { GitsyncError } from '../errors.ts';
import { parseDuration } from '../core/duration.ts';
import { shellQuote } from '../core/shell-quote.ts';
import type { RawPath } from '../core/raw-path.ts';
import { gitText, type Repo } from '../git/git.ts';
import { resolveCommit } from '../git/refs.ts';
import { listTree, type Entry } from '../git/tree.ts';

/** What git's date parser understands for sure; it takes anything else for "now". */
const knownTime = /^(\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2})?( ?(Z|[+-]\d{2}:?\d{2}))?)?|\d{1,2}:\d{2}(:\d{2})?|@\d+|now|yesterday( \d{1,2}:\d{2})?|last (week|month|year)|\d+[ .](second|minute|hour|day|week|month|year)s?[ .]ago)$/i;

/**
 * The commit that HEAD was at, at a moment: by this machine's own reflog where
 * it reaches back so far, else by commit dates.
 * @param at a commit id, an ISO date and time, `yesterday`, `2 hours ago`, `30m`, `10:15`
 */
export async function commitAtTime(repo: Repo, at: string): Promise<string> {
  if (/^[0-9a-f]{7,64}$/i.test(at)) {
    const commit = await resolveCommit(repo, at);
    if (commit !== undefined) return commit;
  }
  const wanted = await secondsOf(repo, at);
  const reflog = await gitText(repo, ['log', '-g', '--format=%H %gd', '--date=unix', 'HEAD', '--'], { expect: [0, 128] });
  for (const line of reflog.split('\n')) {
    const match = /^([0-9a-f]+) HEAD@\{(\d+)\}$/.exec(line);
    if (match !== null && Number(match[2]) <= wanted) return match[1] as string;
  }
  const commit = await gitText(repo, ['rev-list', '-1', `--before=@${wanted}`, 'HEAD', '--']);
  if (commit === '') throw new GitsyncError('failed', `The history does not reach back to ${at}.`, { hint: `gitsync log ${shellQuote(repo.workTree)}` });
  return commit;
}

/** A time as seconds since 1970. Lengths of time mean that long ago, with or without the word. */
async function secondsOf(repo: Repo, at: string): Promise<number> {
  const agoMs = parseDuration(at.replace(/[ .]ago$/i, '').replaceAll('.', ' '));
  if (agoMs !== undefined) return Math.floor((Date.now() - agoMs) / 1000);
  if (!knownTime.test(at)) throw new GitsyncError('usage', `"${at}" is no time that is understood, and no commit.`, { hint: 'for example "2 hours ago", 30m, "2026-11-20 10:15", yesterday, or a commit of gitsync log' });
  return Number((await gitText(repo, ['rev-parse', `--since=${at.replaceAll('.', ' ')}`])).replace('--max-age=', ''));
}

/** The entries of a commit at a path: the file itself, or all files below the directory ('': all). */
export async function treeEntriesBelow(repo: Repo, commit: string, path: RawPath): Promise<Map<RawPath, Entry>> {
  const entries = await listTree(repo, commit);
  return path === '' ? entries : new Map([...entries].filter(([name]) => name === path || name.startsWith(`${path}/`)));
}
