import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { RawPath } from '../../src/core/raw-path.ts';
import { converge } from '../helpers/converge.ts';
import { sh, tempDir, tempRepo } from '../helpers/repos.ts';
import { closeAllWatchers, put, untilCovered, untilEditsAreNamed, untilQuiet, watching } from './watching.ts';

afterEach(closeAllWatchers);

describe('files', () => {
  test('names a file that is created, changed, made executable, renamed and deleted', async () => {
    const root = tempDir('watch');
    put(root, 'notes/old.md');
    const watched = await watching(root);
    expect(watched.watcher).toMatchObject({ kind: 'directories', watchCount: 2 });
    const steps: [string, () => void][] = [
      ['notes/new.md', () => put(root, 'notes/new.md')],
      ['notes/old.md', () => writeFileSync(join(root, 'notes/old.md'), 'more')],
      ['notes/old.md', () => chmodSync(join(root, 'notes/old.md'), 0o755)],
      ['notes/moved.md', () => renameSync(join(root, 'notes/new.md'), join(root, 'notes/moved.md'))],
      ['notes/old.md', () => unlinkSync(join(root, 'notes/old.md'))],
    ];
    for (const [path, act] of steps) {
      watched.forget();
      act();
      await converge(`a report that names ${path}`, () => watched.named(path));
      // Exactly that, so that a reader looks at nothing else.
      for (const other of watched.reported) expect(['notes/new.md', path]).toContain(other);
    }
  });

  test('names both ends of an atomic save', async () => {
    const root = tempDir('watch');
    put(root, 'a/text.md');
    const watched = await watching(root);
    put(root, 'a/.text.md.tmp');
    renameSync(join(root, 'a/.text.md.tmp'), join(root, 'a/text.md'));
    await converge('both names', () => watched.named('a/text.md') && watched.named('a/.text.md.tmp'));
  });

  test('names files whose names are no UTF-8 or hold newlines, and watches such directories', async () => {
    const root = tempDir('watch');
    const odd = ['d\xff\xfe/f\xe9.txt', 'two\nlines/a\nb.txt', 'umlaut \u00c3\u00a4/x.txt'] as RawPath[];
    for (const path of odd.slice(0, 2)) put(root, path);
    const watched = await watching(root);
    for (const path of odd) put(root, path);
    for (const path of odd) await untilCovered(watched, path);
    for (const path of odd) {
      await converge(`${JSON.stringify(path)} by its name`, () => {
        put(root, path);
        return watched.named(path);
      });
    }
  });
});

describe('directories', () => {
  test('reports what is inside a deep directory that is made at once, and watches it', async () => {
    const root = tempDir('watch');
    const watched = await watching(root);
    const deep = Array.from({ length: 40 }, (_, i) => `d${i}`).join('/');
    put(root, `${deep}/file.txt`);
    await untilCovered(watched, `${deep}/file.txt`);
    await untilEditsAreNamed(watched, `${deep}/file.txt`);
    expect(watched.watcher.watchCount).toBe(41);
  });

  test('reports all of 3 000 files made at once in 300 nested new directories', async () => {
    const root = tempDir('watch');
    const watched = await watching(root);
    const directories = Array.from({ length: 300 }, (_, i) => `top/a${i % 10}/b${i % 60}/c${i}`);
    const paths = directories.flatMap((directory) => Array.from({ length: 10 }, (_, i) => `${directory}/${i}.txt`));
    for (const [i, path] of paths.entries()) {
      put(root, path, path);
      // Lets the watcher run in the middle of it, as another process's burst would.
      if (i % 97 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await converge('all of them', () => paths.every((path) => watched.covers(path)));
    for (const directory of directories.filter((_, i) => i % 50 === 0)) await untilEditsAreNamed(watched, `${directory}/0.txt`);
    await converge('every directory watched once', () => watched.watcher.watchCount === 1 + 1 + 10 + 60 + 300);
  });

  test('reports edits under the new name after a directory was renamed, never under the old one', async () => {
    const root = tempDir('watch');
    put(root, 'old/inner/file.txt');
    const watched = await watching(root);
    renameSync(join(root, 'old'), join(root, 'new'));
    await untilCovered(watched, 'old/inner/file.txt');
    await untilEditsAreNamed(watched, 'new/inner/file.txt');
    await untilQuiet(watched);
    watched.forget();
    put(root, 'new/inner/file.txt');
    await converge('the new name', () => watched.named('new/inner/file.txt'));
    expect([...watched.reported].filter((path) => path.startsWith('old'))).toEqual([]);
    expect(watched.watcher.watchCount).toBe(3);
  });

  test('stays right when directories swap their names', async () => {
    const root = tempDir('watch');
    for (const name of ['a', 'b']) put(root, `${name}/sub/${name}.txt`);
    const watched = await watching(root);
    renameSync(join(root, 'a'), join(root, 'c'));
    renameSync(join(root, 'b'), join(root, 'a'));
    renameSync(join(root, 'c'), join(root, 'b'));
    await untilEditsAreNamed(watched, 'a/sub/b.txt');
    await untilEditsAreNamed(watched, 'b/sub/a.txt');
    await untilQuiet(watched);
    watched.forget();
    put(root, 'a/sub/b.txt');
    await untilQuiet(watched);
    expect([...watched.reported].filter((path) => path.startsWith('b/') || path.startsWith('c/'))).toEqual([]);
  });

  test('watches a directory again that was deleted and made anew', async () => {
    const root = tempDir('watch');
    put(root, 'd/sub/file.txt');
    const watched = await watching(root);
    for (let i = 0; i < 20; i += 1) {
      rmSync(join(root, 'd'), { recursive: true });
      put(root, 'd/sub/file.txt');
    }
    await untilEditsAreNamed(watched, 'd/sub/file.txt');
    expect(watched.watcher.watchCount).toBe(3);
    watched.forget();
    rmSync(join(root, 'd'), { recursive: true });
    await untilCovered(watched, 'd/sub/file.txt');
    await converge('their watches closed', () => watched.watcher.watchCount === 1);
  });

  test('reports what is in a directory that is moved in from elsewhere, and forgets one that is moved out', async () => {
    const root = tempDir('watch');
    const outside = tempDir('outside');
    put(outside, 'box/deep/file.txt');
    const watched = await watching(root);
    renameSync(join(outside, 'box'), join(root, 'box'));
    await untilCovered(watched, 'box/deep/file.txt');
    await untilEditsAreNamed(watched, 'box/deep/file.txt');
    renameSync(join(root, 'box'), join(outside, 'gone'));
    await converge('their watches closed', () => watched.watcher.watchCount === 1);
    watched.forget();
    put(outside, 'gone/deep/file.txt');
    await untilQuiet(watched);
    expect([...watched.reported].filter((path) => path.includes('file.txt'))).toEqual([]);
  });

  test('never follows a symbolic link to a directory, also when it takes a directory\'s place', async () => {
    const root = tempDir('watch');
    const outside = tempDir('outside');
    put(outside, 'file.txt');
    put(root, 'real/file.txt');
    symlinkSync(outside, join(root, 'link'));
    const watched = await watching(root);
    expect(watched.watcher.watchCount).toBe(2);
    rmSync(join(root, 'real'), { recursive: true });
    symlinkSync(outside, join(root, 'real'));
    await untilCovered(watched, 'real');
    await converge('only the root watched', () => watched.watcher.watchCount === 1);
    watched.forget();
    put(outside, 'file.txt');
    await untilQuiet(watched);
    expect([...watched.reported].filter((path) => path.includes('file.txt'))).toEqual([]);
  });
});

describe('what is not watched', () => {
  test('git\'s own directory', async () => {
    const root = tempRepo({ 'a.txt': 'a' });
    const watched = await watching(root);
    expect(watched.watcher.watchCount).toBe(1);
    sh(root, 'commit', '-q', '--allow-empty', '-m', 'more');
    await untilQuiet(watched);
    expect([...watched.reported].filter((path) => path.startsWith('.git'))).toEqual([]);
  });

  test('ignored directories, until .gitignore or .git/info/exclude says otherwise', async () => {
    const root = tempRepo({ 'a.txt': 'a' });
    for (const name of ['build', 'cache', 'src']) put(root, `${name}/deep/file.txt`);
    const ignored = new Set(['build']);
    const watched = await watching(root, { ignored: () => [...ignored] });
    expect(watched.watcher.watchCount).toBe(5);

    ignored.add('cache');
    put(root, '.gitignore', 'build\ncache\n');
    await converge('cache no longer watched', () => watched.watcher.watchCount === 3);

    ignored.delete('build');
    watched.forget();
    put(root, '.git/info/exclude', 'cache\n');
    await converge('everything reported', () => watched.reported.has('all'));
    await untilEditsAreNamed(watched, 'build/deep/file.txt');

    ignored.add('src/deep');
    put(root, 'src/.gitignore', 'deep\n');
    await converge('src/deep no longer watched', () => watched.watcher.watchCount === 4);
    expect(watched.covers('src/deep')).toBe(true);
  });

  test('a new ignored directory costs no watch', async () => {
    const root = tempDir('watch');
    const watched = await watching(root, { ignored: () => ['node_modules'] });
    for (let i = 0; i < 50; i += 1) put(root, `node_modules/p${i}/index.js`);
    put(root, 'src/a.ts');
    await untilEditsAreNamed(watched, 'src/a.ts');
    expect(watched.watcher.watchCount).toBe(2);
  });

  test('what lies in nested repositories; a directory that becomes one or ceases to be one is reported', async () => {
    const root = tempRepo({ 'a.txt': 'a' });
    put(root, 'lib/src/deep/file.txt');
    put(root, 'other/src/file.txt');
    sh(join(root, 'lib'), 'init', '-q');
    const watched = await watching(root);
    // The root, lib (for its .git to go), other, other/src.
    expect(watched.watcher.watchCount).toBe(4);
    put(root, 'lib/src/deep/file.txt');
    put(root, 'lib/top.txt');
    await untilQuiet(watched);
    expect([...watched.reported].filter((path) => path.startsWith('lib'))).toEqual([]);

    sh(join(root, 'other'), 'init', '-q');
    await converge('other no longer watched below', () => watched.named('other') && watched.watcher.watchCount === 3);
    watched.forget();
    rmSync(join(root, 'lib/.git'), { recursive: true });
    await untilCovered(watched, 'lib/src/deep/file.txt');
    await untilEditsAreNamed(watched, 'lib/src/deep/file.txt');
  });
});

test('goes on, watching everything, when git cannot say what is ignored', async () => {
  const root = tempDir('watch');
  put(root, 'd/file.txt');
  const watched = await watching(root, { ignoredDirectories: () => Promise.reject(new Error('git is broken')) });
  await untilEditsAreNamed(watched, 'd/file.txt');
});

test('says nothing any more once it is closed', async () => {
  const root = tempDir('watch');
  put(root, 'd/file.txt');
  const watched = await watching(root);
  const other = await watching(root);
  for (let i = 0; i < 100; i += 1) put(root, `d/new${i}/x`);
  const closing = watched.watcher.close();
  watched.forget();
  await closing;
  put(root, 'd/file.txt');
  await untilQuiet(other);
  expect([...watched.reported]).toEqual([]);
  expect(watched.watcher.watchCount).toBe(0);
});

test('can be closed while it still begins', async () => {
  const root = tempDir('watch');
  for (let i = 0; i < 50; i += 1) mkdirSync(join(root, `d${i}/e`), { recursive: true });
  const starting = watching(root);
  await closeAllWatchers();
  expect((await starting).watcher.watchCount).toBe(0);
});
