/** Tree objects: what differs between two, and a tree with some entries replaced. */
import { mkdtemp, rm } from 'node:fs/promises';
import { knownStep } from './commit-step.ts';
import { git, gitText, type Repo } from './git.ts';
import { rawToText, splitNul, type RawPath } from '../core/raw-path.ts';

/** `100644`, `100755`, `120000` (symlink) or `160000` (submodule). */
export type FileMode = '100644' | '100755' | '120000' | '160000';

export interface Entry {
  mode: FileMode;
  oid: string;
}

/** One path that differs; `null` where it does not exist on that side. */
export interface TreeChange {
  path: RawPath;
  old: Entry | null;
  new: Entry | null;
}

export function sameEntry(a: Entry | null | undefined, b: Entry | null | undefined): boolean {
  return (a ?? null) === (b ?? null) || (a?.oid === b?.oid && a?.mode === b?.mode);
}

function parseEntry(mode: string, oid: string): Entry | null {
  return mode === '000000' ? null : { mode: mode as FileMode, oid };
}

/** Parses `git diff-tree|diff-index|diff-files -z --raw --no-renames` output. An oid of zeros means "not hashed". */
export function parseRawDiff(output: Buffer): TreeChange[] {
  const fields = splitNul(output);
  const changes: TreeChange[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [oldMode = '', newMode = '', oldOid = '', newOid = ''] = (fields[i] as string).slice(1).split(' ');
    changes.push({ path: fields[i + 1] as RawPath, old: parseEntry(oldMode, oldOid), new: parseEntry(newMode, newOid) });
  }
  return changes;
}

/** The id of the tree without entries, written if need be. */
export async function emptyTree(repo: Repo): Promise<string> {
  return gitText(repo, ['mktree'], { input: '' });
}

/** For `diff-tree`, which reads an index that it has no use for: a large one takes long. */
export function withoutIndex(repo: Repo): { indexFile: string } {
  return { indexFile: `${repo.ownDir}/no-index` };
}

/** Lists all paths that differ, for `parseRawDiff`, whatever the configuration says. */
export const rawDiffWords = ['diff-tree', '-r', '-z', '--raw', '--no-renames', '--no-ext-diff', '--ignore-submodules=none'];

/** All paths that differ between two trees (or commits), in git's order; `pathspecs`: of these only. */
export async function diffTrees(repo: Repo, from: string, to: string, pathspecs: readonly string[] = []): Promise<TreeChange[]> {
  if (from === to) return [];
  const known = pathspecs.length === 0 ? knownStep(repo, from, to) : undefined;
  if (known !== undefined) return [...known.changes];
  const { stdout } = await git(repo, [...rawDiffWords, from, to, '--', ...pathspecs], withoutIndex(repo));
  return parseRawDiff(stdout);
}

/** Lines for `update-index -z --index-info`: each sets (or, with `null`, removes) one entry without touching files. */
export function indexInfo(entries: Iterable<readonly [RawPath, Entry | null]>, oidLength: number): Buffer {
  const lines = [...entries].map(([path, entry]) => (entry === null ? `0 ${'0'.repeat(oidLength)}\t${path}\0` : `${entry.mode} ${entry.oid}\t${path}\0`));
  return Buffer.from(lines.join(''), 'latin1');
}

/** What an index without conflicts holds, of all paths or of some that are UTF-8. */
export async function listIndex(repo: Repo, indexFile: string, paths: readonly RawPath[] = []): Promise<Map<RawPath, Entry>> {
  const { stdout } = await git(repo, ['ls-files', '-z', '--stage', '--', ...paths.map(rawToText)], { indexFile, env: { GIT_LITERAL_PATHSPECS: '1' } });
  const lines = splitNul(stdout).map((line) => [line.slice(0, line.indexOf('\t')).split(' '), line.slice(line.indexOf('\t') + 1)] as const);
  return new Map(lines.map(([[mode, oid], path]) => [path as RawPath, { mode, oid } as Entry]));
}

/** Runs `work` with the name of a temporary index file that is gone afterwards. */
export async function withTemporaryIndex<T>(repo: Repo, work: (indexFile: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(`${repo.ownDir}/tmp-index-`);
  try {
    return await work(`${directory}/index`);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Every file of a tree (or commit), by its path. */
export async function listTree(repo: Repo, tree: string): Promise<Map<RawPath, Entry>> {
  return parseTree((await git(repo, ['ls-tree', '-r', '-z', '--full-tree', tree])).stdout);
}

/** Parses `git ls-tree -z` output of files. */
export function parseTree(output: Buffer): Map<RawPath, Entry> {
  const found = new Map<RawPath, Entry>();
  for (const line of splitNul(output)) {
    const tab = line.indexOf('\t');
    const [mode = '', , oid = ''] = line.slice(0, tab).split(' ');
    found.set(line.slice(tab + 1) as RawPath, { mode: mode as FileMode, oid });
  }
  return found;
}

/** The entries of a tree for the given paths; paths that it does not have are left out. */
export async function entriesOf(repo: Repo, tree: string, paths: ReadonlySet<RawPath>): Promise<Map<RawPath, Entry>> {
  const all = await listTree(repo, tree);
  return new Map([...all].filter(([path]) => paths.has(path)));
}
