/**
 * From a commit to the next: what one look has found out of it is there for
 * the next that asks at once. It never becomes untrue, since both are named by what they hold.
 */
import type { Repo } from './git.ts';
import type { TreeChange } from './tree.ts';

export interface CommitStep {
  /** The commit's only parent. */
  parent: string;
  commit: string;
  /** All paths that differ, in git's order. */
  changes: readonly TreeChange[];
  /** Of the files that it brought: object id to bytes. */
  sizes: ReadonlyMap<string, number>;
}

/** Longer lists are not worth the memory. */
const mostChanges = 1_000;

const last = new WeakMap<Repo, CommitStep>();

export function rememberStep(repo: Repo, step: CommitStep): void {
  if (step.changes.length <= mostChanges) last.set(repo, step);
}

/** The last step that was remembered, if it is this one. */
export function knownStep(repo: Repo, parent: string, commit: string): CommitStep | undefined {
  const step = last.get(repo);
  return step?.parent === parent && step.commit === commit ? step : undefined;
}

/** What the last step that was remembered brought: object id to bytes. */
export function knownSizes(repo: Repo): ReadonlyMap<string, number> {
  return last.get(repo)?.sizes ?? new Map();
}
