/** `gitsync log`, `restore`, `undo` and `adopt`. */
import { shellQuote } from '../core/shell-quote.ts';
import { plural } from '../core/status.ts';
import { GitsyncError } from '../errors.ts';
import { gitText } from '../git/git.ts';
import { openRepo } from '../git/repository.ts';
import type { Context } from './context.ts';
import { shortPath } from './status-lines.ts';
import { findTarget, operate, type Target } from './target.ts';

interface LogEntry {
  commit: string;
  /** ISO 8601, with the offset that the commit was made in. */
  date: string;
  subject: string;
}

async function readLog({ repo, path }: Target, count: number): Promise<LogEntry[]> {
  const text = await gitText(await openRepo(repo.path), ['log', `-${count}`, '-z', '--format=%h%x09%cI%x09%s', 'HEAD', '--', ...(path === '' ? [] : [path])], { env: { GIT_LITERAL_PATHSPECS: '1' }, expect: [0, 128] });
  const lines = text.split('\0').filter((line) => line !== '');
  return lines.map((line) => line.split('\t')).map(([commit = '', date = '', ...subject]) => ({ commit, date, subject: subject.join('\t') }));
}

export async function runLog(context: Context, path: string | undefined, number: string | undefined): Promise<number> {
  const count = number === undefined ? 20 : Number(number);
  if (!Number.isSafeInteger(count) || count < 1) throw new GitsyncError('usage', `"${number}" is no count.`, { hint: 'gitsync log -n 20' });
  const target = await findTarget(context, path ?? '.');
  const entries = await readLog(target, count);
  if (entries.length === 0 && target.path !== '') throw new GitsyncError('failed', `${shortPath(`${target.repo.path}/${target.path}`)} has no history.`, { hint: `gitsync log ${shellQuote(target.repo.path)}` });
  const lines = entries.map(({ commit, date, subject }) => `${commit}  ${date.replace('T', ' ').slice(0, 16)}  ${subject}`);
  context.answer(lines.length === 0 ? ['No history yet.'] : lines, entries);
  return 0;
}

export async function runRestore(context: Context, path: string, at: string | undefined): Promise<number> {
  if (at === undefined) throw new GitsyncError('usage', 'As of when?', { hint: `gitsync restore ${shellQuote(path)} --at "2 hours ago"   (or a time, or a commit of gitsync log ${shellQuote(path)})` });
  const target = await findTarget(context, path);
  const { result, notes } = await operate<{ from: string; paths: string[] }>(context, target, 'restore', { at });
  const name = shortPath(target.path === '' ? target.repo.path : `${target.repo.path}/${target.path}`);
  const text = result.paths.length === 0 ? `${name} is as it was then already.` : `Restored ${name} (${plural(result.paths.length, 'file')}) from ${result.from.slice(0, 10)}; what was there is in history.`;
  context.answer([text, ...notes], result);
  return 0;
}

export async function runUndo(context: Context, path: string | undefined): Promise<number> {
  const target = await findTarget(context, path ?? '.');
  if (path !== undefined && target.path !== '') {
    throw new GitsyncError('usage', `undo takes back the last change of the whole repository, not only of ${shortPath(`${target.repo.path}/${target.path}`)}.`, { hint: `gitsync restore ${shellQuote(path)} --at "10 minutes ago", or gitsync undo ${shellQuote(target.repo.path)}` });
  }
  const { result, notes } = await operate<{ undone: string }>(context, target, 'undo');
  context.answer([`Undone: ${result.undone}`, `Once more brings it back: gitsync undo ${shellQuote(target.repo.path)}`, ...notes], result);
  return 0;
}

export async function runAdopt(context: Context, path: string | undefined, remote: string | undefined): Promise<number> {
  const { result, notes } = await operate<{ commit: string; conflicts: string[] }>(context, await findTarget(context, path ?? '.'), 'adopt', remote === undefined ? {} : { remote });
  const { length } = result.conflicts;
  context.answer([`Both histories are one now.${length === 0 ? '' : ` ${plural(length, 'file')} differed; both versions are there: gitsync conflicts`}`, ...notes], result);
  return 0;
}
