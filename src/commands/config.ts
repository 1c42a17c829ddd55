/** `gitsync config`: what may stand in the file, and what is wrong with it. */
import { existsSync } from 'node:fs';
import { formatProblem } from '../config/config-problem.ts';
import { loadConfig } from '../config/load-config.ts';
import { renderHelp } from '../config/render.ts';
import { exitCodes } from '../errors.ts';
import type { Context } from './context.ts';

/** The keys with their meaning, or with `check` the file's mistakes. */
export async function runConfig(context: Context, check: boolean): Promise<number> {
  const { configFile } = context;
  if (!check) {
    const missing = existsSync(configFile) ? '' : ' (does not exist yet: gitsync init PATH makes it)';
    context.answer([`${configFile}${missing}`, '', ...renderHelp().trimEnd().split('\n'), '', 'To check the file: gitsync config --check'], { config: configFile, exists: missing === '' });
    return exitCodes.ok;
  }
  const { problems, repos } = await loadConfig(configFile);
  const fine = `${configFile}: in order, ${repos.length} ${repos.length === 1 ? 'repository' : 'repositories'}.`;
  context.answer(problems.length === 0 ? [fine] : problems.map(formatProblem), { config: configFile, problems });
  return problems.length === 0 ? exitCodes.ok : exitCodes.config;
}
