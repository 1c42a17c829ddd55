import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { performAction } from '../../src/agent/actions.ts';
import { performTidy } from '../../src/agent/tidy.ts';
import { openSession } from '../../src/agent/repo-session.ts';
import { rawFromText } from '../../src/core/raw-path.ts';
import { defaultRepoConfig } from '../../src/config/config.ts';
import { openRepo } from '../../src/git/repository.ts';
import { setOwnRef } from '../../src/git/refs.ts';
import { dropOldRefs, dropUnfinished } from '../../src/git/upkeep.ts';
import { silentLog } from '../../src/log.ts';
import { makeCommit } from '../git/apply-fixture.ts';
import { converge } from '../helpers/converge.ts';
import { sh, tempDir, tempRepo, write } from '../helpers/repos.ts';

const dayMs = 24 * 60 * 60_000;
const rescue = 'refs/gitsync/rescue/main/abc';

/** A repository with one commit that rescued it, all of it so many days ago. */
function makeRescued(days: number): string {
  const root = tempDir('rescued');
  const date = `@${Math.floor((Date.now() - days * dayMs) / 1000)} +0000`;
  const git = (...args: string[]): unknown => execFileSync('git', args, { cwd: root, env: { ...process.env, GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date } });
  git('init', '-q', '-b', 'main');
  git('commit', '-q', '--allow-empty', '-m', 'first');
  git('update-ref', '--create-reflog', '-m', 'rescued', rescue, 'HEAD');
  return root;
}

const refsOf = (root: string): string => sh(root, 'for-each-ref', '--format=%(refname)', 'refs/gitsync');

describe('the upkeep', () => {
  test('keeps what was rescued a moment ago, however long ago it was committed', async () => {
    const root = makeRescued(200);
    const repo = await openRepo(root);
    await setOwnRef(repo, `${rescue}-again`, sh(root, 'rev-parse', 'HEAD'), 'before origin was rewritten');
    await dropOldRefs(repo, Date.now() - 90 * dayMs);
    expect(refsOf(root)).toBe(`${rescue}-again`);
  });

  /** A repository that rescued something 100 days ago, with the agent's memory of when it was last looked after. */
  async function tidyAfter(lastUpkeepMs: number): Promise<string> {
    const root = makeRescued(100);
    const session = await openSession(defaultRepoConfig(root), silentLog);
    session.own = { ...session.own, lastUpkeepMs };
    await performTidy(session);
    expect(Math.abs(session.own.lastUpkeepMs - Date.now())).toBeLessThan(dayMs / 2);
    await session.close();
    return refsOf(root);
  }

  test('lets go what was kept for longer than promised', async () => {
    expect(await tidyAfter(Date.now() - 2 * dayMs)).toBe('');
  });

  test('drops what a git that was killed has left of a pack, once nobody can be at it any more', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    const [pack, folder, young] = ['objects/pack/tmp_pack_AbCdEf', 'objects/tmp_objdir-incoming-AbCdEf', 'objects/pack/tmp_idx_AbCdEf'].map((name) => join(root, '.git', name)) as [string, string, string];
    mkdirSync(folder);
    for (const file of [pack, young, join(folder, 'x')]) writeFileSync(file, 'half');
    for (const file of [pack, folder]) utimesSync(file, new Date(Date.now() - 3 * dayMs), new Date(Date.now() - 3 * dayMs));
    await dropUnfinished(await openRepo(root), Date.now() - 2 * dayMs);
    expect([pack, folder, young].map((file) => existsSync(file))).toEqual([false, false, true]);
    expect(sh(root, 'fsck')).toBe('');
  });

  test('lets nothing go while it may be that the clock has jumped', async () => {
    expect(await tidyAfter(Date.now() - 400 * dayMs)).toBe(rescue);
    expect(await tidyAfter(Date.now() + 400 * dayMs)).toBe(rescue);
  });
});

describe('the second look', () => {
  test('comes again for what a late edit has replaced', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    const session = await openSession(defaultRepoConfig(root), silentLog);
    await performAction(session, { type: 'capture', scan: 'all', overdue: new Set() }, new AbortController().signal);
    const late = makeCommit(root, sh(root, 'rev-parse', 'HEAD'), { 'a.txt': 'late\n' });
    sh(root, 'update-ref', 'refs/gitsync/late/main/abc', late);
    expect(await performTidy(session)).toMatchObject({ type: 'tidied', local: late, again: true });
    expect(sh(root, 'show', 'HEAD:a.txt')).toBe('late');
    await converge('the trash is empty', async () => !((await performTidy(session)) as { again: boolean }).again);
    await session.close();
  });
});

describe('a capture', () => {
  test('keeps what a person saves where an incoming version waits, on this machine only', async () => {
    const root = tempRepo({ 'a.txt': 'a\n', 'b.txt': 'b\n' });
    const session = await openSession(defaultRepoConfig(root), silentLog);
    session.own = { ...session.own, blocked: [{ path: rawFromText('a.txt'), why: 'permission denied', held: false }] };
    write(root, 'a.txt', 'mine\n');
    write(root, 'b.txt', 'bb\n');
    await performAction(session, { type: 'capture', scan: 'all', overdue: new Set() }, new AbortController().signal);
    expect(sh(root, 'show', 'HEAD:a.txt')).toBe('a');
    expect(sh(root, 'show', 'HEAD:b.txt')).toBe('bb');
    expect(sh(root, 'show', 'refs/gitsync/held:a.txt')).toBe('mine');
    await session.close();
  });

  test('keeps what a branch held that a person rewrites by hand, whatever their git lets go', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    const session = await openSession(defaultRepoConfig(root), silentLog);
    const capture = (): Promise<unknown> => performAction(session, { type: 'capture', scan: 'all', overdue: new Set() }, new AbortController().signal);
    await capture();
    for (const content of ['first', 'second']) {
      write(root, 'a.txt', `${content}\n`);
      await capture();
      await session.index.ready();
      write(root, 'a.txt', `not ${content}\n`);
      sh(root, 'commit', '-q', '--amend', '-a', '-m', `not ${content} any more`);
      await capture();
    }
    sh(root, 'reflog', 'expire', '--expire-unreachable=now', '--all');
    sh(root, 'gc', '-q', '--prune=now');
    expect(['refs/gitsync/snap/main', 'refs/gitsync/snap/main^2'].map((ref) => sh(root, 'show', `${ref}:a.txt`))).toEqual(['second', 'first']);
    await session.close();
  });
});
