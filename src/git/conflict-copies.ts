/** Conflict copies in a commit's tree, each with the file that it belongs to. */
import { splitNul, type RawPath } from '../core/raw-path.ts';
import { isConflictCopy, originalOfCopy } from '../core/conflict-name.ts';
import { git, type Repo } from './git.ts';

export interface ConflictCopy {
  path: RawPath;
  copy: RawPath;
}

/** The conflict copies that a commit holds. */
export async function listConflictCopies(repo: Repo, commit: string): Promise<ConflictCopy[]> {
  const { stdout } = await git(repo, ['ls-tree', '-r', '-z', '--name-only', '--full-tree', commit]);
  return splitNul(stdout).filter(isConflictCopy).map((copy) => ({ copy, path: originalOfCopy(copy) }));
}
