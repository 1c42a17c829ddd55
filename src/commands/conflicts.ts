/** `gitsync conflicts` and `gitsync resolve`. */
import { GitsyncError } from '../errors.ts';
import { printable } from '../log.ts';
import { findTarget, operate, readConfig, type Context } from './context.ts';
import { shortPath } from './status.ts';

interface Listed {
  path: string;
  copy: string;
}

export async function runConflicts(context: Context, paths: readonly string[]): Promise<number> {
  const repos = paths.length > 0 ? await Promise.all(paths.map((path) => findTarget(context, path))) : (await readConfig(context)).repos.map((repo) => ({ repo, path: '' }));
  const found: (Listed & { repo: string })[] = [];
  for (const target of repos) {
    const below = ({ path, copy }: Listed): boolean => target.path === '' || path.startsWith(target.path) || copy.startsWith(target.path);
    found.push(...(await operate<Listed[]>(context, target, 'conflicts')).filter(below).map((entry) => ({ repo: target.repo.path, ...entry })));
  }
  const lines = found.map(({ repo, path, copy }) => printable(`${shortPath(`${repo}/${path}`)}   other version: ${copy}`));
  context.answer(lines.length === 0 ? 'No conflicts.' : [...lines, '', 'Look at both, then: gitsync resolve PATH --keep current|copy|both'].join('\n'), found);
  return found.length === 0 ? 0 : 1;
}

export async function runResolve(context: Context, path: string, keep: string | undefined): Promise<number> {
  if (keep === undefined || !['current', 'copy', 'both'].includes(keep)) {
    throw new GitsyncError('usage', keep === undefined ? 'Which version should stay?' : `"${keep}" is none of the choices.`, { hint: `gitsync resolve ${path} --keep current|copy|both` });
  }
  const result = await operate<{ resolved: string[] }>(context, await findTarget(context, path), 'resolve', { keep });
  context.answer(`Resolved: ${keep === 'current' ? 'kept the file' : keep === 'copy' ? 'took the copy' : 'kept both'}; every version stays in history.`, result);
  return 0;
}
