/** What a person's own git work must survive. */
import { rmSync, writeFileSync, chmodSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { describeWith } from '../helpers/requires.ts';
import { captureOnce, openCapture } from '../helpers/capture.ts';
import { commitFiles, read, sh, tempDir, tempRepo, write } from '../helpers/repos.ts';

const headOf = (root: string): string => sh(root, 'rev-parse', 'HEAD');

function tryGit(root: string, ...args: string[]): void {
  try {
    sh(root, ...args);
  } catch {
    // Expected to stop with a conflict.
  }
}

describe('while the person is in the middle of something, the branch stands still and a snapshot keeps the work', () => {
  async function expectSnapshot(root: string, why: string): Promise<void> {
    const head = headOf(root);
    const status = sh(root, 'status', '--porcelain');
    write(root, 'during.txt', 'written meanwhile\n');
    const { outcome } = await captureOnce(root);
    expect(outcome).toMatchObject({ kind: 'snapshot', why });
    expect(headOf(root)).toBe(head);
    expect(sh(root, 'status', '--porcelain').split('\n').filter((line) => !line.includes('during.txt')).join('\n')).toBe(status);
    expect(sh(root, 'for-each-ref', '--format=%(refname)', 'refs/gitsync/snap')).not.toBe('');
    const ref = sh(root, 'for-each-ref', '--format=%(refname)', 'refs/gitsync/snap').split('\n')[0] as string;
    expect(sh(root, 'show', `${ref}:during.txt`)).toBe('written meanwhile');
    // Nothing new: no further snapshot.
    const again = await captureOnce(root);
    expect(again.outcome).toEqual({ kind: 'snapshot', why, commit: undefined });
  }

  function conflicting(): string {
    const root = tempRepo({ 'a.txt': 'base\n' });
    sh(root, 'switch', '-q', '-c', 'other');
    commitFiles(root, { 'a.txt': 'other\n' }, 'other');
    sh(root, 'switch', '-q', 'main');
    commitFiles(root, { 'a.txt': 'main\n' }, 'main');
    return root;
  }

  test('staged changes stay staged', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    write(root, 'a.txt', 'staged\n');
    sh(root, 'add', 'a.txt');
    write(root, 'a.txt', 'and more\n');
    await expectSnapshot(root, 'staged');
    expect(sh(root, 'show', ':a.txt')).toBe('staged');
  });

  test('an open merge', async () => {
    const root = conflicting();
    tryGit(root, 'merge', 'other');
    await expectSnapshot(root, 'merge');
    expect(sh(root, 'ls-files', '-u')).not.toBe('');
  });

  test('an open rebase', async () => {
    const root = conflicting();
    tryGit(root, 'rebase', 'other');
    await expectSnapshot(root, 'rebase');
    sh(root, 'rebase', '--abort');
  });

  test('an open cherry-pick', async () => {
    const root = conflicting();
    tryGit(root, 'cherry-pick', 'other');
    await expectSnapshot(root, 'cherry-pick');
  });

  test('an open revert', async () => {
    const root = tempRepo({ 'a.txt': 'one\n' });
    commitFiles(root, { 'a.txt': 'two\n' });
    commitFiles(root, { 'a.txt': 'three\n' });
    tryGit(root, 'revert', '--no-edit', 'HEAD~1');
    await expectSnapshot(root, 'revert');
  });

  test('a bisect', async () => {
    const root = tempRepo({ 'a.txt': 'one\n' });
    for (let i = 0; i < 4; i++) commitFiles(root, { 'a.txt': `${i}\n` });
    sh(root, 'bisect', 'start', 'HEAD', 'HEAD~4');
    await expectSnapshot(root, 'bisect');
  });

  test('a detached HEAD', async () => {
    const root = tempRepo({ 'a.txt': 'one\n' });
    sh(root, 'checkout', '-q', '--detach');
    await expectSnapshot(root, 'detached');
  });

  test('another branch than the configured one', async () => {
    const root = tempRepo({ 'a.txt': 'one\n' });
    sh(root, 'switch', '-q', '-c', 'feature');
    write(root, 'b.txt', 'b\n');
    const { outcome } = await captureOnce(root, { branch: 'main' });
    expect(outcome).toMatchObject({ kind: 'snapshot', why: 'other-branch' });
  });

  test('a live index.lock, which stays', async () => {
    const root = tempRepo({ 'a.txt': 'one\n' });
    writeFileSync(join(root, '.git/index.lock'), '');
    write(root, 'b.txt', 'b\n');
    const { outcome } = await captureOnce(root);
    expect(outcome).toMatchObject({ kind: 'snapshot', why: 'index-lock' });
    rmSync(join(root, '.git/index.lock'));
    expect((await captureOnce(root)).outcome.kind).toBe('committed');
  });

  test('and goes on by itself afterwards, with nothing missed', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    const { capture } = await openCapture(root);
    await capture();
    write(root, 'staged.txt', 's\n');
    sh(root, 'add', 'staged.txt');
    write(root, 'b.txt', 'b\n');
    expect((await capture({ scan: new Set() })).outcome.kind).toBe('snapshot');
    sh(root, 'commit', '-q', '-m', 'mine');
    expect((await capture({ scan: new Set() })).outcome.kind).toBe('committed');
    expect(sh(root, 'status', '--porcelain')).toBe('');
  });
});

describe('left as it is', () => {
  test('the stash and other branches', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    sh(root, 'branch', 'other');
    write(root, 'a.txt', 'stashed\n');
    sh(root, 'stash');
    const before = sh(root, 'for-each-ref', 'refs/stash', 'refs/heads/other');
    write(root, 'b.txt', 'b\n');
    await captureOnce(root);
    expect(sh(root, 'for-each-ref', 'refs/stash', 'refs/heads/other')).toBe(before);
  });

  test('the config', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    const before = read(root, '.git/config');
    write(root, 'b.txt', 'b\n');
    await captureOnce(root);
    expect(read(root, '.git/config')).toBe(before);
  });

  test('commit.gpgsign without a terminal: the work is saved all the same', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    sh(root, 'config', 'commit.gpgsign', 'true');
    sh(root, 'config', 'user.signingkey', 'DEADBEEF');
    write(root, 'b.txt', 'b\n');
    expect((await captureOnce(root)).outcome.kind).toBe('committed');
  });

  test('assume-unchanged and skip-worktree flags in the index', async () => {
    const root = tempRepo({ 'a.txt': 'a\n', 'local.txt': 'l\n' });
    sh(root, 'update-index', '--assume-unchanged', 'local.txt');
    write(root, 'local.txt', 'mine only\n');
    write(root, 'a.txt', 'changed\n');
    await captureOnce(root);
    expect(sh(root, 'show', 'HEAD:local.txt')).toBe('l');
    expect(sh(root, 'ls-files', '-v', 'local.txt')).toMatch(/^h /);
  });

  test('a repository without a configured identity still saves', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    sh(root, 'config', 'user.useConfigOnly', 'true');
    const home = process.env['HOME'];
    process.env['HOME'] = tempDir('home');
    try {
      write(root, 'b.txt', 'b\n');
      expect((await captureOnce(root)).outcome.kind).toBe('committed');
    } finally {
      process.env['HOME'] = home;
    }
  });
});

describe('hooks', () => {
  function withHook(name: string, script: string): string {
    const root = tempRepo({ 'a.txt': 'a\n' });
    write(root, `.git/hooks/${name}`, `#!/bin/sh\n${script}\n`);
    chmodSync(join(root, `.git/hooks/${name}`), 0o755);
    write(root, 'b.txt', 'b\n');
    return root;
  }

  test('do not run unless they are asked for', async () => {
    const root = withHook('pre-commit', 'touch hook-ran; exit 1');
    expect((await captureOnce(root)).outcome.kind).toBe('committed');
    expect(sh(root, 'ls-tree', '--name-only', 'HEAD')).not.toContain('hook-ran');
  });

  test('run when asked for, and may change the message', async () => {
    const root = withHook('commit-msg', 'echo "Reviewed-by: hook" >> "$1"');
    expect((await captureOnce(root, {}, { hooks: true })).outcome.kind).toBe('committed');
    expect(sh(root, 'log', '-1', '--format=%B')).toContain('Reviewed-by: hook');
  });

  test('that refuse: nothing is committed, and what they said is told', async () => {
    const root = withHook('pre-commit', 'echo "no trailing spaces" >&2; exit 1');
    const head = headOf(root);
    await expect(captureOnce(root, {}, { hooks: true })).rejects.toMatchObject({ kind: 'hook', message: expect.stringContaining('no trailing spaces') as unknown });
    expect(headOf(root)).toBe(head);
    expect(() => read(root, '.git/index.lock')).toThrow();
  });

  test('that switch branches: the commit is on the one that is checked out then, and is said to be there', async () => {
    const root = withHook('pre-commit', 'exec git symbolic-ref HEAD refs/heads/feature');
    sh(root, 'branch', 'feature');
    const before = headOf(root);
    const { outcome, head } = await captureOnce(root, {}, { hooks: true });
    expect(head.ref).toBe('refs/heads/feature');
    expect(outcome).toMatchObject({ kind: 'committed', commit: sh(root, 'rev-parse', 'feature') });
    expect(sh(root, 'rev-parse', 'main')).toBe(before);
  });
});

describe('special repositories', () => {
  test('a submodule stays a submodule; its moved commit is reported, not committed', async () => {
    const library = tempRepo({ 'lib.txt': '1\n' });
    const root = tempRepo({ 'a.txt': 'a\n' });
    sh(root, '-c', 'protocol.file.allow=always', 'submodule', 'add', '-q', library, 'lib');
    sh(root, 'commit', '-q', '-m', 'submodule');
    commitFiles(join(root, 'lib'), { 'lib.txt': '2\n' });
    write(root, 'b.txt', 'b\n');
    const pointer = sh(root, 'rev-parse', 'HEAD:lib');
    const report = await captureOnce(root);
    expect(report.outcome.kind).toBe('committed');
    expect(report.movedSubmodules).toEqual(['lib']);
    expect(sh(root, 'rev-parse', 'HEAD:lib')).toBe(pointer);
  });

  test('sparse checkout: what is not checked out is not taken for deleted', async () => {
    const root = tempRepo({ 'in/a.txt': 'a\n', 'out/b.txt': 'b\n' });
    sh(root, 'sparse-checkout', 'set', 'in');
    write(root, 'in/c.txt', 'c\n');
    expect((await captureOnce(root)).outcome.kind).toBe('committed');
    expect(sh(root, 'ls-tree', '-r', '--name-only', 'HEAD')).toBe('in/a.txt\nin/c.txt\nout/b.txt');
    expect(sh(root, 'status', '--porcelain')).toBe('');
    expect(sh(root, 'ls-files', '-t', 'out/b.txt')).toMatch(/^S /);
  });

  test('a linked work tree', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    const linked = join(tempDir('linked'), 'tree');
    sh(root, 'worktree', 'add', '-q', '-b', 'side', linked);
    write(linked, 'b.txt', 'b\n');
    expect((await captureOnce(linked)).outcome.kind).toBe('committed');
    expect(sh(root, 'ls-tree', '--name-only', 'side')).toBe('a.txt\nb.txt');
    expect(sh(root, 'ls-tree', '--name-only', 'main')).toBe('a.txt');
    expect(sh(linked, 'status', '--porcelain')).toBe('');
  });

  test('a git directory elsewhere (.git is a file)', async () => {
    const root = tempDir('work');
    sh(root, 'init', '-q', '-b', 'main', `--separate-git-dir=${join(tempDir('git'), 'store')}`);
    write(root, 'a.txt', 'a\n');
    expect((await captureOnce(root)).outcome.kind).toBe('committed');
    expect(sh(root, 'status', '--porcelain')).toBe('');
  });

  test('a SHA-256 repository', async () => {
    const root = tempDir('sha256');
    sh(root, 'init', '-q', '-b', 'main', '--object-format=sha256');
    write(root, 'a.txt', 'a\n');
    await captureOnce(root);
    write(root, 'a.txt', 'b\n');
    expect((await captureOnce(root)).outcome.kind).toBe('committed');
    expect(headOf(root)).toHaveLength(64);
  });

  test('a clean filter and line endings are applied as git does', async () => {
    const root = tempRepo({ '.gitattributes': '*.up filter=upper\n*.win text eol=crlf\n' });
    sh(root, 'config', 'filter.upper.clean', 'tr a-z A-Z');
    write(root, 'x.up', 'quiet\n');
    write(root, 'y.win', 'one\r\ntwo\r\n');
    await captureOnce(root);
    expect(sh(root, 'show', 'HEAD:x.up')).toBe('QUIET');
    expect(sh(root, 'cat-file', '-s', 'HEAD:y.win')).toBe('8');
    expect(sh(root, 'status', '--porcelain')).toBe('');
  });
});

describeWith(['git-lfs'], 'git-lfs', () => {
  test('large files go in as pointers', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    sh(root, 'lfs', 'install', '--local');
    write(root, '.gitattributes', '*.bin filter=lfs diff=lfs merge=lfs -text\n');
    write(root, 'data.bin', Buffer.alloc(10_000, 7));
    expect((await captureOnce(root)).outcome.kind).toBe('committed');
    expect(sh(root, 'show', 'HEAD:data.bin')).toContain('https://git-lfs.github.com/spec/v1');
    expect(sh(root, 'status', '--porcelain')).toBe('');
  });
});
