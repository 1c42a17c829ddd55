/** `gitsync sync`, `--once`, `pause` and `resume`. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { makeMachine, type Machine } from '../helpers/machine.ts';
import { commitFiles, sh, tempDir, tempRepo, twoMachines, write } from '../helpers/repos.ts';
import { expectError } from './expect-error.ts';

let machine: Machine;
let repos: { remote: string; a: string; b: string };
beforeEach(() => {
  machine = makeMachine('desk');
  repos = twoMachines();
});
afterEach(() => machine.stop());

const silent = { exitCode: 0, stdout: '', stderr: '' };
const published = (path: string): boolean => sh(repos.remote, 'ls-tree', '-r', '--name-only', 'main').split('\n').includes(path);

describe('sync', () => {
  test('without an agent: saves, publishes, brings in, and says how it went', () => {
    machine.configure([repos.a]);
    write(repos.a, 'ours.txt', 'ours\n');
    sh(repos.b, 'pull', '-q');
    commitFiles(repos.b, { 'theirs.txt': 'theirs\n' });
    sh(repos.b, 'push', '-q');
    const result = machine.run('sync');
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    expect(result.stdout).toMatch(/ safe {2}everything on origin\/main, just now\n$/);
    expect(published('ours.txt')).toBe(true);
    expect(sh(repos.a, 'ls-files')).toContain('theirs.txt');
    expect(JSON.parse(machine.run('sync', '--json').stdout)).toMatchObject({ repos: [{ path: repos.a, level: 'safe' }] });
  });

  test('with an agent: the same, by the agent', async () => {
    machine.configure([repos.a], 'quiet = 1h\nmax_delay = 1d');
    await machine.start();
    write(repos.a, 'ours.txt', 'ours\n');
    const result = machine.run('sync', repos.a);
    expect(result.exitCode).toBeLessThan(2);
    expect(published('ours.txt')).toBe(true);
    expect(machine.log()).toContain('Pushed');
  });

  test('one that no config lists, beside one that the agent has', async () => {
    const other = twoMachines();
    machine.configure([repos.a]);
    await machine.start();
    write(other.a, 'ours.txt', 'ours\n');
    const { repos: answered } = JSON.parse(machine.run('sync', '--json', repos.a, other.a).stdout) as { repos: { path: string }[] };
    expect(answered.map(({ path }) => path)).toEqual([repos.a, other.a]);
    expect(sh(other.remote, 'ls-tree', '--name-only', 'main')).toContain('ours.txt');
  });

  test('the remote is away: not safe, with the reason; safe when it is back', () => {
    machine.configure([repos.a]);
    renameSync(repos.remote, `${repos.remote}.away`);
    write(repos.a, 'ours.txt', 'ours\n');
    const result = machine.run('sync');
    expect(result.exitCode).toBe(2);
    expect(result.stdout).toMatch(/NOT SAFE  1 commit not published: The remote repository does not exist.*-> /);
    renameSync(`${repos.remote}.away`, repos.remote);
    expect(machine.run('sync').exitCode).toBe(0);
  });

  test('nothing to sync is an error that says how to begin', () => {
    expectError(machine.run('sync'), 10, /lists no work directory/, /gitsync init PATH/);
    expectError(machine.run('sync', '/nowhere'), 10, /\/nowhere does not exist/, /gitsync init PATH/);
    expectError(machine.run('sync', machine.home), 10, /is in no git work tree/, /gitsync init PATH/);
  });

  test('a mistake for all repositories stops it; one for another repository does not', () => {
    machine.configure([repos.a], 'max_file_size = many');
    expectError(machine.run('sync'), 10, /gitsync:3: .*many/, /config --check/);
    expectError(machine.run('--once'), 10, /gitsync:3: .*many/, /config --check/);
    machine.configure([repos.a], '', '[repo /elsewhere]\nquite = 1s\n');
    write(repos.a, 'ours.txt', 'ours\n');
    expect(machine.run('sync').exitCode).toBe(1);
    expect(published('ours.txt')).toBe(true);
  });
});

describe('--once, for cron', () => {
  test('is silent while all is well, with a config, with paths and with a path that no config lists', () => {
    machine.configure([repos.a]);
    write(repos.a, 'one.txt', '1\n');
    expect(machine.run('--once')).toEqual(silent);
    expect(published('one.txt')).toBe(true);
    write(repos.a, 'two.txt', '2\n');
    expect(machine.runIn(repos.a, '--once', '.')).toEqual(silent);
    expect(published('two.txt')).toBe(true);
    const other = twoMachines();
    write(other.a, 'three.txt', '3\n');
    expect(machine.run('--once', other.a)).toEqual(silent);
    expect(sh(other.remote, 'ls-tree', '--name-only', 'main')).toContain('three.txt');
  });

  test('is silent with 1 when something only wants attention, and talks with 2 when it is not safe', () => {
    machine.configure([repos.a]);
    write(repos.a, '.env', 'PASSWORD=hunter2\n');
    expect(machine.run('--once')).toEqual({ exitCode: 1, stdout: '', stderr: '' });
    rmSync(join(repos.a, '.env'));
    renameSync(repos.remote, `${repos.remote}.away`);
    write(repos.a, 'new.txt', 'new\n');
    const result = machine.run('--once');
    expect(result).toMatchObject({ exitCode: 2, stderr: '' });
    expect(result.stdout).toContain('NOT SAFE');
  });

  test('tells of a listed directory that is away, and syncs the others', () => {
    machine.configure(['/media/usb/Notes', repos.a]);
    write(repos.a, 'one.txt', '1\n');
    const result = machine.run('--once');
    expect(result.exitCode).toBe(1);
    expect(result.stdout).toContain('/media/usb/Notes does not exist');
    expect(published('one.txt')).toBe(true);
  });

  test('says what it does with --verbose, and answers programs', () => {
    machine.configure([repos.a]);
    write(repos.a, 'one.txt', '1\n');
    const verbose = machine.run('--once', '--verbose');
    expect(verbose.exitCode).toBe(0);
    expect(verbose.stdout).toContain('safe');
    expect(verbose.stderr).toMatch(/info {2}Committed .*\n.*info {2}Pushed /);
    expect(JSON.parse(machine.run('--once', '--json').stdout)).toMatchObject({ repos: [{ state: 'safe' }] });
  });

  test('leaves to a running agent what that watches', async () => {
    machine.configure([repos.a], 'quiet = 1h\nmax_delay = 1d');
    await machine.start();
    write(repos.a, 'one.txt', '1\n');
    expect(machine.run('--once').exitCode).toBeLessThan(2);
    expect(published('one.txt')).toBe(true);
    write(repos.a, 'two.txt', '2\n');
    expect(machine.run('--once', repos.a).stderr).toBe('');
    expect(published('two.txt')).toBe(true);
  });

  test('a path that does not exist, or is in no repository', () => {
    expectError(machine.run('--once', '/nowhere'), 10, /\/nowhere does not exist/, /gitsync init PATH/);
    expectError(machine.run('--once', tempDir('plain')), 10, /is in no git work tree/, /gitsync init PATH/);
  });
});

describe('pause and resume', () => {
  const state = (): string | undefined => machine.status().repos[0]?.state;

  test('without an agent: a note that the next one reads; cron keeps it, a person\'s sync ends it', async () => {
    machine.configure([repos.a]);
    machine.run('sync');
    expect(machine.run('pause', '2h')).toEqual({ exitCode: 0, stdout: `Paused ${repos.a} for 2 h: nothing is saved or published.\n`, stderr: '' });
    expect(machine.run('status').stdout).toMatch(/paused {2}nothing is saved or published, for another 2 h   -> gitsync resume/);
    write(repos.a, 'one.txt', '1\n');
    expect(machine.run('--once')).toEqual({ exitCode: 1, stdout: '', stderr: '' });
    expect(published('one.txt')).toBe(false);
    await machine.start();
    expect(state()).toBe('paused');
    await machine.stop();
    expect(machine.run('sync').exitCode).toBe(0);
    expect(published('one.txt')).toBe(true);
    expect(state()).toBe('no agent');
  });

  test('with an agent: until resumed, and a person\'s sync ends it for good', async () => {
    machine.configure([repos.a]);
    await machine.start();
    expect(machine.run('pause', repos.a)).toEqual({ exitCode: 0, stdout: `Paused ${repos.a} until gitsync resume: nothing is saved or published.\n`, stderr: '' });
    expect(state()).toBe('paused');
    write(repos.a, 'one.txt', '1\n');
    expect(machine.run('--once').exitCode).toBe(1);
    expect(published('one.txt')).toBe(false);
    expect(machine.run('resume')).toEqual({ exitCode: 0, stdout: `Going on with ${repos.a}.\n`, stderr: '' });
    await converge('published', () => published('one.txt'));
    machine.run('pause', '1d', repos.a);
    machine.run('sync');
    await machine.stop();
    await machine.start();
    expect(state()).not.toBe('paused');
  });

  test('other commands do not end a pause', async () => {
    machine.configure([repos.a]);
    await machine.start();
    await converge('safe', () => state() === 'safe');
    commitFiles(repos.a, { 'x.txt': 'x\n' });
    machine.run('pause');
    expect(machine.run('undo', repos.a).exitCode).toBe(0);
    expect(machine.run('ignore', join(repos.a, 'build')).exitCode).toBe(0);
    expect(state()).toBe('paused');
  });

  test('a pause ends by itself', async () => {
    machine.configure([repos.a]);
    await machine.start();
    machine.run('pause', '1s');
    expect(state()).toBe('paused');
    write(repos.a, 'one.txt', '1\n');
    await converge('goes on', () => published('one.txt'));
  });

  test.each([['2x'], ['-'], ['0'], ['forever']])('%s is no length of time', (word) => {
    machine.configure([repos.a]);
    expectError(machine.run('pause', word), 2, /neither a length of time nor a path/, /gitsync pause 30m/);
    expect(machine.run('status').stdout).not.toContain('paused');
  });

  test('a directory that is named like a length of time, nothing configured, and a repository of nobody\'s', () => {
    expectError(machine.run('pause'), 10, /No repository is configured/, /gitsync init/);
    writeFileSync(machine.configFile, `[gitsync]\nwork_dir = ${repos.a}\n`);
    expectError(machine.run('pause', '1h', tempRepo({ a: 'a\n' })), 2, /not one that gitsync looks after/, /gitsync add/);
    expectError(machine.run('resume', '/nowhere'), 10, /does not exist/, /name one of/);
  });
});
