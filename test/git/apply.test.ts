import { chmodSync, existsSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { applyCommit } from '../../src/git/apply.ts';
import { openPrivateIndex } from '../../src/git/private-index.ts';
import { openRepo } from '../../src/git/repository.ts';
import { read, sh, tempDir, tempRepo, write } from '../helpers/repos.ts';
import { applied, filesOfCommit, filesOnDisk, leftovers, makeCommit, makeFixture, openFixture, raw, statusOf } from './apply-fixture.ts';

describe('bringing a commit into the work tree', () => {
  test('adds, changes and removes files, and moves branch and index with them', async () => {
    const fixture = await makeFixture({ 'a.txt': 'one\n', 'b.txt': 'two\n', 'd/c.txt': 'three\n' });
    const to = fixture.incoming({ 'a.txt': 'ONE\n', 'b.txt': null, 'd/c.txt': null, 'e/f/new.txt': 'new\n' });

    const outcome = applied(await fixture.apply(to));

    expect(outcome).toEqual({ kind: 'applied', commit: to, changed: 4, unseen: [], blocked: [], conflicts: [] });
    expect(filesOnDisk(fixture.root)).toEqual(filesOfCommit(fixture.root, to));
    expect(sh(fixture.root, 'rev-parse', 'refs/heads/main')).toBe(to);
    expect(statusOf(fixture.root)).toBe('');
    expect(existsSync(join(fixture.root, 'd'))).toBe(false);
    expect(leftovers(fixture.root)).toEqual([]);
  });

  test('does nothing where nothing differs', async () => {
    const fixture = await makeFixture({ 'a.txt': 'one\n' });
    expect(applied(await fixture.apply(fixture.from)).changed).toBe(0);
    expect(statusOf(fixture.root)).toBe('');
  });

  test('brings the first commit into an empty repository', async () => {
    const root = tempRepo();
    const to = makeCommit(root, undefined, { 'a.txt': 'one\n', 'd/b.txt': 'two\n' });
    const repo = await openRepo(root);
    const outcome = await applyCommit(repo, openPrivateIndex(repo), { ref: 'refs/heads/main', from: undefined, to, keep: new Set(), rules: [] });
    expect(applied(outcome).commit).toBe(to);
    expect(filesOnDisk(root)).toEqual(filesOfCommit(root, to));
    expect(statusOf(root)).toBe('');
  });

  test('follows executable bits, symbolic links and changes of type', async () => {
    const fixture = await makeFixture({ 'run.sh': 'x\n', 'plain.sh': { mode: '100755', content: 'y\n' }, link: { mode: '120000', content: 'run.sh' }, file: 'f\n' });
    const to = fixture.incoming({
      'run.sh': { mode: '100755', content: 'x\n' },
      'plain.sh': 'y\n',
      link: { mode: '120000', content: 'plain.sh' },
      file: { mode: '120000', content: '../outside' },
    });
    applied(await fixture.apply(to));
    expect(filesOnDisk(fixture.root)).toEqual(filesOfCommit(fixture.root, to));
    expect(readlinkSync(join(fixture.root, 'link'))).toBe('plain.sh');
    expect(statusOf(fixture.root)).toBe('');
  });

  test('swaps files for directories and directories for files and links', async () => {
    const fixture = await makeFixture({ a: 'file\n', 'b/x/y': 'deep\n', 'b/z': 'z\n', 'c/1': 'one\n', l: { mode: '120000', content: 'c' } });
    const to = fixture.incoming({ a: null, 'a/in': 'a directory now\n', 'b/x/y': null, 'b/z': null, b: 'a file now\n', 'c/1': null, c: { mode: '120000', content: 'a' }, l: null, 'l/inside': 'real\n' });
    applied(await fixture.apply(to));
    expect(filesOnDisk(fixture.root)).toEqual(filesOfCommit(fixture.root, to));
    expect(statusOf(fixture.root)).toBe('');
  });

  test('keeps directories that still hold something, and the directory of a renamed file', async () => {
    const fixture = await makeFixture({ 'd/a': 'a\n', 'e/b': 'b\n' });
    write(fixture.root, 'd/mine.txt', 'untracked\n');
    const before = statSync(join(fixture.root, 'e')).ino;
    const to = fixture.incoming({ 'd/a': null, 'e/b': null, 'e/c': 'b\n' });
    applied(await fixture.apply(to));
    expect(read(fixture.root, 'd/mine.txt')).toBe('untracked\n');
    expect(statSync(join(fixture.root, 'e')).ino).toBe(before);
    expect(statusOf(fixture.root)).toBe('?? d/mine.txt');
  });

  test('takes any name: not UTF-8, newlines, quotes, 255 bytes, leading dashes', async () => {
    const names = ['caf\xe9', 'two\nlines', '"quoted"\\', '-rf', ':(top)x', '*', 'x'.repeat(255), `d\xff/${'y'.repeat(250)}`, ' ', 'tab\there'];
    const fixture = await makeFixture(Object.fromEntries(names.map((name) => [name, `old ${name.length}\n`])));
    const to = fixture.incoming(Object.fromEntries(names.map((name, i) => [name, i % 3 === 2 ? null : `new ${i}\n`])));
    applied(await fixture.apply(to));
    expect(filesOnDisk(fixture.root)).toEqual(filesOfCommit(fixture.root, to));
    expect(statusOf(fixture.root)).toBe('');
    const back = makeCommit(fixture.root, to, Object.fromEntries(names.map((name) => [name, `back ${name.length}\n`])));
    applied(await fixture.apply(back, { from: to }));
    expect(filesOnDisk(fixture.root)).toEqual(filesOfCommit(fixture.root, back));
    expect(statusOf(fixture.root)).toBe('');
  });

  test('keeps permissions of others off a file that was private', async () => {
    const fixture = await makeFixture({ 'private.txt': 'a\n', 'script': 'b\n' });
    chmodSync(join(fixture.root, 'private.txt'), 0o600);
    chmodSync(join(fixture.root, 'script'), 0o600);
    applied(await fixture.apply(fixture.incoming({ 'private.txt': 'A\n', script: { mode: '100755', content: 'B\n' } })));
    expect(statSync(join(fixture.root, 'private.txt')).mode & 0o777).toBe(0o600);
    expect(statSync(join(fixture.root, 'script')).mode & 0o777).toBe(0o700);
    expect(statusOf(fixture.root)).toBe('');
  });

  test('leaves kept paths as they are', async () => {
    const fixture = await makeFixture({ 'held.bin': 'old\n', 'a.txt': 'a\n' });
    write(fixture.root, 'held.bin', 'mine\n');
    const to = fixture.incoming({ 'held.bin': 'theirs\n', 'a.txt': 'A\n' });
    const outcome = applied(await fixture.apply(to, { keep: new Set([raw('held.bin')]) }));
    expect(outcome.commit).toBe(to);
    expect(read(fixture.root, 'held.bin')).toBe('mine\n');
    expect(read(fixture.root, 'a.txt')).toBe('A\n');
  });

  test('works in a linked work tree', async () => {
    const main = await makeFixture({ 'a.txt': 'one\n' });
    const root = join(tempDir('linked'), 'tree');
    sh(main.root, 'worktree', 'add', '-q', '-b', 'side', root);
    const fixture = await openFixture(root);
    const to = fixture.incoming({ 'a.txt': 'ONE\n', 'b.txt': 'two\n' });
    applied(await fixture.apply(to, { ref: 'refs/heads/side' }));
    expect(read(root, 'a.txt')).toBe('ONE\n');
    expect(statusOf(root)).toBe('');
    expect(statusOf(main.root)).toBe('');
  });

  test('works in a SHA-256 repository', async () => {
    const root = tempDir('sha256');
    sh(root, 'init', '-q', '-b', 'main', '--object-format=sha256');
    write(root, 'a.txt', 'one\n');
    sh(root, 'add', '-A');
    sh(root, 'commit', '-q', '-m', 'first');
    const from = sh(root, 'rev-parse', 'HEAD');
    write(root, 'a.txt', 'ONE\n');
    sh(root, 'commit', '-q', '-a', '-m', 'second');
    const to = sh(root, 'rev-parse', 'HEAD');
    sh(root, 'reset', '-q', '--hard', from);
    const fixture = await openFixture(root);
    expect(applied(await fixture.apply(to))).toMatchObject({ commit: to, unseen: [] });
    expect(read(root, 'a.txt')).toBe('ONE\n');
  });
});
