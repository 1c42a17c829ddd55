/** `gitsync --daemon`: starts, says so, ends when told. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { makeMachine, type Machine } from '../helpers/machine.ts';
import { read, twoMachines, write } from '../helpers/repos.ts';
import { expectError } from './expect-error.ts';

let machine: Machine;
let repos: { remote: string; a: string; b: string };
beforeEach(() => {
  machine = makeMachine('desk');
  repos = twoMachines();
  machine.configure([repos.a]);
});
afterEach(() => machine.stop());

describe('the daemon', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('ends with 0 on %s, and says when it began and ended', async (signal) => {
    await machine.start(['--verbose']);
    expect(await machine.stop(signal)).toBe(0);
    expect(machine.log()).toMatch(/ info {2}Watching repos=1 config=.*\n(.*\n)*.* info {2}Stopped\n$/);
  });

  test('there is one for each config file', async () => {
    await machine.start();
    expectError(machine.run('--daemon'), 11, new RegExp(`in the hands of another gitsync \\(process ${machine.pid()}\\)`), /gitsync status/);
  });

  test('logs for programs are one object a line', async () => {
    await machine.start(['--json', '--verbose']);
    write(repos.a, 'new.txt', 'new\n');
    await converge('committed', () => machine.log().includes('Committed'));
    await machine.stop();
    const lines = machine.log().trimEnd().split('\n').map((line) => JSON.parse(line) as { level: string; message: string });
    expect(lines).toEqual(expect.arrayContaining([expect.objectContaining({ level: 'info', message: 'Committed', repo: repos.a, paths: 1 })]));
  });

  test('works for a person whom git does not know', async () => {
    write(machine.home, '.gitconfig', '');
    await machine.start();
    write(repos.a, 'new.txt', 'new\n');
    await converge('safe', () => machine.run('status').exitCode === 0 && machine.run('log', repos.a).stdout.includes('new.txt'));
    expect(read(repos.a, 'new.txt')).toBe('new\n');
  });
});
