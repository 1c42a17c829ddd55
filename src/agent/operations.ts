/**
 * What a person asks of one repository beyond syncing. Every change is a new
 * commit that is applied like an incoming one, so nothing is ever overwritten
 * that history does not hold.
 */
import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GitsyncError } from '../errors.ts';
import { rawFromText, rawToDisplay, rawToText, splitNul, splitRaw, joinRaw, type RawPath } from '../core/raw-path.ts';
import { shellQuote } from '../core/shell-quote.ts';
import type { CaptureReport } from '../git/capture.ts';
import { filesRule, isFilesManifest, placeOfRows, putRows, ruleFor } from '../core/rows-merge.ts';
import { readBlobs } from '../git/merge-blobs.ts';
import { putRowsIntoTable } from '../git/merge-tables.ts';
import { commitTree } from '../git/commit.ts';
import { listConflictCopies } from '../git/conflict-copies.ts';
import { fetchBranch, noteIntegrated } from '../git/fetch.ts';
import { git, gitText } from '../git/git.ts';
import { integrate } from '../git/integrate.ts';
import { resolveCommit } from '../git/refs.ts';
import { treeWith } from '../git/tree-with.ts';
import { entriesOf, sameEntry, type Entry } from '../git/tree.ts';
import { performAction } from './actions.ts';
import { commitAtTime, treeEntriesBelow } from './history.ts';
import { changeOwnState } from './own-state.ts';
import type { RepoSession } from './repo-session.ts';
import { updateWorkTree } from './update-work-tree.ts';

export type ResolveKeep = 'current' | 'copy' | 'both';

/** The checked-out branch (full name) and its commit. */
interface Branch {
  ref: string;
  head: string;
}

/** Saves what lies in the work tree, and returns where the branch is then. */
async function captureNow(session: RepoSession): Promise<Branch> {
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

/** Commits changed entries on top of HEAD and brings them into the work tree; `missing`: what else is to come back there. */
async function commitEdit(session: RepoSession, { ref, head }: Branch, edits: ReadonlyMap<RawPath, Entry | null>, message: string, missing?: ReadonlySet<RawPath>): Promise<string> {
  const { repo, config } = session;
  const tree = await treeWith(repo, head, edits);
  const commit = await commitTree(repo, { tree, parents: [head], message: `${message}\n\nGitsync-Host: ${session.host}\n`, sign: config.sign });
  return applyOwn(session, { ref, head }, commit, missing);
}

async function applyOwn(session: RepoSession, { ref, head }: Branch, to: string, missing: ReadonlySet<RawPath> = new Set()): Promise<string> {
  const outcome = await updateWorkTree(session, { ref, from: head, to, missing });
  if (outcome.kind !== 'applied') throw new GitsyncError('locked', 'Another git command is at work in the repository.', { hint: 'try again in a moment' });
  if (outcome.blocked.length > 0) {
    const [first] = outcome.blocked;
    throw new GitsyncError('failed', `${first === undefined ? '' : rawToDisplay(first.path)} could not be put into place: ${first?.why ?? ''}`);
  }
  return outcome.commit;
}

/** Ends a conflict: keeps the file, takes the copy in its place, or keeps both as ordinary files. */
export async function resolveConflict(session: RepoSession, pathText: string, keep: ResolveKeep): Promise<{ resolved: string[] }> {
  const path = rawFromText(pathText);
  if (session.own.blocked.some((entry) => entry.path === path)) return resolveBlocked(session, path, keep);
  const branch = await captureNow(session);
  const { head } = branch;
  const copies = (await listConflictCopies(session.repo, head)).filter((entry) => entry.path === path || entry.copy === path);
  if (copies.length === 0) throw new GitsyncError('failed', `${rawToDisplay(path)} has no conflict.`, { hint: 'gitsync conflicts' });
  const entries = await entriesOf(session.repo, head, new Set(copies.map(({ copy }) => copy)));
  const edits = new Map<RawPath, Entry | null>();
  for (const { path: original, copy } of copies) {
    const entry = entries.get(copy);
    if (entry === undefined) continue;
    edits.set(copy, null);
    if (keep === 'copy') for (const [file, taken] of await takeCopy(session, head, original, entry)) edits.set(file, taken);
    if (keep === 'both') edits.set(plainName(original, copy), entry);
  }
  await commitEdit(session, branch, edits, `Resolve ${rawToDisplay(path)}: keep ${keep}`);
  return { resolved: copies.map(({ copy }) => rawToText(copy)) };
}

/** What changes when a path's copy is taken: it becomes the copy; where that holds rows only, these go to their places. */
async function takeCopy({ repo }: RepoSession, head: string, original: RawPath, copy: Entry): Promise<Map<RawPath, Entry>> {
  const whole = new Map([[original, copy]]);
  const [present, rows] = (await readBlobs(repo, [`${head}:${original}`, copy.oid])).map((blob) => blob?.toString('latin1'));
  if (rows === undefined) return whole;
  const place = placeOfRows(original);
  if (place?.table !== undefined) return (await putRowsIntoTable(repo, head, original, rows)) ?? whole;
  const rule = place === undefined ? (isFilesManifest(rows) ? filesRule : undefined) : ruleFor('', undefined);
  const text = rule === undefined || present === undefined ? undefined : putRows(present, rows, rule);
  if (text === undefined) return whole;
  return new Map([[original, { mode: copy.mode, oid: await gitText(repo, ['hash-object', '-w', '--stdin'], { input: Buffer.from(text, 'latin1') }) }]]);
}

/** `notes.conflict-20261120-101500-desk-93513af.md` kept for good is `notes (desk 93513af).md`. */
function plainName(original: RawPath, copy: RawPath): RawPath {
  const { name } = splitRaw(original);
  const { directory } = splitRaw(copy);
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

/** Brings a file, or all files of a directory, back as they were at a moment; `paths`: those that were not so already. */
export async function restorePath(session: RepoSession, pathText: string, at: string): Promise<{ from: string; paths: string[] }> {
  const path = rawFromText(pathText);
  const branch = await captureNow(session);
  const from = await commitAtTime(session.repo, at);
  const entries = await treeEntriesBelow(session.repo, from, path);
  if (entries.size === 0) throw new GitsyncError('failed', `${rawToDisplay(path)} did not exist at ${at}.`, { hint: `gitsync log ${shellQuote(`${session.config.path}/${pathText}`)}` });
  const present = await entriesOf(session.repo, branch.head, new Set(entries.keys()));
  const edits = new Map([...entries].filter(([name, entry]) => !sameEntry(entry, present.get(name))));
  const missing = takeBackDeletions(session, entries);
  const paths = [...new Set([...edits.keys(), ...missing])].map(rawToText);
  if (edits.size > 0) await commitEdit(session, branch, edits, `Restore ${path === '' ? 'everything' : rawToDisplay(path)} as of ${at}`, missing);
  else if (missing.size > 0) await applyOwn(session, branch, branch.head, missing);
  return { from, paths };
}

/** Deletions that were held are held no longer: these files are to come back. */
function takeBackDeletions(session: RepoSession, entries: ReadonlyMap<RawPath, Entry>): Set<RawPath> {
  const { lastReport } = session;
  if (lastReport === undefined) return new Set();
  const isBack = ({ path, reason }: CaptureReport['held'][number]): boolean => reason === 'mass-deletion' && entries.has(path);
  session.lastReport = { ...lastReport, held: lastReport.held.filter((held) => !isBack(held)) };
  return new Set(lastReport.held.filter(isBack).map(({ path }) => path));
}

/** Goes back to the state before the last change of the branch; done twice, it is as it was. */
export async function undoLast(session: RepoSession): Promise<{ commit: string; undone: string }> {
  const branch = await captureNow(session);
  const { ref, head } = branch;
  const before = await resolveCommit(session.repo, `${ref}@{1}`);
  if (before === undefined) throw new GitsyncError('failed', 'There is no earlier state to go back to.', { hint: `git -C ${session.config.path} reflog` });
  const subject = await gitText(session.repo, ['log', '-1', '--format=%s', head]);
  const tree = await gitText(session.repo, ['rev-parse', `${before}^{tree}`]);
  const commit = await commitTree(session.repo, { tree, parents: [head], message: `Undo "${subject}"\n\nGitsync-Host: ${session.host}\n`, sign: session.config.sign });
  return { commit: await applyOwn(session, branch, commit), undone: subject };
}

/** Joins a remote whose history has nothing in common with ours. */
export async function adoptRemote(session: RepoSession, remoteName: string | undefined): Promise<{ commit: string; conflicts: string[] }> {
  const branch = await captureNow(session);
  const { head } = branch;
  const target = remoteName === undefined ? [...session.targets.values()][0] : session.targets.get(remoteName);
  if (target === undefined) throw new GitsyncError('usage', `There is no remote ${remoteName ?? ''} to adopt.`, { hint: 'git remote -v' });
  const fetched = await fetchBranch(session.repo, target, {});
  if (fetched.kind !== 'fetched') throw new GitsyncError('failed', `${target.remote} has no branch ${target.branch}.`);
  const result = await integrate(session.repo, { local: head, remote: fetched.tip, rules: session.config.conflict, allowUnrelated: true });
  if (result.kind !== 'merged' && result.kind !== 'fast-forward') throw new GitsyncError('failed', `${target.remote} needs no adoption: its history is ours already.`, { hint: 'gitsync sync' });
  const commit = await applyOwn(session, branch, result.commit);
  await noteIntegrated(session.repo, target, fetched.tip);
  return { commit, conflicts: result.kind === 'merged' ? result.conflicts.map(({ path }) => rawToText(path)) : [] };
}

/** Lets held paths through: one file, or all that is held below a directory. */
export async function allowPath(session: RepoSession, pathText: string): Promise<{ allowed: string[] }> {
  await captureNow(session).catch(() => undefined);
  const path = rawFromText(pathText.replace(/\/+$/, ''));
  const held = (session.lastReport?.held ?? []).map((entry) => entry.path);
  const allowed = held.filter((entry) => path === '' || entry === path || entry.startsWith(`${path}/`));
  if (allowed.length === 0) throw new GitsyncError('failed', path === '' ? 'Nothing is held back here.' : `${rawToDisplay(path)} is not held back.`, { hint: `gitsync status ${shellQuote(session.config.path)}` });
  session.own = await changeOwnState(session.repo, (state) => ({ allowed: [...new Set([...state.allowed, ...allowed])] }));
  return { allowed: allowed.map(rawToText) };
}

/** Adds a path to the work tree's `.gitignore`; `tracked`: files there that are synced all the same, since git has them. */
export async function ignorePath(session: RepoSession, pathText: string): Promise<{ line: string; tracked: string[] }> {
  const path = pathText.replace(/\/+$/, '');
  if (path === '') throw new GitsyncError('usage', 'The whole directory cannot be ignored.', { hint: `gitsync rm ${session.config.path}` });
  if (path.includes('\n')) throw new GitsyncError('usage', 'A name with a line break cannot stand in .gitignore.', { hint: 'rename it, or ignore the directory that it is in' });
  const tracked = await git(session.repo, ['ls-files', '-z', '--cached', '--', path], { env: { GIT_LITERAL_PATHSPECS: '1' } });
  const line = `/${path.replace(/[\\*?[\]!#]/g, '\\$&').replace(/ $/, '\\ ')}`;
  const file = join(session.repo.workTree, '.gitignore');
  const before = await readFile(file, 'utf8').catch(() => '');
  if (!before.split('\n').includes(line)) await appendFile(file, `${before === '' || before.endsWith('\n') ? '' : '\n'}${line}\n`);
  return { line, tracked: splitNul(tracked.stdout).map(rawToText) };
}
