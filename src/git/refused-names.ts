/**
 * Commits that hold names which git refuses in every index: no work tree can
 * have them, and no index made from one could be written. What is brought in
 * is such a commit without them, the same one on every machine.
 */
import { splitNul, type RawPath } from '../core/raw-path.ts';
import { isRefusedName } from '../core/refused-name.ts';
import { git, gitText, type Repo } from './git.ts';
import { writeFixedCommit } from './merge-commit.ts';
import { emptyTree, type TreeChange } from './tree.ts';

/** The paths among a commit's changes that no index can hold. */
export function findRefusedNames(changes: readonly TreeChange[]): RawPath[] {
  return changes.filter((change) => change.new !== null && isRefusedName(change.path, change.new.mode === '120000')).map(({ path }) => path);
}

/** A child of `commit` that lacks the given paths. */
export async function withoutRefusedNames(repo: Repo, commit: string, refused: readonly RawPath[]): Promise<string> {
  const tree = await removeFromTree(repo, `${commit}^{tree}`, refused);
  const seconds = await gitText(repo, ['show', '-s', '--format=%ct', commit]);
  return writeFixedCommit(repo, {
    tree: tree ?? (await emptyTree(repo)),
    parents: [commit],
    message: 'Leave out names that git refuses\n',
    dateSeconds: Number(seconds),
  });
}

/** Trees are edited entry by entry, since no index takes these names. Returns undefined when nothing is left. */
async function removeFromTree(repo: Repo, tree: string, paths: readonly RawPath[]): Promise<string | undefined> {
  const here = new Set(paths.filter((path) => !path.includes('/')));
  const below = new Map<string, RawPath[]>();
  for (const path of paths) {
    const slash = path.indexOf('/');
    if (slash < 0) continue;
    const folder = path.slice(0, slash);
    below.set(folder, [...(below.get(folder) ?? []), path.slice(slash + 1) as RawPath]);
  }
  const { stdout } = await git(repo, ['ls-tree', '-z', tree]);
  const kept: string[] = [];
  for (const line of splitNul(stdout)) {
    const [info, name] = [line.slice(0, line.indexOf('\t')), line.slice(line.indexOf('\t') + 1) as RawPath];
    const inside = below.get(name);
    if (here.has(name)) continue;
    if (inside === undefined) kept.push(`${info}\t${name}`);
    else {
      const changed = await removeFromTree(repo, info.split(' ')[2] as string, inside);
      if (changed !== undefined) kept.push(`040000 tree ${changed}\t${name}`);
    }
  }
  if (kept.length === 0) return undefined;
  return gitText(repo, ['mktree', '-z'], { input: Buffer.from(kept.map((entry) => `${entry}\0`).join(''), 'latin1') });
}

