/** What the steps of one update of the work tree share. */
import type { ConflictRule } from '../core/conflict-rule.ts';
import type { RawPath } from '../core/raw-path.ts';
import { isFileThere } from './apply-file.ts';
import type { Belief, Blocked, Journal } from './apply-journal.ts';
import type { Repo } from './git.ts';
import type { Conflict } from './integrate.ts';
import type { PrivateIndex } from './private-index.ts';
import type { Entry } from './tree.ts';

export interface UpdateOptions {
  /** This machine's name, for the message of a commit of unseen edits. */
  host?: string;
  /** Sign that commit. */
  sign?: boolean;
  /** Called with the blocked paths before the branch moves, so that a crash cannot make anyone forget them. */
  onBlocked?: (blocked: readonly Blocked[]) => Promise<void>;
  /** Called after every step with its name. */
  onStep?: (step: string) => void | Promise<void>;
}

export interface Update {
  repo: Repo;
  index: PrivateIndex;
  rules: readonly ConflictRule[];
  options: UpdateOptions;
  keep: ReadonlySet<RawPath>;
  /** The update's folder. */
  directory: string;
  journal: Journal;
  /** What the paths hold that were changed, or found changed; for all others the tree of `from` holds. */
  beliefs: Map<RawPath, Belief>;
  /** The entries of `from` for all paths in `beliefs`. */
  original: Map<RawPath, Entry | null>;
  blocked: Map<RawPath, string>;
  /** What the paths that were to be changed held before. */
  bases: Map<RawPath, Belief>;
  unseen: Set<RawPath>;
  conflicts: Conflict[];
  changed: Set<RawPath>;
}

/** The paths that wait, with what their files were made from. */
export function listBlocked({ repo, journal: { skipped }, blocked, bases }: Update): Blocked[] {
  const flagged = new Set([...skipped.skipWorktree, ...skipped.assumeUnchanged]);
  return [...blocked].map(([path, why]) => {
    if (flagged.has(path)) return { path, why, held: true };
    const base = bases.get(path);
    const isStillOld = base !== undefined && base.entry !== null && isFileThere(repo.workTree, path, true);
    return { path, why, ...(isStillOld ? { base } : {}) };
  });
}

/** Tells the crash tests (and nobody else) how far the update has come. */
export async function passStep(update: Pick<Update, 'options'>, step: string): Promise<void> {
  await update.options.onStep?.(step);
}
