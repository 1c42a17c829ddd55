/** A mass deletion that is held back while other versions of the files come in. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { performAction } from '../../src/agent/actions.ts';
import { openSession, type RepoSession } from '../../src/agent/repo-session.ts';
import { performTidy } from '../../src/agent/tidy.ts';
import { defaultRepoConfig } from '../../src/config/config.ts';
import { silentLog } from '../../src/log.ts';
import { filesOnDisk } from '../git/apply-fixture.ts';
import { commitFiles, exists, read, sh, twoMachines, write } from '../helpers/repos.ts';

const names = Array.from({ length: 40 }, (_, i) => `f${i}.bin`);
const files = Object.fromEntries(names.map((name) => [name, `${name}\n`]));
const deleted = names.slice(0, 30);
const never = new AbortController().signal;

const capture = (session: RepoSession): Promise<unknown> => performAction(session, { type: 'capture', scan: 'all', overdue: new Set() }, never);
const waiting = (session: RepoSession): string[] => session.own.blocked.map(({ path }) => path);

/** Thirty of forty files are gone from a's disk, and b's change of one of them has come in. */
async function openOvertaken(): Promise<{ a: string; b: string; session: RepoSession }> {
  const { a, b } = twoMachines(files);
  const session = await openSession(defaultRepoConfig(a), silentLog);
  await capture(session);
  for (const name of deleted) rmSync(join(a, name));
  await capture(session);
  expect(session.lastReport?.held).toHaveLength(30);
  commitFiles(b, { 'f0.bin': 'theirs\n', 'f39.bin': 'theirs too\n' });
  sh(b, 'push', '-q');
  await bringIn(session, b);
  expect(waiting(session)).toEqual(['f0.bin']);
  expect({ gone: exists(a, 'f0.bin'), other: read(a, 'f39.bin') }).toEqual({ gone: false, other: 'theirs too\n' });
  return { a, b, session };
}

async function bringIn(session: RepoSession, from: string): Promise<void> {
  await performAction(session, { type: 'fetch', remote: 'origin' }, never);
  expect(await performAction(session, { type: 'integrate', remote: 'origin', tip: sh(from, 'rev-parse', 'HEAD') }, never)).toMatchObject([{ type: 'integrated' }]);
}

describe('files whose deletion is held back, and of which another version came in', () => {
  test('follow that version when the files are back as they were (the drive was away)', async () => {
    const { a, b, session } = await openOvertaken();
    commitFiles(b, { 'f0.bin': 'theirs, once more\n' });
    sh(b, 'push', '-q');
    await bringIn(session, b);
    for (const name of deleted) write(a, name, `${name}\n`);
    await capture(session);
    await performTidy(session);
    await capture(session);
    expect(read(a, 'f0.bin')).toBe('theirs, once more\n');
    expect(sh(a, 'status', '--porcelain')).toBe('');
    expect(sh(a, 'rev-parse', 'HEAD')).toBe(sh(b, 'rev-parse', 'HEAD'));
    expect(waiting(session)).toEqual([]);
    await session.close();
  });

  test('are merged with what the person writes in the place of one', async () => {
    const { a, session } = await openOvertaken();
    write(a, 'f0.bin', 'mine\n');
    await capture(session);
    expect(sh(a, 'show', 'refs/gitsync/held:f0.bin')).toBe('mine');
    await performTidy(session);
    const versions = Object.entries(filesOnDisk(a)).filter(([name]) => /^f0\./.test(name));
    expect(versions.map(([, content]) => content).sort()).toEqual(['100644 mine\n', '100644 theirs\n']);
    expect(waiting(session)).toEqual([]);
    // The other deletions still wait.
    await capture(session);
    expect(session.lastReport?.held).toHaveLength(29);
    await session.close();
  });

  test('come back where the person lets the deletion through: the edit stays', async () => {
    const { a, session } = await openOvertaken();
    session.own = { ...session.own, allowed: session.lastReport?.held.map(({ path }) => path) ?? [] };
    await capture(session);
    await performTidy(session);
    await capture(session);
    expect(read(a, 'f0.bin')).toBe('theirs\n');
    expect(sh(a, 'ls-tree', '-r', '--name-only', 'HEAD').split('\n')).toHaveLength(11);
    expect(sh(a, 'status', '--porcelain')).toBe('');
    await session.close();
  });
});
