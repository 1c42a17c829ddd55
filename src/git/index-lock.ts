/**
 * The person's `index.lock`, held by us for a moment: their git says so or
 * waits, and cannot commit under our feet. The file says whose it is and which
 * commit the index belonged to, so that one left by a crash is recognised.
 */
import { constants } from 'node:fs';
import { copyFile, link, readFile, rename, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { errnoOf } from '../errors.ts';
import { isAlive, ownIdentity } from '../process/identity.ts';
import { git, type Repo } from './git.ts';
import { resolveCommit } from './refs.ts';

export interface IndexLock {
  /** Puts a copy of `indexFile` in place of the person's index and lets go of the lock; returns the new file's identity. */
  replaceWith(indexFile: string): Promise<string>;
  /** Lets go without a change. */
  release(): Promise<void>;
  /** Leaves it as a process does that dies: whoever opens the repository next lets the index follow the branch, and nobody else may write it before. */
  abandon(): Promise<void>;
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

/** Identity of a file: changes whenever git has written it. '' when it does not exist. */
export async function identityOf(file: string): Promise<string> {
  const info = await stat(file, { bigint: true }).catch(() => undefined);
  return info === undefined ? '' : `${info.ino}:${info.size}:${info.mtimeNs}`;
}

/** Some file systems have no hard links. */
function lacksLinks(error: unknown): boolean {
  return ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(errnoOf(error) ?? '');
}

const marker = 'gitsync index lock';

/** The lines that are read again by `clearStaleIndexLock`; what may follow them means nothing. */
function lockText(owner: string, from: string): string {
  return `${marker}\n${owner}\n${from}\n`;
}

/**
 * Takes `index.lock`, or says that somebody holds it.
 * @param from the commit that the person's index equals now ('' for none)
 */
export async function lockIndex(repo: Repo, from = ''): Promise<IndexLock | 'held'> {
  const lockFile = `${repo.gitDir}/index.lock`;
  const ours = `${repo.ownDir}/tmp-index-lock`;
  try {
    // Complete from its first moment: a lock without a name would count as anybody's.
    await writeFile(ours, lockText(ownIdentity(), from));
    await link(ours, lockFile).catch((error: unknown) => (lacksLinks(error) ? copyFile(ours, lockFile, constants.COPYFILE_EXCL) : Promise.reject(error as Error)));
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return 'held';
    throw error;
  } finally {
    await unlink(ours).catch(() => undefined);
  }
  let isHeld = true;
  const release = async (): Promise<void> => {
    // Once only: the next one there is somebody else's.
    if (isHeld) await unlink(lockFile).catch(() => undefined);
    isHeld = false;
  };
  return {
    async replaceWith(indexFile) {
      const next = `${repo.ownDir}/index.next`;
      await copyIndex(indexFile, next);
      // Known before anyone else may write: what they write then is seen as theirs.
      const identity = await identityOf(next);
      await rename(next, `${repo.gitDir}/index`);
      await release();
      return identity;
    },
    release,
    async abandon() {
      // In place: the disk may be full.
      await writeFile(lockFile, lockText('nobody', from), { flag: 'r+' });
      isHeld = false;
    },
  };
}

/**
 * Clears an `index.lock` that nobody holds any more: one of ours whose process
 * is gone, or anybody's that is stale. Where our process died between moving
 * the branch and replacing the index, the index follows now.
 */
export async function clearStaleIndexLock(repo: Repo, isStale: (file: string) => Promise<boolean>): Promise<'none' | 'cleared' | 'held'> {
  const lockFile = `${repo.gitDir}/index.lock`;
  const before = await stat(lockFile).catch(() => undefined);
  if (before === undefined) return 'none';
  const [first, owner = '', from = ''] = (await readFile(lockFile, 'latin1').catch(() => '')).split('\n');
  const ours = first === marker;
  if (ours ? isAlive(owner) : !(await isStale(lockFile))) return 'held';
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
