/** `gitsync allow` and `gitsync ignore`: decide what was held back. */
import { shellQuote } from '../core/shell-quote.ts';
import { plural } from '../core/status.ts';
import type { Context } from './context.ts';
import { findTarget, operate } from './target.ts';

/** No more names than this are printed. */
const shownNames = 5;

export async function runAllow(context: Context, path: string): Promise<number> {
  const { result, notes } = await operate<{ allowed: string[] }>(context, await findTarget(context, path), 'allow');
  const { allowed } = result;
  const more = allowed.length > shownNames ? ` and ${allowed.length - shownNames} more` : '';
  context.answer([`Allowed: ${allowed.slice(0, shownNames).join(', ')}${more}`, ...notes], result);
  return 0;
}

export async function runIgnore(context: Context, path: string): Promise<number> {
  const target = await findTarget(context, path);
  const { result, notes } = await operate<{ line: string; tracked: string[] }>(context, target, 'ignore');
  const { line, tracked } = result;
  const lines = [`Ignored: ${line} is in .gitignore.`];
  if (tracked.length > 0) {
    const git = `git -C ${shellQuote(target.repo.path)}`;
    lines.push(
      `But ${plural(tracked.length, 'file')} there ${tracked.length === 1 ? 'is' : 'are'} in the repository already, and synced as before. To take ${tracked.length === 1 ? 'it' : 'them'} out (the other machines then delete ${tracked.length === 1 ? 'it' : 'them'}):`,
      `  ${git} rm -r --cached ${shellQuote(target.path)} && ${git} commit -m "No longer synced"`,
    );
  }
  context.answer([...lines, ...notes], result);
  return tracked.length === 0 ? 0 : 1;
}
