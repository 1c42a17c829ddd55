/** Repairs that lose nothing: what is set aside can be looked at afterwards. */
import { rename, rm } from 'node:fs/promises';
import { GitsyncError } from '../errors.ts';
import { git, gitText, type Repo } from './git.ts';
import { listRefs, resolveCommit } from './refs.ts';
import { remoteGitOptions } from './ssh-command.ts';
import { withTemporaryIndex } from './tree.ts';

const indexQuestion = ['ls-files', '--cached', '-z', '--', ':(top)gitsync-no-such-path'];

/** Whether git can read the person's index. */
export async function canReadIndex(repo: Repo): Promise<boolean> {
  return (await git(repo, indexQuestion, { expect: [0, 128] })).exitCode === 0;
}

/** Builds the person's index anew from HEAD where git cannot read it; the damaged one is kept in our folder. */
export async function repairIndex(repo: Repo): Promise<boolean> {
  const result = await git(repo, indexQuestion, { expect: [0, 128] });
  if (result.exitCode === 0) return false;
  if (!/index|bad signature|unknown.*extension/i.test(result.stderr)) throw new GitsyncError('corrupt', `git cannot read ${repo.workTree}: ${result.stderr.trim()}`);
  await rename(`${repo.gitDir}/index`, `${repo.ownDir}/index.damaged`).catch(() => undefined);
  await rm(`${repo.ownDir}/index`, { force: true });
  const head = await resolveCommit(repo, 'HEAD');
  await git(repo, head === undefined ? ['read-tree', '--empty'] : ['read-tree', '--reset', head]);
  return true;
}

/** Brings back what is missing, from the work tree and from the remotes that have it; whether everything is there afterwards. */
export async function repairObjects(repo: Repo): Promise<boolean> {
  await hashWorkTree(repo);
  if ((await findObjectTrouble(repo)) === undefined) return true;
  const remotes = (await gitText(repo, ['remote'])).split('\n').filter((name) => name !== '');
  for (const remote of remotes) {
    // --refetch (2.36) asks for everything again, as if nothing were here.
    await git(repo, ['fetch', '--refetch', '--no-tags', '--no-write-fetch-head', remote], { ...(await remoteGitOptions(repo)), expect: [0, 1, 128], idleTimeoutMs: 600_000 });
  }
  return (await findObjectTrouble(repo)) === undefined;
}

/** Writes the objects of all tracked files as they are now; those that are there already cost only the reading. */
async function hashWorkTree(repo: Repo): Promise<void> {
  const { stdout, exitCode } = await git(repo, ['ls-files', '-z', '--cached'], { expect: [0, 128] });
  if (exitCode !== 0) return; // without an index it is not known which files these are
  await withTemporaryIndex(repo, (indexFile) => git(repo, ['update-index', '-z', '--add', '--remove', '--stdin'], { indexFile, input: stdout, expect: [0, 128] }));
}

/** The first object that history needs and that is missing or damaged, in git's words. */
export async function findObjectTrouble(repo: Repo): Promise<string | undefined> {
  // Damage to the index must not be taken for damage to objects: it is looked at only where no heads are named (git-fsck(1)).
  const heads = (await canReadIndex(repo)) ? undefined : await tipsOf(repo);
  if (heads?.length === 0) return undefined;
  const options = { expect: [0, 1, 2, 3, 4, 5, 6, 7, 8, 128], idleTimeoutMs: 600_000 };
  const { exitCode, stderr, stdout } = await git(repo, ['fsck', '--connectivity-only', '--no-dangling', '--no-progress', ...(heads ?? [])], options);
  return exitCode === 0 ? undefined : stderr.split('\n')[0] || stdout.toString().split('\n')[0] || `git fsck ended with ${exitCode}`;
}

/** The objects that the refs and HEAD name. */
async function tipsOf(repo: Repo): Promise<string[]> {
  const head = await resolveCommit(repo, 'HEAD');
  const tips = (await listRefs(repo, 'refs/')).map(({ oid }) => oid);
  return [...new Set(head === undefined ? tips : [head, ...tips])];
}
