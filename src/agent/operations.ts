/**
 * What a person asks of one repository beyond syncing. Every change is a new
 * commit that is applied like an incoming one, so nothing is ever overwritten
 * that history does not hold.
 */
import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GitsyncError } from '../errors.ts';
import { rawFromText, rawToDisplay, rawToText, splitRaw, joinRaw, type RawPath } from '../core/raw-path.ts';
import { commitTree } from '../git/commit.ts';
import { listConflictCopies, type ConflictCopy } from '../git/conflict-copies.ts';
import { fetchBranch, noteIntegrated } from '../git/fetch.ts';
import { git, gitText } from '../git/git.ts';
import { integrate } from '../git/integrate.ts';
import { resolveCommit } from '../git/refs.ts';
import { entriesOf, treeWith, type Entry } from '../git/tree.ts';
import { performAction } from './actions.ts';
import { commitAtTime, treeEntriesBelow } from './history.ts';
import { changeOwnState } from './own-state.ts';
import type { RepoSession } from './repo-session.ts';
import { updateWorkTree } from './update-work-tree.ts';

export type ResolveKeep = 'current' | 'copy' | 'both';

/** Saves what lies in the work tree, and returns the branch and its commit. */
async function captureNow(session: RepoSession): Promise<{ ref: string; head: string }> {
  await performAction(session, { type: 'capture', scan: 'all', overdue: new Set() }, new AbortController().signal);
  if (session.lastError !== undefined) throw new GitsyncError(session.lastError.kind, session.lastError.sentence, session.lastError.hint === undefined ? {} : { hint: session.lastError.hint });
  const report = session.lastReport;
  if (report?.outcome.kind === 'snapshot') {
    throw new GitsyncError('halted', `The branch stands still (${report.outcome.why}); finish that first.`, { hint: 'gitsync status' });
  }
  const head = await resolveCommit(session.repo, 'HEAD');
  if (report?.head.ref === undefined || head === undefined) throw new GitsyncError('halted', 'There is no commit yet.', { hint: 'gitsync sync' });
  return { ref: report.head.ref, head };
}

/** Commits changed entries on top of HEAD and brings them into the work tree. */
async function commitEdit(session: RepoSession, ref: string, head: string, edits: ReadonlyMap<RawPath, Entry | null>, message: string): Promise<string> {
  const { repo, config } = session;
  const tree = await treeWith(repo, head, edits);
  const commit = await commitTree(repo, { tree, parents: [head], message: `${message}\n\nGitsync-Host: ${session.host}\n`, sign: config.sign });
  return applyOwn(session, ref, head, commit);
}

async function applyOwn(session: RepoSession, ref: string, from: string, to: string): Promise<string> {
  const outcome = await updateWorkTree(session, { ref, from, to });
  if (outcome.kind !== 'applied') throw new GitsyncError('locked', 'Another git command is at work in the repository.', { hint: 'try again in a moment' });
  if (outcome.blocked.length > 0) {
    const [first] = outcome.blocked;
    throw new GitsyncError('failed', `${first === undefined ? '' : rawToDisplay(first.path)} could not be put into place: ${first?.why ?? ''}`);
  }
  return outcome.commit;
}

/** The conflict copies in the work tree. */
export async function findConflicts(session: RepoSession): Promise<ConflictCopy[]> {
  const head = await resolveCommit(session.repo, 'HEAD');
  return head === undefined ? [] : listConflictCopies(session.repo, head);
}

/** Ends a conflict: keeps the file, takes the copy in its place, or keeps both as ordinary files. */
export async function resolveConflict(session: RepoSession, pathText: string, keep: ResolveKeep): Promise<{ resolved: string[] }> {
  const path = rawFromText(pathText);
  if (session.own.blocked.some((entry) => entry.path === path)) return resolveBlocked(session, path, keep);
  const { ref, head } = await captureNow(session);
  const copies = (await listConflictCopies(session.repo, head)).filter((entry) => entry.path === path || entry.copy === path);
  if (copies.length === 0) throw new GitsyncError('failed', `${rawToDisplay(path)} has no conflict.`, { hint: 'gitsync conflicts' });
  const entries = await entriesOf(session.repo, head, new Set(copies.map(({ copy }) => copy)));
  const edits = new Map<RawPath, Entry | null>();
  for (const { path: original, copy } of copies) {
    const entry = entries.get(copy);
    if (entry === undefined) continue;
    edits.set(copy, null);
    if (keep === 'copy') edits.set(original, entry);
    if (keep === 'both') edits.set(plainName(original, copy), entry);
  }
  await commitEdit(session, ref, head, edits, `Resolve ${rawToDisplay(path)}: keep ${keep}`);
  return { resolved: copies.map(({ copy }) => rawToText(copy)) };
}

/** `notes.conflict-20261120-101500-desk-93513af.md` kept for good is `notes (desk 93513af).md`. */
function plainName(original: RawPath, copy: RawPath): RawPath {
  const { directory, name } = splitRaw(original);
  const label = /\.conflict-\d{8}-\d{6}-(.+?)-([0-9a-f]{7,})/.exec(splitRaw(copy).name);
  const dot = name.lastIndexOf('.') > 0 ? name.lastIndexOf('.') : name.length;
  return joinRaw(directory, `${name.slice(0, dot)} (${label?.[1] ?? 'copy'} ${label?.[2] ?? ''})${name.slice(dot)}`);
}

/** Decides a path where an incoming version waits for ours. */
async function resolveBlocked(session: RepoSession, path: RawPath, keep: ResolveKeep): Promise<{ resolved: string[] }> {
  if (keep !== 'current') {
    throw new GitsyncError('halted', `${rawToDisplay(path)} is yours and not in history: gitsync does not move it.`, { hint: `rename it yourself; the incoming version then takes its place` });
  }
  session.own = await changeOwnState(session.repo, (state) => ({ blocked: state.blocked.filter((entry) => entry.path !== path), allowed: [...new Set([...state.allowed, path])] }));
  await captureNow(session);
  return { resolved: [rawToText(path)] };
}

/** Brings a file, or all files of a directory, back as they were at a moment. */
export async function restorePath(session: RepoSession, pathText: string, at: string): Promise<{ commit: string; from: string; paths: string[] }> {
  const path = rawFromText(pathText);
  const { ref, head } = await captureNow(session);
  const from = await commitAtTime(session.repo, at);
  const entries = await treeEntriesBelow(session.repo, from, path);
  if (entries.size === 0) throw new GitsyncError('failed', `${rawToDisplay(path)} did not exist at ${at}.`, { hint: `git -C ${session.config.path} log --all -- ${pathText}` });
  const commit = await commitEdit(session, ref, head, entries, `Restore ${rawToDisplay(path)} as of ${at}`);
  return { commit, from, paths: [...entries.keys()].map(rawToText) };
}

/** Goes back to the state before the last change of the branch; done twice, it is as it was. */
export async function undoLast(session: RepoSession): Promise<{ commit: string; undone: string }> {
  const { ref, head } = await captureNow(session);
  const before = await resolveCommit(session.repo, `${ref}@{1}`);
  if (before === undefined) throw new GitsyncError('failed', 'There is no earlier state to go back to.', { hint: `git -C ${session.config.path} reflog` });
  const subject = await gitText(session.repo, ['log', '-1', '--format=%s', head]);
  const tree = await gitText(session.repo, ['rev-parse', `${before}^{tree}`]);
  const commit = await commitTree(session.repo, { tree, parents: [head], message: `Undo "${subject}"\n\nGitsync-Host: ${session.host}\n`, sign: session.config.sign });
  return { commit: await applyOwn(session, ref, head, commit), undone: subject };
}

/** Joins a remote whose history has nothing in common with ours. */
export async function adoptRemote(session: RepoSession, remoteName: string | undefined): Promise<{ commit: string; conflicts: string[] }> {
  const { ref, head } = await captureNow(session);
  const target = remoteName === undefined ? [...session.targets.values()][0] : session.targets.get(remoteName);
  if (target === undefined) throw new GitsyncError('usage', `There is no remote ${remoteName ?? ''} to adopt.`, { hint: 'git remote -v' });
  const fetched = await fetchBranch(session.repo, target, {});
  if (fetched.kind !== 'fetched') throw new GitsyncError('failed', `${target.remote} has no branch ${target.branch}.`);
  const result = await integrate(session.repo, { local: head, remote: fetched.tip, rules: session.config.conflict, allowUnrelated: true });
  if (result.kind !== 'merged' && result.kind !== 'fast-forward') throw new GitsyncError('failed', `${target.remote} needs no adoption: its history is ours already.`, { hint: 'gitsync sync' });
  const commit = await applyOwn(session, ref, head, result.commit);
  await noteIntegrated(session.repo, target, fetched.tip);
  return { commit, conflicts: result.kind === 'merged' ? result.conflicts.map(({ path }) => rawToText(path)) : [] };
}

/** Lets held paths through: one file, or all that is held below a directory. */
export async function allowPath(session: RepoSession, pathText: string): Promise<{ allowed: string[] }> {
  await captureNow(session).catch(() => undefined);
  const path = rawFromText(pathText.replace(/\/+$/, ''));
  const held = (session.lastReport?.held ?? []).map((entry) => entry.path);
  const isRoot = path === '' || path === '.';
  const matching = held.filter((entry) => isRoot || entry === path || entry.startsWith(`${path}/`));
  if (matching.length === 0 && isRoot) throw new GitsyncError('failed', 'Nothing is held back here.', { hint: 'gitsync status' });
  const allowed = matching.length > 0 ? matching : [path];
  session.own = await changeOwnState(session.repo, (state) => ({ allowed: [...new Set([...state.allowed, ...allowed])] }));
  return { allowed: allowed.map(rawToText) };
}

/** Adds a path to the work tree's `.gitignore`. */
export async function ignorePath(session: RepoSession, pathText: string): Promise<{ line: string }> {
  const path = pathText.replace(/\/+$/, '');
  if (path === '' || path === '.') throw new GitsyncError('usage', 'The whole directory cannot be ignored.', { hint: `gitsync rm ${session.config.path}` });
  const tracked = await git(session.repo, ['ls-files', '-z', '--cached', '--', path], { env: { GIT_LITERAL_PATHSPECS: '1' } });
  if (tracked.stdout.length > 0) throw new GitsyncError('failed', `${path} is in the repository already, so ignoring it would change nothing.`, { hint: `git -C ${session.config.path} rm --cached ${path}   (then gitsync ignore again)` });
  const line = `/${path.replace(/[\\*?[\]!#]/g, '\\$&').replace(/ $/, '\\ ')}`;
  const file = join(session.repo.workTree, '.gitignore');
  const before = await readFile(file, 'utf8').catch(() => '');
  if (!before.split('\n').includes(line)) await appendFile(file, `${before === '' || before.endsWith('\n') ? '' : '\n'}${line}\n`);
  return { line };
}
