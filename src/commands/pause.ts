/** `gitsync pause` and `gitsync resume`. */
import { existsSync } from 'node:fs';
import { changeOwnState } from '../agent/own-state.ts';
import { formatDuration, parseDuration } from '../core/duration.ts';
import { GitsyncError } from '../errors.ts';
import { openRepo } from '../git/repository.ts';
import { ask, watchedPaths, type Context } from './context.ts';
import { shortPath } from './status-lines.ts';
import { findRepos, refuseStranger } from './target.ts';

/** Pauses (Infinity: until resumed; 0: goes on) with the agent, or as a note that the next one reads. */
async function setPause(context: Context, paths: readonly string[], untilMs: number): Promise<string[]> {
  const { repos } = await findRepos(context, paths);
  if (repos.length === 0) throw new GitsyncError('config', 'No repository is configured.', { hint: 'gitsync init PATH' });
  const watched = await watchedPaths(context);
  for (const repo of repos) {
    if (watched?.has(repo.path)) await ask(context, untilMs === 0 ? 'resume' : 'pause', { paths: [repo.path], ...(Number.isFinite(untilMs) ? { untilMs } : {}) });
    else {
      await refuseStranger(repo);
      await changeOwnState(await openRepo(repo.path), () => ({ pausedUntilMs: Number.isFinite(untilMs) ? untilMs : null }));
    }
  }
  return repos.map(({ path }) => path);
}

/** The first word is a length of time, unless it names something that exists. */
function splitWords(first: string | undefined, others: readonly string[]): { durationMs: number; paths: readonly string[] } {
  if (first === undefined) return { durationMs: Infinity, paths: others };
  const durationMs = parseDuration(first);
  if (durationMs !== undefined && durationMs > 0) return { durationMs, paths: others };
  if (existsSync(first)) return { durationMs: Infinity, paths: [first, ...others] };
  throw new GitsyncError('usage', `"${first}" is neither a length of time nor a path that exists.`, { hint: 'for example: gitsync pause 30m, gitsync pause 2h ~/Notes, gitsync pause' });
}

export async function runPause(context: Context, first: string | undefined, others: readonly string[]): Promise<number> {
  const { durationMs, paths } = splitWords(first, others);
  const paused = await setPause(context, paths, Date.now() + durationMs);
  const until = Number.isFinite(durationMs) ? `for ${formatDuration(durationMs)}` : 'until gitsync resume';
  context.answer([`Paused ${paused.map(shortPath).join(', ')} ${until}: nothing is saved or published.`], { paused });
  return 0;
}

export async function runResume(context: Context, paths: readonly string[]): Promise<number> {
  const resumed = await setPause(context, paths, 0);
  context.answer([`Going on with ${resumed.map(shortPath).join(', ')}.`], { resumed });
  return 0;
}
