import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { listConflictCopies } from '../../src/git/conflict-copies.ts';
import { openRepo } from '../../src/git/repository.ts';
import { commitFiles, sh, tempRepo, write } from '../helpers/repos.ts';

const copyOf = (stem: string): string => `${stem}.conflict-20261120-101500-desk-0123456.md`;

describe('the conflict copies of a commit', () => {
  test('are the same, looked for in all files or in what has changed since another commit', async () => {
    const root = tempRepo({ 'a.md': 'a\n', [copyOf('a')]: 'other a\n', [copyOf('sub/b')]: 'other b\n' });
    const repo = await openRepo(root);
    const first = sh(root, 'rev-parse', 'HEAD');
    const copies = await listConflictCopies(repo, first);
    expect(copies).toEqual([{ copy: copyOf('a'), path: 'a.md' }, { copy: copyOf('sub/b'), path: 'sub/b.md' }]);

    rmSync(join(root, copyOf('a')));
    renameSync(join(root, copyOf('sub/b')), join(root, copyOf('c')));
    write(root, 'plain.md', 'plain\n');
    const second = commitFiles(root, { [copyOf('sub/deep/d')]: 'other d\n' });
    const expected = [copyOf('c'), copyOf('sub/deep/d')];
    expect((await listConflictCopies(repo, second)).map(({ copy }) => copy)).toEqual(expected);
    expect((await listConflictCopies(repo, second, { commit: first, copies })).map(({ copy }) => copy)).toEqual(expected);
    expect(await listConflictCopies(repo, first, { commit: second, copies: await listConflictCopies(repo, second) })).toEqual(copies);
    // One that is gone by now is no hindrance.
    expect((await listConflictCopies(repo, second, { commit: '1'.repeat(40), copies })).map(({ copy }) => copy)).toEqual(expected);
  });
});
