/**
 * The person's `index.lock`, held by us for a moment: their git says so or
 * waits, and cannot commit under our feet. The file says whose it is and which
 * commit the index belonged to, so that one left by a crash is recognised.
 */
import { constants } from 'node:fs';
import { copyFile, readFile, rename, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { errnoOf } from '../errors.ts';
import { isAlive, ownIdentity } from '../process/identity.ts';
import { git, type Repo } from './git.ts';
import { resolveCommit } from './refs.ts';

export interface IndexLock {
  /** Puts a copy of `indexFile` in place of the person's index and lets go of the lock. */
  replaceWith(indexFile: string): Promise<void>;
  /** Lets go without a change. */
  release(): Promise<void>;
}

/**
 * Copies an index with its time: git looks again at files that changed in the
 * moment in which their index was written, and a younger copy would hide them.
 */
export async function copyIndex(from: string, to: string): Promise<void> {
  const { atime, mtime } = await stat(from);
  await copyFile(from, to, constants.COPYFILE_FICLONE);
  await utimes(to, atime, mtime);
}

const marker = 'gitsync index lock';

/**
 * Takes `index.lock`, or says that somebody holds it.
 * @param from the commit that the person's index equals now ('' for none)
 */
export async function lockIndex(repo: Repo, from = ''): Promise<IndexLock | 'held'> {
  const lockFile = `${repo.gitDir}/index.lock`;
  try {
    await writeFile(lockFile, `${marker}\n${ownIdentity()}\n${from}\n`, { flag: 'wx' });
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return 'held';
    throw error;
  }
  return {
    async replaceWith(indexFile) {
      const next = `${repo.ownDir}/index.next`;
      await copyIndex(indexFile, next);
      await rename(next, `${repo.gitDir}/index`);
      await unlink(lockFile).catch(() => undefined);
    },
    async release() {
      await unlink(lockFile).catch(() => undefined);
    },
  };
}

/** A lock younger than this is never taken for stale. */
const staleAfterMs = 10 * 60_000;

/**
 * Clears an `index.lock` that nobody holds any more: one of ours whose process
 * is gone, or anybody's that is older than 10 minutes, stands still and is not
 * open. Where our process died between moving the branch and replacing the
 * index, the index follows now.
 */
export async function clearStaleIndexLock(repo: Repo, isOpen: (file: string) => Promise<boolean>, nowMs: number): Promise<'none' | 'cleared' | 'held'> {
  const lockFile = `${repo.gitDir}/index.lock`;
  const before = await stat(lockFile).catch(() => undefined);
  if (before === undefined) return 'none';
  const [first, owner = '', from = ''] = (await readFile(lockFile, 'latin1').catch(() => '')).split('\n');
  const ours = first === marker;
  if (ours ? isAlive(owner) : nowMs - before.mtimeMs < staleAfterMs || (await isOpen(lockFile))) return 'held';
  const after = await stat(lockFile).catch(() => undefined);
  if (after === undefined) return 'none';
  if (after.ino !== before.ino || after.size !== before.size || after.mtimeMs !== before.mtimeMs) return 'held';
  await unlink(lockFile);
  if (ours) await followBranch(repo, from);
  return 'cleared';
}

/** Brings an index that still equals `from` to HEAD. */
async function followBranch(repo: Repo, from: string): Promise<void> {
  const head = await resolveCommit(repo, 'HEAD');
  if (head === undefined || from === head) return;
  const stillThere =
    from === ''
      ? (await git(repo, ['ls-files', '-z', '--cached'])).stdout.length === 0
      : (await git(repo, ['diff-index', '--cached', '--quiet', from], { expect: [0, 1, 128] })).exitCode === 0;
  if (stillThere) await git(repo, ['read-tree', '-i', '-m', 'HEAD']);
}
