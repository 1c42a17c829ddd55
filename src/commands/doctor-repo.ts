/** What `gitsync doctor` looks at in one repository. */
import { statfsSync, statSync } from 'node:fs';
import { openSession } from '../agent/repo-session.ts';
import type { RepoConfig } from '../config/config.ts';
import { formatByteSize } from '../core/byte-size.ts';
import { formatDuration } from '../core/duration.ts';
import { parseRemoteUrl } from '../core/remote-url.ts';
import { shellQuote } from '../core/shell-quote.ts';
import { toGitsyncError } from '../errors.ts';
import type { Log } from '../log.ts';
import { hasOpenUpdate } from '../git/apply.ts';
import { git, gitText, type Repo } from '../git/git.ts';
import { findLocalPrograms } from '../git/local-programs.ts';
import { listRemotes } from '../git/remotes.ts';
import { openRepo } from '../git/repository.ts';
import { canReadIndex, findObjectTrouble, repairObjects } from '../git/repair.ts';
import { remoteGitOptions } from '../git/ssh-command.ts';
import { findSshAgent } from '../process/env.ts';

export interface Finding {
  /** `note`: worth knowing, and nothing is wrong. */
  level: 'ok' | 'note' | 'fail';
  what: string;
  hint?: string;
}

const lowSpaceBytes = 200 * 1024 * 1024;

function failed(error: unknown, prefix = ''): Finding {
  const { message, hint, cause } = toGitsyncError(error);
  const detail = cause instanceof Error ? ` (${cause.message})` : '';
  return { level: 'fail', what: `${prefix}${message}${detail}`, ...(hint === undefined ? {} : { hint }) };
}

/** Examines a repository, and with `fix` mends it first. */
export async function examine(config: RepoConfig, log: Log, fix: boolean): Promise<Finding[]> {
  try {
    const repo = await openRepo(config.path, { log, hooks: config.hooks });
    const objects = await checkObjects(repo, fix);
    // In this order: without its objects a repository cannot be opened, and opening it mends the rest.
    const state = fix ? [await mend(config, log)] : await checkState(repo);
    return [...state, objects, ...(await checkRemotes(repo)), ...(await checkSurroundings(repo)), ...(await checkPrograms(repo))];
  } catch (error) {
    return [failed(error)];
  }
}

/** What opening a repository would mend. */
async function checkState(repo: Repo): Promise<Finding[]> {
  const findings: Finding[] = [];
  const hint = `gitsync doctor --fix ${shellQuote(repo.workTree)}`;
  if (!(await canReadIndex(repo))) findings.push({ level: 'fail', what: 'the index is damaged', hint });
  const lock = statSync(`${repo.gitDir}/index.lock`, { throwIfNoEntry: false });
  if (lock !== undefined) findings.push({ level: 'fail', what: `index.lock has been there for ${formatDuration(Date.now() - lock.mtimeMs)}: another git command is at work, or was killed`, hint: `${hint}   (removes one that nobody holds, after 10 minutes)` });
  if (await hasOpenUpdate(repo)) findings.push({ level: 'note', what: 'an update of the work tree is under way, or was interrupted', hint });
  return findings.length > 0 ? findings : [{ level: 'ok', what: 'index and locks are in order' }];
}

/** A clone never brings such settings; a `.git` that somebody else made may. */
async function checkPrograms(repo: Repo): Promise<Finding[]> {
  return (await findLocalPrograms(repo)).map(({ key, value }) => ({ level: 'note', what: `its own config lets git start a program, or take another transport: ${key} = ${value}` }));
}

/** Opening a repository finishes an interrupted update, clears stale locks and builds a damaged index anew. */
async function mend(config: RepoConfig, log: Log): Promise<Finding> {
  try {
    const session = await openSession(config, log);
    await session.close();
    const [left] = (await checkState(session.repo)).filter(({ level }) => level === 'fail');
    return left ?? { level: 'ok', what: 'interrupted work is finished, index and locks are in order' };
  } catch (error) {
    if (toGitsyncError(error).kind === 'locked') return { level: 'ok', what: 'in the hands of the agent, which looks after index and locks itself' };
    return failed(error);
  }
}

async function checkObjects(repo: Repo, fix: boolean): Promise<Finding> {
  const trouble = await findObjectTrouble(repo);
  if (trouble === undefined) return { level: 'ok', what: 'every object that history needs is there' };
  if (!fix) return { level: 'fail', what: `objects are missing or damaged: ${trouble}`, hint: `gitsync doctor --fix ${shellQuote(repo.workTree)}` };
  if (await repairObjects(repo)) return { level: 'ok', what: 'missing objects were brought back from the work tree and the remotes' };
  return { level: 'fail', what: `objects are missing, and no remote has them: ${trouble}`, hint: 'copy .git/objects from another machine that has this repository; your files are untouched' };
}

async function checkRemotes(repo: Repo): Promise<Finding[]> {
  const remotes = await listRemotes(repo);
  if (remotes.length === 0) return [{ level: 'note', what: 'no remote: everything is on this machine only', hint: `gitsync init ${shellQuote(repo.workTree)} --remote URL` }];
  const options = { ...(await remoteGitOptions(repo)), idleTimeoutMs: 30_000 };
  return Promise.all(
    remotes.map(({ name }) =>
      git(repo, ['ls-remote', '--heads', name], options, `ls-remote ${name}`).then(
        (): Finding => ({ level: 'ok', what: `${name} answers` }),
        (error: unknown) => failed(error, `${name}: `),
      ),
    ),
  );
}

async function checkSurroundings(repo: Repo): Promise<Finding[]> {
  const findings: Finding[] = [];
  const { bavail, bsize } = statfsSync(repo.workTree);
  const free = `${formatByteSize(bavail * bsize)} free`;
  findings.push(bavail * bsize > lowSpaceBytes ? { level: 'ok', what: free } : { level: 'fail', what: `only ${free}`, hint: 'free some space' });
  const usesSsh = (await listRemotes(repo)).some(({ url }) => parseRemoteUrl(url).kind === 'ssh');
  if (usesSsh && findSshAgent() === undefined) findings.push({ level: 'note', what: 'no ssh agent is running', hint: 'ssh-add, or a key without a passphrase for this server' });
  if ((await usesLfs(repo)) && (await git(repo, ['lfs', 'version'], { expect: [0, 1, 127] })).exitCode !== 0) {
    findings.push({ level: 'fail', what: 'files use git-lfs, which is not installed', hint: 'install git-lfs, then: git lfs install' });
  }
  const email = await gitText(repo, ['config', 'user.email'], { expect: [0, 1] });
  if (email === '') findings.push({ level: 'note', what: 'no user.email is configured: commits are signed off as user@host', hint: 'git config --global user.email YOU@EXAMPLE.ORG' });
  return findings;
}

async function usesLfs(repo: Repo): Promise<boolean> {
  return (await git(repo, ['grep', '--quiet', 'filter=lfs', '--', ':(glob)**/.gitattributes'], { expect: [0, 1, 128] })).exitCode === 0;
}
