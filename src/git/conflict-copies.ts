/** Conflict copies in a commit's tree, each with the file that it belongs to. */
import { splitRaw, splitNul, joinRaw, type RawPath } from '../core/raw-path.ts';
import { originalOfCopy } from '../core/conflict-name.ts';
import { git, type Repo } from './git.ts';

export interface ConflictCopy {
  path: RawPath;
  copy: RawPath;
}

/** The conflict copies that a commit holds. */
export async function listConflictCopies(repo: Repo, commit: string): Promise<ConflictCopy[]> {
  const { stdout } = await git(repo, ['ls-tree', '-r', '-z', '--name-only', '--full-tree', commit]);
  return splitNul(stdout).flatMap((copy) => {
    const { directory, name } = splitRaw(copy);
    const original = originalOfCopy(name);
    return original === undefined ? [] : [{ copy, path: joinRaw(directory, original) }];
  });
}
