/** `gitsync allow` and `gitsync ignore`: what was held back. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { makeMachine, quickSettings, type Machine } from '../helpers/machine.ts';
import { read, sh, twoMachines, write } from '../helpers/repos.ts';
import { expectError, expectPrintable } from './expect-error.ts';

let machine: Machine;
let repos: { remote: string; a: string; b: string };
beforeEach(() => {
  machine = makeMachine('desk');
  repos = twoMachines({ 'a.md': 'a\n' });
  machine.configure([repos.a], `${quickSettings}\nmax_file_size = 1kB`);
});
afterEach(() => machine.stop());

const published = (): string[] => sh(repos.remote, 'ls-tree', '-r', '-z', '--name-only', 'main').split('\0').filter((name) => name !== '');
const held = (...args: string[]): string => machine.run('sync', ...args).stdout;

describe.each([false, true])('with an agent: %s', (agent) => {
  beforeEach(async () => {
    if (agent) await machine.start();
  });

  test('a secret goes through once it is allowed', async () => {
    write(repos.a, '.env', 'PASSWORD=hunter2\n');
    expect(held()).toMatch(/held 1 {2}\.env .*saved here, not pushed   -> gitsync allow .*\.env \| gitsync ignore .*\.env/);
    expect(machine.run('allow', join(repos.a, '.env'))).toEqual({ exitCode: 0, stdout: 'Allowed: .env\n', stderr: '' });
    await converge('published', () => published().includes('.env'));
  });

  test('a big file and a secret below a directory go through together', async () => {
    write(repos.a, 'dir/big.bin', Buffer.alloc(2_000, 1));
    write(repos.a, 'dir/id_rsa', 'key\n');
    expect(held()).toContain('held 2');
    expect(JSON.parse(machine.runIn(repos.a, 'allow', 'dir', '--json').stdout)).toEqual({ allowed: ['dir/big.bin', 'dir/id_rsa'] });
    await converge('published', () => published().includes('dir/big.bin') && published().includes('dir/id_rsa'));
  });

  test('a mass deletion goes through as one', async () => {
    for (let i = 0; i < 40; i++) write(repos.a, `many/${i}`, `${i}\n`);
    expect(machine.run('sync').exitCode).toBeLessThan(2);
    await converge('published', () => published().length === 41);
    // In one step: one by one, a machine that stands still in between would make two lots of them.
    renameSync(join(repos.a, 'many'), join(machine.home, 'away'));
    expect(held()).toContain('held 40');
    expect(published()).toHaveLength(41);
    expect(machine.run('allow', repos.a).stdout).toBe('Allowed: many/0, many/1, many/10, many/11, many/12 and 35 more\n');
    await converge('published', () => published().length === 1);
    if (agent) expect(machine.log().split('\n').filter((line) => line.includes('warn  Held back'))).toHaveLength(1);
  });

  test('what came back, or was taken away, is held no longer', async () => {
    for (let i = 0; i < 40; i++) write(repos.a, `many/${i}`, `${i}\n`);
    machine.run('sync');
    write(repos.a, '.env', 'PASSWORD=hunter2\n');
    renameSync(join(repos.a, 'many'), join(machine.home, 'away'));
    expect(held()).toContain('held 41');
    renameSync(join(machine.home, 'away'), join(repos.a, 'many'));
    rmSync(join(repos.a, '.env'));
    if (agent) await converge('nothing is held', () => !machine.run('status').stdout.includes('held'));
    else expect(held()).not.toContain('held');
    expect(machine.run('status')).toMatchObject({ exitCode: agent ? 0 : expect.any(Number) });
    expect(published()).toHaveLength(41);
  });

  test('what is ignored is held no longer and stays here', async () => {
    write(repos.a, 'odd [name]!', Buffer.alloc(2_000, 1));
    expect(held()).toContain('held 1');
    expect(machine.run('ignore', join(repos.a, 'odd [name]!'))).toEqual({ exitCode: 0, stdout: 'Ignored: /odd \\[name\\]\\! is in .gitignore.\n', stderr: '' });
    await converge('.gitignore is published', () => published().includes('.gitignore'));
    expect(published()).toEqual(['.gitignore', 'a.md']);
    expect(existsSync(join(repos.a, 'odd [name]!'))).toBe(true);
    await converge('nothing is held', () => !machine.run('status').stdout.includes('held'));
  });
});

describe('ignore', () => {
  test('twice is once, and a line without an end is completed first', () => {
    write(repos.a, '.gitignore', '*.tmp');
    machine.run('ignore', join(repos.a, 'build/'));
    machine.run('ignore', join(repos.a, 'build'));
    expect(read(repos.a, '.gitignore')).toBe('*.tmp\n/build\n');
  });

  test('what git has already goes on being synced, and it says how to end that', () => {
    const result = machine.run('ignore', join(repos.a, 'a.md'));
    expect(result).toMatchObject({ exitCode: 1, stderr: '' });
    expect(result.stdout).toMatch(new RegExp(`^Ignored: /a\\.md .*\nBut 1 file there is in the repository already.*the other machines then delete it.*\n  git -C ${repos.a} rm -r --cached a\\.md && git -C ${repos.a} commit`));
    expect(JSON.parse(machine.run('ignore', '--json', join(repos.a, 'a.md')).stdout)).toEqual({ line: '/a.md', tracked: ['a.md'] });
  });

  test('the whole directory, a name with a line break, and a path in no repository cannot be ignored', () => {
    expectError(machine.run('ignore', repos.a), 2, /whole directory cannot be ignored/, new RegExp(`gitsync rm ${repos.a}`));
    expectError(machine.run('ignore', join(repos.a, 'two\nlines')), 2, /line break/, /rename it/);
    expectError(machine.run('ignore', '/nowhere/x'), 10, /does not exist/, /name one of/);
    expect(existsSync(join(repos.a, '.gitignore'))).toBe(false);
  });
});

describe('allow', () => {
  test('refuses what is not held: a typing mistake must not open a door', () => {
    write(repos.a, '.env', 'PASSWORD=hunter2\n');
    expectError(machine.run('allow', join(repos.a, '.emv')), 1, /\.emv is not held back/, new RegExp(`gitsync status ${repos.a}`));
    expectError(machine.run('allow', join(repos.a, 'a.md')), 1, /a\.md is not held back/, /gitsync status/);
    expect(published()).toEqual(['a.md']);
    rmSync(join(repos.a, '.env'));
    expectError(machine.run('allow', repos.a), 1, /Nothing is held back here/, /gitsync status/);
  });

  test('names that a terminal would obey', () => {
    const evil = 'evil\x1b[31m\n.bin';
    write(repos.a, evil, Buffer.alloc(2_000, 1));
    const sync = machine.run('sync');
    expectPrintable(sync);
    expect(sync.stdout).toContain(`gitsync allow $'${repos.a}/evil\\x1b[31m\\n.bin'`);
    const allowed = machine.run('allow', join(repos.a, evil));
    expect(allowed.exitCode).toBe(0);
    expectPrintable(allowed);
    expect(published()).toContain(evil);
  });
});
