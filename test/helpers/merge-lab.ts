/** Histories of two machines, made quickly with `git fast-import`, and their integration from both ends. */
import { execFileSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { expect } from '@jest/globals';
import type { ConflictRule } from '../../src/core/conflict-rule.ts';
import { rawToText } from '../../src/core/raw-path.ts';
import { integrate, type Integration } from '../../src/git/integrate.ts';
import { openRepo } from '../../src/git/repository.ts';
import { listTree, type FileMode } from '../../src/git/tree.ts';
import { sh, tempDir } from './repos.ts';

/** Text or bytes of a file, a file of another mode, or null: deleted. A submodule's content is its commit id. */
export type Content = string | Buffer | { mode: FileMode; content: string } | null;

export interface LabCommit {
  files: Record<string, Content>;
  /** Author time; seconds since 1970. */
  time: number;
  /** Committer time, where it differs. */
  committed?: number;
  message?: string;
  author?: string;
  /** Branches that this commit also has as parents; its files are still given relative to its first parent. */
  merges?: string[];
}

export interface Lab {
  /** Two repositories that hold the same commits. */
  one: string;
  two: string;
  base: string;
  a: string;
  b: string;
}

/** 2026-11-20 10:00:00 UTC */
export const morning = 1_795_168_800;

/** A path for fast-import; names with bytes beyond ASCII are given as latin1 (`\xff`) and written as bytes. */
const quote = (path: string): string => `"${path.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`;

function fileCommand(path: string, content: Content): Buffer {
  if (content === null) return Buffer.from(`D ${quote(path)}\n`, 'latin1');
  const file = typeof content === 'string' || Buffer.isBuffer(content) ? { mode: '100644', content } : content;
  if (file.mode === '160000') return Buffer.from(`M 160000 ${String(file.content)} ${quote(path)}\n`, 'latin1');
  const bytes = Buffer.from(file.content as string);
  return Buffer.concat([Buffer.from(`M ${file.mode} inline ${quote(path)}\ndata ${bytes.length}\n`, 'latin1'), bytes, Buffer.from('\n')]);
}

/** The fast-import commands of some commits, one on top of the other, on a branch that starts at `from`. */
function branchCommands(branch: string, from: string | undefined, commits: readonly LabCommit[]): Buffer[] {
  return commits.flatMap((commit, i) => {
    const message = Buffer.from(commit.message ?? 'change\n');
    const author = commit.author ?? 'Test Person <person@example.org>';
    const start = i === 0 && from !== undefined ? `from refs/heads/${from}\n` : '';
    return [
      Buffer.from(`commit refs/heads/${branch}\nauthor ${author} ${commit.time} +0000\ncommitter ${author} ${commit.committed ?? commit.time} +0000\ndata ${message.length}\n`),
      message,
      Buffer.from(`\n${start}${(commit.merges ?? []).map((name) => `merge refs/heads/${name}\n`).join('')}`),
      ...Object.entries(commit.files).map(([path, content]) => fileCommand(path, content)),
      Buffer.from('\n'),
    ];
  });
}

/** Adds branches to a repository: each a list of commits on top of another branch (or of nothing). */
export function importBranches(root: string, branches: readonly { name: string; from?: string; commits: readonly LabCommit[] }[]): void {
  const input = Buffer.concat([...branches.flatMap(({ name, from, commits }) => branchCommands(name, from, commits)), Buffer.from('done\n')]);
  execFileSync('git', ['fast-import', '--quiet', '--done', '--force'], { cwd: root, input });
}

/** A second repository with the same objects and refs. */
export function copyRepo(root: string): string {
  const copy = tempDir('copy');
  cpSync(root, copy, { recursive: true });
  return copy;
}

/** Two machines that share `base` and then did `a` and `b`. A single set of files is one commit; `b` is a minute younger than `a`. */
export function makeLab(base: Record<string, Content>, a: Record<string, Content> | LabCommit[], b: Record<string, Content> | LabCommit[]): Lab {
  const one = tempDir('one');
  sh(one, 'init', '-q', '-b', 'base');
  importBranches(one, [
    { name: 'base', commits: [{ files: base, time: morning - 3600 }] },
    { name: 'a', from: 'base', commits: Array.isArray(a) ? a : [{ files: a, time: morning }] },
    { name: 'b', from: 'base', commits: Array.isArray(b) ? b : [{ files: b, time: morning + 60 }] },
  ]);
  const [baseId = '', aId = '', bId = ''] = sh(one, 'rev-parse', 'base', 'a', 'b').split('\n');
  return { one, two: copyRepo(one), base: baseId, a: aId, b: bId };
}

/** Two machines that both have `commit` and went on from there, each with commits of its own. */
export function continueFrom(lab: Lab, commit: string, a: LabCommit[], b: LabCommit[]): Lab {
  sh(lab.one, 'update-ref', 'refs/heads/base', commit);
  importBranches(lab.one, [
    { name: 'a', from: 'base', commits: a },
    { name: 'b', from: 'base', commits: b },
  ]);
  const [aTip = '', bTip = ''] = sh(lab.one, 'rev-parse', 'a', 'b').split('\n');
  return { one: lab.one, two: copyRepo(lab.one), base: commit, a: aTip, b: bTip };
}

/** What a commit holds: content by path (`->` before a symlink's target, `@` before a submodule's commit, `+x` after an executable's name). */
export async function filesOf(root: string, commit: string): Promise<Record<string, string>> {
  const entries = await listTree(await openRepo(root), commit);
  const paths = [...entries.keys()].sort();
  return Object.fromEntries(
    paths.map((path) => {
      const { mode, oid } = entries.get(path) as { mode: FileMode; oid: string };
      const content = mode === '160000' ? `@${oid}` : execFileSync('git', ['cat-file', 'blob', oid], { cwd: root, encoding: 'latin1' });
      return [rawToText(path) + (mode === '100755' ? '+x' : ''), mode === '120000' ? `->${content}` : Buffer.from(content, 'latin1').toString('utf8')];
    }),
  );
}

/** A result with paths as text and sides by branch, so that both machines' answers can be compared. */
export interface LabResult {
  commit: string;
  files: Record<string, string>;
  conflicts: { path: string; copy: string | undefined; kind: string; winner: 'a' | 'b'; machineWritten?: boolean }[];
}

function describe(result: Integration, files: Record<string, string>, local: 'a' | 'b'): LabResult {
  if (result.kind !== 'merged') throw new Error(`expected a merge, got ${JSON.stringify(result)}`);
  const nameOf = { local, remote: local === 'a' ? 'b' : 'a' } as const;
  const conflicts = result.conflicts.map(({ path, copy, winner, ...rest }) => ({ path: rawToText(path), copy: copy === undefined ? undefined : rawToText(copy), ...rest, winner: nameOf[winner] }));
  return { commit: result.commit, files, conflicts };
}

/** Integrates on machine one (its side is `a`) and on machine two (`b`), and expects the same commit from both. */
export async function integrateBoth(lab: Lab, rules: readonly ConflictRule[] = [], allowUnrelated = false): Promise<LabResult> {
  const first = await integrate(await openRepo(lab.one), { local: lab.a, remote: lab.b, rules, allowUnrelated });
  const second = await integrate(await openRepo(lab.two), { local: lab.b, remote: lab.a, rules, allowUnrelated });
  if (first.kind !== 'merged' || second.kind !== 'merged') throw new Error(`expected merges, got ${JSON.stringify([first, second])}`);
  const result = describe(first, await filesOf(lab.one, first.commit), 'a');
  expect(describe(second, await filesOf(lab.two, second.commit), 'b')).toEqual(result);
  return result;
}
