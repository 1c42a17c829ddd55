/** `gitsync doctor`: finds trouble, and with --fix mends what can be mended without loss. */
import { execFileSync } from 'node:child_process';
import { renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { makeMachine, type Machine } from '../helpers/machine.ts';
import { bareRemote, commitFiles, read, sh, tempRepo, twoMachines, write } from '../helpers/repos.ts';
import { expectError } from './expect-error.ts';

let machine: Machine;
let repos: { remote: string; a: string; b: string };
beforeEach(() => {
  machine = makeMachine('desk');
  repos = twoMachines({ 'a.md': 'a\n', 'b.md': 'b\n' });
  machine.configure([repos.a]);
  machine.run('sync');
});
afterEach(() => machine.stop());

/** Removes a loose object. */
function loseObject(name: string): void {
  const oid = sh(repos.a, 'rev-parse', name);
  rmSync(join(repos.a, '.git/objects', oid.slice(0, 2), oid.slice(2)), { force: true });
}

function makeStaleLock(ageMinutes: number): string {
  const lock = join(repos.a, '.git/index.lock');
  writeFileSync(lock, '');
  const seconds = Date.now() / 1000 - ageMinutes * 60;
  utimesSync(lock, seconds, seconds);
  return lock;
}

describe('nothing is wrong', () => {
  test('every check has a line; that no agent runs is only a note', () => {
    const { exitCode, stdout, stderr } = machine.run('doctor');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^ {2}ok {4}git version .*\n {2}ok {4}config ~\/\.config\/gitsync\n {2}note {2}no agent is running\n {8}-> gitsync --daemon/);
    for (const line of [repos.a, '  ok    index and locks are in order', '  ok    every object that history needs is there', '  ok    origin answers']) expect(stdout).toContain(`${line}\n`);
    expect(machine.run('doctor', '--fix').exitCode).toBe(0);
  });

  test('with an agent, which looks after its own', async () => {
    await machine.start();
    expect(machine.run('doctor').stdout).toContain(`  ok    an agent is running (process ${machine.pid()})\n`);
    const fixed = machine.run('doctor', '--fix');
    expect(fixed.exitCode).toBe(0);
    expect(fixed.stdout).toContain('in the hands of the agent');
  });

  test('answers programs, and looks at repositories that no config lists', () => {
    const other = tempRepo({ x: 'x\n' });
    const { general, repos: looked } = JSON.parse(machine.run('doctor', '--json', other).stdout) as { general: unknown[]; repos: unknown[] };
    expect(general).toMatchObject([{ level: 'ok' }, { level: 'ok' }, { level: 'note' }]);
    expect(looked).toMatchObject([{ path: other, findings: expect.arrayContaining([expect.objectContaining({ level: 'note', what: expect.stringContaining('no remote'), hint: `gitsync init ${other} --remote URL` })]) }]);
  });

  test('nothing is configured yet', () => {
    const fresh = makeMachine('fresh').run('doctor');
    expect(fresh).toMatchObject({ exitCode: 0, stderr: '' });
    expect(fresh.stdout).toMatch(/no config file ~\/\.config\/gitsync\n {8}-> gitsync init PATH/);
  });
});

describe('trouble', () => {
  test('a stale lock: named with its age, removed with --fix', () => {
    const lock = makeStaleLock(60);
    const found = machine.run('doctor');
    expect(found.exitCode).toBe(1);
    expect(found.stdout).toMatch(new RegExp(`FAIL {2}index\\.lock has been there for \\d+ (min|h).*\n {8}-> gitsync doctor --fix ${repos.a}`));
    const fixed = machine.run('doctor', '--fix', repos.a);
    expect(fixed).toMatchObject({ exitCode: 0, stderr: '' });
    expect(statSync(lock, { throwIfNoEntry: false })).toBeUndefined();
  });

  test('a lock that is young may be somebody\'s: it stays, and that is said', () => {
    const lock = makeStaleLock(1);
    const fixed = machine.run('doctor', '--fix');
    expect(fixed.exitCode).toBe(1);
    expect(fixed.stdout).toContain('index.lock has been there for 1 min');
    expect(statSync(lock).size).toBe(0);
  });

  test('a damaged index: built anew, the work tree is untouched', () => {
    write(repos.a, 'a.md', 'changed\n');
    writeFileSync(join(repos.a, '.git/index'), 'garbage');
    const found = machine.run('doctor');
    expect(found.exitCode).toBe(1);
    expect(found.stdout).toContain('FAIL  the index is damaged\n');
    expect(found.stdout).toContain('ok    every object that history needs is there');
    expect(machine.run('doctor', '--fix')).toMatchObject({ exitCode: 0, stderr: '' });
    expect(sh(repos.a, 'status', '--porcelain')).toBe(' M a.md');
    expect(read(repos.a, 'a.md')).toBe('changed\n');
  });

  test.each([['a file of the last commit', 'HEAD:b.md'], ['the last commit', 'HEAD']])('%s is missing, and the remote has it', (_what, name) => {
    loseObject(name);
    const found = machine.run('doctor', repos.a);
    expect(found.exitCode).toBe(1);
    expect(found.stdout).toMatch(new RegExp(`FAIL {2}objects are missing or damaged: .*\n {8}-> gitsync doctor --fix ${repos.a}`));
    const fixed = machine.run('doctor', '--fix', repos.a);
    expect(fixed).toMatchObject({ exitCode: 0, stderr: '' });
    expect(fixed.stdout).toContain('missing objects were brought back from the work tree and the remotes');
    expect(sh(repos.a, 'fsck', '--connectivity-only')).toBe('');
    expect(machine.run('sync').exitCode).toBe(0);
  });

  test('an object is missing that no remote has: it comes from the work tree, or it says what is left to do', () => {
    commitFiles(repos.a, { 'only-here.md': 'x\n' });
    loseObject('HEAD:only-here.md');
    const fixed = machine.run('doctor', '--fix');
    expect(fixed.exitCode).toBe(0);
    expect(fixed.stdout).toContain('missing objects were brought back from the work tree and the remotes');
    expect(sh(repos.a, 'fsck', '--connectivity-only')).toBe('');

    write(repos.a, 'only-here.md', 'changed\n');
    loseObject('HEAD:only-here.md');
    const lost = machine.run('doctor', '--fix');
    expect(lost.exitCode).toBe(1);
    expect(lost.stdout).toMatch(/no remote has them: .*\n {8}-> copy \.git\/objects from another machine/);
    expect(read(repos.a, 'only-here.md')).toBe('changed\n');
  });

  test('a remote that does not answer, one with a bad URL, and no identity', () => {
    renameSync(repos.remote, `${repos.remote}.away`);
    sh(repos.a, 'remote', 'add', 'evil', 'ssh://-oProxyCommand=touch/x');
    writeFileSync(join(machine.home, '.gitconfig'), '');
    const { exitCode, stdout } = machine.run('doctor');
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/FAIL {2}origin: The remote repository does not exist\..*\n {8}-> git remote -v/);
    expect(stdout).toMatch(/FAIL {2}evil: /);
    expect(stdout).toMatch(/note {2}no user\.email is configured.*\n {8}-> git config --global user\.email/);
  });

  test('mistakes in the config, a directory that is away, and a folder that git cannot read', () => {
    const broken = tempRepo({ x: 'x\n' });
    rmSync(join(broken, '.git/objects'), { recursive: true });
    machine.configure([broken, '/media/usb/Notes'], 'quite = 1s');
    const { exitCode, stdout } = machine.run('doctor');
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/FAIL {2}.*gitsync:2: \/media\/usb\/Notes does not exist/);
    expect(stdout).toMatch(/FAIL {2}.*gitsync:3: .*did you mean "quiet"/);
    expect(stdout).toMatch(new RegExp(`${broken}\n {2}FAIL {2}`));
    expectError(machine.run('doctor', bareRemote()), 10, /is in no git work tree/, /gitsync|name one of/);
  });

  test('git is missing, or too old', () => {
    const bin = join(machine.home, 'bin');
    execFileSync('mkdir', [bin]);
    machine.env['PATH'] = bin;
    expect(machine.run('doctor').stdout).toMatch(/FAIL {2}git is not installed, or not in PATH\.\n {8}-> install git 2\.38 or newer/);
    writeFileSync(join(bin, 'git'), '#!/bin/sh\necho git version 2.30.2\n', { mode: 0o755 });
    expect(machine.run('doctor').stdout).toMatch(/FAIL {2}git version 2\.30\.2\n {8}-> git 2\.38 or newer is needed/);
  });
});
