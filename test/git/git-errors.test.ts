import { execFileSync } from 'node:child_process';
import { chmodSync, truncateSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { GitsyncError } from '../../src/errors.ts';
import { classifyGitFailure, essenceOf, remoteWordsOf } from '../../src/git/git-errors.ts';
import { fetchBranch } from '../../src/git/fetch.ts';
import { publishBranch } from '../../src/git/publish.ts';
import { openRepo } from '../../src/git/repository.ts';
import { commitFiles, sh, tempDir, tempRepo, twoMachines } from '../helpers/repos.ts';
import { describeWith } from '../helpers/requires.ts';

const unreadable = '\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.\n';

/** Texts as git 2.39, OpenSSH 9.2 and well-known servers write them. */
const toRemote: [kind: string, stderr: string][] = [
  ['host-unknown', `Host key verification failed.\r${unreadable}`],
  ['host-unknown', `No ED25519 host key is known for [127.0.0.1]:42222 and you have requested strict checking.\r\nHost key verification failed.\r${unreadable}`],
  ['host-unknown', "fatal: unable to access 'https://h/r/': SSL certificate problem: self-signed certificate"],
  ['host-unknown', "fatal: unable to access 'https://h/r/': server certificate verification failed. CAfile: none CRLfile: none"],
  ['host-key-changed', `@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\nHost key for [127.0.0.1]:42222 has changed and you have requested strict checking.\r\nHost key verification failed.\r${unreadable}`],
  ['auth', `root@127.0.0.1: Permission denied (publickey).\r${unreadable}`],
  ['auth', `sign_and_send_pubkey: signing failed for ED25519 "/home/me/.ssh/id" from agent: agent refused operation\r\ngit@h: Permission denied (publickey).\r${unreadable}`],
  ['auth', `Received disconnect from 1.2.3.4 port 22:2: Too many authentication failures\r\nDisconnected from 1.2.3.4 port 22\r${unreadable}`],
  ['auth', "fatal: could not read Username for 'https://github.com': terminal prompts disabled"],
  // git 2.46 and newer, and its credential manager.
  ['auth', 'fatal: unable to get password from user'],
  ['auth', 'fatal: Cannot prompt because user interactivity has been disabled.'],
  ['auth', "fatal: Authentication failed for 'https://github.com/me/r.git/'"],
  ['auth', "fatal: unable to access 'http://h/r/': The requested URL returned error: 403"],
  ['auth', "fatal: unable to access 'http://h/r/': The requested URL returned error: 407"],
  ['auth', "remote: Support for password authentication was removed on August 13, 2021.\nfatal: unable to access 'https://github.com/me/r/': something"],
  ['offline', `ssh: connect to host 127.0.0.1 port 42223: Connection refused\r${unreadable}`],
  ['offline', `ssh: connect to host 10.0.0.1 port 22: No route to host\r${unreadable}`],
  ['offline', `ssh: Could not resolve hostname no-such-host.invalid: Name or service not known\r${unreadable}`],
  ['offline', `ssh: Could not resolve hostname github.com: Temporary failure in name resolution\r${unreadable}`],
  ['offline', `Connection timed out during banner exchange\r\nConnection to 240.0.0.1 port 22 timed out\r${unreadable}`],
  ['offline', `kex_exchange_identification: Connection closed by remote host\r\nConnection closed by 127.0.0.1 port 22\r${unreadable}`],
  ['offline', `Timeout, server h not responding.\r\nfatal: the remote end hung up unexpectedly\nfatal: early EOF\nfatal: index-pack failed`],
  ['offline', "fatal: unable to access 'https://no-such-host.invalid/r/': Could not resolve host: no-such-host.invalid"],
  ['offline', "fatal: unable to access 'http://127.0.0.1:42223/r/': Failed to connect to 127.0.0.1 port 42223 after 0 ms: Couldn't connect to server"],
  ['offline', "fatal: unable to access 'https://h/r/': gnutls_handshake() failed: An unexpected TLS packet was received."],
  ['offline', "fatal: unable to access 'http://h/r/': The requested URL returned error: 503"],
  ['offline', "fatal: unable to access 'http://h/r/': The requested URL returned error: 429"],
  ['offline', 'error: RPC failed; curl 56 Recv failure: Connection reset by peer\nfatal: expected flush after ref listing'],
  ['offline', 'error: RPC failed; curl 92 HTTP/2 stream 5 was not closed cleanly: CANCEL (err 8)\nfetch-pack: unexpected disconnect while reading sideband packet\nfatal: early EOF\nfatal: fetch-pack: invalid index-pack output'],
  ['offline', 'fatal: unable to connect to 127.0.0.1:\n127.0.0.1[0: 127.0.0.1]: errno=Connection refused\n'],
  ['offline', 'fatal: the remote end hung up unexpectedly'],
  ['offline', unreadable],
  ['not-found', `fatal: '/nonexistent/x.git' does not appear to be a git repository${unreadable}`],
  ['not-found', `ERROR: Repository not found.${unreadable}`],
  ['not-found', "remote: Repository not found.\nfatal: repository 'https://github.com/me/nope.git/' not found"],
  ['not-found', "remote: The project you were looking for could not be found or you don't have permission to view it.\nfatal: repository 'https://gitlab.com/a/b.git/' not found"],
  ['not-found', 'fatal: remote error: access denied or repository not exported: /x'],
  ['not-found', "fatal: couldn't find remote ref refs/heads/main"],
  ['protected', `ERROR: Permission to me/r.git denied to you.${unreadable}`],
  ['protected', `remote: Permission to me/r.git denied to you.\nfatal: unable to access 'https://github.com/me/r.git/': The requested URL returned error: 403`],
  ['protected', `ERROR: The key you are authenticating with has been marked as read only.${unreadable}`],
  ['protected', 'remote: error: GH006: Protected branch update failed for refs/heads/main.\nremote: error: At least 1 approving review is required.\nerror: failed to push some refs to h'],
  ['protected', 'remote: error: GH013: Repository rule violations found for refs/heads/main.\nremote: - Push cannot contain secrets\nerror: failed to push some refs to h'],
  ['protected', 'remote: GitLab: You are not allowed to push code to protected branches on this project.\nerror: failed to push some refs to h'],
  ['protected', `remote: \nremote: ERROR: This deploy key does not have write access to this project.\nremote: ${unreadable}`],
  ['protected', `FATAL: W any notes me DENIED by fallthru\n(or you mis-spelled the reponame)${unreadable}`],
  ['protected', "remote: This repository was archived so it is read-only.\nfatal: unable to access 'https://github.com/me/r.git/': The requested URL returned error: 403"],
  ['protected', 'remote: error: refusing to update checked out branch: refs/heads/main'],
  ['protected', 'remote: fatal: insufficient permission for adding an object to repository database ./objects\nerror: remote unpack failed: unpack-objects abnormal exit'],
  ['hook', 'remote: no way\nremote: error: hook declined to update refs/heads/main\nerror: failed to push some refs to h'],
  ['too-large', "remote: error: Trace: 1\nremote: error: See https://gh.io/lfs for more information.\nremote: error: File big.bin is 120.00 MB; this exceeds GitHub's file size limit of 100.00 MB\nremote: error: GH001: Large files detected. You may want to try Git Large File Storage\nerror: failed to push some refs to h"],
  ['too-large', 'remote: fatal: pack exceeds maximum allowed size\nerror: remote unpack failed: unpack-objects abnormal exit'],
  ['too-large', 'error: RPC failed; HTTP 413 curl 22 The requested URL returned error: 413\nsend-pack: unexpected disconnect while reading sideband packet\nfatal: the remote end hung up unexpectedly'],
  ['too-large', 'batch response: This repository is over its data quota. Account responsible for LFS bandwidth should purchase more data packs'],
  ['no-space', 'remote: fatal: unable to write loose object file: No space left on device\nerror: remote unpack failed: unpack-objects abnormal exit'],
  ['no-space', 'fatal: unable to write loose object file: No space left on device\nfatal: unpack-objects failed'],
  ['no-space', 'fatal: write error: No space left on device\nfatal: fetch-pack: invalid index-pack output'],
  ['read-only', "error: cannot open '.git/FETCH_HEAD': Read-only file system"],
  ['failed', 'error: remote unpack failed: unable to create temporary object directory\nerror: failed to push some refs to h'],
  ['failed', "remote: error: object file ./objects/d9/43d is empty\nremote: fatal: loose object d943d (stored in ./objects/d9/43d) is corrupt\nerror: git upload-pack: git-pack-objects died with error.\nfatal: git upload-pack: aborting due to possible repository corruption on the remote side.\nfatal: protocol error: bad pack header"],
  ['corrupt', 'error: object file .git/objects/e4/559 is empty\nfatal: loose object e4559 (stored in .git/objects/e4/559) is corrupt\nerror: remote unpack failed: eof before pack header was fully read'],
  ['corrupt', 'fatal: bad tree object e4559109c9232db30f1662aa2e75adc2f4cfa5be\nerror: remote unpack failed: eof before pack header was fully read'],
  ['halted', "error: object 8238da: hasDotgit: contains '.git'\nfatal: fsck error in packed object\nfatal: index-pack failed"],
  ['locked', "remote: error: cannot lock ref 'refs/heads/main': Unable to create '/r/./refs/heads/main.lock': File exists.\nremote: \nremote: Another git process seems to be running in this repository, e.g."],
  ['locked', "error: cannot lock ref 'refs/remotes/origin/main': Unable to create '/a/.git/refs/remotes/origin/main.lock': File exists.\n\nAnother git process seems to be running in this repository, e.g."],
  ['rejected', "error: cannot lock ref 'refs/remotes/origin/main': is at aaa but expected bbb"],
  ['config', "fatal: transport 'ext' not allowed"],
  ['config', "git: 'remote-foo' is not a git command. See 'git --help'."],
  ['config', "fatal: strange hostname '-oProxyCommand=x' blocked"],
  ['config', "fatal: the receiving end does not support this repository's hash algorithm\nfatal: the remote end hung up unexpectedly"],
  ['config', 'fatal: mismatched algorithms: client sha1; server sha256'],
  ['config', `Bad owner or permissions on /home/me/.ssh/config\r${unreadable}`],
  ['config', `Unable to negotiate with 1.2.3.4 port 22: no matching host key type found. Their offer: ssh-rsa\r${unreadable}`],
  ['config', "git: 'lfs' is not a git command. See 'git --help'."],
  ['not-a-repository', `fatal: detected dubious ownership in repository at '/srv/r'\nTo add an exception for this directory, call:\n\n\tgit config --global --add safe.directory /srv/r${unreadable}`],
];

const local: [kind: string, stderr: string][] = [
  ['no-space', 'error: unable to write file x: No space left on device'],
  ['locked', "fatal: Unable to create '/a/.git/index.lock': File exists.\n\nAnother git process seems to be running in this repository"],
  ['corrupt', 'error: bad signature 0x00000000\nfatal: index file corrupt'],
  ['corrupt', 'fatal: .git/index: index file smaller than expected'],
  ['corrupt', 'error: inflate: data stream error (incorrect header check)\nerror: unable to unpack 1234 header'],
  ['corrupt', 'fatal: unable to read tree e4559109c9232db30f1662aa2e75adc2f4cfa5be'],
  ['rejected', "fatal: update_ref failed for ref 'refs/heads/main': cannot lock ref 'refs/heads/main': is at aaa but expected bbb"],
  ['rejected', "fatal: update_ref failed for ref 'refs/heads/new': cannot lock ref 'refs/heads/new': reference already exists"],
  ['signing', 'error: gpg failed to sign the data\nfatal: failed to write commit object'],
  ['failed', 'error: insufficient permission for adding an object to repository database .git/objects'],
  ['failed', "fatal: pathspec 'x' did not match any files: No such file or directory"],
  ['not-a-repository', 'fatal: not a git repository (or any of the parent directories): .git'],
];

describe('classifyGitFailure', () => {
  test.each(toRemote)('with a remote, %s: %j', (kind, stderr) => {
    expect(classifyGitFailure('push origin', 128, stderr).kind).toBe(kind);
  });

  test.each(local)('without a remote, %s: %j', (kind, stderr) => {
    expect(classifyGitFailure('update-index', 128, stderr).kind).toBe(kind);
  });

  test('does not take what a server says for the state of our own disk', () => {
    const error = classifyGitFailure('push origin', 1, 'remote: error: object file x is empty\nremote: fatal: index file corrupt\n');
    expect(error.kind).not.toBe('corrupt');
  });

  test('hands on the command that ssh names for a changed key, but nothing that a banner makes up', () => {
    const real = 'Host key for [h]:22 has changed\n  remove with:\n  ssh-keygen -f "/home/me/.ssh/known_hosts" -R "[h]:22"\n';
    expect(classifyGitFailure('fetch origin', 128, real).hint).toContain('ssh-keygen -f "/home/me/.ssh/known_hosts" -R "[h]:22", then');
    // As OpenSSH 10 quotes.
    const newer = real.replaceAll('"', "'");
    expect(classifyGitFailure('fetch origin', 128, newer).hint).toContain("ssh-keygen -f '/home/me/.ssh/known_hosts' -R '[h]:22', then");
    const faked = 'Host key for [h]:22 has changed\n  ssh-keygen -f "$(rm x)" -R "h"; evil\n';
    expect(classifyGitFailure('fetch origin', 128, faked).hint).not.toContain('evil');
  });

  test('an unknown failure keeps the words of git, without passwords', () => {
    const error = classifyGitFailure('push origin', 3, 'fatal: something new at https://me:secret@host/r\n');
    expect(error).toMatchObject({ kind: 'failed', message: 'git push origin failed (exit code 3): fatal: something new at https://***@host/r' });
  });
});

describe('the words of git', () => {
  test('lose progress and boilerplate', () => {
    const stderr = `remote: Enumerating objects: 9, done.\nremote: Counting objects:  11% (1/9)   \rremote: Counting objects: 100% (9/9)\nfatal: bad thing${unreadable}`;
    expect(essenceOf(stderr)).toBe('fatal: bad thing');
    expect(essenceOf(unreadable)).toContain('Could not read from remote repository');
  });

  test('of a server are told apart, and cannot draw on the terminal', () => {
    expect(remoteWordsOf('remote: no \x1b[31mway        \nremote: \nremote: ====\nremote: Resolving deltas: 100%\nerror: failed')).toBe('no \\x1b[31mway');
    expect(remoteWordsOf('error: failed to push some refs')).toBe('');
  });
});

const main = { remote: 'origin', branch: 'main' };

describe('failures of real repositories', () => {
  test('a damaged object here is corrupt, one on the remote is not', async () => {
    const { remote, a, b } = twoMachines();
    const damage = (gitDirectory: string): void => {
      const tree = sh(a, 'rev-parse', 'HEAD^{tree}');
      const file = `${gitDirectory}/objects/${tree.slice(0, 2)}/${tree.slice(2)}`;
      chmodSync(file, 0o644);
      truncateSync(file, 0);
    };
    commitFiles(a, { x: 'content' });
    sh(a, 'push', '-q');
    damage(remote);
    await expect(fetchBranch(await openRepo(b), main)).rejects.toMatchObject({ kind: 'failed', message: 'The remote repository is damaged.' });
    // One that the remote does not have: newer git never reads what it need not send.
    const next = commitFiles(a, { x: 'more' });
    damage(`${a}/.git`);
    await expect(publishBranch(await openRepo(a), { remote: 'origin', branch: 'again' }, next)).rejects.toMatchObject({ kind: 'corrupt' });
  });

  test('a helper that git lacks, and a transport that it refuses', async () => {
    const root = tempRepo({ f: '1' });
    sh(root, 'remote', 'add', 'origin', 'nosuch::thing');
    sh(root, 'remote', 'add', 'ext', 'ext::true');
    const repo = await openRepo(root);
    await expect(fetchBranch(repo, main)).rejects.toMatchObject({ kind: 'config' });
    await expect(fetchBranch(repo, { remote: 'ext', branch: 'main' })).rejects.toMatchObject({ kind: 'config' });
  });

  test('another kind of object id', async () => {
    const bare = tempDir('bare256');
    sh(bare, 'init', '-q', '--bare', '--object-format=sha256');
    const root = tempRepo({ f: '1' });
    sh(root, 'remote', 'add', 'origin', bare);
    await expect(publishBranch(await openRepo(root), main, sh(root, 'rev-parse', 'main'))).rejects.toMatchObject({ kind: 'config' });
  });
});

describeWith(['tmpfs'], 'full and read-only disks', () => {
  let mountPoint = '';
  beforeAll(() => {
    mountPoint = tempDir('tmpfs');
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=400k', 'tmpfs', mountPoint]);
    sh(mountPoint, 'init', '-q', '--bare', '-b', 'main', 'remote');
  });
  afterAll(() => void execFileSync('umount', [mountPoint]));

  async function bigRepo() {
    const root = tempRepo({ big: randomBytes(1_500_000) });
    sh(root, 'remote', 'add', 'origin', `${mountPoint}/remote`);
    return { root, repo: await openRepo(root), commit: sh(root, 'rev-parse', 'main') };
  }

  test('a full disk on the remote', async () => {
    const { repo, commit } = await bigRepo();
    await expect(publishBranch(repo, main, commit)).rejects.toMatchObject({ kind: 'no-space', message: "The remote's disk is full." });
  });

  test('a full disk here', async () => {
    const { root } = await bigRepo();
    sh(mountPoint, 'init', '-q', '-b', 'main', 'here');
    sh(`${mountPoint}/here`, 'remote', 'add', 'origin', root);
    const repo = await openRepo(`${mountPoint}/here`);
    const error = await fetchBranch(repo, main).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(GitsyncError);
    expect(error).toMatchObject({ kind: 'no-space', message: 'The disk is full.' });
    expect(sh(repo.workTree, 'for-each-ref')).toBe('');
  });

  test('a read-only remote, and a read-only repository here', async () => {
    const { repo, commit } = await bigRepo();
    const here = await openRepo(`${mountPoint}/here`);
    execFileSync('mount', ['-o', 'remount,ro', mountPoint]);
    await expect(publishBranch(repo, main, commit)).rejects.toMatchObject({ kind: 'failed', message: 'The remote repository cannot be written.' });
    await expect(fetchBranch(here, main)).rejects.toMatchObject({ kind: expect.stringMatching(/read-only|failed/) });
  });
});
