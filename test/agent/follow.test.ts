/** Two real agents and a bare remote: what one machine does is on the other. */
import { appendFileSync, chmodSync, closeSync, linkSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, unlinkSync, writeSync } from 'node:fs';
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { inStep, makeMachine, quickSettings, type Machine } from '../helpers/machine.ts';
import { exists, read, sh, twoMachines, write } from '../helpers/repos.ts';

describe('two machines', () => {
  let repos: { remote: string; a: string; b: string };
  let desk: Machine;
  let laptop: Machine;

  beforeAll(async () => {
    repos = twoMachines({ 'readme.md': 'hello\n', '.gitignore': 'ignored/\n' });
    desk = makeMachine('desk');
    laptop = makeMachine('laptop');
    desk.configure([repos.a], `${quickSettings}\nmax_file_size = 500MB`);
    laptop.configure([repos.b], `${quickSettings}\nmax_file_size = 500MB`);
    await Promise.all([desk.start(), laptop.start()]);
  });

  afterAll(async () => {
    await Promise.all([desk.stop(), laptop.stop()]);
  });

  const together = (deadlineMs = 20_000): Promise<void> =>
    // First the work trees: what was just written must be in the commits that are compared.
    converge('both are at the remote\'s commit with clean work trees', () => sh(repos.a, 'status', '--porcelain') === '' && sh(repos.b, 'status', '--porcelain') === '' && inStep(repos.a, repos.b, repos.remote), deadlineMs);

  test('an added, a changed and a removed file arrive', async () => {
    write(repos.a, 'dir/new.txt', 'new\n');
    await converge('new', () => exists(repos.b, 'dir/new.txt'));
    write(repos.b, 'dir/new.txt', 'changed on laptop\n');
    await converge('changed', () => read(repos.a, 'dir/new.txt') === 'changed on laptop\n');
    rmSync(join(repos.a, 'dir/new.txt'));
    await converge('removed, and its empty directory', () => !exists(repos.b, 'dir'));
    await together();
  });

  test('modes, links, empty files, renames and directories that become files', async () => {
    write(repos.a, 'tool.sh', '#!/bin/sh\n');
    write(repos.a, 'empty', '');
    write(repos.a, 'old-name.txt', 'a text that moves\n');
    write(repos.a, 'was-dir/x', 'x\n');
    symlinkSync('/nonexistent/outside', join(repos.a, 'link'));
    await together();
    chmodSync(join(repos.a, 'tool.sh'), 0o755);
    renameSync(join(repos.a, 'old-name.txt'), join(repos.a, 'new-name.txt'));
    rmSync(join(repos.a, 'was-dir'), { recursive: true });
    write(repos.a, 'was-dir', 'a file now\n');
    await converge('all of it', () => (statSync(join(repos.b, 'tool.sh')).mode & 0o111) !== 0 && exists(repos.b, 'new-name.txt') && !exists(repos.b, 'old-name.txt') && read(repos.b, 'was-dir') === 'a file now\n' && statSync(join(repos.b, 'empty')).size === 0);
    await together();
  });

  test('an editor that saves atomically, again and again', async () => {
    for (let i = 0; i < 20; i++) {
      write(repos.a, '.doc.txt.tmp-save', `version ${i}\n`);
      renameSync(join(repos.a, '.doc.txt.tmp-save'), join(repos.a, 'doc.txt'));
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    await converge('the last version', () => exists(repos.b, 'doc.txt') && read(repos.b, 'doc.txt') === 'version 19\n');
    // vim's way: the old file becomes a backup, the new one is written anew.
    linkSync(join(repos.a, 'doc.txt'), join(repos.a, 'doc.txt~'));
    unlinkSync(join(repos.a, 'doc.txt'));
    write(repos.a, 'doc.txt', 'vim\n');
    unlinkSync(join(repos.a, 'doc.txt~'));
    await converge('vim\'s version', () => read(repos.b, 'doc.txt') === 'vim\n');
    await together();
  });

  test('5 000 files at once, in new directories', async () => {
    for (let i = 0; i < 5_000; i++) write(repos.a, `burst/d${i % 50}/e${i % 7}/f${i}.txt`, `file ${i}\n`);
    await converge('all on the other side', () => exists(repos.b, 'burst/d49/e1/f4999.txt') && Number(sh(repos.b, 'ls-files', 'burst').split('\n').length) === 5_000, 90_000);
    await together(90_000);
    expect(read(repos.b, 'burst/d1/e1/f1.txt')).toBe('file 1\n');
  });

  test('a file of 100 MB', async () => {
    const content = randomBytes(100_000_000);
    write(repos.a, 'film.bin', content);
    await converge('the film', () => exists(repos.b, 'film.bin') && statSync(join(repos.b, 'film.bin')).size === content.length, 90_000);
    expect(createHash('sha1').update(readFileSync(join(repos.b, 'film.bin'))).digest('hex')).toBe(createHash('sha1').update(content).digest('hex'));
    await together(60_000);
  });

  test('a file written every 50 ms for a minute arrives on the way, and does not hold up the others', async () => {
    const descriptor = openSync(join(repos.a, 'busy.log'), 'a');
    const until = Date.now() + 60_000;
    const writer = setInterval(() => writeSync(descriptor, `${Date.now()}\n`), 50);
    try {
      await converge('a part of the busy file', () => exists(repos.b, 'busy.log'), 15_000);
      write(repos.a, 'calm.txt', 'calm\n');
      const startedAt = Date.now();
      await converge('the calm file', () => exists(repos.b, 'calm.txt'), 10_000);
      expect(Date.now() - startedAt).toBeLessThan(10_000);
      const commits = Number(sh(repos.a, 'rev-list', '--count', 'HEAD'));
      await converge('the minute is over', () => Date.now() > until, 70_000);
      // At most one commit for each max_delay, not one for each write.
      expect(Number(sh(repos.a, 'rev-list', '--count', 'HEAD')) - commits).toBeLessThan(60);
    } finally {
      clearInterval(writer);
      closeSync(descriptor);
    }
    await converge('the whole busy file', () => read(repos.b, 'busy.log') === read(repos.a, 'busy.log'));
    await together();
  });

  test('both change the same line at once: the same commit on both, both versions kept, no markers', async () => {
    write(repos.a, 'clash.md', 'start\n');
    await together();
    write(repos.a, 'clash.md', 'from desk\n');
    write(repos.b, 'clash.md', 'from laptop\n');
    const copies = (root: string): string[] => readdirSync(root).filter((name) => name.startsWith('clash.conflict-'));
    await converge('a copy on both', () => copies(repos.a).length === 1 && copies(repos.b).length === 1);
    await together();
    const both = `${read(repos.a, 'clash.md')}${read(repos.a, copies(repos.a)[0] as string)}`;
    expect(both.includes('from desk') && both.includes('from laptop')).toBe(true);
    expect(both).not.toContain('<<<<<<<');
    expect(desk.run('status').exitCode).toBe(1);
    expect(desk.run('resolve', join(repos.a, 'clash.md'), '--keep', 'both').exitCode).toBe(0);
    await converge('no copy', () => copies(repos.a).length === 0 && copies(repos.b).length === 0);
    await together();
    expect(readdirSync(repos.b).filter((name) => name.startsWith('clash')).length).toBe(2);
  });

  test('edits of both in quick turns end equal, with every last word kept', async () => {
    for (let i = 0; i < 15; i++) {
      appendFileSync(join(repos.a, 'desk-diary.txt'), `desk ${i}\n`);
      appendFileSync(join(repos.b, 'laptop-diary.txt'), `laptop ${i}\n`);
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    await converge('both diaries', () => exists(repos.b, 'desk-diary.txt') && read(repos.b, 'desk-diary.txt').includes('desk 14') && exists(repos.a, 'laptop-diary.txt') && read(repos.a, 'laptop-diary.txt').includes('laptop 14'));
    await together();
  });

  test('what git ignores stays here', async () => {
    write(repos.a, 'ignored/secret.txt', 'mine\n');
    write(repos.a, 'after.txt', 'after\n');
    await converge('after', () => exists(repos.b, 'after.txt'));
    expect(exists(repos.b, 'ignored')).toBe(false);
  });

  test('what was ignored follows once it is no longer', async () => {
    write(repos.a, '.gitignore', '# nothing\n');
    await converge('the formerly ignored file', () => exists(repos.b, 'ignored/secret.txt'));
    await together();
  });

  test('a person\'s own commit is published at once', async () => {
    write(repos.a, 'own.txt', 'own\n');
    sh(repos.a, 'add', 'own.txt');
    try {
      sh(repos.a, 'commit', '-q', '-m', 'my own words');
    } catch {
      // The agent may have been quicker: then it is published all the same.
    }
    await converge('own.txt', () => exists(repos.b, 'own.txt'));
    await together();
  });

  test('kill -9 in the middle of everything: it starts again, and nothing is lost', async () => {
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 60; i++) {
        write(repos.a, `kill/${round}-a${i}.txt`, `a ${i}\n`);
        write(repos.b, `kill/${round}-b${i}.txt`, `b ${i}\n`);
      }
      await new Promise((resolve) => setTimeout(resolve, 150 + round * 130));
      await laptop.stop('SIGKILL');
      write(repos.b, `kill/${round}-while-dead.txt`, 'dead\n');
      await laptop.start();
      await converge('everything', () => readdirSync(join(repos.a, 'kill')).length === (round + 1) * 121 && readdirSync(join(repos.b, 'kill')).length === (round + 1) * 121, 40_000);
    }
    await together();
    expect(sh(repos.b, 'fsck', '--no-dangling')).toBe('');
    expect(exists(repos.b, '.git/index.lock')).toBe(false);
  });

  test('the directory stays small in the number of commits: one burst is one or few commits', () => {
    expect(Number(sh(repos.remote, 'rev-list', '--count', 'main', '--', 'burst'))).toBeLessThan(40);
  });
});
