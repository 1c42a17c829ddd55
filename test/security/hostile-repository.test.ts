/** What somebody can put into a repository that we clone, or into the folder of one that we are handed. */
import { chmodSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { makeMachine, type Machine } from '../helpers/machine.ts';
import { commitFiles, read, sh, tempDir, tempRepo, twoMachines, write } from '../helpers/repos.ts';

let machine: Machine;
/** Whoever gets a program of theirs to run leaves a file here. */
let marks: string;
const ran = (): string[] => readdirSync(marks);
const mark = (name: string): string => `touch ${marks}/${name}`;

beforeEach(() => {
  machine = makeMachine('victim');
  marks = tempDir('marks');
});

const longMs = 300_000;

/** A whole round of the agent: capture, fetch, integrate, apply, publish; then commands that look at a repository. */
function workIn(root: string, name: string, commands: readonly string[][] = [['doctor', root], ['log', root]]): void {
  machine.configure([root]);
  write(root, name, `${name}\n`);
  for (const words of [['--once'], ...commands]) machine.run(...words);
}

describe('the content of a clone', () => {
  test('brings no programs: attributes, submodules, a repository in the tree, config files of every name', () => {
    const { a, b, remote } = twoMachines();
    const settings = `[core]\n\tfsmonitor = ${mark('fsmonitor')}\n\thooksPath = hooks\n[filter "evil"]\n\tclean = ${mark('clean')}\n\tsmudge = ${mark('smudge')}\n[merge "evil"]\n\tdriver = ${mark('merge')}\n[diff "evil"]\n\ttextconv = ${mark('textconv')}\n`;
    commitFiles(b, {
      '.gitattributes': '* filter=evil merge=evil diff=evil\n',
      '.gitconfig': settings,
      '.lfsconfig': `[lfs]\n\turl = ext::${mark('lfs')}\n[lfs "customtransfer.x"]\n\tpath = ${mark('lfs')}\n`,
      '.gitmodules': `[submodule "s"]\n\tpath = s\n\turl = ext::sh -c ${mark('submodule')}\n`,
      'hooks/pre-commit': `#!/bin/sh\n${mark('hook')}\n`,
      // A bare repository inside: git that starts in this directory would take it for the one to work in.
      'bare/HEAD': 'ref: refs/heads/main\n', 'bare/config': `[core]\n\trepositoryformatversion = 0\n\tbare = true\n${settings}`, 'bare/objects/x': 'x', 'bare/refs/x': 'x', 'bare/hooks/pre-commit': `#!/bin/sh\n${mark('bare')}\n`,
      'readme.md': 'theirs\n',
    });
    chmodSync(join(b, 'hooks/pre-commit'), 0o755);
    commitFiles(b, { 'later.txt': 'x\n' });
    sh(b, 'push', '-q', 'origin', 'main');
    write(a, 'readme.md', 'ours, so that there is a merge\n');
    workIn(a, 'one.txt');
    workIn(a, 'bare/note.txt', [['status']]);
    expect(ran()).toEqual([]);
    expect(read(a, 'later.txt')).toBe('x\n');
    expect(sh(remote, 'show', 'main:bare/note.txt')).toBe('bare/note.txt');
  }, longMs);
});

describe('a submodule that wants a command run for its update', () => {
  test('is refused as it arrives', () => {
    const { a, b, remote } = twoMachines();
    commitFiles(b, { '.gitmodules': `[submodule "s"]\n\tpath = s\n\turl = ./s\n\tupdate = !${mark('update')}\n` });
    sh(b, 'push', '-q', 'origin', 'main');
    workIn(a, 'one.txt', []);
    expect(machine.run('status', a)).toMatchObject({ exitCode: 2, stdout: expect.stringContaining('NOT SAFE') });
    expect(ran()).toEqual([]);
    expect(existsSync(join(a, '.gitmodules'))).toBe(false);
    expect(sh(a, 'show', 'main:one.txt')).toBe('one.txt');
    expect(sh(remote, 'log', '-1', '--format=%s', 'main')).toBe('change');
  }, longMs);
});

describe('a folder whose .git was made by somebody else', () => {
  test('does not get its hooks, monitor, pager, editor, diff and signing programs run', () => {
    const { a, remote } = twoMachines();
    const hooks = join(a, '.git/evil-hooks');
    for (const name of ['pre-commit', 'commit-msg', 'post-commit', 'pre-push', 'post-checkout', 'post-merge', 'reference-transaction', 'post-index-change', 'fsmonitor-watchman', 'pre-auto-gc', 'post-rewrite']) {
      for (const directory of [hooks, join(a, '.git/hooks')]) {
        write(directory, name, `#!/bin/sh\n${mark(`hook-${name}`)}\n`);
        chmodSync(join(directory, name), 0o755);
      }
    }
    const settings: Record<string, string> = {
      'core.hooksPath': hooks, 'core.fsmonitor': mark('fsmonitor'), 'core.pager': mark('pager'), 'core.editor': mark('editor'), 'sequence.editor': mark('sequence'), 'core.askPass': mark('askpass'),
      'diff.external': mark('diff'), 'diff.x.textconv': mark('textconv'), 'diff.x.command': mark('diffcommand'), 'interactive.diffFilter': mark('difffilter'), 'pager.log': mark('pagerlog'),
      'commit.gpgSign': 'true', 'gpg.program': mark('gpg'), 'gpg.ssh.program': mark('gpgssh'), 'gpg.ssh.defaultKeyCommand': mark('key'), 'push.gpgSign': 'true', 'log.showSignature': 'true',
      'gc.auto': '1', 'gc.recentObjectsHook': mark('gc'), 'trailer.x.cmd': mark('trailer'), 'browser.x.cmd': mark('browser'), 'alias.status': `!${mark('alias')}`, 'alias.fetch': `!${mark('alias')}`,
    };
    for (const [key, value] of Object.entries(settings)) sh(a, 'config', key, value);
    write(a, '.git/info/attributes', '* diff=x\n');
    workIn(a, 'one.txt');
    workIn(a, 'two.txt', []);
    expect(ran()).toEqual([]);
    expect(sh(remote, 'show', 'main:two.txt')).toBe('two.txt');
  }, longMs);

  test('cannot point the work elsewhere', () => {
    const victim = tempDir('elsewhere');
    write(victim, 'private.txt', 'private\n');
    const root = tempRepo({ 'a.txt': 'a\n' });
    sh(root, 'config', 'core.worktree', victim);
    expect(machine.run('add', root)).toMatchObject({ exitCode: 10, stderr: expect.stringContaining('is not a git work tree') });
    workIn(root, 'one.txt', []);
    expect(sh(root, '--work-tree', root, 'log', '--format=%s')).toBe('first');
    expect(readdirSync(victim)).toEqual(['private.txt']);
  }, longMs);

  test('cannot have a command as its remote: ext:: is refused unless a person allowed it', () => {
    for (const url of [`ext::sh -c ${mark('ext').replaceAll(' ', '% ')}`, `ssh://-oProxyCommand=${mark('proxy').replaceAll(' ', '%20')}/x`, `-oProxyCommand=${mark('scp')}:x`]) {
      const root = tempRepo({ 'a.txt': 'a\n' });
      sh(root, 'config', 'remote.origin.url', url);
      sh(root, 'config', 'remote.origin.fetch', '+refs/heads/*:refs/remotes/origin/*');
      workIn(root, 'one.txt', [['doctor', root]]);
      expect({ url, status: machine.run('status', root).exitCode, ran: ran() }).toEqual({ url, status: 2, ran: [] });
    }
  }, longMs);

  test('is not hidden where it can run programs by git\'s own rules: add names them', () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    const settings = { 'core.sshCommand': 'evil-ssh', 'filter.x.clean': 'evil-clean', 'credential.helper': '!evil-helper', 'remote.origin.uploadpack': 'evil-pack', 'protocol.ext.allow': 'always', 'merge.x.driver': 'evil-merge', 'include.path': '/tmp/evil-config' };
    for (const [key, value] of Object.entries(settings)) sh(root, 'config', key, value);
    const said = machine.run('add', root);
    expect(said.exitCode).toBe(0);
    for (const [key, value] of Object.entries(settings)) expect(said.stdout.toLowerCase()).toContain(`${key.toLowerCase()} = ${value}`);
    expect(machine.run('doctor', root).stdout.toLowerCase()).toContain('core.sshcommand');
    // What is on every other machine is not worth a word.
    const usual = tempRepo({ 'a.txt': 'a\n' });
    for (const [key, value] of Object.entries({ 'filter.lfs.clean': 'git-lfs clean -- %f', 'filter.lfs.process': 'git-lfs filter-process' })) sh(usual, 'config', key, value);
    expect(machine.run('add', usual).stdout).not.toMatch(/program/);
    expect(existsSync(machine.configFile)).toBe(true);
  }, longMs);
});
