/** `gitsync add`, `rm`, `list` and `config`. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { makeMachine, type Machine } from '../helpers/machine.ts';
import { bareRemote, tempDir, tempRepo, twoMachines } from '../helpers/repos.ts';
import { expectError, expectPrintable } from './expect-error.ts';

let machine: Machine;
beforeEach(() => {
  machine = makeMachine('desk');
});
afterEach(() => machine.stop());

describe('which repositories are watched', () => {
  test('nothing yet: the list says how to begin', () => {
    expect(machine.run('list')).toEqual({ exitCode: 0, stdout: 'Nothing is watched yet: gitsync init PATH\n', stderr: '' });
    expect(JSON.parse(machine.run('list', '--json').stdout)).toEqual([]);
  });

  test('added once, and again without effect, from inside too; taken out again, nothing is deleted', () => {
    const [a, b] = [tempRepo({ a: 'a\n' }), tempRepo({ b: 'b\n' })];
    const added = machine.run('add', a, b);
    expect(added).toMatchObject({ exitCode: 0, stderr: '' });
    expect(added.stdout).toBe(`Added: ${a}\nAdded: ${b}\nNo agent is running: gitsync --daemon   (or gitsync --once from cron)\n`);
    expect(machine.runIn(a, 'add', '.').stdout).toContain(`Listed already: ${a}`);
    expect(JSON.parse(machine.run('add', '--json', a).stdout)).toEqual({ config: machine.configFile, added: [], agent: false });
    expect(machine.run('list').stdout).toBe(`${a}\n${b}\n`);
    expect(machine.runIn(a, 'rm', '.')).toEqual({ exitCode: 0, stdout: `No longer watched: ${a} (nothing was deleted)\n`, stderr: '' });
    expect(machine.run('list').stdout).toBe(`${b}\n`);
    expect(readFileSync(join(a, 'a'), 'utf8')).toBe('a\n');
  });

  test('a running agent follows at once', async () => {
    const { a } = twoMachines();
    machine.configure([]);
    await machine.start();
    expect(machine.run('add', a)).toEqual({ exitCode: 0, stdout: `Added: ${a}\n`, stderr: '' });
    await converge('safe', () => machine.run('status', a).exitCode === 0);
    expect(machine.run('rm', a).exitCode).toBe(0);
    expect(machine.status().repos).toEqual([]);
  });

  test('what cannot be watched, with what helps', () => {
    const root = tempRepo({ 'sub/a': 'a\n' });
    expectError(machine.run('add', '/nowhere'), 10, /\/nowhere does not exist/, /git clone .*gitsync init/);
    expectError(machine.run('add', machine.home), 10, /not a git work tree/, /gitsync init/);
    expectError(machine.run('add', join(root, 'sub')), 10, /lies inside the work tree/, new RegExp(`gitsync add ${root}`));
    expectError(machine.run('add', bareRemote()), 10, /not a git work tree/, /gitsync init/);
    expectError(machine.run('add', root, '/nowhere'), 10, /does not exist/, /gitsync/);
    expect(machine.run('list').stdout).toContain('Nothing is watched yet');
    expectError(machine.run('rm', root), 10, /is not listed in ~\/\.config\/gitsync/, /gitsync list/);
  });

  test('a listed directory that is gone is named, and can be taken out', () => {
    const root = tempDir('gone');
    rmSync(root, { recursive: true });
    machine.configure([root]);
    const list = machine.run('list');
    expect(list.exitCode).toBe(1);
    expect(list.stdout).toMatch(new RegExp(`^config: .*gitsync:2: ${root} does not exist; .*gitsync rm ${root}`));
    expect(machine.run('rm', root).exitCode).toBe(0);
    expect(machine.run('list').stdout).toContain('Nothing is watched yet');
  });

  test('names that a terminal would obey are escaped, and come back whole for programs', () => {
    const root = join(machine.home, 'evil\x1b[31m \u202ename');
    mkdirSync(root);
    expectPrintable(machine.run('init', root));
    expectError(machine.run('init', `${root}\nx`), 2, /line break in its name/, /otherwise/);
    for (const args of [['list'], ['status'], ['add', root], ['sync'], ['doctor'], ['log', root], ['pause'], ['resume'], ['rm', root]]) expectPrintable(machine.run(...args));
    machine.run('add', root);
    expect(JSON.parse(machine.run('list', '--json').stdout)).toMatchObject([{ path: root }]);
  });
});

describe('the config file', () => {
  test('is in order, or its mistakes are listed with file, line and what was meant', () => {
    const root = tempRepo({ a: 'a\n' });
    machine.configure([root]);
    expect(machine.run('config', '--check')).toEqual({ exitCode: 0, stdout: `${machine.configFile}: in order, 1 repository.\n`, stderr: '' });
    writeFileSync(machine.configFile, `[gitsync]\nwork_dir = ${root}\nquite = 1s\nmax_file_size = many\n`);
    const wrong = machine.run('config', '--check');
    expect(wrong).toMatchObject({ exitCode: 10, stderr: '' });
    expect(wrong.stdout).toMatch(/gitsync:3: .*quite.*did you mean "quiet"\?\n.*gitsync:4: .*many/);
    const { problems } = JSON.parse(machine.run('config', '--check', '--json').stdout) as { problems: unknown[] };
    expect(problems).toMatchObject([{ line: 3 }, { line: 4 }]);
  });

  test('does not exist yet', () => {
    expectError(machine.run('config', '--check'), 10, /There is no config file/, /gitsync init/);
    expect(machine.run('config').stdout).toContain('does not exist yet: gitsync init PATH makes it');
  });

  test('the log level in it counts, until another is asked for', async () => {
    const { a } = twoMachines();
    machine.configure([a], 'log_level = error');
    await machine.start([]);
    await machine.stop();
    expect(machine.log()).toBe('');
    await machine.start(['--verbose']);
    await machine.stop();
    expect(machine.log()).toMatch(/info {2}Watching repos=1/);
    expect(machine.log()).not.toContain('debug');
  });
});
