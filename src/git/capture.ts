/**
 * Capture: what lies at rest in the work tree becomes a commit on the branch,
 * or, while the person is in the middle of something, a snapshot beside it.
 */
import { commitMessage, type MessageInput } from '../core/commit-message.ts';
import { judge, type Held, type HoldReason, type SafetyContext, type SafetyLimits } from '../core/safety.ts';
import { isUtf8, rawToText, type RawPath } from '../core/raw-path.ts';
import { createSweep } from '../core/sweep.ts';
import { toGitsyncError } from '../errors.ts';
import { withStaging, type Staging } from './capture-staging.ts';
import { commitTree, runCommitHooks, runPostCommitHook } from './commit.ts';
import { git, gitText, type Repo } from './git.ts';
import { lockIndex } from './index-lock.ts';
import type { PrivateIndex } from './private-index.ts';
import { resolveCommit, updateRef } from './refs.ts';
import { readHead, type HeadState, type OpenOperation } from './repository.ts';
import { scanWorkTree, statOf, type Finding } from './scan.ts';
import { holdSecretContent } from './secret-scan.ts';
import { saveSnapshot } from './snapshot.ts';
import { hashingDeadlineMs, sameFile, takeFiles, type Taken } from './take-files.ts';
import { listIndex, withoutIndex } from './tree.ts';

export interface CaptureRequest {
  /** Files and directories that may have changed, or everything. */
  scan: ReadonlySet<RawPath> | 'all';
  /** Paths that have waited for rest long enough and are taken as they are. */
  overdue: ReadonlySet<RawPath> | 'all';
  /** Paths that a person let through (`gitsync allow`). */
  allowed: ReadonlySet<RawPath>;
  /** Paths that apply could not put into place: what seems changed there is not the person's doing. */
  keep: ReadonlySet<RawPath>;
  /** What the last captures held, and may hold still. */
  heldBefore: readonly Held[];
  /** The root is another directory than before: deletions wait. */
  rootChanged: boolean;
  limits: SafetyLimits;
  checkSecrets: boolean;
  host: string;
  /** The branch to work on; undefined: whichever is checked out. */
  branch: string | undefined;
  template: string | undefined;
  sign: boolean;
  now: Date;
  /** Begun ahead of its time: resolves whether everything then lies at rest. The commit waits for it, and without hooks or a signature. */
  rested?: Promise<boolean> | undefined;
}

/** Why the branch does not move although files changed. */
export type OffBranch = OpenOperation | 'detached' | 'other-branch' | 'staged' | 'index-lock' | 'moved';

export type CaptureOutcome =
  | { kind: 'nothing' }
  /** Begun ahead of its time, and in vain: nothing of it stays, and the rest of the report means nothing. */
  | { kind: 'disturbed' }
  | { kind: 'committed'; commit: string; parent: string | undefined; paths: RawPath[] }
  /** Kept under refs/gitsync/snap; `commit` is undefined when nothing differs from the last snapshot. */
  | { kind: 'snapshot'; commit: string | undefined; why: OffBranch };

export interface CaptureReport {
  outcome: CaptureOutcome;
  head: HeadState;
  held: Held[];
  /** Changed files among `keep`: nothing of them is committed here. */
  aside: RawPath[];
  /** Still being written: look at them again soon. */
  waiting: RawPath[];
  failed: Taken['failed'];
  nested: RawPath[];
  movedSubmodules: RawPath[];
  readProblem: string | undefined;
  /** Whether the whole work tree was looked at, so that the lists above are complete. */
  complete: boolean;
}

/** Whether anything but the branch's own work is going on in the repository. */
export function offBranchReason(head: HeadState, branch: string | undefined): OffBranch | undefined {
  if (head.operation !== undefined) return head.operation;
  if (head.ref === undefined) return 'detached';
  return branch !== undefined && head.ref !== `refs/heads/${branch}` ? 'other-branch' : undefined;
}

export interface Capturer {
  capture(request: CaptureRequest): Promise<CaptureReport>;
}

/** Makes the capturer of one repository; it remembers what it has seen of the private index. */
export function createCapturer(repo: Repo, index: PrivateIndex): Capturer {
  let scannedGeneration = -1;
  const sweep = createSweep();

  return {
    async capture(request) {
      const head = await readHead(repo);
      const verdict = await index.seed(head.commit, head.ref);
      const off = offBranchReason(head, request.branch) ?? (verdict === 'staged' ? 'staged' : undefined);
      // A fresh private index knows nothing of what was found before.
      const complete = request.scan === 'all' || scannedGeneration !== index.generation || off !== undefined;
      // Ahead of its time only what is plain: what needs a look at everything has its own.
      const isInVain = request.rested !== undefined && complete;
      const scan = await scanWorkTree(repo, index.file, isInVain ? new Set() : complete ? 'all' : request.scan, request.allowed);
      const findings = scan.findings.filter(({ path }) => !request.keep.has(path));
      const { outcome, held, waiting, failed } = await withStaging(repo, index, off === undefined ? head.commit : undefined, findings, async (staging) => {
        const doubts = { readFailed: scan.readProblem !== undefined, goneBefore: sweep.before(head.commit, request.now.getTime()) };
        const { taken, ...rest } = await take(repo, index, staging, request, findings, doubts);
        // What is still being written gets its full time.
        if (request.rested !== undefined && (isInVain || rest.waiting.length + rest.failed.length > 0)) return { outcome: { kind: 'disturbed' as const }, ...rest };
        const outcome = await keep(repo, index, staging, request, head, off, taken);
        if (outcome.kind === 'committed') sweep.add(outcome.commit, outcome.parent, shrinkage(taken, request.allowed), request.now.getTime());
        return { outcome, ...rest };
      });
      const aside = scan.findings.filter(({ path, kind, sizeBytes }) => request.keep.has(path) && kind !== 'delete' && sizeBytes <= request.limits.maxFileSizeBytes).map(({ path }) => path);
      if (complete && !isInVain) scannedGeneration = index.generation;
      if (outcome.kind === 'snapshot') index.forget();
      const landed = outcome.kind === 'committed' ? await whereLanded(repo, head, outcome.commit) : head;
      return { outcome, head: landed, held, aside, waiting, failed, nested: scan.nested, movedSubmodules: scan.movedSubmodules, readProblem: scan.readProblem, complete };
    },
  };
}

/** HEAD as it is for a commit of ours: on another branch, when that was checked out just before. Nobody may publish it as the first one. */
async function whereLanded(repo: Repo, head: HeadState, commit: string): Promise<HeadState> {
  const { ref } = await readHead(repo);
  const stayed = ref === head.ref || (head.ref !== undefined && (await resolveCommit(repo, head.ref)) === commit);
  return stayed ? head : { ...head, ref };
}

/** How many files fewer there are; what a person let through does not count. */
function shrinkage(taken: readonly Finding[], allowed: ReadonlySet<RawPath>): number {
  const count = (kind: Finding['kind']): number => taken.filter((finding) => finding.kind === kind && !allowed.has(finding.path)).length;
  return count('delete') - count('add');
}

interface TakenAndHeld extends Taken {
  held: Held[];
}

async function take(repo: Repo, index: PrivateIndex, staging: Staging, request: CaptureRequest, findings: readonly Finding[], doubts: Pick<SafetyContext, 'readFailed' | 'goneBefore'>): Promise<TakenAndHeld> {
  if (findings.length === 0) return { taken: [], waiting: [], failed: [], held: [] };
  const byPath = new Map(findings.map((finding) => [finding.path, finding]));
  const heldFor = (why: HoldReason): RawPath[] => request.heldBefore.filter(({ reason }) => reason === why).map(({ path }) => path);
  const findingsOf = (candidates: readonly { path: RawPath }[]): Finding[] => candidates.flatMap(({ path }) => byPath.get(path) ?? []);
  const context = {
    limits: request.limits,
    trackedCount: await countTracked(repo, index, findings),
    rootChanged: request.rootChanged,
    ...doubts,
    deletionsWaiting: heldFor('mass-deletion').filter((path) => !byPath.has(path) && !request.allowed.has(path)).length,
    allowed: request.allowed,
    heldForBatch: new Set(heldFor('batch')),
    checkSecrets: request.checkSecrets,
  };
  const newOids = await hashLargeMoves(repo, findings, request.limits);
  const candidates = findings.map((finding) => ({
    ...finding,
    ...(finding.old === null ? {} : { oldOid: finding.old.oid }),
    ...(newOids.has(finding.path) ? { newOid: newOids.get(finding.path) as string } : {}),
  }));
  const first = judge(candidates, context);
  const secret = request.checkSecrets ? await holdSecretContent(repo, findingsOf(first.go), request.allowed) : { go: findingsOf(first.go), held: [] };
  const result = await takeFiles(repo, staging.indexFile, secret.go, request.overdue);
  let held = [...first.held, ...secret.held];

  if (held.some(({ reason }) => reason === 'mass-deletion') && result.taken.some(({ kind }) => kind === 'add')) {
    // Perhaps they only moved: now that the new files are hashed, that can be told.
    const entries = await listIndex(repo, staging.indexFile);
    const again = judge(candidates.map((candidate) => ({ ...candidate, ...(candidate.kind === 'delete' ? {} : { newOid: entries.get(candidate.path)?.oid ?? '' }) })), context);
    const moved = again.go.filter(({ path }) => held.some((entry) => entry.path === path && entry.reason === 'mass-deletion'));
    const late = await takeFiles(repo, staging.indexFile, findingsOf(moved), request.overdue);
    held = held.filter(({ path }) => !moved.some((candidate) => candidate.path === path));
    return { taken: [...result.taken, ...late.taken], waiting: [...result.waiting, ...late.waiting], failed: [...result.failed, ...late.failed], held };
  }
  return { ...result, held };
}

/**
 * A large file that was only moved must not be held while its old name is
 * deleted: what may be the other end of a move is hashed first (not written).
 * Its size does not tell, since a filter may keep something shorter in its place.
 */
async function hashLargeMoves(repo: Repo, findings: readonly Finding[], limits: SafetyLimits): Promise<Map<RawPath, string>> {
  const oids = new Map<RawPath, string>();
  if (!findings.some(({ kind, old }) => kind === 'delete' && old !== null)) return oids;
  const addedBytes = findings.reduce((sum, { kind, sizeBytes }) => sum + (kind === 'delete' ? 0 : sizeBytes), 0);
  const mayBeHeld = ({ kind, sizeBytes, path }: Finding): boolean => kind === 'add' && isUtf8(path) && (sizeBytes > limits.maxFileSizeBytes || addedBytes > limits.maxBatchBytes);
  for (const { path, sizeBytes } of findings.filter(mayBeHeld)) {
    // One that cannot be read, or hangs in a filter, is held like any other, and stops nothing.
    const result = await git(repo, ['hash-object', '--', rawToText(path)], { expect: [0, 1, 128], idleTimeoutMs: hashingDeadlineMs(sizeBytes) }).catch(throwUnlessTimeout);
    if (result?.exitCode === 0) oids.set(path, result.stdout.toString().trim());
  }
  return oids;
}

function throwUnlessTimeout(error: unknown): undefined {
  if (toGitsyncError(error).kind !== 'timeout') throw error;
}

/** Only deletions need to know how many files there are. */
async function countTracked(repo: Repo, index: PrivateIndex, findings: readonly Finding[]): Promise<number> {
  if (!findings.some(({ kind }) => kind === 'delete')) return 0;
  return (await git(repo, ['ls-files', '-z', '--cached'], { indexFile: index.file })).stdout.reduce((count, byte) => count + (byte === 0 ? 1 : 0), 0);
}

/** Turns what was taken into a commit on the branch, or a snapshot. */
async function keep(repo: Repo, index: PrivateIndex, staging: Staging, request: CaptureRequest, head: HeadState, off: OffBranch | undefined, taken: readonly Finding[]): Promise<CaptureOutcome> {
  const snapshot = async (why: OffBranch): Promise<CaptureOutcome> => ({ kind: 'snapshot', why, commit: await saveSnapshot(repo, index.file, head, why) });
  if (off !== undefined) return snapshot(off);
  if (taken.length === 0) return { kind: 'nothing' };
  const [tree, before] = await Promise.all([staging.writeTree(taken), head.commit === undefined ? undefined : gitText(repo, ['rev-parse', `${head.commit}^{tree}`])]);
  if (tree === before) {
    await staging.bringUp();
    return { kind: 'nothing' };
  }
  const make = (): Promise<string> => makeCommit(repo, index, request, head, tree, taken);
  const { rested } = request;
  const ahead = rested === undefined ? undefined : await make();
  if (rested !== undefined && !((await rested) && (await isStill(repo, head, taken)))) return { kind: 'disturbed' };
  const lock = await lockIndex(repo, head.commit);
  if (lock === 'held' || !(await index.userUnchanged())) {
    if (lock !== 'held') await lock.release();
    await staging.bringUp();
    return snapshot(lock === 'held' ? 'index-lock' : 'moved');
  }
  const land = async (): Promise<string> => {
    const made = ahead ?? (await make());
    // By HEAD: whoever switches branches in this very moment gets the commit on the branch that they are on then.
    await updateRef(repo, 'HEAD', made, head.commit ?? null, 'captured changes');
    return made;
  };
  const commit = await land().catch(async (error: unknown) => {
    await lock.release();
    throw error;
  });
  const following = index.follow(commit, lock, head, () => staging.bringUp());
  // Whoever needs the indexes next waits for them.
  if (staging.isApart) following.catch(() => undefined);
  else await following;
  await runPostCommitHook(repo, index.file);
  return { kind: 'committed', commit, parent: head.commit, paths: taken.map(({ path }) => path) };
}

const statusLetters = { add: 'A', modify: 'M', delete: 'D' } as const;

/** Whether the files are as they were taken, and the branch is where it was. */
async function isStill(repo: Repo, head: HeadState, taken: readonly Finding[]): Promise<boolean> {
  const now = await readHead(repo);
  const isSameHead = now.ref === head.ref && now.commit === head.commit && now.operation === head.operation;
  return isSameHead && taken.every(({ path, stat }) => sameFile(stat, statOf(repo, path)));
}

async function makeCommit(repo: Repo, index: PrivateIndex, request: CaptureRequest, head: HeadState, tree: string, taken: readonly Finding[]): Promise<string> {
  const message = commitMessage({
    host: request.host,
    branch: (head.ref ?? '').replace(/^refs\/heads\//, ''),
    date: request.now.toISOString(),
    changes: await describeChanges(repo, head, tree, taken),
    template: request.template,
  });
  const finalMessage = await runCommitHooks(repo, index.file, message);
  const finalTree = repo.hooks ? await gitText(repo, ['write-tree'], { indexFile: index.file }) : tree;
  return commitTree(repo, { tree: finalTree, parents: head.commit === undefined ? [] : [head.commit], message: finalMessage, sign: request.sign });
}

/** The changes for the message: with renames, where there may be some. */
async function describeChanges(repo: Repo, head: HeadState, tree: string, taken: readonly Finding[]): Promise<MessageInput['changes']> {
  const has = (kind: Finding['kind']): boolean => taken.some((finding) => finding.kind === kind);
  if (head.commit === undefined || !has('add') || !has('delete')) return taken.map(({ path, kind }) => ({ path, status: statusLetters[kind] }));
  const { stdout } = await git(repo, ['diff-tree', '-r', '-z', '-M', '--name-status', head.commit, tree], withoutIndex(repo));
  const fields = stdout.toString('latin1').split('\0');
  const changes: { path: RawPath; status: 'A' | 'M' | 'D' | 'R' | 'T'; from?: RawPath }[] = [];
  for (let i = 0; i + 1 < fields.length; ) {
    const status = (fields[i] as string)[0] as 'A' | 'M' | 'D' | 'R' | 'T';
    if (status === 'R') {
      changes.push({ status, from: fields[i + 1] as RawPath, path: fields[i + 2] as RawPath });
      i += 3;
    } else {
      changes.push({ status, path: fields[i + 1] as RawPath });
      i += 2;
    }
  }
  return changes;
}
