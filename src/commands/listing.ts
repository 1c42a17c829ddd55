/** `gitsync add`, `rm` and `list`: which repositories are watched. */
import { resolve } from 'node:path';
import { addWorkDir, removeWorkDir } from '../config/edit-config.ts';
import { formatProblem } from '../config/config-problem.ts';
import { shellQuote } from '../core/shell-quote.ts';
import { GitsyncError } from '../errors.ts';
import { findLocalPrograms } from '../git/local-programs.ts';
import { openRepo } from '../git/repository.ts';
import { ask, readConfig, type Context } from './context.ts';
import { shortPath } from './status-lines.ts';
import { realPath } from './target.ts';

/** What to do where no agent runs. */
export const startHint = 'gitsync --daemon   (or gitsync --once from cron)';

/** Puts repositories into the config file; the agent, where it runs, takes them over at once. */
export async function runAdd(context: Context, paths: readonly string[]): Promise<number> {
  const opened = await Promise.all(paths.map(openExisting));
  const added: string[] = [];
  for (const path of opened) if (await addWorkDir(context.configFile, path)) added.push(path);
  const agent = (await ask(context, 'reload')) !== undefined;
  const lines = (await Promise.all(opened.map(async (path) => [`${added.includes(path) ? 'Added' : 'Listed already'}: ${shortPath(path)}`, ...(await programLines(path))]))).flat();
  context.answer([...lines, ...(agent ? [] : [`No agent is running: ${startHint}`])], { config: context.configFile, added, agent });
  return 0;
}

/** A `.git` that somebody else made can start programs by settings that a clone never brings; whoever adds it should see them. */
async function programLines(path: string): Promise<string[]> {
  const programs = await findLocalPrograms(await openRepo(path));
  if (programs.length === 0) return [];
  return ['  Its own config lets git start programs or take other transports. Are they yours?', ...programs.map(({ key, value }) => `    ${key} = ${value}`), `  If not: gitsync rm ${shellQuote(path)}`];
}

async function openExisting(text: string): Promise<string> {
  const path = realPath(text);
  try {
    return (await openRepo(path)).workTree;
  } catch (error) {
    // The general hint is for directories that are listed already.
    if (error instanceof GitsyncError && /does not exist/.test(error.message)) throw new GitsyncError('not-a-repository', error.message, { hint: 'git clone URL PATH, then gitsync add PATH; or gitsync init PATH for a new one' });
    throw error;
  }
}

/** Takes repositories out of the config file; their files and history stay. */
export async function runRemove(context: Context, paths: readonly string[]): Promise<number> {
  const config = await readConfig(context);
  const removed: string[] = [];
  for (const path of paths) {
    const listed = config.repos.find((repo) => realPath(repo.path) === realPath(path))?.path ?? resolve(path);
    if (!(await removeWorkDir(context.configFile, listed))) throw new GitsyncError('config', `${shortPath(listed)} is not listed in ${shortPath(context.configFile)}.`, { hint: 'gitsync list' });
    removed.push(listed);
  }
  await ask(context, 'reload');
  context.answer(removed.map((path) => `No longer watched: ${shortPath(path)} (nothing was deleted)`), { removed });
  return 0;
}

export async function runList(context: Context): Promise<number> {
  const { repos, problems } = await readConfig(context);
  const lines = repos.map(({ path, branch, remotes }) => [shortPath(path), branch ?? '', remotes?.join(',') ?? ''].join('  ').trimEnd());
  const nothing = lines.length === 0 && problems.length === 0;
  context.answer(nothing ? ['Nothing is watched yet: gitsync init PATH'] : [...problems.map((problem) => `config: ${formatProblem(problem)}`), ...lines], repos);
  return problems.length > 0 ? 1 : 0;
}
