/** A disk that is full inside, wherever it is: the push is rejected with the reason, nothing moved, and it works with space again. */
import { randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { insideRef, makeMachine, manifestOf } from '../helpers/gitted-machine.ts';
import { bindingOf, startPostgresql, type TestPostgresql } from '../helpers/postgresql.ts';
import { describeWith } from '../helpers/requires.ts';

describeWith(['tmpfs'], 'a full disk', () => {
  let mounted: string | undefined;
  const mount = (...args: string[]): void => void execFileSync('mount', args, { stdio: 'pipe' });
  /** A small file system in the place of a directory, with the same content. */
  const shrink = (directory: string, sizeKb: number): void => {
    execFileSync('sh', ['-c', 'cp -a "$1" "$1.kept" && mount -t tmpfs -o "size=$2k,mode=755" tmpfs "$1" && cp -a "$1.kept/." "$1/" && rm -r "$1.kept"', 'sh', directory, String(sizeKb)], { stdio: 'pipe' });
    mounted = directory;
  };
  afterEach(() => {
    if (mounted !== undefined) execFileSync('umount', ['-l', mounted]);
    mounted = undefined;
  });

  test.each([
    ['the data', 'srv', 1_000],
    ["gitted's own copies", 'var/lib/gitted', 1_000],
    ['the repository', 'local.repository.git', 1_200],
  ])('where %s lies', (_what, place, sizeKb) => {
    const box = makeMachine();
    box.must('push', '-q', 'box', 'master');
    shrink(join(box.inside, place), sizeKb);
    box.must('pull', '-q', 'box', 'master');
    const before = box.head();
    box.commit({ 'files/manifest.tsv': manifestOf(['big.txt', 'hello.txt']), 'files/tree/big.txt': randomBytes(1_500_000).toString('hex'), 'files/tree/hello.txt': 'new\n' });
    const refused = box.git('push', 'box', 'master');
    expect(refused.status).not.toBe(0);
    expect(refused.text).toMatch(/No space left on device/);
    expect(insideRef(box, 'refs/heads/master')).toBe(before);
    expect(box.liveText('hello.txt')).toBe('hello\n');
    expect(box.must('ls-remote', 'box', 'refs/heads/master').stdout).toContain(before);
    mount('-o', 'remount,size=64m', join(box.inside, place));
    box.must('push', '-q', 'box', 'master');
    expect(box.liveText('hello.txt')).toBe('new\n');
    expect(insideRef(box, 'refs/heads/master')).toBe(box.head());
  });
});

describeWith(['tmpfs', 'postgresql'], 'a full disk below PostgreSQL', () => {
  const space = mkdtempSync('/tmp/gitsync-test-space-');
  let server: TestPostgresql;
  beforeAll(() => {
    execFileSync('sh', ['-c', 'mount -t tmpfs -o size=16m,mode=700 tmpfs "$1" && chown postgres: "$1"', 'sh', space], { stdio: 'pipe' });
    server = startPostgresql();
    server.sql('postgres', `CREATE TABLESPACE small LOCATION '${space}';`);
    server.sql('postgres', 'CREATE DATABASE app TABLESPACE small;');
    server.sql('app', "CREATE TABLE note (id int PRIMARY KEY, text text); INSERT INTO note VALUES (1, 'here');");
  }, 600_000);
  afterAll(() => {
    server.stop();
    execFileSync('umount', ['-l', space]);
    rmSync(space, { recursive: true });
  });

  test('rejects the push, and the rows are as they were', () => {
    const rows = 'postgresql/app/data/note/00000000.copy';
    const box = makeMachine({ engines: ['postgresql'] });
    box.commit({ 'sysconf/actual/tree/etc/gitted/sync/master.postgresql.conf': bindingOf(server) }, 'binding');
    box.must('push', '-q', 'box', 'master');
    box.must('pull', '-q', 'box', 'master');
    const before = box.head();
    box.commit({ [rows]: `1\tchanged\n${Array.from({ length: 6_000 }, (_, index) => `${index + 2}\t${'x'.repeat(1_500)}\n`).join('')}` });
    const refused = box.git('push', 'box', 'master');
    expect(refused.status).not.toBe(0);
    expect(refused.text).toMatch(/No space left on device/);
    expect(insideRef(box, 'refs/heads/master')).toBe(before);
    expect(server.sql('app', 'SELECT * FROM note')).toBe('1\there');
    execFileSync('mount', ['-o', 'remount,size=128m', space]);
    box.must('push', '-q', 'box', 'master');
    expect(server.sql('app', 'SELECT count(*), min(text) FROM note')).toBe('6001\tchanged');
  }, 900_000);
});
