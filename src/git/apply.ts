/**
 * Brings a commit into the work tree without ever losing what a person saves
 * meanwhile: old files are moved away, new ones linked into free names, and
 * what was moved away is looked at afterwards (see docs/design/apply.md).
 */
import type { ConflictRule } from '../core/conflict-rule.ts';
import type { RawPath } from '../core/raw-path.ts';
import { listBlocked, passStep, type Update, type UpdateOptions } from './apply-context.ts';
import { moveBranch, settleIndexes, undoMoves } from './apply-finish.ts';
import { hasOpenUpdate, makeUpdateDir, removeUpdateDir, stateOf, type Belief, type Blocked } from './apply-journal.ts';
import { openUpdate, recoverApply } from './apply-recover.ts';
import { runRounds } from './apply-rounds.ts';
import type { Repo } from './git.ts';
import { lockIndex, type IndexLock } from './index-lock.ts';
import { integrate, type Conflict } from './integrate.ts';
import { listLate } from './late-refs.ts';
import type { PrivateIndex } from './private-index.ts';
import { resolveCommit } from './refs.ts';
import { readHead } from './repository.ts';
import { entriesOf } from './tree.ts';

export { recoverApply } from './apply-recover.ts';
export { checkTrash, type TrashReport } from './apply-trash.ts';
export { hasOpenUpdate, type Belief, type Blocked } from './apply-journal.ts';
export { listLate } from './late-refs.ts';
export type { UpdateOptions } from './apply-context.ts';

export interface ApplyRequest extends UpdateOptions {
  /** Full name of the checked-out branch. */
  ref: string;
  /** The commit that work tree and index stand at; undefined on an unborn branch. */
  from: string | undefined;
  /** The commit to bring in; the branch moves from `from` to it at the end. */
  to: string;
  /** Paths that are left as they are (held, blocked): their incoming version waits. */
  keep: ReadonlySet<RawPath>;
  /** Paths that were blocked before: their version in `from` is not in the work tree, and is tried again. */
  waiting?: ReadonlySet<RawPath>;
  /** What their files were made from, where that is known (see `Blocked.base`), or what was deleted there. */
  known?: ReadonlyMap<RawPath, Belief>;
  /** How unseen edits are merged. */
  rules: readonly ConflictRule[];
}

/**
 * - `applied`: the branch stands at `commit`: `to`, or a later commit that holds unseen edits too
 * - `busy`: somebody holds `index.lock`; try again soon
 * - `moved`: HEAD, the branch or the index is not what was expected; look again from the start
 */
export type ApplyOutcome =
  | { kind: 'applied'; commit: string; changed: number; unseen: RawPath[]; blocked: Blocked[]; conflicts: Conflict[] }
  | { kind: 'busy' }
  | { kind: 'moved' };

/**
 * Brings a commit into the work tree, the index and the branch.
 * @throws GitsyncError `no-space`, `corrupt`, ... The work tree is as it was
 *   then, unless `hasOpenUpdate`: the next call (or `recoverApply`) goes on.
 */
export async function applyCommit(repo: Repo, index: PrivateIndex, request: ApplyRequest): Promise<ApplyOutcome> {
  await index.ready();
  if (await hasOpenUpdate(repo)) {
    await recoverApply(repo, index, request.rules, request);
    return { kind: 'moved' };
  }
  const lock = await lockIndex(repo, request.from ?? '');
  if (lock === 'held') return { kind: 'busy' };
  try {
    await passStep({ options: request }, 'locked');
    const head = await readHead(repo);
    const isExpected = head.ref === request.ref && head.commit === request.from && head.operation === undefined;
    if (!isExpected || (await index.seed(request.from)) !== 'clean') return { kind: 'moved' };
    return await runUpdate(repo, index, request, lock);
  } finally {
    await lock.release();
  }
}

async function runUpdate(repo: Repo, index: PrivateIndex, request: ApplyRequest, lock: IndexLock): Promise<ApplyOutcome> {
  const directory = await makeUpdateDir(repo);
  const journal = { version: 1 as const, ref: request.ref, from: request.from ?? null, to: request.to, stages: [], ops: [], keep: [...request.keep], blocked: [], skipped: { sparse: [], skipWorktree: [], assumeUnchanged: [] }, saved: [] };
  const current = openUpdate(repo, index, request.rules, directory, journal, request);
  try {
    await expectAt(current, request.waiting ?? new Set(), request.known ?? new Map());
    await runRounds(current);
    if ((await moveBranch(current)) === 'moved') {
      await undoMoves(current, await resolveCommit(repo, 'HEAD'));
      return { kind: 'moved' };
    }
  } catch (error) {
    // Nobody may take a work tree between two commits for the person's doing.
    await takeBack(current).catch((again: unknown) => repo.log.error('An update could not be taken back; it will be tried again', { error: String(again) }));
    throw error;
  }
  await settleIndexes(current, lock);
  const { unseen, conflicts, changed } = current;
  return { kind: 'applied', commit: current.journal.to, changed: changed.size, unseen: [...unseen], blocked: listBlocked(current), conflicts };
}

async function takeBack(current: Update): Promise<void> {
  const { repo, directory, journal } = current;
  if (stateOf(directory) === 'unborn') return removeUpdateDir(directory);
  const head = await resolveCommit(repo, journal.ref);
  // The branch has moved although git failed: from here there is only forward.
  if (head !== journal.to || journal.to === journal.from) await undoMoves(current, head);
}

/** Paths whose version never came into the work tree: whatever lies there now is what is known of them, or was made by someone else. */
async function expectAt({ repo, journal, beliefs, original }: Update, waiting: ReadonlySet<RawPath>, known: ReadonlyMap<RawPath, Belief>): Promise<void> {
  if (journal.from === null || waiting.size === 0) return;
  const entries = await entriesOf(repo, journal.from, waiting);
  for (const path of waiting) {
    beliefs.set(path, known.get(path) ?? { entry: null, at: journal.from });
    original.set(path, entries.get(path) ?? null);
  }
}

export interface LateRequest extends Omit<ApplyRequest, 'from' | 'to'> {
  from: string;
}

/**
 * Merges a branch's late edits (see `checkTrash`) and brings the result into
 * the work tree; undefined when there are none that can be merged.
 */
export async function applyLate(repo: Repo, index: PrivateIndex, request: LateRequest): Promise<ApplyOutcome | undefined> {
  let to = request.from;
  const conflicts: Conflict[] = [];
  for (const late of await listLate(repo, request.ref, request.from)) {
    const result = await integrate(repo, { local: to, remote: late.oid, rules: request.rules });
    if (result.kind === 'fast-forward' || result.kind === 'merged') to = result.commit;
    if (result.kind === 'merged') conflicts.push(...result.conflicts);
  }
  if (to === request.from) return undefined;
  const outcome = await applyCommit(repo, index, { ...request, to });
  return outcome.kind === 'applied' ? { ...outcome, conflicts: [...conflicts, ...outcome.conflicts] } : outcome;
}
