/** Finding former states: the commit that we held at a moment, and what it had below a path. */
import { GitsyncError } from '../errors.ts';
import { splitNul, type RawPath } from '../core/raw-path.ts';
import { git, gitText, type Repo } from '../git/git.ts';
import { resolveCommit } from '../git/refs.ts';
import type { Entry, FileMode } from '../git/tree.ts';

/** What git's date parser understands for sure; it takes anything else for "now". */
const knownTime = /^(\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2})?( ?(Z|[+-]\d{2}:?\d{2}))?)?|\d{1,2}:\d{2}(:\d{2})?|@\d+|now|yesterday( \d{1,2}:\d{2})?|last (week|month|year)|\d+[ .](second|minute|hour|day|week|month|year)s?[ .]ago)$/i;

/**
 * The commit that HEAD was at, at a moment: by this machine's own reflog where
 * it reaches back so far, else by commit dates.
 * @param at a commit id, an ISO date and time, `yesterday`, `2 hours ago`, `10:15`
 */
export async function commitAtTime(repo: Repo, at: string): Promise<string> {
  if (/^[0-9a-f]{7,64}$/i.test(at)) {
    const commit = await resolveCommit(repo, at);
    if (commit !== undefined) return commit;
  }
  if (!knownTime.test(at)) throw new GitsyncError('usage', `"${at}" is no time that is understood.`, { hint: 'for example "2026-11-20 10:15", "2 hours ago", "yesterday", or a commit id' });
  const spoken = at.replace(/\./g, ' ');
  const seconds = await gitText(repo, ['rev-parse', `--since=${spoken}`]);
  const wanted = Number(seconds.replace('--max-age=', ''));
  const reflog = await gitText(repo, ['log', '-g', '--format=%H %gd', '--date=unix', 'HEAD', '--'], { expect: [0, 128] });
  for (const line of reflog.split('\n')) {
    const match = /^([0-9a-f]+) HEAD@\{(\d+)\}$/.exec(line);
    if (match !== null && Number(match[2]) <= wanted) return match[1] as string;
  }
  const commit = await gitText(repo, ['rev-list', '-1', `--before=@${wanted}`, 'HEAD', '--']);
  if (commit === '') throw new GitsyncError('failed', `The history does not reach back to ${at}.`, { hint: `git -C ${repo.workTree} log --reverse` });
  return commit;
}

/** The entries of a commit at a path: the file itself, or all files below the directory. */
export async function treeEntriesBelow(repo: Repo, commit: string, path: RawPath): Promise<Map<RawPath, Entry>> {
  const { stdout } = await git(repo, ['ls-tree', '-r', '-z', '--full-tree', commit]);
  const found = new Map<RawPath, Entry>();
  for (const line of splitNul(stdout)) {
    const tab = line.indexOf('\t');
    const entryPath = line.slice(tab + 1) as RawPath;
    if (path !== '' && entryPath !== path && !entryPath.startsWith(`${path}/`)) continue;
    const [mode = '', , oid = ''] = line.slice(0, tab).split(' ');
    found.set(entryPath, { mode: mode as FileMode, oid });
  }
  return found;
}
