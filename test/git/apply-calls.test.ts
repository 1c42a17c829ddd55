import { chmodSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { openSession } from '../../src/agent/repo-session.ts';
import { defaultRepoConfig } from '../../src/config/config.ts';
import { silentLog } from '../../src/log.ts';
import { describeWith } from '../helpers/requires.ts';
import { sh, write } from '../helpers/repos.ts';
import { applied, everyKind, filesOnDisk, historyOf, leftovers, makeFixture, openFixture } from './apply-fixture.ts';
import { ageLocks, callsTimeoutMs, chooseCalls, copyOf, makeKiller, nameOf, type Call, type Killer, type Victims } from './kill-at-call.ts';

/** What the agent does first of all with a repository. */
async function start(root: string): Promise<void> {
  await (await openSession(defaultRepoConfig(root), silentLog)).close();
}

describeWith(['cc'], 'an update that is killed right before any call by which it, or a git of it, changes a file', () => {
  let killer: Killer;
  let origin = '';
  let from = '';
  let to = '';
  /** What the work tree holds before and after; the edit that nobody has captured yet is in both. */
  let before: Record<string, string> = {};
  let after: Record<string, string> = {};
  let calls: Call[] = [];

  const apply = (root: string, at: number, victims: Victims): ReturnType<Killer['run']> => killer.run(['apply', root, from, to], root, at, victims);

  beforeAll(async () => {
    killer = makeKiller();
    const fixture = await makeFixture({
      ...everyKind.before,
      'private.txt': 'one\n',
      'same.txt': 'never touched\n',
    });
    ({ root: origin, from } = fixture);
    to = fixture.incoming({
      ...everyKind.incoming,
      'private.txt': 'two\n',
      'big.bin': Buffer.alloc(200_000, 'big'),
      'empty.txt': '',
      ...Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`several/${i}/note.md`, `note ${i}\n`])),
    });
    chmodSync(join(origin, 'private.txt'), 0o600);
    write(origin, 'edit.md', 'ONE\ntwo\nthree\nfour\nfive\n');
    before = filesOnDisk(origin);
    const whole = copyOf(origin);
    ({ calls } = apply(whole, 0, 'all'));
    after = filesOnDisk(whole);
  });

  test('meets every kind of call, of ours and of git', () => {
    expect(after).toMatchObject({ 'edit.md': '100644 ONE\ntwo\nthree\nfour\nFIVE\n', 'swap/inner': '100644 a folder now\n', dir: '100644 a file now\n', link: '120000 run.sh' });
    const kinds = new Set(calls.map(({ program, name }) => `${program} ${name}`));
    // Node closes files past the C library, which changes nothing.
    const ours = ['open', 'write', 'fsync', 'mkdir', 'rename', 'link', 'symlink', 'rmdir', 'unlink', 'chmod', 'utimens'].map((name) => `node ${name}`);
    const gits = ['open', 'write', 'fsync', 'close', 'mkdir', 'rename', 'link', 'symlink', 'unlink'].map((name) => `git ${name}`);
    expect([...ours, ...gits].filter((kind) => !kinds.has(kind))).toEqual([]);
    expect(calls.length).toBeGreaterThan(300);
  });

  /** Whatever the outcome: everything is as before or as after, in files, branch and index, and the next update gets there. */
  async function expectWhole(root: string, where: string): Promise<void> {
    await start(root);
    const head = sh(root, 'rev-parse', 'main');
    expect({ where, files: filesOnDisk(root) }).toEqual({ where, files: head === from ? before : after });
    expect({ where, status: sh(root, 'status', '--porcelain', '--untracked-files=all') }).toEqual({ where, status: head === from ? ' M edit.md' : '' });
    expect({ where, left: leftovers(root) }).toEqual({ where, left: [] });
    expect({ where, lock: existsSync(join(root, '.git/index.lock')) }).toEqual({ where, lock: false });
    if (head === from) {
      const again = await openFixture(root);
      expect({ where, outcome: applied(await again.apply(to)).unseen.map(String) }).toEqual({ where, outcome: ['edit.md'] });
      expect({ where, files: filesOnDisk(root) }).toEqual({ where, files: after });
    }
    expect({ where, kept: historyOf(root, 'edit.md').includes('ONE\ntwo\nthree\nfour\nfive\n') }).toEqual({ where, kept: true });
    expect(sh(root, 'merge-base', '--is-ancestor', to, 'main')).toBe('');
    expect(readFileSync(join(root, '.git/HEAD'), 'utf8')).toBe('ref: refs/heads/main\n');
    expect({ where, fsck: sh(root, 'fsck', '--no-dangling', '--no-progress') }).toEqual({ where, fsck: '' });
  }

  test.each(['all', 'one'] as const)('is whole after the next start (%s of its processes killed)', async (victims) => {
    for (const number of chooseCalls(calls.length, 17, 40)) {
      const root = copyOf(origin);
      const run = apply(root, number, victims);
      if (!run.wasKilled) continue;
      ageLocks(root);
      await expectWhole(root, nameOf(run.calls[number - 1], victims));
      rmSync(root, { recursive: true });
    }
  }, callsTimeoutMs);

  test('is whole after the start after that, when the next one is killed too', async () => {
    // One death in each stretch: staged, moved, edits saved, branch moved, indexes moved.
    for (let part = 1; part <= 5; part += 1) {
      const at = Math.floor((calls.length * part) / 6);
      const dead = copyOf(origin);
      apply(dead, at, 'all');
      ageLocks(dead);
      const whole = copyOf(dead);
      for (const number of chooseCalls(killer.run(['start', whole], whole, 0, 'all').calls.length, 17, 40)) {
        const root = copyOf(dead);
        const run = killer.run(['start', root], root, number, 'all');
        if (!run.wasKilled) break;
        ageLocks(root);
        await expectWhole(root, `${nameOf(calls[at - 1], 'all')}, then ${nameOf(run.calls[number - 1], 'all')}`);
        rmSync(root, { recursive: true });
      }
    }
  }, callsTimeoutMs);
});
