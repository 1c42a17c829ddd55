/** `gitsync doctor`: looks for trouble, one line for each check, and mends what can be mended without loss. */
import { existsSync, statfsSync } from 'node:fs';
import { askAgent } from '../agent/control.ts';
import { agentPaths } from '../agent/runtime-dir.ts';
import { openSession } from '../agent/repo-session.ts';
import { formatProblem } from '../config/config-problem.ts';
import type { RepoConfig } from '../config/config.ts';
import { formatByteSize } from '../core/byte-size.ts';
import { errnoOf, toGitsyncError } from '../errors.ts';
import { printable, silentLog } from '../log.ts';
import { git, gitAnywhere, gitText, type Repo } from '../git/git.ts';
import { listRemotes } from '../git/remotes.ts';
import { openRepo } from '../git/repository.ts';
import { repairObjects } from '../git/repair.ts';
import { findSshAgent } from '../process/env.ts';
import { findTarget, readConfig, type Context } from './context.ts';
import { shortPath } from './status.ts';

interface Finding {
  ok: boolean;
  what: string;
  hint?: string;
}

/** The oldest git that has `merge-tree --write-tree`. */
const oldestGit = [2, 38] as const;
const lowSpaceBytes = 200 * 1024 * 1024;

async function checkGit(): Promise<Finding> {
  try {
    const text = (await gitAnywhere(['version'], '/')).stdout.toString().trim();
    const [major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number);
    const ok = major > oldestGit[0] || (major === oldestGit[0] && minor >= oldestGit[1]);
    return { ok, what: text, ...(ok ? {} : { hint: `git ${oldestGit.join('.')} or newer is needed` }) };
  } catch (error) {
    return { ok: false, what: errnoOf((error as Error).cause) === 'ENOENT' ? 'git is not installed' : `git does not run: ${toGitsyncError(error).message}`, hint: 'install git 2.38 or newer' };
  }
}

async function checkAgent(context: Context): Promise<Finding> {
  const answer = await askAgent(agentPaths(context.configFile).socket, { op: 'ping', args: {} });
  return answer === undefined ? { ok: false, what: 'no agent is running', hint: 'gitsync --daemon   (or gitsync --once from cron)' } : { ok: true, what: 'an agent is running' };
}

async function checkConfig(context: Context): Promise<Finding[]> {
  if (!existsSync(context.configFile)) return [{ ok: false, what: `no config file ${context.configFile}`, hint: 'gitsync init PATH' }];
  const { problems } = await readConfig(context);
  if (problems.length === 0) return [{ ok: true, what: `config ${shortPath(context.configFile)}` }];
  return problems.map((problem) => ({ ok: false, what: formatProblem(problem) }));
}

/** Opening a repository finishes an interrupted update, clears stale locks and rebuilds a damaged index. */
async function mend(config: RepoConfig, context: Context): Promise<Finding> {
  try {
    const session = await openSession(config, context.log);
    await session.close();
    return { ok: true, what: 'interrupted work finished, locks and index in order' };
  } catch (error) {
    const { kind, message, hint } = toGitsyncError(error);
    if (kind === 'locked') return { ok: true, what: 'in the hands of the agent, which looks after locks and index itself' };
    return { ok: false, what: message, ...(hint === undefined ? {} : { hint }) };
  }
}

async function checkObjects(repo: Repo, fix: boolean): Promise<Finding> {
  const result = await git(repo, ['fsck', '--connectivity-only', '--no-dangling', '--no-progress'], { expect: [0, 1, 2, 3, 4, 5, 6, 7, 8, 128], idleTimeoutMs: 600_000 });
  if (result.exitCode === 0) return { ok: true, what: 'every object that history needs is there' };
  const first = result.stderr.split('\n')[0] || result.stdout.toString().split('\n')[0] || '';
  if (!fix) return { ok: false, what: `objects are missing or damaged: ${first}`, hint: `gitsync doctor --fix ${repo.workTree}` };
  const mended = await repairObjects(repo);
  return mended ? { ok: true, what: 'missing objects were fetched from the remotes' } : { ok: false, what: `objects are missing and no remote has them: ${first}`, hint: 'copy .git/objects from another machine that has this repository; the work tree is untouched' };
}

async function checkRemotes(repo: Repo): Promise<Finding[]> {
  const remotes = await listRemotes(repo);
  if (remotes.length === 0) return [{ ok: false, what: 'no remote: everything is on this machine only', hint: `git -C ${repo.workTree} remote add origin URL` }];
  return Promise.all(
    remotes.map(async ({ name }): Promise<Finding> => {
      try {
        await git(repo, ['ls-remote', '--heads', name], { idleTimeoutMs: 30_000 }, `ls-remote ${name}`);
        return { ok: true, what: `${name} answers` };
      } catch (error) {
        const { message, hint, cause } = toGitsyncError(error);
        return { ok: false, what: `${name}: ${message}${cause instanceof Error ? ` (${cause.message})` : ''}`, ...(hint === undefined ? {} : { hint }) };
      }
    }),
  );
}

async function checkSurroundings(repo: Repo): Promise<Finding[]> {
  const findings: Finding[] = [];
  const space = statfsSync(repo.workTree);
  const freeBytes = space.bavail * space.bsize;
  findings.push({ ok: freeBytes > lowSpaceBytes, what: `${formatByteSize(freeBytes)} free`, ...(freeBytes > lowSpaceBytes ? {} : { hint: 'free some space' }) });
  const urls = (await listRemotes(repo)).map(({ url }) => url);
  if (urls.some((url) => /^ssh:|^[^/:]+@[^/:]+:/.test(url)) && findSshAgent() === undefined) findings.push({ ok: false, what: 'no ssh agent', hint: 'ssh-add, or a key without passphrase for this host' });
  const lfs = await git(repo, ['grep', '--quiet', 'filter=lfs', '--', ':(glob)**/.gitattributes'], { expect: [0, 1, 128] });
  if (lfs.exitCode === 0 && (await git(repo, ['lfs', 'version'], { expect: [0, 1, 127] })).exitCode !== 0) findings.push({ ok: false, what: 'files use git-lfs, which is not installed', hint: 'install git-lfs, then: git lfs install' });
  const email = await gitText(repo, ['config', 'user.email'], { expect: [0, 1] });
  if (email === '') findings.push({ ok: true, what: 'no user.email is configured: commits are signed off as user@host' });
  return findings;
}

async function examine(config: RepoConfig, context: Context, fix: boolean): Promise<Finding[]> {
  const first = fix ? [await mend(config, context)] : [];
  try {
    const repo = await openRepo(config.path, { log: silentLog });
    return [...first, await checkObjects(repo, fix), ...(await checkRemotes(repo)), ...(await checkSurroundings(repo))];
  } catch (error) {
    const { message, hint } = toGitsyncError(error);
    return [...first, { ok: false, what: message, ...(hint === undefined ? {} : { hint }) }];
  }
}

function formatFinding({ ok, what, hint }: Finding): string {
  return `  ${ok ? 'ok  ' : 'FAIL'}  ${printable(what)}${hint === undefined ? '' : `\n        -> ${hint}`}`;
}

export async function runDoctor(context: Context, paths: readonly string[], fix: boolean): Promise<number> {
  const repos = paths.length > 0 ? await Promise.all(paths.map(async (path) => (await findTarget(context, path)).repo)) : (await readConfig(context)).repos;
  const general = [await checkGit(), ...(await checkConfig(context)), await checkAgent(context)];
  const results = await Promise.all(repos.map(async (config) => ({ path: config.path, findings: await examine(config, context, fix) })));
  const text = [...general.map(formatFinding), ...results.flatMap(({ path, findings }) => [shortPath(path), ...findings.map(formatFinding)])].join('\n');
  context.answer(text, { general, repos: results });
  return [...general, ...results.flatMap(({ findings }) => findings)].every(({ ok }) => ok) ? 0 : 1;
}
