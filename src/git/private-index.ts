/**
 * The private index (`.git/gitsync/index`): what we believe the work tree
 * holds, with git's stat cache. A person's own index is only ever replaced by
 * a copy of it, under `index.lock`, and only where it equalled HEAD.
 */
import { rename, rm } from 'node:fs/promises';
import { git, type Repo } from './git.ts';
import { createFollowUp } from './follow-up.ts';
import { copyIndex, identityOf, type IndexLock } from './index-lock.ts';
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
   * @param ref the branch that is checked out, where it matters (see `follow`).
   */
  seed(commit: string | undefined, ref?: string): Promise<IndexVerdict>;
  /** Moves it to another tree, refreshing the stat data of `changed` paths only. */
  moveTo(tree: string, changed: readonly RawPath[]): Promise<void>;
  /** Makes the person's index a copy of this one, which stands at HEAD's `commit` now, and lets go of the lock. */
  settle(commit: string, lock: IndexLock): Promise<void>;
  /** Settles after `bringUp` has brought this one to `commit`. What fails is tried again; the lock is held, and `seed` waits, until it is done. */
  follow(commit: string, lock: IndexLock, from: CommittedOn, bringUp: () => Promise<void>): Promise<void>;
  /** Resolves when the indexes stand where the branch does. @throws what the last try to bring them there failed with. */
  ready(): Promise<void>;
  /** Whether nobody has written the person's index since the last seed or settle. */
  userUnchanged(): Promise<boolean>;
  /** Forgets what was cached; the next seed starts afresh. */
  forget(): void;
  /** Waits for what is under way; what cannot be done is left, with the lock, to whoever opens the repository next. */
  close(): Promise<void>;
}

/** The branch that a commit was made on, and where it was before. */
export interface CommittedOn {
  ref: string | undefined;
  commit: string | undefined;
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
  const following = createFollowUp((error) => repo.log.warn('The index cannot follow the branch yet; it is tried again', { error: String(error) }));
  let behind: IndexLock | undefined;
  let last: (CommittedOn & { user: string }) | undefined;
  let known: { commit: string | undefined; user: string; own: string; verdict: IndexVerdict } | undefined;

  const settle = async (commit: string, lock: IndexLock): Promise<void> => {
    known = { commit, user: await lock.replaceWith(file), own: await identityOf(file), verdict: 'clean' };
  };

  return {
    file,
    get generation() {
      return generation;
    },
    async seed(commit, ref) {
      await following.finish();
      const user = await identityOf(userFile);
      if (known !== undefined && known.commit === commit && known.user === user && (await identityOf(file)) === known.own) return known.verdict;
      // `git switch -c` asks for no lock: who begins it before our commit and ends it after has the new branch where the old
      // one was before, with our index. Nobody has staged that.
      const isOvertaken = last !== undefined && commit !== undefined && ref !== undefined && last.user === user && last.commit === commit && last.ref !== ref;
      const compared: IndexVerdict = user === '' && commit !== undefined ? 'clean' : await compareUserIndex(repo, commit);
      const verdict = isOvertaken ? 'clean' : compared;
      if (user === '') await rm(file, { force: true });
      else {
        await copyIndex(userFile, `${file}.new`);
        await rename(`${file}.new`, file);
      }
      if (commit === undefined) await git(repo, ['read-tree', '--empty'], { indexFile: file });
      else if (compared === 'staged' || user === '') await git(repo, ['read-tree', '--reset', commit], { indexFile: file });
      generation += 1;
      // What the person's git wrote since we began counts as theirs.
      known = { commit, user, own: await identityOf(file), verdict };
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
    settle,
    follow(commit, lock, from, bringUp) {
      behind = lock;
      return following.begin(async () => {
        // Of a git that was killed; nobody else writes this index.
        await rm(`${file}.lock`, { force: true });
        await bringUp();
        await settle(commit, lock);
        last = { ...from, user: known?.user ?? '' };
      });
    },
    ready: () => following.finish(),
    async userUnchanged() {
      return known !== undefined && known.user === (await identityOf(userFile));
    },
    forget() {
      known = undefined;
    },
    async close() {
      await following.finish().catch(() => behind?.abandon());
      following.stop();
    },
  };
}
