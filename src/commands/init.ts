/** `gitsync init`: a folder becomes a synced repository, and the end is a proof that it works. */
import { existsSync, mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { AgentStatus } from '../agent/agent.ts';
import { syncOnce, withRepository } from '../agent/once.ts';
import { defaultRepoConfig } from '../config/config.ts';
import { addWorkDir } from '../config/edit-config.ts';
import { GitsyncError } from '../errors.ts';
import { commitTree } from '../git/commit.ts';
import { gitAnywhere, git, gitText, type Repo } from '../git/git.ts';
import { listRemotes } from '../git/remotes.ts';
import { resolveCommit, updateRef } from '../git/refs.ts';
import { openRepo } from '../git/repository.ts';
import { emptyTree } from '../git/tree.ts';
import { ask, readConfig, realPath, type Context } from './context.ts';
import { exitCodeOfStatus, formatStatus, shortPath } from './status.ts';

export async function runInit(context: Context, pathText: string, url: string | undefined): Promise<number> {
  const say = (line: string): void => {
    if (!context.options.json) process.stdout.write(`${line}\n`);
  };
  const path = realPath(pathText);
  const repo = await makeRepository(path, say);
  await setUpstream(repo, url, say);
  await makeFirstCommit(context, repo);
  const known = (await readConfig(context)).repos.some((entry) => realPath(entry.path) === repo.workTree);
  if (!known) await addWorkDir(context.configFile, repo.workTree);
  say(`${known ? 'Is listed' : 'Listed'} in ${shortPath(context.configFile)}`);

  const agent = (await ask(context, 'reload')) !== undefined;
  const status = agent ? await ask<AgentStatus>(context, 'sync', { paths: [repo.workTree] }) : undefined;
  const after = status ?? { config: context.configFile, problems: [], repos: await syncOnce([defaultRepoConfig(repo.workTree)], context.log) };
  const proof = await prove(repo);
  say(proof.text);
  if (!agent) say('Next: gitsync --daemon   (watches it), then gitsync status');
  if (context.options.json) context.answer('', { path: repo.workTree, proven: proof.proven, agent, status: after });
  else if (!proof.proven) say(formatStatus(after));
  return proof.proven ? 0 : Math.max(1, exitCodeOfStatus(after));
}

async function makeRepository(path: string, say: (line: string) => void): Promise<Repo> {
  mkdirSync(path, { recursive: true });
  if (!existsSync(join(path, '.git'))) {
    const inside = await gitAnywhere(['rev-parse', '--show-toplevel'], path, { expect: [0, 128] });
    if (inside.exitCode === 0) {
      const top = inside.stdout.toString().trim();
      throw new GitsyncError('usage', `${path} lies inside the work tree ${top}.`, { hint: `gitsync init ${top}` });
    }
    await gitAnywhere(['init', '--quiet'], path);
    say(`Made a repository in ${shortPath(path)}`);
  }
  return openRepo(path);
}

/** A path on this machine, as opposed to a URL or `host:path`. */
function isLocalPath(url: string): boolean {
  return !/^[a-z][a-z0-9+.-]*:/i.test(url) && !/^[^/]+:/.test(url);
}

async function setUpstream(repo: Repo, url: string | undefined, say: (line: string) => void): Promise<void> {
  if (url === undefined) return;
  const wanted = isLocalPath(url) ? resolve(url) : url;
  const origin = (await listRemotes(repo)).find(({ name }) => name === 'origin');
  if (origin !== undefined && origin.url !== wanted && origin.url !== url) {
    throw new GitsyncError('usage', `The remote origin is ${origin.url} already.`, { hint: `git -C ${repo.workTree} remote set-url origin ${url}   (if that is what you want)` });
  }
  if (isLocalPath(url) && !existsSync(wanted)) {
    await gitAnywhere(['init', '--quiet', '--bare', wanted], repo.workTree);
    say(`Made a bare repository in ${shortPath(wanted)}`);
  }
  if (origin === undefined) await git(repo, ['remote', 'add', 'origin', wanted]);
}

/** Takes over what the remote has, then what lies in the folder; an empty folder gets an empty first commit. */
async function makeFirstCommit(context: Context, repo: Repo): Promise<void> {
  if ((await resolveCommit(repo, 'HEAD')) !== undefined) return;
  await followRemoteHead(repo);
  await withRepository(defaultRepoConfig(repo.workTree), context.log, () => Promise.resolve());
  if ((await resolveCommit(repo, 'HEAD')) !== undefined) return;
  const commit = await commitTree(repo, { tree: await emptyTree(repo), parents: [], message: 'First commit\n' });
  await updateRef(repo, await gitText(repo, ['symbolic-ref', 'HEAD']), commit, null, 'first commit');
}

/** An unborn branch takes the name of the remote's own, so that the two meet. */
async function followRemoteHead(repo: Repo): Promise<void> {
  const [remote] = await listRemotes(repo);
  if (remote === undefined) return;
  const { stdout, exitCode } = await git(repo, ['ls-remote', '--symref', remote.name, 'HEAD'], { expect: [0, 2, 128], idleTimeoutMs: 30_000 });
  const ref = exitCode === 0 ? /^ref: (refs\/heads\/\S+)\tHEAD$/m.exec(stdout.toString())?.[1] : undefined;
  if (ref !== undefined) await git(repo, ['symbolic-ref', 'HEAD', ref]);
}

/** Clones what was published, and compares. */
async function prove(repo: Repo): Promise<{ proven: boolean; text: string }> {
  const head = await gitText(repo, ['rev-parse', 'HEAD']);
  const [remote] = await listRemotes(repo);
  if (remote === undefined) return { proven: true, text: `Proof: commit ${head.slice(0, 10)} holds the folder. There is no remote yet, so it is on this machine only:  git remote add origin URL` };
  const branch = await gitText(repo, ['symbolic-ref', '--short', 'HEAD']);
  const directory = await mkdtemp(join(tmpdir(), 'gitsync-proof-'));
  try {
    const clone = await gitAnywhere(['clone', '--quiet', '--depth=1', '--branch', branch, isLocalPath(remote.url) ? `file://${remote.url}` : remote.url, 'clone'], directory, { expect: [0, 128], timeoutMs: 120_000 });
    if (clone.exitCode !== 0) return { proven: false, text: `Not proven: a fresh clone of ${remote.url} failed: ${clone.stderr.trim().split('\n').at(-1) ?? ''}` };
    const there = (await gitAnywhere(['rev-parse', 'HEAD'], `${directory}/clone`)).stdout.toString().trim();
    const count = (await gitAnywhere(['ls-files', '-z'], `${directory}/clone`)).stdout.toString('latin1').split('\0').length - 1;
    return there === head
      ? { proven: true, text: `Proof: a fresh clone of ${remote.url} has the same commit ${head.slice(0, 10)} with ${count} ${count === 1 ? 'file' : 'files'}.` }
      : { proven: false, text: `Not proven: ${remote.url} is at ${there.slice(0, 10)}, this folder at ${head.slice(0, 10)}.` };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
