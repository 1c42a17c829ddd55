import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { sh, tempDir, tempRepo } from '../helpers/repos.ts';
import { closeAllWatchers, put, untilEditsAreNamed, watching } from './watching.ts';

afterEach(closeAllWatchers);

test('says that the root is gone when it is deleted, and watches it again when it is back', async () => {
  const root = tempRepo({ 'd/a.txt': 'a' });
  const watched = await watching(root);
  rmSync(root, { recursive: true });
  await converge('the problem', () => watched.problems.some(({ kind }) => kind === 'root-gone'));
  await converge('no watches', () => watched.watcher.watchCount === 0);
  watched.forget();
  // An empty directory is what an unmounted drive leaves: it does not count.
  mkdirSync(root);
  mkdirSync(join(root, 'd'));
  sh(root, 'init', '-q');
  await converge('everything reported', () => watched.reported.has('all'));
  await untilEditsAreNamed(watched, 'd/a.txt');
  expect(watched.problems.map(({ kind }) => kind)).toEqual(['root-gone']);
});

test('says that the root is gone when it is moved away, and watches the one that takes its place', async () => {
  const root = tempRepo({ 'd/a.txt': 'a' });
  const watched = await watching(root);
  renameSync(root, `${root}-moved`);
  await converge('the problem', () => watched.problems.length === 1);
  renameSync(`${root}-moved`, root);
  await converge('everything reported', () => watched.reported.has('all'));
  await untilEditsAreNamed(watched, 'd/a.txt');
});

test('watches the directory that replaces the root at once', async () => {
  const root = tempRepo({ 'd/a.txt': 'a' });
  const watched = await watching(root);
  rmSync(root, { recursive: true });
  mkdirSync(join(root, '.git'), { recursive: true });
  await converge('everything reported', () => watched.reported.has('all'));
  await untilEditsAreNamed(watched, 'd/b.txt');
});

test('waits for a root that is not there at first', async () => {
  const root = join(tempDir('parent'), 'later');
  const watched = await watching(root);
  expect(watched.problems).toMatchObject([{ kind: 'root-gone' }]);
  put(root, 'd/a.txt');
  await converge('everything reported', () => watched.reported.has('all'));
  await untilEditsAreNamed(watched, 'd/a.txt');
});
