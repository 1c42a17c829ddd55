/** Pushes a commit to a branch of a remote, never by force. */
import { GitsyncError } from '../errors.ts';
import { essenceOf, remoteWordsOf } from './git-errors.ts';
import { git, type GitResult, type Repo } from './git.ts';
import { listRemoteBranches, integratedTip, noteIntegrated, trackingRef } from './fetch.ts';
import { uploadLfsObjects } from './lfs.ts';
import { readRef } from './ref-file.ts';
import { isAncestor, setOwnRef } from './refs.ts';
import { explainRemoteFailure, runRemoteStep, type RemoteStepOptions } from './remote-step.ts';
import type { PublishTarget } from './remotes.ts';

export type PublishOutcome =
  /** `from`: where the remote's branch was before; undefined when the push made it. */
  | { kind: 'pushed'; from: string | undefined }
  | { kind: 'up-to-date' }
  /** The branch has moved meanwhile: integrate again. */
  | { kind: 'rejected' }
  /** Protected branch, no right, a hook, too large: trying again does not help. */
  | { kind: 'refused'; reason: string; error: GitsyncError };

export interface PublishOptions extends RemoteStepOptions {
  /** The local branch that gets this one as its upstream, when the push makes it and it has none. */
  setUpstreamFor?: string;
  /** Reads a refusal that the remote explains in words of its own; undefined: as git's. */
  readRefusal?: (said: string) => PublishOutcome | undefined;
}

/** Kinds of failure that stay until a person or the server changes something, so that another branch may be tried. */
const lastingKinds: readonly GitsyncError['kind'][] = ['protected', 'hook', 'too-large'];

/** Kinds that are about the moment or the set-up, not about this branch. */
const passingKinds: readonly GitsyncError['kind'][] = ['no-space', 'read-only', 'corrupt', 'locked', 'offline', 'config'];

/** A server's hooks may be silent for a while, and a person's own still longer. */
const idleTimeoutMs = { plain: 120_000, withHooks: 300_000 };

/**
 * Pushes `commit` to the target's branch; on success the remote-tracking ref
 * and the integrated tip follow.
 * @throws GitsyncError for everything that is not an outcome: no network, no credentials, no such repository, ...
 */
export async function publishBranch(repo: Repo, target: PublishTarget, commit: string, options: PublishOptions = {}): Promise<PublishOutcome> {
  const outcome = await push(repo, target, commit, options, await leaseOf(repo, target, commit));
  if (outcome.kind !== 'pushed' && outcome.kind !== 'up-to-date') return outcome;
  await noteIntegrated(repo, target, commit);
  if (outcome.kind === 'pushed' && outcome.from === undefined && options.setUpstreamFor !== undefined) await setUpstream(repo, target, options.setUpstreamFor);
  return outcome;
}

/**
 * Pushes `commit` to `gitsync/HOST/BRANCH`, so that it leaves this machine
 * although the branch itself is refused. Where that name holds other commits
 * already, `-2`, `-3` and so on is appended; nothing is ever overwritten.
 */
export async function publishFallback(
  repo: Repo,
  remote: string,
  host: string,
  branch: string,
  commit: string,
  options: RemoteStepOptions = {},
): Promise<PublishOutcome & { branch: string }> {
  const first = `gitsync/${refPart(host)}/${branch}`;
  const outcome = await push(repo, { remote, branch: first }, commit, options);
  if (outcome.kind !== 'rejected') return { ...outcome, branch: first };
  const there = await listRemoteBranches(repo, remote, options);
  for (let number = 2; ; number++) {
    const name = `${first}-${number}`;
    const tip = there.get(name);
    if (tip !== undefined && !(await isAncestor(repo, tip, commit, { mayBeMissing: true }))) continue;
    return { ...(await push(repo, { remote, branch: name }, commit, options)), branch: name };
  }
}

/** A host's name as one part of a ref's name (git-check-ref-format(1)). */
function refPart(host: string): string {
  const safe = host.replace(/[^A-Za-z0-9_-]+/g, '-').replace(/^-+|-+$/g, '');
  return safe === '' ? 'host' : safe;
}

/**
 * The branch must still be where we integrated it: a branch that was deleted
 * meanwhile is not made again in silence. Never a forced update, since what is
 * expected there is part of what we push.
 */
async function leaseOf(repo: Repo, target: PublishTarget, commit: string): Promise<string[]> {
  const expected = await integratedTip(repo, target);
  if (expected === undefined || !(await isAncestor(repo, expected, commit, { mayBeMissing: true }))) return [];
  return [`--force-with-lease=refs/heads/${target.branch}:${expected}`];
}

async function push(repo: Repo, target: PublishTarget, commit: string, options: PublishOptions, lease: readonly string[] = []): Promise<PublishOutcome> {
  const { remote, branch } = target;
  const tracking = trackingRef(target);
  await uploadLfsObjects(repo, target, commit, await readRef(repo, tracking), options);
  const result = await runRemoteStep(repo, remote, ['push', '--porcelain', '--progress', ...lease, '--', remote, `${commit}:refs/heads/${branch}`], {
    idleTimeoutMs: repo.hooks ? idleTimeoutMs.withHooks : idleTimeoutMs.plain,
    ...(repo.hooks ? { timeoutHint: 'a hook may hang: see .git/hooks/pre-push, or set hooks = no' } : {}),
    ...options,
    config: ['core.abbrev=no'], // so that the answer holds whole object ids
    // remote.NAME.mirror would delete what we do not name; as environment, since a name may hold a '='.
    env: { ...options.env, GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: `remote.${remote}.mirror`, GIT_CONFIG_VALUE_0: 'false' },
  });
  const outcome = result.exitCode === 0 ? await readOutcome(repo, target, result) : (options.readRefusal?.(`${result.stderr}\n${result.stdout.toString()}`) ?? (await readOutcome(repo, target, result)));
  if (outcome.kind === 'pushed' || outcome.kind === 'up-to-date') await moveTrackingRef(repo, tracking, commit);
  return outcome;
}

/** git does it itself where remote.NAME.fetch names the branch. What is in the way of the ref goes with the next fetch; the push was good all the same. */
async function moveTrackingRef(repo: Repo, tracking: string, commit: string): Promise<void> {
  if ((await readRef(repo, tracking)) === commit) return;
  await setOwnRef(repo, tracking, commit, 'push').catch((error: unknown) => repo.log.debug('The tracking ref was not moved', { ref: tracking, error: String(error) }));
}

/** Reads `FLAG \t FROM:TO \t SUMMARY (REASON)` (git-push(1), OUTPUT). */
async function readOutcome(repo: Repo, { remote, branch }: PublishTarget, result: GitResult): Promise<PublishOutcome> {
  const line = result.stdout.toString().split('\n').find((text) => text.includes(`:refs/heads/${branch}\t`));
  const [flag = '', , summary = ''] = line?.split('\t') ?? [];
  switch (flag) {
    case '*':
      return { kind: 'pushed', from: undefined };
    case ' ':
      return { kind: 'pushed', from: summary.split('..')[0] };
    case '=':
      return { kind: 'up-to-date' };
    case '!':
      return readRejection(repo, remote, summary, result);
    default:
      return readFailure(repo, remote, result);
  }
}

/** No word about the branch: the push did not get that far. */
async function readFailure(repo: Repo, remote: string, result: GitResult): Promise<PublishOutcome> {
  const error = await explainRemoteFailure(repo, remote, 'push', result);
  if (lastingKinds.includes(error.kind)) return refused(error, remoteWordsOf(result.stderr));
  // git itself says nothing when a pre-push hook fails, save by exit code 1; the hook (LFS's, say) may have named a cause that passes.
  if (repo.hooks && result.exitCode === 1 && error.kind !== 'auth' && !passingKinds.includes(error.kind)) {
    return refused(new GitsyncError('hook', 'The pre-push hook refused it.', { cause: error, hint: `git push ${remote}, by hand, or set hooks = no` }), essenceOf(result.stderr));
  }
  throw error;
}

async function readRejection(repo: Repo, remote: string, summary: string, result: GitResult): Promise<PublishOutcome> {
  // A newer server (seen with git 2.55) says of a ref that is locked that it "already exists".
  const isLocked = /\.lock': File exists/.test(result.stderr);
  const reason = isLocked ? '' : (/\((.*)\)$/.exec(summary)?.[1] ?? summary);
  if (summary.startsWith('[rejected]') || /non-fast-forward|incorrect old value|reference already exists/.test(reason)) return { kind: 'rejected' };
  if (/is at [0-9a-f]+ but expected|reference already exists/.test(result.stderr)) return { kind: 'rejected' };
  const words = remoteWordsOf(result.stderr);
  const inTheWay = /': 'refs\/heads\/(.*)' exists; cannot create/.exec(result.stderr)?.[1];
  if (inTheWay !== undefined) return refused(new GitsyncError('protected', `The remote has a branch ${inTheWay}, beside which this one cannot be.`, { hint: 'rename one of the two branches' }), words);
  const error = await explainRemoteFailure(repo, remote, 'push', { ...result, stderr: `${result.stderr}\n${reason}` });
  if (lastingKinds.includes(error.kind)) return refused(error, words);
  // Deleted in this very moment, for instance, which the next fetch finds out.
  if (error.kind === 'rejected' || reason === 'reference does not exist') throw new GitsyncError('failed', 'The remote could not move the branch.', { cause: error.cause });
  if (passingKinds.includes(error.kind) || /unpacker error|transaction|remote failure/.test(summary)) throw error;
  // "branch is currently checked out", "Working directory has unstaged changes", whatever a server may say.
  return refused(new GitsyncError('protected', 'The remote does not let us write this branch.', { cause: error }), words === '' ? reason : words);
}

function refused(error: GitsyncError, words: string): PublishOutcome {
  return { kind: 'refused', reason: words === '' ? error.message : words, error };
}

async function setUpstream(repo: Repo, { remote, branch }: PublishTarget, localBranch: string): Promise<void> {
  const known = await git(repo, ['config', '--get', `branch.${localBranch}.remote`], { expect: [0, 1] });
  if (known.exitCode === 0) return;
  await git(repo, ['config', `branch.${localBranch}.remote`, remote]);
  await git(repo, ['config', `branch.${localBranch}.merge`, `refs/heads/${branch}`]);
}
