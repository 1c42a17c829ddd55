/** Moves a branch that is not checked out: no work tree, only the ref. */
import { git, type Repo } from '../git/git.ts';
import { updateRef } from '../git/refs.ts';
import { toGitsyncError } from '../errors.ts';
import type { Conflict } from '../git/integrate.ts';

export type SideOutcome = { kind: 'applied'; commit: string; conflicts: Conflict[]; changed: number } | { kind: 'busy' } | { kind: 'moved' };

/** Another work tree of the repository has it checked out: its files would not follow. */
export async function isCheckedOutElsewhere(repo: Repo, ref: string): Promise<boolean> {
  const { stdout } = await git(repo, ['worktree', 'list', '--porcelain']);
  return stdout.toString().split('\n').includes(`branch ${ref}`);
}

/** Moves `ref` from one commit to another by compare-and-swap. */
export async function moveSideBranch(repo: Repo, ref: string, from: string | undefined, to: string): Promise<SideOutcome> {
  try {
    await updateRef(repo, ref, to, from ?? null, 'brought in for a container');
    return { kind: 'applied', commit: to, conflicts: [], changed: 0 };
  } catch (error) {
    const { kind } = toGitsyncError(error);
    if (kind === 'rejected') return { kind: 'moved' };
    if (kind === 'locked') return { kind: 'busy' };
    throw error;
  }
}
