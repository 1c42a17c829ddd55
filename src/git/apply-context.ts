/** What the steps of one update of the work tree share. */
import type { ConflictRule } from '../core/conflict-rule.ts';
import type { RawPath } from '../core/raw-path.ts';
import type { Belief, Journal } from './apply-journal.ts';
import type { Repo } from './git.ts';
import type { Conflict } from './integrate.ts';
import type { PrivateIndex } from './private-index.ts';
import type { Entry } from './tree.ts';

/** A path that waits, and why (the end of a sentence). */
export interface Blocked {
  path: RawPath;
  why: string;
}

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
  unseen: Set<RawPath>;
  conflicts: Conflict[];
  changed: Set<RawPath>;
}

/** Tells the crash tests (and nobody else) how far the update has come. */
export async function passStep(update: Pick<Update, 'options'>, step: string): Promise<void> {
  await update.options.onStep?.(step);
}
