/**
 * Late edits: commits of what was written to a file after it had been replaced
 * (by a program that still held it open), or that could not be merged at once.
 * They hang on `refs/gitsync/late/BRANCH/...` until the branch contains them.
 */
import type { Repo } from './git.ts';
import { deleteOwnRef, isAncestor, listRefs, ownRefs, setOwnRef, type RefLine } from './refs.ts';

function shortName(ref: string): string {
  return ref.replace(/^refs\/heads\//, '');
}

/** Keeps a commit of edits that the branch does not contain yet. */
export async function keepLate(repo: Repo, ref: string, commit: string): Promise<void> {
  await setOwnRef(repo, `${ownRefs}/late/${shortName(ref)}/${commit.slice(0, 12)}`, commit, 'late edit');
}

/** Keeps a commit that the branch will never contain, since the remote's history was replaced. */
export async function keepRescue(repo: Repo, ref: string, commit: string): Promise<void> {
  await setOwnRef(repo, `${ownRefs}/rescue/${shortName(ref)}/${commit.slice(0, 12)}`, commit, 'edit made while the history was replaced');
}

/** The late edits of a branch that `tip` does not contain; refs that it does contain are dropped. */
export async function listLate(repo: Repo, ref: string, tip: string): Promise<RefLine[]> {
  const waiting: RefLine[] = [];
  for (const line of await listRefs(repo, `${ownRefs}/late/${shortName(ref)}/`)) {
    if (await isAncestor(repo, line.oid, tip)) await deleteOwnRef(repo, line.ref);
    else waiting.push(line);
  }
  return waiting;
}
