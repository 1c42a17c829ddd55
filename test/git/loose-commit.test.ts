import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { looseParents } from '../../src/git/loose-commit.ts';
import { isAncestor } from '../../src/git/refs.ts';
import { openRepo } from '../../src/git/repository.ts';
import { commitFiles, sh, tempRepo } from '../helpers/repos.ts';

describe('the parents of a commit that lies in a file of its own', () => {
  test('are read without git: none, one, several', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    const repo = await openRepo(root);
    const first = sh(root, 'rev-parse', 'HEAD');
    const second = commitFiles(root, { 'b.txt': 'b\n' });
    const merge = sh(root, 'commit-tree', '-p', second, '-p', first, '-m', 'parent of nothing\n\nparent 1234', 'HEAD^{tree}');
    expect(await looseParents(repo, first)).toEqual([]);
    expect(await looseParents(repo, second)).toEqual([first]);
    expect(await looseParents(repo, merge)).toEqual([second, first]);
  });

  test('are left to git where it is packed, damaged, or no commit', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    const repo = await openRepo(root);
    const first = sh(root, 'rev-parse', 'HEAD');
    const second = commitFiles(root, { 'b.txt': 'b\n' });
    expect(await looseParents(repo, sh(root, 'rev-parse', 'HEAD^{tree}'))).toBeUndefined();
    expect(await looseParents(repo, 'f'.repeat(40))).toBeUndefined();
    sh(root, 'repack', '-adq');
    expect(await looseParents(repo, second)).toBeUndefined();
    expect(await isAncestor(repo, first, second)).toBe(true);
    expect(await isAncestor(repo, second, first)).toBe(false);
    const third = commitFiles(root, { 'c.txt': 'c\n' });
    const file = join(root, '.git/objects', third.slice(0, 2), third.slice(2));
    chmodSync(file, 0o600);
    writeFileSync(file, 'damaged');
    expect(await looseParents(repo, third)).toBeUndefined();
  });
});
