/** `gitsync conflicts` and `gitsync resolve`. */
import { rawToText } from '../core/raw-path.ts';
import { shellQuote } from '../core/shell-quote.ts';
import { GitsyncError } from '../errors.ts';
import { listConflictCopies } from '../git/conflict-copies.ts';
import { resolveCommit } from '../git/refs.ts';
import { openRepo } from '../git/repository.ts';
import { readConfig, type Context } from './context.ts';
import { shortPath } from './status-lines.ts';
import { findTarget, operate, type Target } from './target.ts';

/** A conflict; both paths are relative to the repository. */
interface Conflict {
  repo: string;
  path: string;
  copy: string;
}

async function readConflicts({ repo: { path: root }, path: below }: Target): Promise<Conflict[]> {
  const repo = await openRepo(root);
  const head = await resolveCommit(repo, 'HEAD');
  const copies = head === undefined ? [] : await listConflictCopies(repo, head);
  const isBelow = (path: string): boolean => below === '' || path === below || path.startsWith(`${below}/`);
  return copies.map(({ path, copy }) => ({ repo: root, path: rawToText(path), copy: rawToText(copy) })).filter(({ path, copy }) => isBelow(path) || isBelow(copy));
}

export async function runConflicts(context: Context, paths: readonly string[]): Promise<number> {
  const targets = paths.length > 0 ? await Promise.all(paths.map((path) => findTarget(context, path))) : (await readConfig(context)).repos.map((repo) => ({ repo, path: '' }));
  const found = (await Promise.all(targets.map(readConflicts))).flat();
  const lines = found.flatMap(({ repo, path, copy }) => [shortPath(`${repo}/${path}`), `  other version: ${shortPath(`${repo}/${copy}`)}`]);
  const [first] = found;
  if (first !== undefined) lines.push('', `Look at both, then: gitsync resolve ${shellQuote(`${first.repo}/${first.path}`)} --keep current|copy|both`);
  context.answer(first === undefined ? ['No conflicts.'] : lines, found);
  return first === undefined ? 0 : 1;
}

/** What `--keep` takes, and how the outcome is told. */
const choices: Record<string, string> = { current: 'kept the file', copy: 'took the copy', both: 'kept both' };

export async function runResolve(context: Context, path: string, keep: string | undefined): Promise<number> {
  const done = keep === undefined || !Object.hasOwn(choices, keep) ? undefined : choices[keep];
  if (done === undefined) {
    const hint = `gitsync resolve ${shellQuote(path)} --keep current|copy|both`;
    throw new GitsyncError('usage', keep === undefined ? 'Which version should stay?' : `"${keep}" is none of the choices.`, { hint });
  }
  const { result, notes } = await operate<{ resolved: string[] }>(context, await findTarget(context, path), 'resolve', { keep });
  context.answer([`Resolved: ${done}; every version stays in history.`, ...notes], result);
  return 0;
}
