/** The command line itself: help, version, mistakes, and what is loaded to answer. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { makeMachine, type Machine } from '../helpers/machine.ts';
import { tempRepo } from '../helpers/repos.ts';
import { expectError } from './expect-error.ts';

let machine: Machine;
beforeAll(() => {
  machine = makeMachine('desk');
});

const commands = ['init', 'add', 'rm', 'list', 'config', 'demo', 'status', 'sync', 'pause', 'resume', 'conflicts', 'resolve', 'allow', 'ignore', 'adopt', 'doctor', 'log', 'restore', 'undo'];

describe('help and version', () => {
  test('the help names every command, the two ways to run without one, and the shared options', () => {
    const { exitCode, stdout, stderr } = machine.run('--help');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    for (const name of commands) expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, 'm'));
    for (const option of ['--daemon', '--once', '--config <file>', '--verbose', '--debug', '--json', '--version']) expect(stdout).toContain(option);
    expect(machine.run('help').stdout).toBe(stdout);
  });

  test.each(commands.filter((name) => name !== 'config'))('%s --help shows how it is used', (name) => {
    const { exitCode, stdout } = machine.run(name, '--help');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(new RegExp(`^Usage: gitsync ${name}\\b`));
    expect(machine.run('help', name).stdout).toBe(stdout);
  });

  test('config --help explains every key', () => {
    const { exitCode, stdout } = machine.run('config', '--help');
    expect(exitCode).toBe(0);
    for (const key of ['work_dir', 'quiet', 'max_delay', 'conflict', 'schedule', 'secrets']) expect(stdout).toMatch(new RegExp(`^  ${key} = `, 'm'));
  });

  test('the version is that of the package', () => {
    expect(machine.run('--version')).toEqual({ exitCode: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\S*\n$/), stderr: '' });
  });
});

describe('mistakes on the command line', () => {
  test.each([
    [['statsu'], /no command "statsu"; did you mean "status"\?/],
    [['reslove', 'x'], /did you mean "resolve"\?/],
    [['frobnicate'], /no command "frobnicate"\.$/],
    [['--jsno'], /unknown option '--jsno'.*--json/],
    [['status', '--verbos'], /unknown option '--verbos'.*--verbose/],
    [['--daemon', '--once'], /exclude each other/],
    [['--daemon', 'Notes'], /watches what the config file lists/],
    [['init'], /missing required argument 'path'/],
    [['add'], /missing required argument 'path'/],
    [['resolve'], /missing required argument 'path'/],
    [['init', 'a', 'b'], /too many arguments/],
    [['--config'], /argument missing/],
  ])('gitsync %j', (args, message) => {
    expectError(machine.run(...args), 2, message, /gitsync/);
  });

  test('a path is no command, and both ways to go on are named', () => {
    const root = tempRepo({ a: 'a\n' });
    expectError(machine.run(root), 2, /is a path, and not a command/, /gitsync status .*gitsync sync/);
  });

  test('a config file that was asked for by name must be there', () => {
    for (const args of [['status'], ['list'], ['sync'], ['--once'], ['--daemon'], ['config', '--check']]) expectError(machine.run('--config', '/nowhere/gitsync', ...args), 10, /no config file \/nowhere\/gitsync/, /gitsync init/);
  });

  test('shared options may stand before and after the command', () => {
    const file = join(machine.home, 'other.cfg');
    writeFileSync(file, '[gitsync]\nwork_dir =\n');
    expect(machine.run('--config', file, '--json', 'list')).toEqual(machine.run('list', '--json', '--config', file));
  });
});

describe('a quick start', () => {
  /** What is loaded without being asked for: everything that static imports lead to. */
  async function loadedBy(entry: string): Promise<Set<string>> {
    const { metafile } = await build({ absWorkingDir: join(import.meta.dirname, '../..'), entryPoints: [entry], bundle: true, platform: 'node', format: 'esm', write: false, metafile: true, outfile: 'unused.js' });
    const seen = new Set<string>();
    const walk = (file: string): void => {
      if (seen.has(file)) return;
      seen.add(file);
      for (const { path, kind, external } of metafile.inputs[file]?.imports ?? []) if (!external && kind !== 'dynamic-import') walk(path);
    };
    walk(entry);
    return new Set([...seen].map((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? file));
  }

  test('--version, and a status that the agent answers, load neither the log, nor git, nor the config', async () => {
    const loaded = await loadedBy('src/cli.ts');
    for (const file of await loadedBy('src/commands/status.ts')) loaded.add(file);
    expect([...loaded].filter((file) => !file.startsWith('src/')).sort()).toEqual(['commander', 'fastest-levenshtein']);
    expect([...loaded].filter((file) => /^src\/(git|process|watch|remote)\//.test(file))).toEqual(['src/process/runtime-dir.ts']);
  });
});
