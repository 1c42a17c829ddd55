/** `gitsync doctor`: looks for trouble, one line for each check, and mends what can be mended without loss. */
import { existsSync } from 'node:fs';
import { formatProblem } from '../config/config-problem.ts';
import { toGitsyncError } from '../errors.ts';
import { gitAnywhere } from '../git/git.ts';
import { ask, readConfig, type Context } from './context.ts';
import { examine, type Finding } from './doctor-repo.ts';
import { startHint } from './listing.ts';
import { shortPath } from './status-lines.ts';
import { findRepos } from './target.ts';

/** The oldest git that has `merge-tree --write-tree`. */
const oldestGit = [2, 38] as const;

async function checkGit(): Promise<Finding> {
  try {
    const text = (await gitAnywhere(['version'], '/')).stdout.toString().trim();
    const [major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number);
    const isNewEnough = major > oldestGit[0] || (major === oldestGit[0] && minor >= oldestGit[1]);
    return isNewEnough ? { level: 'ok', what: text } : { level: 'fail', what: text, hint: `git ${oldestGit.join('.')} or newer is needed` };
  } catch (error) {
    return { level: 'fail', what: toGitsyncError(error).message, hint: `install git ${oldestGit.join('.')} or newer` };
  }
}

async function checkConfig(context: Context): Promise<Finding[]> {
  if (context.options.config === undefined && !existsSync(context.configFile)) return [{ level: 'note', what: `no config file ${shortPath(context.configFile)}`, hint: 'gitsync init PATH' }];
  const { problems } = await readConfig(context);
  if (problems.length === 0) return [{ level: 'ok', what: `config ${shortPath(context.configFile)}` }];
  return problems.map((problem) => ({ level: 'fail', what: formatProblem(problem) }));
}

async function checkAgent(context: Context): Promise<Finding> {
  const agent = await ask<{ pid: number }>(context, 'ping');
  return agent === undefined ? { level: 'note', what: 'no agent is running', hint: startHint } : { level: 'ok', what: `an agent is running (process ${agent.pid})` };
}

const labels: Record<Finding['level'], string> = { ok: 'ok', note: 'note', fail: 'FAIL' };

function findingLines({ level, what, hint }: Finding): string[] {
  return [`  ${labels[level].padEnd(4)}  ${what}`, ...(hint === undefined ? [] : [`        -> ${hint}`])];
}

export async function runDoctor(context: Context, paths: readonly string[], fix: boolean): Promise<number> {
  const general = [await checkGit(), ...(await checkConfig(context)), await checkAgent(context)];
  const { repos } = await findRepos(context, paths);
  const results = await Promise.all(repos.map(async (config) => ({ path: config.path, findings: await examine(config, context.log, fix) })));
  const lines = [...general.flatMap(findingLines), ...results.flatMap(({ path, findings }) => [shortPath(path), ...findings.flatMap(findingLines)])];
  context.answer(lines, { general, repos: results });
  return [...general, ...results.flatMap(({ findings }) => findings)].some(({ level }) => level === 'fail') ? 1 : 0;
}
