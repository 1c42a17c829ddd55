/**
 * The private index (`.git/gitsync/index`): what we believe the work tree
 * holds, with git's stat cache. A person's own index is only ever replaced by
 * a copy of it, under `index.lock`, and only where it equalled HEAD.
 */
import { constants } from 'node:fs';
import { copyFile, open, rename, rm, stat, unlink } from 'node:fs/promises';
import { errnoOf } from '../errors.ts';
import { git, type Repo } from './git.ts';
import { isUtf8, joinNul, type RawPath } from './raw-path.ts';

/** `clean`: the person's index equals HEAD. `staged`: they staged something, or left conflicts. */
export type IndexVerdict = 'clean' | 'staged';

export interface PrivateIndex {
  /** Its file name. */
  readonly file: string;
  /**
   * Makes the private index stand at `commit` (undefined: unborn branch) with
   * as good a stat cache as there is, and says how the person's index stands to it.
   */
  seed(commit: string | undefined): Promise<IndexVerdict>;
  /** Moves it to another tree, refreshing the stat data of `changed` paths only. */
  moveTo(tree: string, changed: readonly RawPath[]): Promise<void>;
  /** Notes that HEAD is now `commit` and the person's index was just replaced by a copy of this one (or not). */
  settle(commit: string): Promise<void>;
  /** Forgets what was cached; the next seed starts afresh. */
  forget(): void;
}

/** Identity of a file: changes whenever git has written it. '' when it does not exist. */
async function identityOf(file: string): Promise<string> {
  const info = await stat(file, { bigint: true }).catch(() => undefined);
  return info === undefined ? '' : `${info.ino}:${info.size}:${info.mtimeNs}`;
}

async function compareUserIndex(repo: Repo, commit: string | undefined): Promise<IndexVerdict> {
  if (commit === undefined) {
    const { stdout } = await git(repo, ['ls-files', '-z', '--cached']);
    return stdout.length === 0 ? 'clean' : 'staged';
  }
  const result = await git(repo, ['diff-index', '--cached', '--quiet', '--ignore-submodules=none', commit], { expect: [0, 1] });
  return result.exitCode === 0 ? 'clean' : 'staged';
}

/** Beyond this many paths, one refresh of everything is cheaper than matching each. */
const refreshEachUpTo = 200;

export function openPrivateIndex(repo: Repo): PrivateIndex {
  const file = `${repo.ownDir}/index`;
  const userFile = `${repo.gitDir}/index`;
  let known: { commit: string | undefined; user: string; own: string; verdict: IndexVerdict } | undefined;

  const remember = async (commit: string | undefined, verdict: IndexVerdict): Promise<void> => {
    known = { commit, user: await identityOf(userFile), own: await identityOf(file), verdict };
  };

  return {
    file,
    async seed(commit) {
      const user = await identityOf(userFile);
      if (known !== undefined && known.commit === commit && known.user === user && (await identityOf(file)) === known.own) return known.verdict;
      const verdict: IndexVerdict = user === '' && commit !== undefined ? 'clean' : await compareUserIndex(repo, commit);
      if (user === '') await rm(file, { force: true });
      else {
        await copyFile(userFile, `${file}.new`, constants.COPYFILE_FICLONE);
        await rename(`${file}.new`, file);
      }
      if (commit === undefined) await git(repo, ['read-tree', '--empty'], { indexFile: file });
      else if (verdict === 'staged' || user === '') await git(repo, ['read-tree', '--reset', commit], { indexFile: file });
      await remember(commit, verdict);
      return verdict;
    },
    async moveTo(tree, changed) {
      await git(repo, ['read-tree', '-m', tree], { indexFile: file });
      if (changed.length === 0) return;
      if (changed.length > refreshEachUpTo || !changed.every(isUtf8)) {
        await git(repo, ['update-index', '-q', '--refresh'], { indexFile: file, expect: [0, 1] });
        return;
      }
      await git(repo, ['add', '--refresh', '--ignore-errors', '--pathspec-from-file=-', '--pathspec-file-nul'], {
        indexFile: file,
        input: joinNul(changed),
        env: { GIT_LITERAL_PATHSPECS: '1' },
        expect: [0, 1, 128],
      });
    },
    async settle(commit) {
      await remember(commit, 'clean');
    },
    forget() {
      known = undefined;
    },
  };
}

/** The person's `index.lock`, held by us: their git waits or says so, and cannot commit under our feet. */
export interface IndexLock {
  /** Puts a copy of `indexFile` in place of the person's index and lets go of the lock. */
  replaceWith(indexFile: string): Promise<void>;
  /** Lets go without a change. */
  release(): Promise<void>;
}

/** Takes `index.lock`, or says that somebody holds it. */
export async function lockIndex(repo: Repo): Promise<IndexLock | 'held'> {
  const lockFile = `${repo.gitDir}/index.lock`;
  try {
    const handle = await open(lockFile, 'wx', 0o666);
    await handle.close();
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return 'held';
    throw error;
  }
  return {
    async replaceWith(indexFile) {
      await copyFile(indexFile, lockFile, constants.COPYFILE_FICLONE);
      await rename(lockFile, `${repo.gitDir}/index`);
    },
    async release() {
      await unlink(lockFile).catch(() => undefined);
    },
  };
}
