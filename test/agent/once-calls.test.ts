import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { syncOnce } from '../../src/agent/once.ts';
import { defaultRepoConfig } from '../../src/config/config.ts';
import { silentLog } from '../../src/log.ts';
import { filesOfCommit, filesOnDisk, historyOf, leftovers } from '../git/apply-fixture.ts';
import { ageLocks, callsTimeoutMs, chooseCalls, copyOf, makeKiller, nameOf, type Call, type Killer, type Victims } from '../git/kill-at-call.ts';
import { describeWith } from '../helpers/requires.ts';
import { bareRemote, commitFiles, sh, tempDir, tempRepo, write } from '../helpers/repos.ts';

describeWith(['cc'], 'a sync from the first look to the last push that is killed right before any call by which it, or a git of it, changes a file', () => {
  describe.each([
    ['few files', undefined],
    ['very many', '0'],
  ])('as with %s', (_name, largeIndexBytes) => tryCalls(largeIndexBytes));
});

function tryCalls(largeIndexBytes: string | undefined): void {
  let killer: Killer;
  let origin = '';
  let calls: Call[] = [];

  const once = (world: string, at: number, victims: Victims): ReturnType<Killer['run']> => killer.run(['once', join(world, 'work')], world, at, victims);

  /** Ours and the remote's are apart: with changes that are not captured yet, a conflict, and files to bring in. */
  beforeAll(() => {
    if (largeIndexBytes !== undefined) process.env['GITSYNC_LARGE_INDEX_BYTES'] = largeIndexBytes;
    killer = makeKiller();
    origin = join(tempDir('once'), 'world');
    mkdirSync(origin);
    const other = tempRepo({ 'both.bin': 'one\n', 'text.md': 'one\ntwo\nthree\nfour\nfive\n', 'gone.txt': 'gone\n', 'mine.txt': 'mine\n' });
    const bare = bareRemote();
    sh(other, 'push', '-q', bare, 'main');
    sh(origin, 'clone', '-q', bare, 'remote.git', '--bare');
    // By a name that goes with every copy.
    sh(origin, 'clone', '-q', join(origin, 'remote.git'), 'work');
    sh(join(origin, 'work'), 'config', 'remote.origin.url', '../remote.git');
    write(other, 'both.bin', 'theirs\n');
    write(other, 'text.md', 'one\ntwo\nthree\nfour\nFIVE\n');
    rmSync(join(other, 'gone.txt'));
    commitFiles(other, { 'theirs.txt': 'theirs\n', ...Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`several/${i}.txt`, `theirs ${i}\n`])) }, 'theirs');
    sh(other, 'push', '-q', join(origin, 'remote.git'), 'main');
    commitFiles(join(origin, 'work'), { 'both.bin': 'ours\n' }, 'ours');
    write(join(origin, 'work'), 'text.md', 'ONE\ntwo\nthree\nfour\nfive\n');
    write(join(origin, 'work'), 'new/mine.txt', 'new\n');
    rmSync(join(origin, 'work/mine.txt'));
    symlinkSync('text.md', join(origin, 'work/link'));
    const whole = copyOf(origin);
    ({ calls } = once(whole, 0, 'all'));
    expectInStep(whole, 'not killed');
  });

  /** Everything of both sides is there, here and on the remote, and nothing is left over. */
  function expectInStep(world: string, where: string): void {
    const work = join(world, 'work');
    const files = filesOnDisk(work);
    const copies = Object.keys(files).filter((name) => name.includes('.conflict-'));
    expect({ where, files, copies: copies.length }).toMatchObject({
      where,
      copies: 1,
      files: { 'text.md': '100644 ONE\ntwo\nthree\nfour\nFIVE\n', 'new/mine.txt': '100644 new\n', 'theirs.txt': '100644 theirs\n', link: '120000 text.md' },
    });
    expect({ where, both: [files['both.bin'], files[copies[0] as string]].sort() }).toEqual({ where, both: ['100644 ours\n', '100644 theirs\n'] });
    expect({ where, gone: [files['gone.txt'], files['mine.txt']] }).toEqual({ where, gone: [undefined, undefined] });
    expect({ where, committed: filesOfCommit(work, 'main') }).toEqual({ where, committed: files });
    expect({ where, remote: sh(join(world, 'remote.git'), 'rev-parse', 'main') }).toEqual({ where, remote: sh(work, 'rev-parse', 'main') });
    expect({ where, status: sh(work, 'status', '--porcelain', '--untracked-files=all') }).toEqual({ where, status: '' });
    expect({ where, left: leftovers(work).filter((name) => name !== 'state.json') }).toEqual({ where, left: [] });
    expect({ where, lock: existsSync(join(work, '.git/index.lock')) }).toEqual({ where, lock: false });
    expect({ where, kept: historyOf(work, 'mine.txt').length > 0 }).toEqual({ where, kept: true });
    for (const repo of [work, join(world, 'remote.git')]) expect({ where, fsck: sh(repo, 'fsck', '--no-dangling', '--no-progress') }).toEqual({ where, fsck: '' });
  }

  test('meets the calls of capturing, fetching, merging, applying and publishing', () => {
    expect(calls.length).toBeGreaterThan(500);
    const isReplaced = (pattern: RegExp): boolean => calls.some(({ name, path }) => name === 'rename' && pattern.test(path));
    const patterns = [/^work.*\/refs\/heads\/main$/, /\/refs\/remotes\/origin\/main$/, /journal\.json$/, /^work\/\.git\/index$/, /^work\/\.git\/gitsync\/index$/, /^remote\.git\/(\.\/)?refs\/heads\/main$/];
    expect(calls.filter(isBranchMoved).length).toBeGreaterThan(1);
    expect(patterns.filter((pattern) => !isReplaced(pattern))).toEqual([]);
  });

  test.each(['all', 'one'] as const)('is in step after the next sync (%s of its processes killed)', async (victims) => {
    const always = calls.filter(isBranchMoved).map(({ number }) => number);
    for (const number of new Set([...chooseCalls(calls.length, 37, 60), ...always])) {
      const world = copyOf(origin);
      const run = once(world, number, victims);
      if (!run.wasKilled) continue;
      const where = nameOf(run.calls[number - 1], victims);
      ageLocks(world);
      clearRemote(join(world, 'remote.git'));
      const [status] = await syncOnce([{ ...defaultRepoConfig(join(world, 'work')), quietMs: 10 }], silentLog);
      expect({ where, why: status?.why, level: status?.level }).toMatchObject({ where, level: 'attention' });
      expectInStep(world, where);
      rmSync(world, { recursive: true });
    }
  }, callsTimeoutMs);

  afterAll(() => {
    delete process.env['GITSYNC_LARGE_INDEX_BYTES'];
  });
}

/** Git has just moved the branch, and nobody was told. */
function isBranchMoved({ name, path }: Call): boolean {
  return name === 'unlink' && path.endsWith('/HEAD.lock');
}

/** As whoever runs the server does: the locks of a git that was killed there. */
function clearRemote(remote: string): void {
  for (const name of readdirSync(remote, { recursive: true, encoding: 'utf8' })) if (name.endsWith('.lock')) rmSync(join(remote, name), { force: true });
}
