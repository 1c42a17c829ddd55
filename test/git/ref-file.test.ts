import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { peekRef, readRef } from '../../src/git/ref-file.ts';
import { openRepo } from '../../src/git/repository.ts';
import { sh, tempDir, tempRepo } from '../helpers/repos.ts';

describe('a ref, read from its files', () => {
  let root = '';
  let first = '';
  let second = '';
  const peek = (ref: string): ReturnType<typeof peekRef> => peekRef(join(root, '.git'), ref);

  beforeEach(() => {
    root = tempRepo();
    sh(root, 'commit', '-q', '--allow-empty', '-m', 'first');
    first = sh(root, 'rev-parse', 'HEAD');
    sh(root, 'pack-refs', '--all');
    sh(root, 'commit', '-q', '--allow-empty', '-m', 'second');
    second = sh(root, 'rev-parse', 'HEAD');
  });

  test('has the value of its own file, else the packed one', async () => {
    sh(root, 'branch', 'old/one', first);
    sh(root, 'pack-refs', '--all');
    sh(root, 'branch', 'new', second);
    expect([await peek('refs/heads/old/one'), await peek('refs/heads/main'), await peek('refs/heads/new')]).toEqual([first, second, second]);
  });

  test('that is nowhere is no ref; neither is the folder of others', async () => {
    sh(root, 'branch', 'a/b');
    expect([await peek('refs/heads/none'), await peek('refs/heads/a'), await peek('refs/heads/main/below')]).toEqual([null, null, null]);
  });

  test('whose own file is empty or no id is left to git, whatever older value is packed', async () => {
    for (const content of ['', 'junk\n', 'ref: refs/heads/other\n']) {
      writeFileSync(join(root, '.git/refs/heads/main'), content);
      expect(await peek('refs/heads/main')).toBeUndefined();
    }
  });

  test('is followed by git where it is a symbolic one', async () => {
    sh(root, 'symbolic-ref', 'refs/heads/alias', 'refs/heads/main');
    expect(await readRef(await openRepo(root), 'refs/heads/alias')).toBe(second);
  });

  test('of one work tree alone is read there', async () => {
    const other = join(tempDir('other'), 'tree');
    sh(root, 'worktree', 'add', '-q', '--detach', other, first);
    sh(other, 'update-ref', 'refs/worktree/mine', first);
    expect(await readRef(await openRepo(other), 'refs/worktree/mine')).toBe(first);
    expect(await readRef(await openRepo(root), 'refs/worktree/mine')).toBeUndefined();
  });

  test('of a repository that keeps its refs otherwise is left to git', async () => {
    writeFileSync(join(root, '.git/HEAD'), 'ref: refs/heads/.invalid\n');
    expect(await peek('refs/heads/none')).toBeUndefined();
  });
});
