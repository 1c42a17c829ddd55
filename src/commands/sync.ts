/** `gitsync sync` and `gitsync --once`: sync now, and say how it went. */
import type { AgentStatus } from '../agent/agent.ts';
import { syncOnce } from '../agent/once.ts';
import { GitsyncError } from '../errors.ts';
import { ask, findTarget, readConfig, type Context } from './context.ts';
import { exitCodeOfStatus, formatStatus } from './status.ts';

/** For a person: by the agent where it runs, and what it says is printed. */
export async function runSync(context: Context, paths: readonly string[]): Promise<number> {
  const targets = await Promise.all(paths.map(async (path) => (await findTarget(context, path)).repo));
  const fromAgent = await ask<AgentStatus>(context, 'status');
  const watched = new Set(fromAgent?.repos.map(({ path }) => path));
  if (fromAgent !== undefined && targets.every(({ path }) => watched.has(path))) {
    const status = (await ask<AgentStatus>(context, 'sync', { paths: targets.map(({ path }) => path) })) ?? fromAgent;
    context.answer(formatStatus(status), status);
    return exitCodeOfStatus(status);
  }
  return syncHere(context, paths, true);
}

/** For cron: silent when all is well; repositories that an agent has in hand are left to it. */
export async function runOnce(context: Context, paths: readonly string[]): Promise<number> {
  return syncHere(context, paths, context.options.verbose === true || context.options.json === true);
}

async function syncHere(context: Context, paths: readonly string[], always: boolean): Promise<number> {
  const config = await readConfig(context);
  const repos = paths.length > 0 ? await Promise.all(paths.map(async (path) => (await findTarget(context, path)).repo)) : config.repos;
  if (repos.length === 0 && config.problems.length === 0) {
    throw new GitsyncError('config', `${context.configFile} lists no work directory.`, { hint: 'gitsync init PATH, or gitsync --once PATH' });
  }
  const status: AgentStatus = { config: context.configFile, problems: config.problems, repos: await syncOnce(repos, context.log) };
  const code = exitCodeOfStatus(status);
  if (always || code > 1) context.answer(formatStatus(status), status);
  // Cron tells a person of every output; what only wants attention is not worth a mail each time.
  return code;
}
