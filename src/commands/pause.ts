/** `gitsync pause` and `gitsync resume`. */
import { changeOwnState } from '../agent/own-state.ts';
import { parseDuration } from '../core/duration.ts';
import { openRepo } from '../git/repository.ts';
import { formatAge } from '../core/status.ts';
import { GitsyncError } from '../errors.ts';
import { ask, findTarget, readConfig, type Context } from './context.ts';

/** Pauses (Infinity: until resumed; 0: goes on) with the agent, or as a note that the next one reads. */
async function setPause(context: Context, paths: readonly string[], untilMs: number): Promise<string[]> {
  const repos = paths.length > 0 ? await Promise.all(paths.map(async (path) => (await findTarget(context, path)).repo)) : (await readConfig(context)).repos;
  if (repos.length === 0) throw new GitsyncError('config', 'No repository is configured.', { hint: 'gitsync init PATH' });
  const names = repos.map(({ path }) => path);
  const args = { paths: names, ...(Number.isFinite(untilMs) ? { untilMs } : {}) };
  if ((await ask(context, untilMs === 0 ? 'resume' : 'pause', args)) !== undefined) return names;
  for (const path of names) await changeOwnState(await openRepo(path), () => ({ pausedUntilMs: Number.isFinite(untilMs) ? untilMs : null }));
  return names;
}

export async function runPause(context: Context, duration: string | undefined, paths: readonly string[]): Promise<number> {
  const isDuration = duration !== undefined && /^\d/.test(duration);
  const ms = isDuration ? parseDuration(duration) : Infinity;
  if (ms === undefined) throw new GitsyncError('usage', `"${duration}" is no length of time.`, { hint: 'for example 30m, 2h or 1d' });
  const chosen = isDuration || duration === undefined ? paths : [duration, ...paths];
  const names = await setPause(context, chosen, Number.isFinite(ms) ? Date.now() + ms : Infinity);
  context.answer(`Paused ${names.join(', ')} ${Number.isFinite(ms) ? `for ${formatAge(ms)}` : 'until gitsync resume'}.`, { paused: names });
  return 0;
}

export async function runResume(context: Context, paths: readonly string[]): Promise<number> {
  const names = await setPause(context, paths, 0);
  context.answer(`Going on with ${names.join(', ')}.`, { resumed: names });
  return 0;
}
