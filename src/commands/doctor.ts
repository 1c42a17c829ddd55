/** `gitsync doctor`: looks for trouble, one line for each check, and mends what can be mended without loss. */
import { existsSync } from 'node:fs';
import { formatProblem } from '../config/config-problem.ts';
import { toGitsyncError } from '../errors.ts';
import { neededGit, readGitVersion } from '../git/git-version.ts';
import { ask, readConfig, type Context } from './context.ts';
import { examine, type Finding } from './doctor-repo.ts';
import { startHint } from './listing.ts';
import { shortPath } from './status-lines.ts';
import { findRepos } from './target.ts';

async function checkGit(): Promise<Finding> {
  try {
    const { text, isNewEnough } = await readGitVersion();
    return isNewEnough ? { level: 'ok', what: text } : { level: 'fail', what: text, hint: `${neededGit} is needed` };
  } catch (error) {
    return { level: 'fail', what: toGitsyncError(error).message, hint: `install ${neededGit}` };
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
