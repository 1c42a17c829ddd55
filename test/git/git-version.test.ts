import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { makeMachine, type Machine } from '../helpers/machine.ts';
import { sh, tempDir, tempRepo } from '../helpers/repos.ts';

let machine: Machine;
let root = '';
beforeAll(() => {
  machine = makeMachine('desk');
  root = tempRepo({ 'a.txt': 'a\n' });
  machine.configure([root]);
});

/** Runs a command where the only programs are these scripts. */
function runWith(programs: Record<string, string>, ...args: string[]): { exitCode: number; said: string } {
  const bin = tempDir('bin');
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  const before = machine.env['PATH'];
  machine.env['PATH'] = bin;
  try {
    const { exitCode, stdout, stderr } = machine.run(...args);
    return { exitCode, said: stdout + stderr };
  } finally {
    machine.env['PATH'] = before;
  }
}

describe('a machine', () => {
  test('without git is told to install it', () => {
    const { exitCode, said } = runWith({}, 'log', root);
    expect(said).toMatch(/git is not installed, or not in PATH\.\n.*Hint: install git/s);
    expect(exitCode).toBe(1);
    expect(runWith({}, '--once', root).said).toContain('git is not installed');
    expect(runWith({}, 'doctor').said).toContain('install git 2.38 or newer');
  });

  test('whose git is too old is told which one is needed', () => {
    const old = { git: 'echo git version 2.30.2' };
    const { exitCode, said } = runWith(old, 'log', root);
    expect(said).toMatch(/This machine has git version 2\.30\.2, which is too old\.\n.*Hint: install git 2\.38 or newer/s);
    expect(exitCode).toBe(1);
    expect(runWith(old, '--once', root).said).toContain('git version 2.30.2, which is too old');
    expect(runWith(old, 'doctor').said).toMatch(/FAIL +git version 2\.30\.2\n.*git 2\.38 or newer is needed/s);
  });
});

describe('a repository that a newer git has made', () => {
  test('with refs in a reftable is refused with the command that changes it, by a git that knows the format', () => {
    // As git 2.45 leaves it; a git that reads it would go on to HEAD.
    const made = tempRepo({ 'a.txt': 'a\n' });
    mkdirSync(join(made, '.git/reftable'));
    writeFileSync(join(made, '.git/HEAD'), 'ref: refs/heads/.invalid\n');
    const { exitCode, stderr } = machine.run('log', made);
    expect(stderr).toMatch(new RegExp(`keeps its refs in a reftable, which gitsync cannot watch\\.\\n.*git -C ${made} refs migrate --ref-format=files`, 's'));
    expect(exitCode).toBe(10);
  });

  test('is refused in words by a git that does not know its format', () => {
    const made = tempRepo({ 'a.txt': 'a\n' });
    sh(made, 'config', 'core.repositoryFormatVersion', '1');
    sh(made, 'config', 'extensions.madeUpFormat', 'yes');
    const { exitCode, stderr } = machine.run('log', made);
    expect(stderr).toMatch(/was made by a newer git, in a format that this one does not know \(madeupformat\)\.\n.*Hint: update git/s);
    expect(exitCode).toBe(10);
  });
});
