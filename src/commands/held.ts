/** `gitsync allow` and `gitsync ignore`: decide what was held back. */
import { printable } from '../log.ts';
import { findTarget, operate, type Context } from './context.ts';

export async function runAllow(context: Context, path: string): Promise<number> {
  const result = await operate<{ allowed: string[] }>(context, await findTarget(context, path), 'allow');
  context.answer(`Allowed: ${printable(result.allowed.join(', '))}`, result);
  return 0;
}

export async function runIgnore(context: Context, path: string): Promise<number> {
  const result = await operate<{ line: string }>(context, await findTarget(context, path), 'ignore');
  context.answer(`Ignored: ${printable(result.line)} is in .gitignore.`, result);
  return 0;
}
