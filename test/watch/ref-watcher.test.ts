import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { bareRemote, sh, tempDir, tempRepo } from '../helpers/repos.ts';
import { watchPaths, type PathWatcher } from '../../src/watch/path-watcher.ts';
import { watchRef } from '../../src/watch/ref-watcher.ts';

const running: PathWatcher[] = [];
afterEach(() => running.splice(0).forEach((watcher) => watcher.close()));

/** Watches a ref; `expectMove` acts and waits until it is told. */
async function watching(gitDirectory: string, ref: string) {
  let moves = 0;
  const watcher = watchRef(gitDirectory, ref, () => { moves += 1; });
  running.push(watcher);
  await watcher.ready;
  return {
    watcher,
    moves: () => moves,
    async expectMove(what: string, act: () => void) {
      const before = moves;
      act();
      await converge(`told about: ${what}`, () => moves > before);
    },
  };
}

const commit = (root: string): string => sh(root, 'commit', '-q', '--allow-empty', '-m', 'more');

test('tells of commits, also after refs were packed and their directories deleted', async () => {
  const root = tempRepo({ 'a.txt': 'a' });
  const git = join(root, '.git');
  const { expectMove } = await watching(git, 'refs/heads/main');
  await expectMove('a commit', () => commit(root));
  await expectMove('packing', () => sh(root, 'pack-refs', '--all', '--prune'));
  await expectMove('a commit on a packed ref', () => commit(root));
  await expectMove('gc', () => sh(root, 'gc', '-q'));
  await expectMove('a commit after gc', () => commit(root));
  await expectMove('a checkout of another branch', () => sh(root, 'checkout', '-q', '-b', 'other'));
});

test('tells of a push into a bare repository', async () => {
  const remote = bareRemote();
  const root = tempRepo({ 'a.txt': 'a' });
  const { expectMove } = await watching(remote, 'refs/heads/main');
  await expectMove('the first push', () => sh(root, 'push', '-q', remote, 'main'));
  commit(root);
  await expectMove('the next push', () => sh(root, 'push', '-q', remote, 'main'));
});

test('tells of a branch in a nested folder that comes, moves, is packed, goes and comes again', async () => {
  const root = tempRepo({ 'a.txt': 'a' });
  const git = join(root, '.git');
  const { expectMove } = await watching(git, 'refs/heads/feature/deep/x');
  expect(existsSync(join(git, 'refs/heads/feature'))).toBe(false);
  for (let i = 0; i < 5; i += 1) {
    await expectMove('create', () => sh(root, 'branch', 'feature/deep/x'));
    commit(root);
    await expectMove('move', () => sh(root, 'branch', '-f', 'feature/deep/x', 'HEAD'));
    await expectMove('pack', () => sh(root, 'pack-refs', '--all', '--prune'));
    await expectMove('delete', () => sh(root, 'branch', '-q', '-D', 'feature/deep/x'));
  }
});

test('does not tell of other branches', async () => {
  const root = tempRepo({ 'a.txt': 'a' });
  const { expectMove, moves } = await watching(join(root, '.git'), 'refs/heads/main');
  for (const name of ['one', 'two', 'feature/three']) sh(root, 'branch', name);
  await expectMove('a commit, at last', () => commit(root));
  // The commit alone: its ref (and HEAD's reflog is no business of ours).
  expect(moves()).toBeLessThanOrEqual(3);
});

test('goes on when the repository is deleted and made again, or moved away and replaced', async () => {
  const remote = bareRemote();
  const root = tempRepo({ 'a.txt': 'a' });
  const { expectMove } = await watching(remote, 'refs/heads/main');
  rmSync(remote, { recursive: true });
  await expectMove('a new repository', () => {
    mkdirSync(remote);
    sh(remote, 'init', '-q', '--bare', '-b', 'main');
  });
  await expectMove('a push into it', () => sh(root, 'push', '-q', remote, 'main'));
  await expectMove('another one in its place', () => {
    renameSync(remote, `${remote}-old`);
    mkdirSync(remote);
    sh(remote, 'init', '-q', '--bare', '-b', 'main');
  });
  await expectMove('a push into that', () => sh(root, 'push', '-q', remote, 'main'));
});

test('waits for a repository that is not there yet', async () => {
  const remote = join(tempDir('parent'), 'later.git');
  const { expectMove } = await watching(remote, 'refs/heads/main');
  await expectMove('it being made', () => sh('/', 'init', '-q', '--bare', '-b', 'main', remote));
});

test('tells of tables of refs, where a repository keeps its refs in those', async () => {
  const root = tempRepo({ 'a.txt': 'a' });
  const git = join(root, '.git');
  const { expectMove } = await watching(git, 'refs/heads/main');
  await expectMove('the first table', () => {
    mkdirSync(join(git, 'reftable'));
    writeFileSync(join(git, 'reftable/tables.list'), 'one\n');
  });
  await expectMove('the next table', () => {
    writeFileSync(join(git, 'reftable/tables.list.lock'), 'one\ntwo\n');
    renameSync(join(git, 'reftable/tables.list.lock'), join(git, 'reftable/tables.list'));
  });
});

test('looks at the files on an interval where the kernel would not tell', async () => {
  const root = tempRepo({ 'a.txt': 'a' });
  let touches = 0;
  const watcher = watchPaths(join(root, '.git'), ['refs/heads/main', 'packed-refs'], () => { touches += 1; }, { marker: 'HEAD', poll: true });
  running.push(watcher);
  await watcher.ready;
  commit(root);
  await converge('told', () => touches === 1);
  sh(root, 'pack-refs', '--all');
  await converge('told again', () => touches === 2);
});

test('is silent once closed', async () => {
  const root = tempRepo({ 'a.txt': 'a' });
  const first = await watching(join(root, '.git'), 'refs/heads/main');
  const second = await watching(join(root, '.git'), 'refs/heads/main');
  first.watcher.close();
  await second.expectMove('a commit', () => commit(root));
  expect(first.moves()).toBe(0);
});
