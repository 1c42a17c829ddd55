/** `gitsync conflicts` and `gitsync resolve`. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { makeMachine, type Machine } from '../helpers/machine.ts';
import { commitFiles, read, sh, tempRepo, twoMachines, write } from '../helpers/repos.ts';
import { expectError, expectPrintable } from './expect-error.ts';

let machine: Machine;
let repos: { remote: string; a: string; b: string };
const evil = 'sub/evil\x1b[31m\n.txt';

/** Both sides change both files; our side has the older versions, so that theirs keep the names. */
beforeEach(() => {
  machine = makeMachine('desk');
  repos = twoMachines({ 'a.md': 'start\n', 'a.md2': 'start\n', [evil]: 'start\n' });
  machine.configure([repos.a]);
  commitFiles(repos.b, { 'a.md': 'theirs\n', [evil]: 'theirs\n' });
  sh(repos.b, 'push', '-q');
  write(repos.a, 'a.md', 'ours\n');
  write(repos.a, evil, 'ours\n');
  expect(machine.run('sync')).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('2 conflicts') });
});
afterEach(() => machine.stop());

const copies = (): string[] => readdirSync(repos.a).filter((name) => name.includes('.conflict-'));
const versions = (): string[] => [read(repos.a, 'a.md'), read(repos.a, copies()[0] as string)].sort();

describe('conflicts', () => {
  test('lists each file with its other version, and the command that ends the first', () => {
    const result = machine.run('conflicts');
    expect(result).toMatchObject({ exitCode: 1, stderr: '' });
    expectPrintable(result);
    expect(result.stdout).toContain(`${repos.a}/a.md\n  other version: ${repos.a}/${copies()[0]}\n`);
    expect(result.stdout).toContain(`gitsync resolve ${repos.a}/a.md --keep current|copy|both`);
    const found = JSON.parse(machine.run('conflicts', '--json').stdout) as object[];
    expect(found).toMatchObject([{ repo: repos.a, path: 'a.md', copy: copies()[0] }, { repo: repos.a, path: evil }]);
  });

  test('of a directory or a file only, by its whole name', () => {
    const found = (...paths: string[]): number => (JSON.parse(machine.run('conflicts', '--json', ...paths).stdout) as object[]).length;
    expect(found(join(repos.a, 'sub'))).toBe(1);
    expect(found(join(repos.a, 'a.md'))).toBe(1);
    expect(found(join(repos.a, 'a.md2'))).toBe(0);
    expect(machine.run('conflicts', join(repos.a, 'a.md2'))).toEqual({ exitCode: 0, stdout: 'No conflicts.\n', stderr: '' });
  });

  test('is only a look: nothing is saved or published, with and without an agent', () => {
    write(repos.a, 'new.txt', 'new\n');
    const before = sh(repos.a, 'rev-parse', 'HEAD');
    machine.run('conflicts');
    expect(sh(repos.a, 'rev-parse', 'HEAD')).toBe(before);
  });
});

describe('resolve', () => {
  test.each([['current', 1], ['copy', 1], ['both', 2]])('--keep %s, without an agent: the copy is gone, and it is published', (keep, files) => {
    const before = { current: read(repos.a, 'a.md'), copy: read(repos.a, copies()[0] as string) };
    const result = machine.run('resolve', join(repos.a, 'a.md'), '--keep', keep);
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    expect(result.stdout).toMatch(/^Resolved: .*every version stays in history\.\n$/);
    expect(copies()).toEqual([]);
    expect(read(repos.a, 'a.md')).toBe(keep === 'copy' ? before.copy : before.current);
    expect(readdirSync(repos.a).filter((name) => /^a[ .(].*md$/.test(name))).toHaveLength(files);
    expect(sh(repos.remote, 'rev-parse', 'main')).toBe(sh(repos.a, 'rev-parse', 'HEAD'));
  });

  test('by the agent, from inside the directory, by the name of the copy', async () => {
    await machine.start();
    const [copy] = copies();
    expect(machine.runIn(repos.a, 'resolve', copy as string, '--keep', 'current', '--json')).toEqual({ exitCode: 0, stdout: `${JSON.stringify({ resolved: [copy] }, null, 2)}\n`, stderr: '' });
    await converge('published', () => !sh(repos.remote, 'ls-tree', '--name-only', 'main').includes('a.conflict'));
  });

  test('a name that a terminal would obey', () => {
    const result = machine.run('resolve', join(repos.a, evil), '--keep', 'both');
    expect(result.exitCode).toBe(0);
    expectPrintable(result);
    expect(readdirSync(join(repos.a, 'sub'))).toHaveLength(2);
  });

  test('what is wrong with the question, and nothing is touched', () => {
    const file = join(repos.a, 'a.md');
    expectError(machine.run('resolve', file), 2, /Which version should stay\?/, /--keep current\|copy\|both/);
    expectError(machine.run('resolve', file, '--keep', 'mine'), 2, /"mine" is none of the choices/, /--keep current\|copy\|both/);
    expectError(machine.run('resolve', file, '--keep', 'toString'), 2, /none of the choices/, /--keep/);
    expectError(machine.run('resolve', join(repos.a, 'a.md2'), '--keep', 'copy'), 1, /a\.md2 has no conflict/, /gitsync conflicts/);
    expectError(machine.run('resolve', join(repos.a, 'never.md'), '--keep', 'copy'), 1, /never\.md has no conflict/, /gitsync conflicts/);
    expectError(machine.run('resolve', '/nowhere/x', '--keep', 'copy'), 10, /does not exist/, /name one of/);
    expect(versions()).toEqual(['ours\n', 'theirs\n']);
  });

  test('the same mistakes with an agent have the same answers', async () => {
    await machine.start();
    expectError(machine.run('resolve', join(repos.a, 'a.md2'), '--keep', 'copy'), 1, /a\.md2 has no conflict/, /gitsync conflicts/);
    expect(versions()).toEqual(['ours\n', 'theirs\n']);
  });

  test('a work tree that nobody asked to sync is left alone', () => {
    const stranger = tempRepo({ 'x.md': 'x\n' });
    write(stranger, 'private.txt', 'mine\n');
    for (const args of [['resolve', 'x.md', '--keep', 'copy'], ['undo'], ['allow', 'private.txt'], ['ignore', 'private.txt'], ['restore', 'x.md', '--at', 'now'], ['adopt']]) {
      expectError(machine.runIn(stranger, ...args), 2, /not one that gitsync looks after/, new RegExp(`gitsync add ${stranger}`));
    }
    expect(sh(stranger, 'status', '--porcelain')).toBe('?? private.txt');
  });
});
