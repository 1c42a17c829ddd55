/** `gitsync status`: 0 safe, 1 attention, 2 not safe, and the bare command. */
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { makeMachine, type Machine } from '../helpers/machine.ts';
import { commitFiles, sh, tempDir, tempRepo, twoMachines, write } from '../helpers/repos.ts';
import { expectError, expectPrintable } from './expect-error.ts';

let machine: Machine;
beforeEach(() => {
  machine = makeMachine('desk');
});
afterEach(() => machine.stop());

describe('with an agent', () => {
  test('safe is 0, attention is 1, not safe is 2, and each line says why and what helps', async () => {
    const { a, remote } = twoMachines();
    machine.configure([a]);
    await machine.start();
    await converge('safe', () => machine.run('status').exitCode === 0);
    expect(machine.run('status').stdout).toMatch(new RegExp(`^${a}  safe  everything on origin/main, .*\n$`));

    write(a, '.env', 'PASSWORD=hunter2\n');
    await converge('attention', () => machine.run('status').exitCode === 1 && machine.run('status').stdout.includes('held 1'));
    expect(machine.run('status').stdout).toMatch(new RegExp(`held 1 .*\\.env .*saved here, not pushed   -> gitsync allow ${a}/\\.env \\| gitsync ignore ${a}/\\.env\n`));
    rmSync(join(a, '.env'));

    renameSync(remote, `${remote}.away`);
    write(a, 'new.txt', 'new\n');
    await converge('not safe', () => machine.run('status').exitCode === 2);
    expect(machine.run('status').stdout).toMatch(/NOT SAFE  1 commit not published.*-> /);
    renameSync(`${remote}.away`, remote);
    machine.run('sync');
    await converge('safe again', () => machine.run('status').exitCode === 0);
  });

  test('of some repositories only, also of one that the agent does not watch', async () => {
    const [{ a }, other] = [twoMachines(), tempRepo({ x: 'x\n' })];
    const third = tempRepo({ y: 'y\n' });
    machine.configure([a, third]);
    await machine.start();
    const paths = (...args: string[]): string[] => (JSON.parse(machine.run('status', '--json', ...args).stdout) as { repos: { path: string }[] }).repos.map(({ path }) => path);
    expect(paths()).toEqual([a, third]);
    expect(paths(third)).toEqual([third]);
    expect(paths(join(a, 'readme.md'), other)).toEqual([a, other]);
    expect((JSON.parse(machine.runIn(a, 'status', '.', '--json').stdout) as { repos: unknown[] }).repos).toHaveLength(1);
  });

  test('the bare command is the status', async () => {
    const { a } = twoMachines();
    machine.configure([a]);
    await machine.start();
    await converge('the same', () => machine.run().stdout.startsWith(`${a}  safe`) && machine.run().exitCode === 0);
  });
});

describe('without an agent', () => {
  test('bare and without a config: how to begin', () => {
    const result = machine.run();
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    expect(result.stdout).toContain('gitsync init ~/Notes --remote');
    expect(result.stdout).toContain('gitsync demo');
    expect(machine.run('status').stdout).toBe(result.stdout);
  });

  test('is never safe, and changes nothing', () => {
    const { a } = twoMachines();
    machine.configure([a]);
    machine.run('sync');
    const before = sh(a, 'rev-parse', 'HEAD');
    const published = machine.run('status');
    expect(published.exitCode).toBe(1);
    expect(published.stdout).toMatch(/no agent .*new changes stay here   -> gitsync --daemon/);
    write(a, 'new.txt', 'new\n');
    const unsaved = machine.run('status');
    expect(unsaved.exitCode).toBe(2);
    expect(unsaved.stdout).toMatch(/NOT SAFE  changes not saved, and no agent is running   -> gitsync --daemon \| gitsync sync/);
    expect(sh(a, 'rev-parse', 'HEAD')).toBe(before);
    commitFiles(a, { 'two.txt': '2\n' });
    expect(machine.run('status').stdout).toContain('1 commit not published, and no agent is running');
  });

  test('answers programs with the facts, and with paths as they are', () => {
    const { a } = twoMachines();
    const evil = 'evil\x1b[31m\n.conflict-20261120-101500-desk-0123abc.md';
    commitFiles(a, { [evil]: 'x\n' });
    machine.configure([a]);
    const { repos } = machine.status();
    expect(repos).toMatchObject([{ path: a, state: '1 conflict', facts: { branch: 'main', conflicts: [{ copy: evil, path: 'evil\x1b[31m\n.md' }] } }]);
    const text = machine.run('status');
    expectPrintable(text);
    expect(text.stdout).toContain(`gitsync resolve $'${a}/evil\\x1b[31m\\n.md' --keep current|copy|both`);
  });

  test('a listed directory that is away, a config that makes no sense, and a damaged repository are told, not thrown', () => {
    const gone = tempDir('gone');
    rmSync(gone, { recursive: true });
    const broken = tempRepo({ a: 'a\n' });
    rmSync(join(broken, '.git/objects'), { recursive: true });
    machine.configure([gone, broken], 'quite = 1s');
    const { exitCode, stdout, stderr } = machine.run('status');
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: '' });
    expect(stdout).toMatch(/^config: .*gone.* does not exist.*not mounted/m);
    expect(stdout).toMatch(/^config: .*quite.*did you mean "quiet"/m);
    expect(stdout).toMatch(new RegExp(`^${broken}  NOT SAFE .*-> gitsync doctor`, 'm'));
  });

  test('a path in no work tree, one that does not exist, and one that is listed and away', () => {
    expectError(machine.run('status', machine.home), 10, /~ is in no git work tree/, /gitsync init PATH/);
    expectError(machine.run('status', '/nowhere/x'), 10, /\/nowhere\/x does not exist/, /gitsync init PATH/);
    const root = tempRepo({ a: 'a\n' });
    machine.configure([root, '/media/usb/Notes']);
    expectError(machine.run('status', '/nowhere/x'), 10, /does not exist/, new RegExp(`name one of: ${root}`));
    expectError(machine.run('status', '/media/usb/Notes/a.md'), 10, /\/media\/usb\/Notes does not exist \(listed in/, /not mounted/);
  });
});
