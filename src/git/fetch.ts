/** Brings one branch of one remote here, into its remote-tracking ref. */
import { peekRef, readRef } from './ref-file.ts';
import { fetchStep } from './fetch-step.ts';
import { git, type GitResult, type Repo } from './git.ts';
import { explainRemoteFailure, runRemoteStep, type RemoteStepOptions } from './remote-step.ts';
import type { PublishTarget } from './remotes.ts';
import { deleteOwnRef, ownRefs, resolveCommit, setOwnRef } from './refs.ts';

export type FetchOutcome =
  /** `moved`: the tip differs from what the remote-tracking ref was before. */
  | { kind: 'fetched'; tip: string; moved: boolean }
  /** The remote has no branch at all. `seenBefore` is the branch's tip when we knew one: then it was emptied. */
  | { kind: 'empty'; seenBefore: string | undefined }
  /** The remote has `others` (short names), but not this branch. `seenBefore` is its tip when we knew one: then it was deleted. */
  | { kind: 'branch-missing'; seenBefore: string | undefined; others: string[] };

export interface FetchOptions extends RemoteStepOptions {
  /** The remote's own git directory, where the remote is a path of this machine: its ref is looked at first, and nothing is started when it has not moved. */
  remoteGitDirectory?: string | undefined;
  /** The remote's URL, where it is known: a branch that went on by one commit is fetched faster then (fetch-step.ts). */
  url?: string | undefined;
}

/** `refs/remotes/REMOTE/BRANCH`. */
export function trackingRef({ remote, branch }: PublishTarget): string {
  return `refs/remotes/${remote}/${branch}`;
}

/** Slashes are escaped, so that the branches `a` and `a/b`, of which a remote has one after the other, never collide. */
function integratedRef({ remote, branch }: PublishTarget): string {
  const flat = (name: string): string => name.replaceAll('%', '%25').replaceAll('/', '%2F');
  return `${ownRefs}/remote/${flat(remote)}/${flat(branch)}`;
}

/** The remote tip that was integrated last; when it is not in the new tip, the remote was rewritten. */
export async function integratedTip(repo: Repo, target: PublishTarget): Promise<string | undefined> {
  return readRef(repo, integratedRef(target));
}

/** Remembers a remote tip as integrated, which also keeps it from gc. */
export async function noteIntegrated(repo: Repo, target: PublishTarget, tip: string): Promise<void> {
  if ((await integratedTip(repo, target)) === tip) return;
  await setOwnRef(repo, integratedRef(target), tip, `integrated ${target.remote}/${target.branch}`);
}

/** Forgets what is known of a remote's branch, since it is another one now. */
export async function forgetTarget(repo: Repo, target: PublishTarget): Promise<void> {
  for (const ref of [integratedRef(target), trackingRef(target)]) await deleteOwnRef(repo, ref);
}

/**
 * Objects are checked as they come, so that a remote cannot send a path like
 * `.git/hooks/x`. Old histories hold harmless mistakes (fsck(1)), which must not
 * stop a repository; what is not listed here is refused.
 */
const harmlessMistakes = [
  'badDate', 'badDateOverflow', 'badEmail', 'badName', 'badTimezone', 'missingEmail', 'missingNameBeforeEmail', 'missingSpaceBeforeDate',
  'missingSpaceBeforeEmail', 'multipleAuthors', 'nulInCommit', 'zeroPaddedDate', 'zeroPaddedFilemode',
];
const fetchConfig = ['fetch.fsckObjects=true', ...harmlessMistakes.map((name) => `fetch.fsck.${name}=ignore`)];

const fetchWords = [
  'fetch', '--progress', '--no-tags', '--no-prune', '--no-write-fetch-head', '--no-auto-maintenance', '--no-recurse-submodules',
  '--no-show-forced-updates', '--no-write-commit-graph', '--refmap=',
];

/**
 * Fetches the branch; what the remote lacks is an answer, not an error.
 * @throws GitsyncError in all other cases, with the kinds of errors.ts.
 */
export async function fetchBranch(repo: Repo, target: PublishTarget, options: FetchOptions = {}): Promise<FetchOutcome> {
  const tracking = trackingRef(target);
  const before = await readRef(repo, tracking);
  const { remoteGitDirectory } = options;
  if (before !== undefined && remoteGitDirectory !== undefined && (await peekRef(remoteGitDirectory, `refs/heads/${target.branch}`)) === before) {
    return { kind: 'fetched', tip: before, moved: false };
  }
  let attempt = (await attemptStep(repo, target, before, options)) ?? (await attemptFetch(repo, target, before, options));
  if (attempt.kind === 'failed' && mayPassNow.test(attempt.result.stderr)) {
    await forgetRefsInTheWay(repo, target, options);
    attempt = await attemptFetch(repo, target, before, options);
  }
  if (attempt.kind === 'failed') throw options.explain?.(attempt.result.stderr) ?? await explainRemoteFailure(repo, target.remote, 'fetch', attempt.result);
  return attempt;
}

/** A branch made this very moment, a ref in the way (`x`, where the remote has `x/y` now), somebody's own fetch at the same time. */
const mayPassNow = /couldn't find remote ref|cannot lock ref .*(cannot create|but expected|unable to resolve|File exists)|git remote prune/i;

type Attempt = FetchOutcome | { kind: 'failed'; result: GitResult };

async function attemptStep(repo: Repo, target: PublishTarget, before: string | undefined, { url, ...options }: FetchOptions): Promise<Attempt | undefined> {
  if (before === undefined || url === undefined) return undefined;
  const outcome = await fetchStep(repo, { remote: target.remote, url, ref: `refs/heads/${target.branch}`, tracking: trackingRef(target), before, config: fetchConfig }, options);
  if (outcome === undefined) return undefined;
  return 'failed' in outcome ? { kind: 'failed', result: outcome.failed } : { kind: 'fetched', tip: outcome.tip, moved: outcome.tip !== before };
}

async function attemptFetch(repo: Repo, target: PublishTarget, before: string | undefined, options: FetchOptions): Promise<Attempt> {
  const { remote, branch } = target;
  const tracking = trackingRef(target);
  const result = await runRemoteStep(repo, remote, [...fetchWords, '--', remote, `+refs/heads/${branch}:${tracking}`], { ...options, config: fetchConfig });
  const tip = result.exitCode === 0 ? await readRef(repo, tracking) : undefined;
  if (tip !== undefined) return { kind: 'fetched', tip, moved: tip !== before };
  const missing = /couldn't find remote ref/i.test(result.stderr) ? await explainMissing(repo, target, before, options) : undefined;
  return missing ?? { kind: 'failed', result };
}

/** The remote's branches: short name -> tip. */
export async function listRemoteBranches(repo: Repo, remote: string, options: RemoteStepOptions = {}): Promise<Map<string, string>> {
  const result = await runRemoteStep(repo, remote, ['ls-remote', '--heads', '--', remote], options);
  if (result.exitCode !== 0) throw options.explain?.(result.stderr) ?? await explainRemoteFailure(repo, remote, 'ls-remote', result);
  const lines = result.stdout.toString().split('\n').filter((line) => line !== '');
  return new Map(lines.map((line) => [line.slice(line.indexOf('\t') + 1).replace(/^refs\/heads\//, ''), line.slice(0, line.indexOf('\t'))]));
}

/** Undefined when the remote has the branch by now. */
async function explainMissing(repo: Repo, target: PublishTarget, before: string | undefined, options: RemoteStepOptions): Promise<FetchOutcome | undefined> {
  const branches = [...(await listRemoteBranches(repo, target.remote, options)).keys()];
  if (branches.includes(target.branch)) return undefined;
  const seenBefore = (await integratedTip(repo, target)) ?? before;
  return branches.length === 0 ? { kind: 'empty', seenBefore } : { kind: 'branch-missing', seenBefore, others: branches };
}

/** Deletes remote-tracking refs whose names exclude ours, when the remote has no such branches any more. */
async function forgetRefsInTheWay(repo: Repo, target: PublishTarget, options: RemoteStepOptions): Promise<void> {
  const { remote, branch } = target;
  const parts = branch.split('/');
  const above = parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
  const { stdout } = await git(repo, ['for-each-ref', '--format=%(refname)', `${trackingRef(target)}/`, ...above.map((name) => trackingRef({ remote, branch: name }))]);
  const found = stdout.toString().split('\n').filter((ref) => ref !== '' && ref !== trackingRef(target));
  if (found.length === 0) return;
  const there = await listRemoteBranches(repo, remote, options);
  const gone = found.filter((ref) => !there.has(ref.slice(`refs/remotes/${remote}/`.length)));
  for (const ref of gone) {
    const tip = await resolveCommit(repo, ref);
    if (tip !== undefined) await git(repo, ['update-ref', '-d', ref, tip]);
  }
}
