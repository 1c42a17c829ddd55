import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { describeWith } from '../helpers/requires.ts';
import { read, sh, tempDir, write } from '../helpers/repos.ts';
import { applied, historyOf, makeCommit, makeFixture, openFixture, raw, statusOf, type Fixture } from './apply-fixture.ts';

/** A filter kept in the repository, named relative to it: upper case in the object database, lower case on disk. */
function withCaseFilter(root: string): void {
  mkdirSync(join(root, 'tools'));
  for (const [name, program] of [['up', 'tr a-z A-Z'], ['down', 'tr A-Z a-z']] as const) {
    writeFileSync(join(root, 'tools', name), `#!/bin/sh\nexec ${program}\n`);
    chmodSync(join(root, 'tools', name), 0o755);
    sh(root, 'config', `filter.case.${name === 'up' ? 'clean' : 'smudge'}`, `./tools/${name}`);
  }
  writeFileSync(join(root, '.git/info/exclude'), 'tools/\n');
}

describe('files that git converts', () => {
  test('line ends follow .gitattributes, and what git converted is not taken for an edit', async () => {
    const fixture = await makeFixture({ '.gitattributes': '*.txt text eol=crlf\n', 'a.txt': 'one\ntwo\n', 'b.txt': 'gone\n', 'caf\xe9.txt': 'x\n' });
    expect(read(fixture.root, 'a.txt')).toBe('one\r\ntwo\r\n');
    const to = fixture.incoming({ 'a.txt': 'one\ntwo\nthree\n', 'b.txt': null, 'caf\xe9.txt': 'y\n', 'new.txt': 'n\n' });
    expect(applied(await fixture.apply(to))).toMatchObject({ commit: to, unseen: [], blocked: [] });
    expect(read(fixture.root, 'a.txt')).toBe('one\r\ntwo\r\nthree\r\n');
    expect(read(fixture.root, 'new.txt')).toBe('n\r\n');
    expect(statusOf(fixture.root)).toBe('');
  });

  test.each([0, 150])('attributes that come in with the files count for the new ones, the former ones for the old; %s files more', async (more) => {
    const others = Object.fromEntries(Array.from({ length: more }, (_, i) => [`other/${i}`, `${i}\n`]));
    const fixture = await makeFixture({ '.gitattributes': '*.txt text eol=crlf\n', 'a.txt': 'one\n', 'd/b.txt': 'b\n', 'e/.gitattributes': 'c.txt eol=lf\n', 'e/f/c.txt': 'c\n' });
    const to = fixture.incoming({ '.gitattributes': '*.txt text eol=lf\n', 'a.txt': 'ONE\n', 'd/.gitattributes': 'b.txt eol=crlf\n', 'd/b.txt': 'B\n', 'e/.gitattributes': 'c.txt eol=crlf\n', ...others });
    const next = makeCommit(fixture.root, to, { 'e/f/c.txt': 'C\n' });
    expect(applied(await fixture.apply(to))).toMatchObject({ commit: to, unseen: [] });
    expect(read(fixture.root, 'a.txt')).toBe('ONE\n');
    expect(read(fixture.root, 'd/b.txt')).toBe('B\r\n');
    expect(read(fixture.root, 'e/f/c.txt')).toBe('c\n');
    expect(applied(await fixture.apply(next, { from: to }))).toMatchObject({ commit: next, unseen: [] });
    expect(read(fixture.root, 'e/f/c.txt')).toBe('C\r\n');
    expect(statusOf(fixture.root)).toBe('');
  });

  test('clean and smudge filters run in the work tree, where their relative names mean something', async () => {
    const fixture = await makeFixture({ '.gitattributes': '*.low filter=case\n', 'a.low': 'ONE\n', 'b.low': 'TWO\n', 'c.low': 'THREE\n' }, withCaseFilter);
    expect(read(fixture.root, 'a.low')).toBe('one\n');
    write(fixture.root, 'c.low', 'three\nedited\n');
    const to = fixture.incoming({ 'a.low': 'ONE MORE\n', 'b.low': null, 'c.low': 'ZERO\nTHREE\n' });
    const outcome = applied(await fixture.apply(to));
    expect(outcome.unseen).toEqual([raw('c.low')]);
    expect(read(fixture.root, 'a.low')).toBe('one more\n');
    expect(historyOf(fixture.root, 'c.low')).toContain('THREE\nEDITED\n');
    expect(statusOf(fixture.root)).toBe('');
  });

  test('a file whose required filter fails waits, and the others come in', async () => {
    const fixture = await makeFixture({ '.gitattributes': '*.x filter=broken\n', 'plain.txt': 'a\n' }, (root) => {
      sh(root, 'config', 'filter.broken.smudge', 'false');
      sh(root, 'config', 'filter.broken.clean', 'cat');
      sh(root, 'config', 'filter.broken.required', 'true');
    });
    const outcome = applied(await fixture.apply(fixture.incoming({ 'plain.txt': 'b\n', 'file.x': 'content\n', 'more.txt': 'c\n' })));
    expect(outcome.blocked).toEqual([{ path: 'file.x', why: expect.stringContaining('git could not write it') }]);
    expect(read(fixture.root, 'plain.txt')).toBe('b\n');
    expect(read(fixture.root, 'more.txt')).toBe('c\n');
  });

  test('a file that git always calls changed, since its blob was never normalized, is no unseen edit', async () => {
    const fixture = await makeFixture({ '.gitattributes': '*.txt text eol=crlf\n', 'crlf.txt': 'one\r\ntwo\r\n', 'gone.txt': 'x\r\n' });
    const to = fixture.incoming({ 'crlf.txt': 'one\ntwo\nthree\n', 'gone.txt': null });
    expect(applied(await fixture.apply(to))).toMatchObject({ commit: to, unseen: [] });
    expect(read(fixture.root, 'crlf.txt')).toBe('one\r\ntwo\r\nthree\r\n');
  });

  test('executable bits that the file system cannot tell (core.fileMode=false) are no edits', async () => {
    const fixture = await makeFixture({ 'run.sh': { mode: '100755', content: 'a\n' }, 'plain.txt': 'b\n' }, (root) => sh(root, 'config', 'core.fileMode', 'false'));
    chmodSync(join(fixture.root, 'run.sh'), 0o644);
    chmodSync(join(fixture.root, 'plain.txt'), 0o755);
    const to = fixture.incoming({ 'run.sh': { mode: '100755', content: 'A\n' }, 'plain.txt': 'B\n' });
    expect(applied(await fixture.apply(to))).toMatchObject({ commit: to, unseen: [] });
    expect(statusOf(fixture.root)).toBe('');
  });

  test('symbolic links as plain files (core.symlinks=false) are no edits', async () => {
    const fixture = await makeFixture({ link: { mode: '120000', content: 'a' }, other: { mode: '120000', content: 'x' } }, (root) => sh(root, 'config', 'core.symlinks', 'false'));
    expect(read(fixture.root, 'link')).toBe('a');
    const to = fixture.incoming({ link: { mode: '120000', content: 'b' }, other: null });
    expect(applied(await fixture.apply(to))).toMatchObject({ commit: to, unseen: [] });
    expect(read(fixture.root, 'link')).toBe('b');
    expect(statusOf(fixture.root)).toBe('');
  });

  test('a changed executable bit is an unseen edit like any other', async () => {
    const fixture = await makeFixture({ 'run.sh': 'echo 1\n' });
    chmodSync(join(fixture.root, 'run.sh'), 0o755);
    const outcome = applied(await fixture.apply(fixture.incoming({ 'run.sh': 'echo 2\n' })));
    expect(outcome.unseen).toEqual([raw('run.sh')]);
    expect(sh(fixture.root, 'ls-tree', 'HEAD', 'run.sh')).toContain('100755');
    expect(read(fixture.root, 'run.sh')).toBe('echo 2\n');
    expect(statusOf(fixture.root)).toBe('');
  });
});

describeWith(['git-lfs'], 'files in Git LFS', () => {
  async function lfsFixture(): Promise<Fixture & { second: string }> {
    const root = tempDir('lfs');
    sh(root, 'init', '-q', '-b', 'main');
    sh(root, 'lfs', 'install', '--local');
    write(root, '.gitattributes', '*.bin filter=lfs diff=lfs merge=lfs -text\n');
    write(root, 'a.bin', 'first version\n');
    write(root, 'b.bin', 'gone later\n');
    sh(root, 'add', '-A');
    sh(root, 'commit', '-q', '-m', 'first');
    write(root, 'a.bin', 'second version\n');
    write(root, 'c.bin', 'new\n');
    sh(root, 'rm', '-q', 'b.bin');
    sh(root, 'add', '-A');
    sh(root, 'commit', '-q', '-m', 'second');
    const second = sh(root, 'rev-parse', 'HEAD');
    sh(root, 'reset', '-q', '--hard', 'HEAD~1');
    return { ...(await openFixture(root)), second };
  }

  test('come in as their content, not as pointers', async () => {
    const fixture = await lfsFixture();
    expect(applied(await fixture.apply(fixture.second))).toMatchObject({ commit: fixture.second, unseen: [] });
    expect(read(fixture.root, 'a.bin')).toBe('second version\n');
    expect(read(fixture.root, 'c.bin')).toBe('new\n');
    expect(statusOf(fixture.root)).toBe('');
  });

  test('are saved as pointers when they hold an unseen edit', async () => {
    const fixture = await lfsFixture();
    write(fixture.root, 'b.bin', 'edited meanwhile\n');
    const outcome = applied(await fixture.apply(fixture.second));
    expect(outcome.unseen).toEqual([raw('b.bin')]);
    expect(historyOf(fixture.root, 'b.bin').every((content) => content.startsWith('version https://git-lfs'))).toBe(true);
    expect(read(fixture.root, 'b.bin')).toBe('edited meanwhile\n');
    expect(statusOf(fixture.root)).toBe('');
  });

  test('that are missing on the server wait, and the others come in', async () => {
    const fixture = await lfsFixture();
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'ab'.repeat(32)}\nsize 5\n`;
    const to = makeCommit(fixture.root, fixture.second, { 'missing.bin': pointer, 'plain.txt': 'here\n' });
    const outcome = applied(await fixture.apply(to));
    expect(outcome.blocked.map(({ path }) => path)).toEqual(['missing.bin']);
    expect(read(fixture.root, 'plain.txt')).toBe('here\n');
    expect(read(fixture.root, 'a.bin')).toBe('second version\n');
  });
});
