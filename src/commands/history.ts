/** `gitsync log`, `restore`, `undo` and `adopt`. */
import { GitsyncError } from '../errors.ts';
import { printable } from '../log.ts';
import { gitText } from '../git/git.ts';
import { openRepo } from '../git/repository.ts';
import { findTarget, operate, type Context } from './context.ts';

export async function runLog(context: Context, path: string | undefined, number: string | undefined): Promise<number> {
  const count = number === undefined ? 20 : Number(number);
  if (!Number.isInteger(count) || count < 1) throw new GitsyncError('usage', `"${number}" is no count.`, { hint: 'gitsync log -n 20' });
  const target = await findTarget(context, path ?? '.');
  const repo = await openRepo(target.repo.path);
  const format = '--format=%h%x09%cI%x09%s';
  const text = await gitText(repo, ['log', `-${count}`, format, 'HEAD', '--', ...(target.path === '' ? [] : [target.path])], { env: { GIT_LITERAL_PATHSPECS: '1' }, expect: [0, 128] });
  const entries = text.split('\n').filter((line) => line !== '').map((line) => line.split('\t')).map(([commit = '', date = '', ...subject]) => ({ commit, date, subject: subject.join('\t') }));
  const lines = entries.map(({ commit, date, subject }) => `${commit}  ${date.replace('T', ' ').slice(0, 16)}  ${printable(subject)}`);
  context.answer(lines.length === 0 ? 'No history yet.' : lines.join('\n'), entries);
  return 0;
}

export async function runRestore(context: Context, path: string, at: string | undefined): Promise<number> {
  if (at === undefined) throw new GitsyncError('usage', 'As of when?', { hint: `gitsync restore ${path} --at "2 hours ago"` });
  const result = await operate<{ from: string; paths: string[] }>(context, await findTarget(context, path), 'restore', { at });
  context.answer(`Restored ${printable(path)} (${result.paths.length === 1 ? '1 file' : `${result.paths.length} files`}) from ${result.from.slice(0, 10)}; what was there is in history.`, result);
  return 0;
}

export async function runUndo(context: Context, path: string | undefined): Promise<number> {
  const result = await operate<{ undone: string }>(context, await findTarget(context, path ?? '.'), 'undo');
  context.answer(`Undone: ${printable(result.undone)}\ngitsync undo   (once more brings it back)`, result);
  return 0;
}

export async function runAdopt(context: Context, path: string | undefined, remote: string | undefined): Promise<number> {
  const result = await operate<{ commit: string; conflicts: string[] }>(context, await findTarget(context, path ?? '.'), 'adopt', remote === undefined ? {} : { remote });
  const conflicts = result.conflicts.length === 0 ? '' : ` ${result.conflicts.length} files differed; both versions are there (gitsync conflicts).`;
  context.answer(`Both histories are one now.${conflicts}`, result);
  return 0;
}
