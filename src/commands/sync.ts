/** `gitsync sync` and `gitsync --once`: sync now, and say how it went. */
import type { AgentStatus } from '../agent/agent.ts';
import { syncOnce } from '../agent/once.ts';
import { changeOwnState } from '../agent/own-state.ts';
import type { RepoStatus } from '../agent/repo-status.ts';
import { isUsable, type RepoConfig } from '../config/config.ts';
import { formatProblem } from '../config/config-problem.ts';
import { GitsyncError } from '../errors.ts';
import { openRepo } from '../git/repository.ts';
import { ask, readConfig, watchedPaths, type Context } from './context.ts';
import { exitCodeOfStatus, paintStatus, statusLines } from './status-lines.ts';
import { findRepos } from './target.ts';

/** For a person: ends a pause, and what it says is printed. */
export async function runSync(context: Context, paths: readonly string[]): Promise<number> {
  const status = await syncNow(context, paths, true);
  context.answer(statusLines(status), status, paintStatus(status));
  return exitCodeOfStatus(status);
}

/** For cron, which mails what is printed: silent unless something is not safe or not listed right. */
export async function runOnce(context: Context, paths: readonly string[]): Promise<number> {
  const status = await syncNow(context, paths, false);
  const code = exitCodeOfStatus(status);
  const { verbose, json } = context.options;
  if (code > 1 || status.problems.length > 0 || verbose || json) context.answer(statusLines(status), status, paintStatus(status));
  return code;
}

async function syncNow(context: Context, paths: readonly string[], byHand: boolean): Promise<AgentStatus> {
  const watched = await watchedPaths(context);
  const fromAgent = watched !== undefined && paths.length === 0 ? await ask<AgentStatus>(context, 'sync', { byHand }) : undefined;
  if (fromAgent !== undefined) return fromAgent;
  const { repos, problems } = await findRepos(context, paths);
  await refuseUnclear(context, repos);
  const theirs = repos.filter(({ path }) => watched?.has(path)).map(({ path }) => path);
  const ours = repos.filter(({ path }) => !watched?.has(path));
  const [answer, here] = await Promise.all([theirs.length === 0 ? undefined : ask<AgentStatus>(context, 'sync', { paths: theirs, byHand }), syncHere(context, ours, byHand)]);
  return { config: context.configFile, problems, repos: [...(answer?.repos ?? []), ...here] };
}

/** A mistake for all repositories must not be replaced by a default in silence. */
async function refuseUnclear(context: Context, repos: readonly RepoConfig[]): Promise<void> {
  const config = await readConfig(context);
  const [first] = config.problems.filter(({ scope }) => scope === undefined);
  if (first !== undefined && !isUsable(config)) throw new GitsyncError('config', formatProblem(first), { hint: 'gitsync config --check' });
  if (repos.length > 0 || config.problems.length > 0) return;
  throw new GitsyncError('config', `${context.configFile} lists no work directory.`, { hint: 'gitsync init PATH, or for one that is not listed: gitsync --once PATH' });
}

async function syncHere(context: Context, repos: readonly RepoConfig[], byHand: boolean): Promise<RepoStatus[]> {
  // What is wrong with a repository that cannot be opened is in its status.
  const endPause = ({ path }: RepoConfig): Promise<unknown> => openRepo(path).then((repo) => changeOwnState(repo, () => ({ pausedUntilMs: 0 }))).catch(() => undefined);
  if (byHand) await Promise.all(repos.map(endPause));
  return syncOnce(repos, context.log, { byHand });
}
