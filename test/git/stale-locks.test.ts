import { closeSync, existsSync, openSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { openRepo } from '../../src/git/repository.ts';
import { clearStaleLocks } from '../../src/git/stale-locks.ts';
import { tempRepo } from '../helpers/repos.ts';

const longAgo = new Date(Date.now() - 20 * 60_000);

async function withLock(name: string, at: Date): Promise<{ left: () => boolean; clear: () => Promise<unknown>; file: string }> {
  const root = tempRepo({ 'a.txt': 'a\n' });
  const repo = await openRepo(root);
  const file = join(root, '.git', name);
  writeFileSync(file, '');
  utimesSync(file, at, at);
  return { file, left: () => existsSync(file), clear: () => clearStaleLocks(repo) };
}

describe('locks that a killed git left behind', () => {
  test.each(['refs/heads/main.lock', 'HEAD.lock', 'packed-refs.lock', 'config.lock', 'objects/maintenance.lock', 'objects/pack/multi-pack-index.lock', 'index.lock'])('%s goes once it is old', async (name) => {
    const lock = await withLock(name, longAgo);
    await lock.clear();
    expect(lock.left()).toBe(false);
  });

  test.each(['refs/heads/main.lock', 'index.lock'])('%s stays while it is young', async (name) => {
    const lock = await withLock(name, new Date());
    await lock.clear();
    expect(lock.left()).toBe(true);
  });

  test('one that somebody still writes to stays, however old it is', async () => {
    const lock = await withLock('refs/heads/main.lock', longAgo);
    const descriptor = openSync(lock.file, 'a');
    await lock.clear();
    closeSync(descriptor);
    expect(lock.left()).toBe(true);
  });

  test('the lock of our own index goes at once: nobody else works there', async () => {
    const lock = await withLock('gitsync/index.lock', new Date());
    await lock.clear();
    expect(lock.left()).toBe(false);
  });
});
