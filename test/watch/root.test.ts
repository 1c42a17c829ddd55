import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { sh, tempDir, tempRepo } from '../helpers/repos.ts';
import { describeWith } from '../helpers/requires.ts';
import { closeAllWatchers, put, untilEditsAreNamed, watching } from './watching.ts';

afterEach(closeAllWatchers);

test('says that the root is gone when it is deleted, and watches it again when it is back', async () => {
  const root = tempRepo({ 'd/a.txt': 'a' });
  const watched = await watching(root);
  rmSync(root, { recursive: true });
  await converge('the problem', () => watched.problems.some(({ kind }) => kind === 'root-gone'));
  await converge('no watches', () => watched.watcher.watchCount === 0);
  watched.forget();
  mkdirSync(join(root, 'd'), { recursive: true });
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

describeWith(['tmpfs'], 'a drive of its own', () => {
  test('says that the root is gone when it is unmounted, and does not take the bare mount point for it', async () => {
    const root = tempDir('drive');
    const mount = (): void => void execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'gitsync-test', root]);
    const unmount = (): void => void execFileSync('umount', [root]);
    const plug = (): void => {
      mount();
      sh(root, 'init', '-q');
    };
    plug();
    try {
      const watched = await watching(root);
      unmount();
      await converge('the problem', () => watched.problems.length === 1);
      expect(watched.problems).toMatchObject([{ kind: 'root-gone' }]);
      await converge('no watches', () => watched.watcher.watchCount === 0);
      watched.forget();
      // A directory is at that place, but without the .git that it had.
      put(root, 'on-the-mount-point.txt');
      expect(watched.reported.size + watched.watcher.watchCount).toBe(0);
      plug();
      await converge('everything reported', () => watched.reported.has('all'));
      await untilEditsAreNamed(watched, 'd/a.txt');
      expect(watched.problems).toHaveLength(1);
    } finally {
      await closeAllWatchers();
      unmount();
    }
  });
});
