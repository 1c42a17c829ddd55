import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { openRepo } from '../../src/git/repository.ts';
import { isOpenSsh, remoteGitOptions, sshCommandOf } from '../../src/git/ssh-command.ts';
import { fetchBranch } from '../../src/git/fetch.ts';
import { sh, tempDir, tempRepo } from '../helpers/repos.ts';

describe('isOpenSsh', () => {
  test.each<[string, string | undefined, boolean]>([
    ['ssh', undefined, true],
    ['/usr/bin/ssh -i ~/.ssh/id', undefined, true],
    ['"C:\\Program Files\\OpenSSH\\ssh.exe" -v', undefined, true],
    ['LANG=C TERM=dumb ssh', 'auto', true],
    ["'/opt/my ssh/ssh' -4", undefined, true],
    ['plink', undefined, false],
    ['my-ssh-wrapper', undefined, false],
    ['my-ssh-wrapper', 'ssh', true],
    ['ssh', 'simple', false],
    ['', undefined, false],
  ])('%j with ssh.variant %j: %j', (command, variant, expected) => {
    expect(isOpenSsh(command, variant)).toBe(expected);
  });
});

describe('the command for ssh', () => {
  const repoWith = async (settings: Record<string, string>) => {
    const root = tempRepo();
    for (const [key, value] of Object.entries(settings)) sh(root, 'config', key, value);
    return openRepo(root);
  };

  test('is the one of the person, with our options behind theirs', async () => {
    expect(await sshCommandOf(await repoWith({}), {})).toMatch(/^ssh -o BatchMode=yes -o ConnectTimeout=\d+ -o ServerAliveInterval/);
    expect(await sshCommandOf(await repoWith({ 'core.sshCommand': 'ssh -i key -o BatchMode=no' }), {})).toMatch(/^ssh -i key -o BatchMode=no -o BatchMode=yes/);
    expect(await sshCommandOf(await repoWith({ 'core.sshCommand': 'ssh -1' }), { GIT_SSH_COMMAND: 'ssh -2' })).toMatch(/^ssh -2 -o BatchMode/);
  });

  test('is left alone where it is another program', async () => {
    const wrapped = await repoWith({ 'core.sshCommand': 'my-wrapper' });
    expect(await sshCommandOf(wrapped, {})).toBeUndefined();
    expect((await remoteGitOptions(wrapped)).env).toEqual({});
    expect(await sshCommandOf(await repoWith({}), { GIT_SSH: '/usr/bin/plink' })).toBeUndefined();
  });

  test('follows a change of the configuration at once', async () => {
    const repo = await repoWith({});
    expect(await sshCommandOf(repo, {})).toMatch(/^ssh -o/);
    appendFileSync(`${repo.gitDir}/config`, '[core]\n\tsshCommand = ssh -v\n');
    expect(await sshCommandOf(repo, {})).toMatch(/^ssh -v -o/);
  });

  test('reaches the program that the person chose', async () => {
    const directory = tempDir('wrapper');
    writeFileSync(`${directory}/ssh`, `#!/bin/sh\nprintf '%s\\n' "$@" > '${directory}/words'\nexit 255\n`, { mode: 0o755 });
    const repo = await repoWith({ 'remote.origin.url': 'me@host.example:notes', 'core.sshCommand': `'${directory}/ssh' -i 'my key'` });
    await expect(fetchBranch(repo, { remote: 'origin', branch: 'main' })).rejects.toMatchObject({ kind: 'offline' });
    const words = readFileSync(`${directory}/words`, 'utf8').split('\n');
    expect(words.slice(0, 4)).toEqual(['-i', 'my key', '-o', 'BatchMode=yes']);
    expect(words).toContain('me@host.example');
  });
});
