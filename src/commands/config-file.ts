/** `gitsync add`, `rm`, `list` and `config`: the config file, edited with care. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { formatProblem } from '../config/config-problem.ts';
import { addWorkDir, removeWorkDir } from '../config/edit-config.ts';
import { renderHelp } from '../config/render.ts';
import { GitsyncError } from '../errors.ts';
import { printable } from '../log.ts';
import { openRepo } from '../git/repository.ts';
import { ask, readConfig, realPath, type Context } from './context.ts';
import { shortPath } from './status.ts';

/** Puts repositories into the config file; the agent, where it runs, takes them over at once. */
export async function runAdd(context: Context, paths: readonly string[]): Promise<number> {
  const opened = await Promise.all(paths.map(async (path) => (await openRepo(realPath(path))).workTree));
  const known = new Set((await readConfig(context)).repos.map(({ path }) => realPath(path)));
  for (const path of opened) if (!known.has(path)) await addWorkDir(context.configFile, path);
  const reloaded = (await ask(context, 'reload')) !== undefined;
  const lines = opened.map((path) => `${known.has(path) ? 'Was watched already' : 'Added'}: ${shortPath(path)}`);
  if (!reloaded) lines.push('No agent is running: gitsync --daemon   (or gitsync --once from cron)');
  context.answer(lines.join('\n'), { config: context.configFile, added: opened.filter((path) => !known.has(path)), agent: reloaded });
  return 0;
}

/** Takes repositories out of the config file; their files and history stay. */
export async function runRemove(context: Context, paths: readonly string[]): Promise<number> {
  const config = await readConfig(context);
  const removed: string[] = [];
  for (const path of paths) {
    const listed = config.repos.find((repo) => realPath(repo.path) === realPath(path))?.path ?? resolve(path);
    if (!existsSync(context.configFile) || !(await removeWorkDir(context.configFile, listed))) {
      throw new GitsyncError('config', `${path} is not in ${context.configFile}.`, { hint: 'gitsync list' });
    }
    removed.push(listed);
  }
  await ask(context, 'reload');
  context.answer(removed.map((path) => `No longer watched: ${shortPath(path)} (nothing was deleted)`).join('\n'), { removed });
  return 0;
}

export async function runList(context: Context): Promise<number> {
  const { repos, problems } = await readConfig(context);
  const lines = repos.map(({ path, branch, remotes }) => [shortPath(path), branch ?? '', remotes?.join(',') ?? ''].join('  ').trimEnd());
  context.answer(printable(lines.length === 0 ? 'Nothing is watched yet: gitsync init PATH' : lines.join('\n')).replaceAll('\\n', '\n'), repos);
  return problems.length > 0 ? 1 : 0;
}

/** The keys with their meaning, or with `check` the file's mistakes. */
export async function runConfig(context: Context, check: boolean): Promise<number> {
  if (!check) {
    context.answer(`${context.configFile}${existsSync(context.configFile) ? '' : ' (does not exist yet: gitsync init PATH makes it)'}\n\n${renderHelp()}`, { config: context.configFile });
    return 0;
  }
  if (!existsSync(context.configFile)) throw new GitsyncError('config', `There is no config file ${context.configFile}.`, { hint: 'gitsync init PATH makes one' });
  const { problems, repos } = await readConfig(context);
  context.answer(problems.length === 0 ? `${context.configFile}: in order, ${repos.length} ${repos.length === 1 ? 'repository' : 'repositories'}.` : problems.map(formatProblem).join('\n'), { config: context.configFile, problems });
  return problems.length === 0 ? 0 : 10;
}
