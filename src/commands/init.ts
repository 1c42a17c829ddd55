/** `gitsync init`: a folder becomes a synced repository, and the end is a proof that it works. */
import { existsSync, mkdirSync, realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { AgentStatus } from '../agent/agent.ts';
import { syncOnce } from '../agent/once.ts';
import { addWorkDir } from '../config/edit-config.ts';
import { shellQuote } from '../core/shell-quote.ts';
import { GitsyncError } from '../errors.ts';
import { commitTree } from '../git/commit.ts';
import { git, gitAnywhere, gitText, type Repo } from '../git/git.ts';
import { listRemotes } from '../git/remotes.ts';
import { resolveCommit, updateRef } from '../git/refs.ts';
import { openRepo, readHead } from '../git/repository.ts';
import { remoteGitOptions } from '../git/ssh-command.ts';
import { emptyTree } from '../git/tree.ts';
import { ask, readConfig, type Context } from './context.ts';
import { prepareRemote } from './init-remote.ts';
import { prove } from './proof.ts';
import { exitCodeOfStatus, shortPath, statusLines } from './status-lines.ts';
import { findTarget, realPath, refuseUnusable } from './target.ts';

export async function runInit(context: Context, pathText: string, url: string | undefined): Promise<number> {
  const path = realPath(pathText);
  refuseUnusable(await readConfig(context), path);
  const isNew = await refuseUnsuitable(path);
  const remote = url === undefined ? undefined : await prepareRemote(path, url);
  const repo = isNew ? await makeRepository(context, path) : await openRepo(path);
  await refuseDetached(repo);
  if (remote !== undefined) await remote.addTo(repo, context.say);
  await makeFirstCommit(repo);
  const added = await addWorkDir(context.configFile, repo.workTree);
  context.say(`${added ? 'Listed' : 'Listed already'} in ${shortPath(context.configFile)}`);
  return finish(context, repo);
}

/** Syncs, proves and says what comes next. */
async function finish(context: Context, repo: Repo): Promise<number> {
  const { repo: config } = await findTarget(context, repo.workTree);
  const agent = (await ask(context, 'reload')) !== undefined;
  const answer = agent ? await ask<AgentStatus>(context, 'sync', { paths: [config.path], byHand: true }) : undefined;
  const status = answer ?? { config: context.configFile, problems: [], repos: await syncOnce([config], context.log) };
  const proof = await prove(repo, config);
  context.say(proof.text);
  if (status.repos.some(({ state }) => state !== 'safe' && state !== 'local only')) context.say(...statusLines(status));
  context.say(agent ? 'The agent watches it: gitsync status' : 'Next: gitsync --daemon   (watches it), then gitsync status');
  if (context.options.json) context.answer([], { path: repo.workTree, proven: proof.proven, agent, status });
  return proof.proven ? 0 : Math.max(1, exitCodeOfStatus(status));
}

/**
 * Whether a repository has to be made at the path.
 * @throws GitsyncError where none can be, before anything was changed
 */
async function refuseUnsuitable(path: string): Promise<boolean> {
  if (path.includes('\n')) throw new GitsyncError('usage', `${shortPath(path)} has a line break in its name.`, { hint: 'name it otherwise' });
  let above = path;
  while (!existsSync(above)) above = dirname(above);
  if (!statSync(above).isDirectory()) throw new GitsyncError('usage', `${shortPath(above)} is a file.`, { hint: `name the folder that it is in: gitsync init ${shellQuote(dirname(above))}` });
  const result = await gitAnywhere(['rev-parse', '--is-inside-work-tree', '--is-bare-repository'], above, { expect: [0, 128] });
  if (result.exitCode !== 0) return true; // openRepo finds out what is wrong with a `.git` that is there
  const [insideWorkTree, bare] = result.stdout.toString().split('\n');
  if (insideWorkTree === 'true') {
    const top = (await gitAnywhere(['rev-parse', '--show-toplevel'], above)).stdout.toString().replace(/\n$/, '');
    if (top === path) return false;
    throw new GitsyncError('usage', `${shortPath(path)} lies inside the work tree ${shortPath(top)}, and is synced with it.`, { hint: `gitsync init ${shellQuote(top)}` });
  }
  if (bare === 'true') throw new GitsyncError('usage', `${shortPath(above)} is a bare repository: it has no files to watch.`, { hint: `gitsync init FOLDER --remote ${shellQuote(above)}` });
  throw new GitsyncError('usage', `${shortPath(above)} is a part of git's own folder.`, { hint: 'gitsync init FOLDER, with the folder that your files are in' });
}

async function makeRepository(context: Context, path: string): Promise<Repo> {
  const isThere = existsSync(`${path}/.git`);
  mkdirSync(path, { recursive: true });
  if (!isThere) {
    // Whatever git's default is (init.defaultRefFormat): refs that can be watched.
    await gitAnywhere(['init', '--quiet'], path, { env: { GIT_DEFAULT_REF_FORMAT: 'files' } });
    context.say(`Made a repository in ${shortPath(path)}`);
  }
  return openRepo(realpathSync(path));
}

async function refuseDetached(repo: Repo): Promise<void> {
  const { ref, operation } = await readHead(repo);
  if (ref !== undefined) return;
  const git = `git -C ${shellQuote(repo.workTree)}`;
  throw new GitsyncError('halted', 'HEAD is detached: there is no branch to sync.', { hint: operation === undefined ? `${git} switch BRANCH` : `${git} status` });
}

/** An empty folder gets an empty first commit where the remote has none, so that there is something to publish. */
async function makeFirstCommit(repo: Repo): Promise<void> {
  if ((await resolveCommit(repo, 'HEAD')) !== undefined) return;
  const staged = await git(repo, ['ls-files', '-z', '--cached']);
  if (staged.stdout.length > 0) {
    throw new GitsyncError('halted', 'You have staged files, and no commit yet.', { hint: `git -C ${shellQuote(repo.workTree)} commit -m "First commit", then gitsync init again` });
  }
  if ((await followRemote(repo)) !== 'empty') return;
  const { stdout } = await git(repo, ['status', '--porcelain', '-z']);
  if (stdout.length > 0) return; // the first capture commits it
  const commit = await commitTree(repo, { tree: await emptyTree(repo), parents: [], message: 'First commit\n' });
  await updateRef(repo, await gitText(repo, ['symbolic-ref', 'HEAD']), commit, null, 'first commit');
}

/** An unborn branch takes the name of the remote's own, so that the two meet; says what is there (`empty` also without a remote). */
async function followRemote(repo: Repo): Promise<'empty' | 'has-commits' | 'unknown'> {
  const [remote] = await listRemotes(repo);
  if (remote === undefined) return 'empty';
  const { stdout, exitCode } = await git(repo, ['ls-remote', '--symref', remote.name, 'HEAD', 'refs/heads/*'], { ...(await remoteGitOptions(repo)), expect: [0, 128], idleTimeoutMs: 30_000 });
  if (exitCode !== 0) return 'unknown';
  const ref = /^ref: (refs\/heads\/\S+)\tHEAD$/m.exec(stdout.toString())?.[1];
  if (ref !== undefined) await git(repo, ['symbolic-ref', 'HEAD', ref]);
  return stdout.length > 0 ? 'has-commits' : 'empty';
}
