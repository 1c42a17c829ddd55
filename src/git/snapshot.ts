/** Snapshots beside the branch (`refs/gitsync/snap/...`): work kept safe while a person is in the middle of something. */
import { commitTree } from './commit.ts';
import { gitText, type Repo } from './git.ts';
import { isAncestor, ownRefs, resolveCommit, updateRef } from './refs.ts';
import type { HeadState } from './repository.ts';
import { hashIntoIndex, type Taken } from './take-files.ts';
import { rawToDisplay, type RawPath } from '../core/raw-path.ts';
import { withTemporaryIndex } from './tree.ts';

/** The snapshot ref of a branch; a detached HEAD has one of its own. */
export function snapshotRef(head: HeadState): string {
  return `${ownRefs}/snap/${head.ref === undefined ? 'DETACHED' : head.ref.replace(/^refs\/heads\//, '')}`;
}

/**
 * Keeps the tree of an index as the next commit of a chain of our own; undefined
 * when nothing differs from the chain's tip, or from the branch's when there is none.
 */
async function appendToChain(repo: Repo, ref: string, tree: string, base: string | undefined, message: string): Promise<string | undefined> {
  const previous = await resolveCommit(repo, ref);
  const compareWith = previous ?? base;
  if (compareWith !== undefined && tree === (await gitText(repo, ['rev-parse', `${compareWith}^{tree}`]))) return undefined;
  const parents = [base, previous].filter((parent, i, all) => parent !== undefined && all.indexOf(parent) === i) as string[];
  const commit = await commitTree(repo, { tree, parents, message });
  await updateRef(repo, ref, commit, previous ?? null, 'snapshot');
  return commit;
}

/** Keeps what the index holds as the branch's next snapshot; undefined when it was kept before. */
export async function saveSnapshot(repo: Repo, indexFile: string, head: HeadState, why: string): Promise<string | undefined> {
  const tree = await gitText(repo, ['write-tree'], { indexFile });
  return appendToChain(repo, snapshotRef(head), tree, head.commit, `Snapshot while the branch stands still (${why})\n`);
}

/** Keeps a branch's former commit that the person has rewritten by hand: git itself lets it go after 30 days. */
export async function keepRewritten(repo: Repo, head: HeadState, commit: string): Promise<void> {
  const ref = snapshotRef(head);
  const previous = await resolveCommit(repo, ref);
  if (previous === undefined) return updateRef(repo, ref, commit, null, 'kept what was rewritten');
  if (await isAncestor(repo, commit, previous)) return;
  const tree = await gitText(repo, ['rev-parse', `${commit}^{tree}`]);
  const kept = await commitTree(repo, { tree, parents: [commit, previous], message: 'Kept, since the branch was rewritten by hand\n' });
  await updateRef(repo, ref, kept, previous, 'kept what was rewritten');
}

/** Keeps files that must not be published (secrets) where only this machine sees them: `refs/gitsync/held`. One that cannot be read stops nothing. */
export async function saveHeld(repo: Repo, paths: readonly RawPath[]): Promise<void> {
  if (paths.length === 0) return;
  const failed: Taken['failed'] = [];
  const tree = await withTemporaryIndex(repo, async (indexFile) => {
    await hashIntoIndex(repo, indexFile, paths.map((path) => ({ path, sizeBytes: 0 })), failed);
    return gitText(repo, ['write-tree'], { indexFile });
  });
  for (const { path, why } of failed) repo.log.debug('A file that is held back could not be kept', { path: rawToDisplay(path), why });
  if (failed.length === paths.length) return;
  await appendToChain(repo, `${ownRefs}/held`, tree, undefined, 'Held back from publishing\n');
}
