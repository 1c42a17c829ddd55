/** The repository's upkeep: packs what is loose, deletes nothing that can be reached, lets old snapshots go. */
import { readdir, rm, stat } from 'node:fs/promises';
import { git, gitText, type Repo } from './git.ts';
import { deleteOwnRef, ownRefs } from './refs.ts';

/** Our refs that keep former states; each goes when its last commit is older than what we promised. */
const passingRefs = ['snap', 'rescue', 'held'].map((kind) => `${ownRefs}/${kind}`);

/** Drops our refs that were last set before a moment (epoch milliseconds). */
export async function dropOldRefs(repo: Repo, beforeMs: number): Promise<void> {
  const lines = await gitText(repo, ['for-each-ref', '--format=%(committerdate:unix) %(refname)', ...passingRefs]);
  for (const line of lines.split('\n').filter((each) => each !== '')) {
    const [seconds, ref] = [Number(line.slice(0, line.indexOf(' '))), line.slice(line.indexOf(' ') + 1)];
    // What was rescued yesterday may have been committed long ago.
    if (seconds * 1000 < beforeMs && (await setAtMs(repo, ref)) < beforeMs) await deleteOwnRef(repo, ref);
  }
}

/** When a ref was last set, by its reflog; 0 where that is gone. */
async function setAtMs(repo: Repo, ref: string): Promise<number> {
  const { stdout } = await git(repo, ['log', '--walk-reflogs', '--max-count=1', '--date=unix', '--format=%gd', ref, '--'], { expect: [0, 128] });
  return Number(/@\{(\d+)\}/.exec(stdout.toString())?.[1] ?? 0) * 1000;
}

/** What a git that was killed did not finish, in a directory of objects. */
const unfinished: readonly (readonly [directory: string, name: RegExp])[] = [
  ['objects/pack', /^\.?tmp_/],
  ['objects', /^tmp_objdir-/],
];

/** Drops packs and folders of objects that were begun before a moment and never finished; `git gc` would, which we never run. */
export async function dropUnfinished(repo: Repo, beforeMs: number): Promise<void> {
  for (const [directory, pattern] of unfinished) {
    const names = await readdir(`${repo.commonDir}/${directory}`).catch(() => []);
    for (const name of names.filter((each) => pattern.test(each))) {
      const file = `${repo.commonDir}/${directory}/${name}`;
      const info = await stat(file).catch(() => undefined);
      if (info !== undefined && info.mtimeMs < beforeMs) await rm(file, { recursive: true, force: true });
    }
  }
}

/** Packs loose objects and small packs; none of this ever drops an object, reachable or not. */
export async function packObjects(repo: Repo): Promise<void> {
  const options = { expect: [0, 1, 128], idleTimeoutMs: 600_000 };
  await git(repo, ['maintenance', 'run', '--quiet', '--task=loose-objects', '--task=incremental-repack'], options);
  // What is in a pack by now; the first task would only do it tomorrow.
  await git(repo, ['prune-packed', '--quiet'], options);
}
