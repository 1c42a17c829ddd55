import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { RawPath } from '../../src/core/raw-path.ts';
import { openRepo } from '../../src/git/repository.ts';
import { treeWith } from '../../src/git/tree-with.ts';
import { indexInfo, listTree, withTemporaryIndex, type Entry } from '../../src/git/tree.ts';
import { git, gitText, type Repo } from '../../src/git/git.ts';
import { commitFiles, exists, sh, tempDir, tempRepo } from '../helpers/repos.ts';

/** The same by an index of all paths, as git itself does it. */
async function treeByIndex(repo: Repo, entries: ReadonlyMap<RawPath, Entry>): Promise<string> {
  return withTemporaryIndex(repo, async (indexFile) => {
    await git(repo, ['read-tree', '--empty'], { indexFile });
    await git(repo, ['update-index', '-z', '--index-info'], { indexFile, input: indexInfo(entries, repo.oidLength) });
    return gitText(repo, ['write-tree'], { indexFile });
  });
}

const raw = (name: string): RawPath => name as RawPath;

async function blobs(root: string, count: number): Promise<Entry[]> {
  return Array.from({ length: count }, (_, i) => ({ mode: '100644' as const, oid: execFileSync('git', ['hash-object', '-w', '--stdin'], { cwd: root, input: `${i}\n`, encoding: 'utf8' }).trim() }));
}

describe('a tree with some entries replaced', () => {
  test('is the tree that git would write, whatever is set and removed', async () => {
    const root = tempRepo({ 'readme.md': 'hello\n' });
    const repo = await openRepo(root);
    const entries = await blobs(root, 4);
    const name = fc.constantFrom('a', 'b', 'a.b', 'a-b', 'a0', 'new\nline', '\u00fc', '\xff');
    const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => raw(Buffer.from(parts.join('/'), 'latin1').toString('latin1')));
    const free = (paths: ReadonlyMap<RawPath, unknown>, candidate: RawPath): boolean => [...paths.keys()].every((other) => other !== candidate && !other.startsWith(`${candidate}/`) && !candidate.startsWith(`${other}/`));
    const files = fc.array(fc.tuple(path, fc.nat(3)), { maxLength: 12 }).map((list) => {
      const chosen = new Map<RawPath, Entry>();
      for (const [candidate, i] of list) if (free(chosen, candidate)) chosen.set(candidate, entries[i] as Entry);
      return chosen;
    });
    await fc.assert(
      fc.asyncProperty(files, files, async (before, after) => {
        const from = await treeByIndex(repo, before);
        const changes = new Map<RawPath, Entry | null>([...[...before.keys()].map((gone) => [gone, null] as const), ...after]);
        const unchanged = [...changes].filter(([each, entry]) => entry !== null && before.get(each)?.oid === entry.oid);
        for (const [each] of unchanged) changes.delete(each);
        expect(await treeWith(repo, from, changes)).toBe(await treeByIndex(repo, after));
        expect(await listTree(repo, await treeWith(repo, from, changes))).toEqual(new Map([...after].sort(([a], [b]) => (Buffer.compare(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1'))))));
      }),
      { numRuns: Number(process.env['GITSYNC_FUZZ_RUNS'] ?? 40) },
    );
  });

  test('keeps what it was not told of, submodules too', async () => {
    const root = tempRepo({ 'sub/a.txt': 'a\n', 'sub/deep/b.txt': 'b\n', 'top.txt': 't\n' });
    const repo = await openRepo(root);
    const [entry] = await blobs(root, 1);
    const submodule = `160000 commit ${sh(root, 'rev-parse', 'HEAD')}\tmodule`;
    const before = execFileSync('git', ['mktree'], { cwd: root, input: `${sh(root, 'ls-tree', 'HEAD')}\n${submodule}\n`, encoding: 'utf8' }).trim();
    const tree = await treeWith(repo, before, new Map([[raw('sub/deep/c.txt'), entry as Entry]]));
    expect(sh(root, 'ls-tree', tree)).toContain(submodule);
    expect(sh(root, 'ls-tree', '-r', '--name-only', tree)).toBe('module\nsub/a.txt\nsub/deep/b.txt\nsub/deep/c.txt\ntop.txt');
  });

  test('works with ids of SHA-256', async () => {
    const root = tempDir('sha256');
    sh(root, 'init', '-q', '-b', 'main', '--object-format=sha256');
    commitFiles(root, { 'a/b/c.txt': 'c\n', 'd.txt': 'd\n' });
    const [entry] = await blobs(root, 1);
    const tree = await treeWith(await openRepo(root), 'HEAD', new Map([[raw('a/b/new.txt'), entry as Entry], [raw('d.txt'), null]]));
    expect(sh(root, 'ls-tree', '-r', '--name-only', tree)).toBe('a/b/c.txt\na/b/new.txt');
    expect(sh(root, 'fsck', '--no-dangling')).toBe('');
  });

  test('stops where a directory cannot be read, rather than taking it for an empty one', async () => {
    const root = tempRepo({ 'sub/a.txt': 'a\n', 'top.txt': 't\n' });
    const repo = await openRepo(root);
    const [entry] = await blobs(root, 1);
    const lost = sh(root, 'rev-parse', 'HEAD:sub');
    const object = join(root, '.git/objects', lost.slice(0, 2), lost.slice(2));
    expect(exists(root, join('.git/objects', lost.slice(0, 2), lost.slice(2)))).toBe(true);
    rmSync(object);
    await expect(treeWith(repo, 'HEAD', new Map([[raw('sub/b.txt'), entry as Entry]]))).rejects.toMatchObject({ kind: 'corrupt' });
    expect(sh(root, 'ls-tree', '--name-only', await treeWith(repo, 'HEAD', new Map([[raw('b.txt'), entry as Entry]])))).toBe('b.txt\nsub\ntop.txt');
  });
});
