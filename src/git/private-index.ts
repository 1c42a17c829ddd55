/**
 * The private index (`.git/gitsync/index`): what we believe the work tree
 * holds, with git's stat cache. A person's own index is only ever replaced by
 * a copy of it, under `index.lock`, and only where it equalled HEAD.
 */
import { rename, rm, stat } from 'node:fs/promises';
import { git, type Repo } from './git.ts';
import { copyIndex } from './index-lock.ts';
import { isUtf8, joinNul, type RawPath } from '../core/raw-path.ts';

/** `clean`: the person's index equals HEAD. `staged`: they staged something, or left conflicts. */
export type IndexVerdict = 'clean' | 'staged';

export interface PrivateIndex {
  /** Its file name. */
  readonly file: string;
  /** Grows with every fresh seed: what was known about the work tree before then must be looked at again. */
  readonly generation: number;
  /**
   * Makes the private index stand at `commit` (undefined: unborn branch) with
   * as good a stat cache as there is, and says how the person's index stands to it.
   */
  seed(commit: string | undefined): Promise<IndexVerdict>;
  /** Moves it to another tree, refreshing the stat data of `changed` paths only. */
  moveTo(tree: string, changed: readonly RawPath[]): Promise<void>;
  /** Notes that HEAD is now `commit` and the person's index was just replaced by a copy of this one (or not). */
  settle(commit: string): Promise<void>;
  /** Whether nobody has written the person's index since the last seed or settle. */
  userUnchanged(): Promise<boolean>;
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
  let generation = 0;
  let known: { commit: string | undefined; user: string; own: string; verdict: IndexVerdict } | undefined;

  const remember = async (commit: string | undefined, verdict: IndexVerdict): Promise<void> => {
    known = { commit, user: await identityOf(userFile), own: await identityOf(file), verdict };
  };

  return {
    file,
    get generation() {
      return generation;
    },
    async seed(commit) {
      const user = await identityOf(userFile);
      if (known !== undefined && known.commit === commit && known.user === user && (await identityOf(file)) === known.own) return known.verdict;
      const verdict: IndexVerdict = user === '' && commit !== undefined ? 'clean' : await compareUserIndex(repo, commit);
      if (user === '') await rm(file, { force: true });
      else {
        await copyIndex(userFile, `${file}.new`);
        await rename(`${file}.new`, file);
      }
      if (commit === undefined) await git(repo, ['read-tree', '--empty'], { indexFile: file });
      else if (verdict === 'staged' || user === '') await git(repo, ['read-tree', '--reset', commit], { indexFile: file });
      generation += 1;
      await remember(commit, verdict);
      return verdict;
    },
    async moveTo(tree, changed) {
      // -i: what lies in the work tree by now is none of its business.
      await git(repo, ['read-tree', '-i', '-m', tree], { indexFile: file });
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
    async userUnchanged() {
      return known !== undefined && known.user === (await identityOf(userFile));
    },
    forget() {
      known = undefined;
    },
  };
}

export { lockIndex, type IndexLock } from './index-lock.ts';
