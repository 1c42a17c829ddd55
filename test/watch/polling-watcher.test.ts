import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import type { RawPath } from '../../src/core/raw-path.ts';
import { startPollingWatcher } from '../../src/watch/polling-watcher.ts';
import { converge } from '../helpers/converge.ts';
import { sh, tempDir, tempRepo } from '../helpers/repos.ts';
import { closeAllWatchers, put, untilCovered, untilEditsAreNamed, watching } from './watching.ts';

afterEach(closeAllWatchers);
const poll = (root: string, ignored: () => string[] = () => []) => watching(root, { ignored }, (options) => startPollingWatcher(options, 100));

test('names files that are created, changed and deleted, in old and new directories', async () => {
  const root = tempRepo({ 'd/a.txt': 'a', 'b.txt': 'b' });
  const watched = await poll(root);
  expect(watched.watcher).toMatchObject({ kind: 'polling', watchCount: 2 });
  writeFileSync(join(root, 'd/a.txt'), 'changed');
  await converge('the change', () => watched.named('d/a.txt'));
  put(root, 'd/new.txt');
  await converge('the new file', () => watched.named('d/new.txt'));
  rmSync(join(root, 'b.txt'));
  await converge('the deletion', () => watched.named('b.txt'));
  put(root, 'x/y/z.txt');
  await untilCovered(watched, 'x/y/z.txt');
  await untilEditsAreNamed(watched, 'x/y/z.txt');
  expect([...watched.reported].filter((path) => path.startsWith('.git'))).toEqual([]);
});

test('follows a renamed directory, and forgets a deleted one', async () => {
  const root = tempDir('poll');
  put(root, 'old/inner/file.txt');
  const watched = await poll(root);
  renameSync(join(root, 'old'), join(root, 'new'));
  await untilCovered(watched, 'old/inner/file.txt');
  await untilEditsAreNamed(watched, 'new/inner/file.txt');
  rmSync(join(root, 'new'), { recursive: true });
  await converge('only the root watched', () => watched.watcher.watchCount === 1);
});

test('leaves ignored directories alone', async () => {
  const root = tempDir('poll');
  put(root, 'build/deep/file.txt');
  const ignored = new Set(['build']);
  const watched = await poll(root, () => [...ignored]);
  expect(watched.watcher.watchCount).toBe(1);
  ignored.clear();
  put(root, '.gitignore', '');
  await untilEditsAreNamed(watched, 'build/deep/file.txt');
});

test('names the directories whose names it cannot poll', async () => {
  const root = tempDir('poll');
  put(root, 'd\xff/file.txt' as RawPath);
  const watched = await poll(root);
  expect(watched.problems).toMatchObject([{ kind: 'unreadable', path: 'd\xff' }]);
});

test('says that the root is gone, and goes on when it is back', async () => {
  const root = tempRepo({ 'd/a.txt': 'a' });
  const watched = await poll(root);
  rmSync(root, { recursive: true });
  await converge('the problem', () => watched.problems.some(({ kind }) => kind === 'root-gone'));
  sh('/', 'init', '-q', root);
  await converge('everything reported', () => watched.reported.has('all'));
  await untilEditsAreNamed(watched, 'd/a.txt');
});

test('closes at once, also while it begins', async () => {
  const root = tempDir('poll');
  for (let i = 0; i < 20; i += 1) put(root, `d${i}/file.txt`);
  const starting = poll(root);
  await closeAllWatchers();
  expect((await starting).watcher.watchCount).toBe(0);
});
