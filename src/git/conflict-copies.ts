/** Conflict copies in a commit's tree, each with the file that it belongs to. */
import { splitNul, type RawPath } from '../core/raw-path.ts';
import { isConflictCopy, originalOfCopy } from '../core/conflict-name.ts';
import { git, type Repo } from './git.ts';
import { diffTrees } from './tree.ts';

export interface ConflictCopy {
  path: RawPath;
  copy: RawPath;
}

/** The conflict copies that a commit holds. @param known those of another commit, where only what differs need be looked at. */
export async function listConflictCopies(repo: Repo, commit: string, known?: { commit: string; copies: readonly ConflictCopy[] }): Promise<ConflictCopy[]> {
  // A commit may be gone, when it was rewritten.
  const changes = known === undefined ? undefined : await diffTrees(repo, known.commit, commit).catch(() => undefined);
  const copies = new Set<RawPath>();
  if (known === undefined || changes === undefined) {
    const { stdout } = await git(repo, ['ls-tree', '-r', '-z', '--name-only', '--full-tree', commit]);
    for (const path of splitNul(stdout)) if (isConflictCopy(path)) copies.add(path);
  } else {
    for (const { copy } of known.copies) copies.add(copy);
    for (const change of changes) {
      if (change.new === null) copies.delete(change.path);
      else if (isConflictCopy(change.path)) copies.add(change.path);
    }
  }
  return [...copies].sort().map((copy) => ({ copy, path: originalOfCopy(copy) }));
}
