/** `gitsync log`, `restore`, `undo` and `adopt`. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { makeMachine, type Machine } from '../helpers/machine.ts';
import { exists, read, sh, tempRepo, twoMachines, write } from '../helpers/repos.ts';
import { expectError, expectPrintable } from './expect-error.ts';

let machine: Machine;
let repos: { remote: string; a: string; b: string };
beforeEach(() => {
  machine = makeMachine('desk');
  repos = twoMachines({ 'a.md': 'one\n', 'dir/b.md': 'b\n', 'dir/c.md': 'c\n' });
  machine.configure([repos.a]);
});
afterEach(() => machine.stop());

const head = (): string => sh(repos.a, 'rev-parse', 'HEAD');
const publishedHead = (): string => sh(repos.remote, 'rev-parse', 'main');

/** As if the branch had stood where it is for so long. */
function makeOlder(seconds: number): void {
  const file = join(repos.a, '.git/logs/HEAD');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/> (\d{10}) /g, (_whole, time) => `> ${Number(time) - seconds} `));
}

describe('log', () => {
  test('newest first, of everything, of a directory, of a file, as many as asked for', () => {
    write(repos.a, 'a.md', 'two\n');
    machine.run('sync');
    const all = machine.run('log', repos.a);
    expect(all).toMatchObject({ exitCode: 0, stderr: '' });
    expect(all.stdout).toMatch(/^[0-9a-f]{7,} {2}\d{4}-\d\d-\d\d \d\d:\d\d {2}desk: a\.md.*\n[0-9a-f]{7,} .* {2}first\n$/);
    expect(machine.runIn(repos.a, 'log', 'dir').stdout).toMatch(/^[0-9a-f]+ .* first\n$/);
    expect(machine.runIn(join(repos.a, 'dir'), 'log', '-n', '1').stdout.trimEnd().split('\n')).toHaveLength(1);
    expect(JSON.parse(machine.run('log', repos.a, '--json').stdout)).toMatchObject([{ subject: expect.stringContaining('a.md') }, { commit: sh(repos.a, 'rev-parse', '--short', 'HEAD~1'), subject: 'first' }]);
  });

  test('of a deleted file, and subjects that a terminal would obey', () => {
    rmSync(join(repos.a, 'a.md'));
    write(repos.a, 'evil\x1b[31m\n.txt', 'x');
    machine.run('sync');
    expect(machine.run('log', join(repos.a, 'a.md')).stdout.trimEnd().split('\n')).toHaveLength(2);
    expectPrintable(machine.run('log', repos.a));
  });

  test('no history, no count, no repository', () => {
    expectError(machine.run('log', join(repos.a, 'never.md')), 1, /never\.md has no history/, new RegExp(`gitsync log ${repos.a}`));
    for (const count of ['0', '-1', '1.5', 'x']) expectError(machine.run('log', repos.a, `--number=${count}`), 2, /is no count/, /gitsync log -n 20/);
    expectError(machine.run('log'), 10, /~ is in no git work tree/, new RegExp(`name one of: ${repos.a}`));
    expect(machine.run('log', tempRepo())).toEqual({ exitCode: 0, stdout: 'No history yet.\n', stderr: '' });
  });
});

describe('restore', () => {
  test('a file as of a commit; what was there is in history, and it is published', () => {
    const before = sh(repos.a, 'rev-parse', '--short', 'HEAD');
    write(repos.a, 'a.md', 'two\n');
    const result = machine.run('restore', join(repos.a, 'a.md'), '--at', before);
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    expect(result.stdout).toBe(`Restored ${repos.a}/a.md (1 file) from ${sh(repos.a, 'rev-parse', before).slice(0, 10)}; what was there is in history.\n`);
    expect(read(repos.a, 'a.md')).toBe('one\n');
    expect(sh(repos.a, 'show', 'HEAD~1:a.md')).toBe('two');
    expect(publishedHead()).toBe(head());
  });

  test.each([['30m'], ['30m ago'], ['30 minutes ago'], ['30.minutes.ago'], ['yesterday']])('a deleted directory as of "%s", by the agent', async (at) => {
    makeOlder(at === 'yesterday' ? 50 * 3600 : 3600);
    await machine.start();
    rmSync(join(repos.a, 'dir'), { recursive: true });
    await converge('the deletion is committed', () => sh(repos.a, 'ls-tree', '--name-only', 'HEAD') === 'a.md');
    expect(machine.runIn(repos.a, 'restore', 'dir', '--at', at)).toMatchObject({ exitCode: 0, stderr: '' });
    expect(read(repos.a, 'dir/b.md') + read(repos.a, 'dir/c.md')).toBe('b\nc\n');
  });

  test('what is so already is left as it is, without a commit', () => {
    const before = head();
    expect(machine.run('restore', join(repos.a, 'a.md'), '--at', 'now').stdout).toBe(`${repos.a}/a.md is as it was then already.\n`);
    expect(head()).toBe(before);
  });

  test('held deletions come back as they were, without a commit', async () => {
    for (let i = 0; i < 40; i++) write(repos.a, `many/${i}`, `${i}\n`);
    machine.run('sync');
    const before = head();
    for (const agent of [false, true]) {
      if (agent) await machine.start();
      // In one step: one by one, a machine that stands still in between would make two lots of them.
      renameSync(join(repos.a, 'many'), join(machine.home, `away-${agent}`));
      const status = machine.run('sync');
      expect(status.stdout).toMatch(new RegExp(`held 40 .*files disappeared at once: many/0 \\(and 39 more\\).*-> gitsync restore ${repos.a} --at now`));
      expect(JSON.parse(machine.run('restore', repos.a, '--at', 'now', '--json').stdout)).toMatchObject({ paths: { length: 40 } });
      expect(read(repos.a, 'many/39')).toBe('39\n');
      expect(head()).toBe(before);
      await converge('nothing is held', () => !machine.run('status').stdout.includes('held'));
    }
  });

  test('a time that makes no sense, one before all history, and a path that never existed', () => {
    const file = join(repos.a, 'a.md');
    expectError(machine.run('restore', file), 2, /As of when\?/, /--at "2 hours ago"/);
    expectError(machine.run('restore', file, '--at', 'nonsense'), 2, /"nonsense" is no time that is understood/, /"2 hours ago"/);
    expectError(machine.run('restore', file, '--at', 'deadbeef'), 2, /no time that is understood, and no commit/, /gitsync log/);
    expectError(machine.run('restore', file, '--at', '--all'), 2, /no time/, /"2 hours ago"/);
    expectError(machine.run('restore', file, '--at', '2001-01-01'), 1, /does not reach back to 2001-01-01/, /gitsync log/);
    expectError(machine.run('restore', join(repos.a, 'never.md'), '--at', 'now'), 1, /never\.md did not exist at now/, /gitsync log .*never\.md/);
    expectError(machine.run('restore', '/nowhere', '--at', 'now'), 10, /does not exist/, /name one of/);
  });
});

describe('undo', () => {
  test('the last change goes, twice brings it back, and nothing is lost from history', () => {
    write(repos.a, 'a.md', 'two\n');
    machine.run('sync');
    const result = machine.run('undo', repos.a);
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    expect(result.stdout).toMatch(new RegExp(`^Undone: desk: a\\.md.*\nOnce more brings it back: gitsync undo ${repos.a}\n$`));
    expect(read(repos.a, 'a.md')).toBe('one\n');
    expect(machine.runIn(repos.a, 'undo').exitCode).toBe(0);
    expect(read(repos.a, 'a.md')).toBe('two\n');
    expect(sh(repos.a, 'rev-list', '--count', 'HEAD')).toBe('4');
    expect(publishedHead()).toBe(head());
  });

  test('by the agent, and unsaved work is saved first', async () => {
    await machine.start();
    rmSync(join(repos.a, 'a.md'));
    await converge('the deletion is published', () => !sh(repos.remote, 'ls-tree', '--name-only', 'main').includes('a.md'));
    expect(machine.run('undo', repos.a, '--json').exitCode).toBe(0);
    expect(read(repos.a, 'a.md')).toBe('one\n');
    await converge('published', () => publishedHead() === head());
  });

  test('of one file only, nothing earlier, a detached HEAD, and a directory that is no repository', () => {
    expectError(machine.run('undo', join(repos.a, 'a.md')), 2, /whole repository, not only of .*a\.md/, /gitsync restore .*a\.md --at/);
    expectError(machine.run('undo', repos.a), 1, /no earlier state/, /reflog/);
    sh(repos.a, 'checkout', '-q', '--detach');
    expectError(machine.run('undo', repos.a), 12, /The branch stands still \(detached\)/, /gitsync status/);
    expectError(machine.run('undo'), 10, /~ is in no git work tree/, /name one of/);
  });
});

describe('adopt', () => {
  test('joins two histories, by the agent', async () => {
    const stranger = tempRepo({ 'other.md': 'o\n' });
    sh(stranger, 'push', '-q', '-f', repos.remote, 'main');
    sh(repos.a, 'update-ref', '-d', 'refs/remotes/origin/main');
    await machine.start();
    await converge('unrelated', () => machine.run('status').stdout.includes(`gitsync adopt ${repos.a}`));
    expect(machine.run('adopt', repos.a)).toEqual({ exitCode: 0, stdout: 'Both histories are one now.\n', stderr: '' });
    expect(exists(repos.a, 'other.md')).toBe(true);
    await converge('safe', () => machine.run('status').exitCode === 0);
  });

  test('needs a remote, and one that is a stranger', () => {
    expectError(machine.run('adopt', repos.a), 1, /needs no adoption/, /gitsync sync/);
    expectError(machine.run('adopt', repos.a, '--remote', 'nowhere'), 2, /no remote nowhere/, /git remote -v/);
    const lonely = tempRepo({ a: 'a\n' });
    machine.configure([lonely]);
    expectError(machine.run('adopt', lonely), 2, /no remote/, /git remote -v|--remote URL/);
  });
});
