/** The watcher of macOS and Windows. Node offers the same recursive watch under Linux (at one kernel watch for each file), which is enough to test it. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { startRecursiveWatcher } from '../../src/watch/recursive-watcher.ts';
import { converge } from '../helpers/converge.ts';
import { sh, tempDir, tempRepo } from '../helpers/repos.ts';
import { closeAllWatchers, put, untilEditsAreNamed, watching } from './watching.ts';

afterEach(closeAllWatchers);
const watch = (root: string, ignored: () => string[] = () => []) => watching(root, { ignored }, startRecursiveWatcher);

test('names files that are created, changed and deleted', async () => {
  const root = tempRepo({ 'd/a.txt': 'a', 'b.txt': 'b' });
  const watched = await watch(root);
  expect(watched.watcher).toMatchObject({ kind: 'recursive', watchCount: 1 });
  await untilEditsAreNamed(watched, 'd/a.txt');
  put(root, 'd/new.txt');
  await converge('the new file', () => watched.named('d/new.txt'));
  rmSync(join(root, 'b.txt'));
  await converge('the deletion', () => watched.named('b.txt'));
});

test('says nothing of git\'s own directory, of ignored directories and of what is inside nested repositories', async () => {
  const root = tempRepo({ 'a.txt': 'a' });
  for (const name of ['build', 'lib', 'src']) put(root, `${name}/file.txt`);
  sh(join(root, 'lib'), 'init', '-q');
  const ignored = new Set(['build']);
  const watched = await watch(root, () => [...ignored]);
  put(root, 'build/file.txt');
  put(root, 'lib/file.txt');
  sh(root, 'commit', '-q', '--allow-empty', '-m', 'more');
  await untilEditsAreNamed(watched, 'src/file.txt');
  await converge('the nested repository as a whole', () => watched.named('lib'));
  expect([...watched.reported].filter((path) => /^(\.git|build|lib\/)/.test(path))).toEqual([]);

  ignored.clear();
  put(root, '.gitignore', '');
  await converge('everything reported', () => watched.reported.has('all'));
  await untilEditsAreNamed(watched, 'build/file.txt');
});

test('reports everything when .git/info/exclude changes', async () => {
  const root = tempRepo({ 'a.txt': 'a' });
  const watched = await watch(root);
  await converge('everything reported', () => {
    put(root, '.git/info/exclude');
    return watched.reported.has('all');
  });
});

test('says that the root is gone, and goes on when it is back', async () => {
  const root = tempDir('recursive');
  put(root, 'd/a.txt');
  const watched = await watch(root);
  rmSync(root, { recursive: true });
  await converge('the problem', () => watched.problems.some(({ kind }) => kind === 'root-gone'));
  mkdirSync(root);
  await converge('everything reported', () => watched.reported.has('all'));
  await untilEditsAreNamed(watched, 'd/b.txt');
});
