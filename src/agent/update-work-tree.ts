/** Brings a commit into the work tree, minding what is held back and what was blocked before. */
import { lstatSync } from 'node:fs';
import { absoluteOf, rawToDisplay, type RawPath } from '../core/raw-path.ts';
import { applyCommit, applyLate, type ApplyOutcome, type Belief, type Blocked } from '../git/apply.ts';
import { diffTrees, emptyTree } from '../git/tree.ts';
import { changeOwnState, type BlockedPath } from './own-state.ts';
import type { RepoSession } from './repo-session.ts';

export interface WorkTreeUpdate {
  /** Full name of the checked-out branch. */
  ref: string;
  /** Undefined on an unborn branch. */
  from: string | undefined;
  to: string;
  /** Paths of `from` that are known not to be in the work tree, and shall come back. */
  missing?: ReadonlySet<RawPath>;
}

function isThere(session: RepoSession, path: RawPath): boolean {
  try {
    lstatSync(absoluteOf(session.repo.workTree, path));
    return true;
  } catch {
    return false;
  }
}

/** The paths that stay as they are, those that are tried again, and what is known of these. */
function limitsOf(session: RepoSession): { keep: Set<RawPath>; waiting: Set<RawPath>; known: Map<RawPath, Belief> } {
  const held = (session.lastReport?.held ?? []).map(({ path }) => path);
  // Once the person has taken a held version away, the incoming one may come.
  const stillHeld = session.own.blocked.filter((entry) => entry.held && isThere(session, entry.path)).map(({ path }) => path);
  const keep = new Set([...held, ...stillHeld]);
  const waiting = session.own.blocked.filter(({ path }) => !keep.has(path));
  return { keep, waiting: new Set(waiting.map(({ path }) => path)), known: new Map(waiting.flatMap(({ path, base }) => (base === undefined ? [] : [[path, base] as const]))) };
}

/** Whether an incoming version waits that is worth another try. */
export function hasLeftovers(session: RepoSession): boolean {
  return session.own.blocked.some(({ path, held }) => !held || !isThere(session, path));
}

/** Incoming versions of paths that stay as they are: they wait. */
async function findOvertaken(session: RepoSession, { from, to }: WorkTreeUpdate, keep: ReadonlySet<RawPath>): Promise<BlockedPath[]> {
  if (keep.size === 0) return [];
  const deletions = new Set((session.lastReport?.held ?? []).filter(({ reason }) => reason === 'mass-deletion').map(({ path }) => path));
  const changes = await diffTrees(session.repo, from ?? (await emptyTree(session.repo)), to);
  return changes.filter(({ path }) => keep.has(path)).map(({ path, old }) =>
    deletions.has(path)
      ? { path, why: 'its deletion is held back, and another version came in', held: false, base: { entry: old, at: from ?? null } }
      : { path, why: 'your version is held back, and another one came in', held: true },
  );
}

/** Applies a commit and notes which incoming versions have to wait. */
export async function updateWorkTree(session: RepoSession, update: WorkTreeUpdate): Promise<ApplyOutcome> {
  const { repo, config } = session;
  const { keep, waiting, known } = limitsOf(session);
  const overtaken = await findOvertaken(session, update, keep);
  const note = (blocked: readonly Blocked[], before: readonly BlockedPath[]): Promise<void> => noteBlocked(session, before, overtaken, blocked);
  const outcome = await applyCommit(repo, session.index, {
    ref: update.ref, from: update.from, to: update.to, keep, waiting: new Set([...waiting, ...(update.missing ?? [])]), known, rules: config.conflict, host: session.host, sign: config.sign,
    // Known before the branch moves: a crash must not make what is missing look deleted.
    onBlocked: (blocked) => note(blocked, session.own.blocked),
  });
  if (outcome.kind === 'applied') await note(outcome.blocked, session.own.blocked.filter((entry) => (entry.held || entry.base !== undefined) && keep.has(entry.path)));
  return outcome;
}

/** Merges edits that were written to a file after it had been replaced; undefined when there are none. */
export async function applyLateEdits(session: RepoSession, ref: string, from: string): Promise<ApplyOutcome | undefined> {
  return applyLate(session.repo, session.index, { ref, from, ...limitsOf(session), rules: session.config.conflict, host: session.host, sign: session.config.sign });
}

/** Replaces the list of waiting paths by those of `before` and the new ones, and tells of the new ones. */
async function noteBlocked(session: RepoSession, before: readonly BlockedPath[], overtaken: readonly BlockedPath[], blocked: readonly Blocked[]): Promise<void> {
  const { repo, own } = session;
  const next = new Map<RawPath, BlockedPath>(before.map((entry) => [entry.path, entry]));
  // What their version was made from stays what it was, however many versions come in.
  const baseOf = (path: RawPath): Belief | undefined => own.blocked.find((entry) => entry.path === path)?.base;
  for (const entry of blocked) {
    const base = baseOf(entry.path) ?? entry.base;
    next.set(entry.path, { path: entry.path, why: entry.why, held: entry.held === true, ...(base === undefined ? {} : { base }) });
  }
  for (const entry of overtaken) if (next.get(entry.path)?.base === undefined) next.set(entry.path, entry);
  if (next.size === 0 && own.blocked.length === 0) return;
  const known = new Set(own.blocked.map(({ path }) => path));
  for (const { path, why } of next.values()) if (!known.has(path)) repo.log.warn('An incoming change waits', { path: rawToDisplay(path), why });
  session.own = await changeOwnState(repo, () => ({ blocked: [...next.values()] }));
}
