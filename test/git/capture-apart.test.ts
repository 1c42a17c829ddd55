/** Captures in a repository whose index counts as a large one: what is taken is staged apart, and the indexes follow. */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { openSession } from '../../src/agent/repo-session.ts';
import { performAction } from '../../src/agent/actions.ts';
import { defaultRepoConfig } from '../../src/config/config.ts';
import { silentLog } from '../../src/log.ts';
import { captureDefaults, openCapture } from '../helpers/capture.ts';
import { sh, tempRepo, write } from '../helpers/repos.ts';
// All that is tested of captures holds here too.
import './capture.test.ts';
import './capture-ahead.test.ts';
import './respect.test.ts';

beforeAll(() => {
  process.env['GITSYNC_LARGE_INDEX_BYTES'] = '0';
});

describe('what follows a commit that was staged apart', () => {
  /** A directory where the copy of the index is to go: it cannot be written. */
  const obstacle = (root: string): string => join(root, '.git/gitsync/index.next');

  test('the lock is held until the person\'s index stands at the commit, and the next capture waits for it', async () => {
    const root = tempRepo({ 'a.txt': 'a\n', 'b.txt': 'b\n' });
    const { capturer, index, capture } = await openCapture(root);
    await capture();
    write(root, 'a.txt', 'aa\n');
    const { follow } = index;
    let goOn = (): void => undefined;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    index.follow = (commit, lock, from, bringUp) => follow(commit, lock, from, () => held.then(bringUp));
    const { outcome } = await capturer.capture(captureDefaults);
    index.follow = follow;
    expect(outcome.kind).toBe('committed');
    expect(() => sh(root, 'add', 'b.txt')).toThrow(/index\.lock/);
    write(root, 'b.txt', 'bb\n');
    const next = capturer.capture(captureDefaults);
    goOn();
    expect((await next).outcome.kind).toBe('committed');
    await index.ready();
    expect(sh(root, 'status', '--porcelain')).toBe('');
    expect(sh(root, 'rev-list', '--count', 'HEAD')).toBe('3');
  });

  test('a file that is saved again before the index follows is not taken for what was committed', async () => {
    const root = tempRepo({ 'a.txt': 'a\n', 'gone.txt': 'gone\n' });
    const { capturer, index, capture } = await openCapture(root);
    await capture();
    write(root, 'a.txt', 'first\n');
    rmSync(join(root, 'gone.txt'));
    const follow = index.follow;
    index.follow = (commit, lock, from, bringUp) => {
      write(root, 'a.txt', 'again\n');
      write(root, 'gone.txt', 'back\n');
      return follow(commit, lock, from, bringUp);
    };
    await capturer.capture(captureDefaults);
    index.follow = follow;
    await index.ready();
    expect(sh(root, 'show', 'HEAD:a.txt')).toBe('first');
    expect(sh(root, 'diff', '--cached', '--name-only')).toBe('');
    expect(sh(root, 'status', '--porcelain')).toBe(' M a.txt\n?? gone.txt');
    await capture();
    expect(sh(root, 'show', 'HEAD:a.txt')).toBe('again');
    expect(sh(root, 'show', 'HEAD:gone.txt')).toBe('back');
    expect(sh(root, 'status', '--porcelain')).toBe('');
  });

  describe.each(['0', '1000000000'])('where the index cannot be written (large from %s bytes on)', (largeIndexBytes) => {
    beforeAll(() => {
      process.env['GITSYNC_LARGE_INDEX_BYTES'] = largeIndexBytes;
    });

    test('nobody can commit the old state again, and it goes on by itself', async () => {
      const root = tempRepo({ 'a.txt': 'a\n' });
      const { capturer, index, capture } = await openCapture(root);
      await capture();
      mkdirSync(obstacle(root));
      write(root, 'a.txt', 'aa\n');
      await capturer.capture(captureDefaults).catch(() => undefined);
      await expect(index.ready()).rejects.toThrow(/EISDIR|directory/);
      expect(sh(root, 'show', 'HEAD:a.txt')).toBe('aa');
      expect(() => sh(root, 'commit', '-q', '--allow-empty', '-m', 'mine')).toThrow(/index\.lock/);
      write(root, 'a.txt', 'aaa\n');
      await expect(capture()).rejects.toThrow();
      rmSync(obstacle(root), { recursive: true });
      const until = Date.now() + 30_000;
      while (existsSync(join(root, '.git/index.lock')) && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
      expect(sh(root, 'status', '--porcelain')).toBe(' M a.txt');
      expect((await capture()).outcome.kind).toBe('committed');
      expect(sh(root, 'status', '--porcelain')).toBe('');
    });

    test('the agent says so, and the next one finishes it', async () => {
      const root = tempRepo({ 'a.txt': 'a\n' });
      const session = await openSession(defaultRepoConfig(root), silentLog);
      const capture = (): ReturnType<typeof performAction> => performAction(session, { type: 'capture', scan: 'all', overdue: new Set() }, new AbortController().signal);
      await capture();
      mkdirSync(obstacle(root));
      write(root, 'a.txt', 'aa\n');
      await capture();
      expect(await capture()).toMatchObject([{ type: 'capture-failed' }]);
      expect(session.lastError?.sentence).toMatch(/EISDIR|directory/);
      await session.close();
      expect(() => sh(root, 'commit', '-q', '--allow-empty', '-m', 'mine')).toThrow(/index\.lock/);
      rmSync(obstacle(root), { recursive: true });
      const again = await openSession(defaultRepoConfig(root), silentLog);
      expect(sh(root, 'status', '--porcelain')).toBe('');
      await again.close();
    });
  });
});
