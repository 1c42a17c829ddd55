import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { fetchBranch, integratedTip } from '../../src/git/fetch.ts';
import { publishBranch, publishFallback } from '../../src/git/publish.ts';
import { openRepo } from '../../src/git/repository.ts';
import { converge } from '../helpers/converge.ts';
import { isRunning } from '../helpers/processes.ts';
import { bareRemote, commitFiles, exists, sh, tempDir, tempRepo, twoMachines } from '../helpers/repos.ts';
import { describeWith } from '../helpers/requires.ts';

const main = { remote: 'origin', branch: 'main' };

function addHook(gitDirectory: string, name: string, script: string): void {
  writeFileSync(`${gitDirectory}/hooks/${name}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

describe('publishBranch', () => {
  test('pushes, says from where, and moves the tracking ref and the integrated tip', async () => {
    const { remote, a } = twoMachines();
    const repo = await openRepo(a);
    const before = sh(a, 'rev-parse', 'main');
    const commit = commitFiles(a, { x: '1' });
    expect(await publishBranch(repo, main, commit)).toEqual({ kind: 'pushed', from: before });
    expect(sh(remote, 'rev-parse', 'main')).toBe(commit);
    expect(sh(a, 'rev-parse', 'origin/main')).toBe(commit);
    expect(await integratedTip(repo, main)).toBe(commit);
    expect(await publishBranch(repo, main, commit)).toEqual({ kind: 'up-to-date' });
  });

  test('moves the tracking ref also where the remote has no fetch refspec', async () => {
    const remote = bareRemote();
    const root = tempRepo({ f: '1' });
    sh(root, 'config', 'remote.x=y.url', remote);
    const commit = sh(root, 'rev-parse', 'main');
    expect(await publishBranch(await openRepo(root), { remote: 'x=y', branch: 'tief/Größe' }, commit)).toEqual({ kind: 'pushed', from: undefined });
    expect(sh(root, 'rev-parse', 'refs/remotes/x=y/tief/Größe')).toBe(commit);
  });

  test('has pushed also where a stale tracking ref is in the way of the new one', async () => {
    const { remote, a } = twoMachines();
    const commit = sh(a, 'rev-parse', 'main');
    sh(a, 'update-ref', 'refs/remotes/origin/x', commit);
    const target = { remote: 'origin', branch: 'x/y' };
    const repo = await openRepo(a);
    expect(await publishBranch(repo, target, commit)).toEqual({ kind: 'pushed', from: undefined });
    expect(sh(remote, 'rev-parse', 'x/y')).toBe(commit);
    expect(await integratedTip(repo, target)).toBe(commit);
    expect(await fetchBranch(repo, target)).toMatchObject({ kind: 'fetched', tip: commit });
  });

  test('makes the upstream of a new branch, but changes none that is there', async () => {
    const remote = bareRemote();
    const root = tempRepo({ f: '1' });
    sh(root, 'remote', 'add', 'origin', remote);
    const repo = await openRepo(root);
    const commit = sh(root, 'rev-parse', 'main');
    await publishBranch(repo, main, commit, { setUpstreamFor: 'main' });
    expect(sh(root, 'rev-parse', '--abbrev-ref', 'main@{upstream}')).toBe('origin/main');
    await publishBranch(repo, { remote: 'origin', branch: 'copy' }, commit, { setUpstreamFor: 'main' });
    expect(sh(root, 'rev-parse', '--abbrev-ref', 'main@{upstream}')).toBe('origin/main');
  });

  test('is rejected when the remote has moved, known or not, and never forces', async () => {
    const { remote, a, b } = twoMachines();
    const repo = await openRepo(b);
    const theirs = commitFiles(a, { x: '1' });
    sh(a, 'push', '-q');
    const ours = commitFiles(b, { y: '1' });
    expect(await publishBranch(repo, main, ours)).toEqual({ kind: 'rejected' });
    await fetchBranch(repo, main);
    expect(await publishBranch(repo, main, ours)).toEqual({ kind: 'rejected' });
    sh(b, 'config', 'remote.origin.push', '+refs/heads/*:refs/heads/*');
    sh(b, 'config', 'remote.origin.mirror', 'true');
    expect(await publishBranch(repo, main, ours)).toEqual({ kind: 'rejected' });
    expect(sh(remote, 'rev-parse', 'main')).toBe(theirs);
  });

  test('is rejected when the branch was deleted since, and does not make it again', async () => {
    const { remote, a } = twoMachines();
    const repo = await openRepo(a);
    await publishBranch(repo, main, commitFiles(a, { x: '1' }));
    sh(remote, 'update-ref', '-d', 'refs/heads/main');
    expect(await publishBranch(repo, main, commitFiles(a, { x: '2' }))).toEqual({ kind: 'rejected' });
    expect(sh(remote, 'for-each-ref')).toBe('');
  });

  test('is rejected when somebody moves the branch in the middle of the push', async () => {
    const { remote, a, b } = twoMachines();
    const theirs = commitFiles(a, { x: '1' });
    sh(a, 'push', '-q', 'origin', 'main:elsewhere');
    addHook(remote, 'pre-receive', `unset GIT_QUARANTINE_PATH; git update-ref refs/heads/main ${theirs}`);
    const ours = commitFiles(b, { y: '1' });
    expect(await publishBranch(await openRepo(b), main, ours)).toEqual({ kind: 'rejected' });
    expect(sh(remote, 'rev-parse', 'main')).toBe(theirs);
  });

  test('leaves other branches and tags of a mirror remote in place', async () => {
    const { remote, a } = twoMachines();
    sh(a, 'push', '-q', 'origin', 'main:other');
    sh(a, 'config', 'remote.origin.mirror', 'true');
    const commit = commitFiles(a, { x: '1' });
    expect(await publishBranch(await openRepo(a), main, commit)).toMatchObject({ kind: 'pushed' });
    expect(sh(remote, 'for-each-ref', '--format=%(refname)')).toBe('refs/heads/main\nrefs/heads/other');
  });

  test('is refused by an update hook, with what the hook said', async () => {
    const { remote, a } = twoMachines();
    addHook(remote, 'update', 'echo "main is closed on Sundays" >&2; exit 1');
    const commit = commitFiles(a, { x: '1' });
    const outcome = await publishBranch(await openRepo(a), main, commit);
    expect(outcome).toMatchObject({ kind: 'refused', reason: expect.stringContaining('main is closed on Sundays'), error: { kind: 'hook' } });
  });

  test.each([
    ['protected branch', 'echo "GitLab: You are not allowed to push code to protected branches on this project." >&2; exit 1', 'protected'],
    ['file too large', 'echo "error: File big.bin is 120.00 MB; this exceeds GitHub\'s file size limit of 100.00 MB" >&2; exit 1', 'too-large'],
  ])('a server that says "%s" refuses with that kind', async (_, script, kind) => {
    const { remote, a } = twoMachines();
    addHook(remote, 'pre-receive', script);
    const commit = commitFiles(a, { x: '1' });
    expect(await publishBranch(await openRepo(a), main, commit)).toMatchObject({ kind: 'refused', error: { kind } });
  });

  test('is refused by a work tree that has the branch checked out', async () => {
    const other = tempRepo({ f: '1' });
    const root = tempDir('clone');
    sh(root, 'clone', '-q', other, '.');
    const commit = commitFiles(root, { x: '1' });
    expect(await publishBranch(await openRepo(root), main, commit)).toMatchObject({ kind: 'refused', error: { kind: 'protected' } });
    sh(other, 'config', 'receive.denyCurrentBranch', 'updateInstead');
    writeFileSync(`${other}/f`, 'edited');
    expect(await publishBranch(await openRepo(root), main, commit)).toMatchObject({ kind: 'refused', reason: 'Working directory has unstaged changes' });
    writeFileSync(`${other}/f`, '1');
    expect(await publishBranch(await openRepo(root), main, commit)).toMatchObject({ kind: 'pushed' });
  });

  test('is refused where the remote has a branch whose name excludes ours', async () => {
    const { a } = twoMachines();
    const commit = sh(a, 'rev-parse', 'main');
    const outcome = await publishBranch(await openRepo(a), { remote: 'origin', branch: 'main/sub' }, commit);
    expect(outcome).toMatchObject({ kind: 'refused', error: { kind: 'protected' } });
    expect(outcome.kind === 'refused' && outcome.error.message).toBe('The remote has a branch main, beside which this one cannot be.');
  });

  test('throws, to try again, when the remote is locked or its limit is reached', async () => {
    const { remote, a } = twoMachines();
    const repo = await openRepo(a);
    writeFileSync(`${remote}/refs/heads/main.lock`, '');
    const commit = commitFiles(a, { x: '1' });
    await expect(publishBranch(repo, main, commit)).rejects.toMatchObject({ kind: 'locked' });
    sh(remote, 'config', 'receive.maxInputSize', '100');
    expect(await publishBranch(repo, main, commit)).toMatchObject({ kind: 'refused', error: { kind: 'too-large' } });
  });
});

describe('hooks', () => {
  test('a pre-push hook does not run with hooks off', async () => {
    const { a } = twoMachines();
    addHook(`${a}/.git`, 'pre-push', 'exit 1');
    const commit = commitFiles(a, { x: '1' });
    expect(await publishBranch(await openRepo(a), main, commit)).toMatchObject({ kind: 'pushed' });
  });

  test('a pre-push hook refuses with hooks on', async () => {
    const { a } = twoMachines();
    addHook(`${a}/.git`, 'pre-push', 'echo "run the tests first: report does not exist" >&2; exit 1');
    const commit = commitFiles(a, { x: '1' });
    const outcome = await publishBranch(await openRepo(a, { hooks: true }), main, commit);
    expect(outcome).toMatchObject({ kind: 'refused', reason: expect.stringContaining('run the tests first'), error: { kind: 'hook' } });
  });

  test('a pre-push hook that hangs is ended with its children', async () => {
    const { a } = twoMachines();
    const mark = `${tempDir('hang')}/pid`;
    addHook(`${a}/.git`, 'pre-push', `sleep 300 & echo $! > ${mark}; wait`);
    const commit = commitFiles(a, { x: '1' });
    await expect(publishBranch(await openRepo(a, { hooks: true }), main, commit, { idleTimeoutMs: 800 })).rejects.toMatchObject({ kind: 'timeout', hint: expect.stringContaining('hooks = no') });
    await converge('the child of the hook is gone', () => !isRunning(Number(readFileSync(mark, 'utf8'))));
  });
});

describe('publishFallback', () => {
  test('publishes on a branch of our own, again and again', async () => {
    const { remote, a } = twoMachines();
    addHook(remote, 'update', 'case $1 in refs/heads/main) exit 1;; esac');
    const repo = await openRepo(a);
    for (const content of ['1', '2']) {
      const commit = commitFiles(a, { x: content });
      expect(await publishBranch(repo, main, commit)).toMatchObject({ kind: 'refused' });
      expect(await publishFallback(repo, 'origin', 'My Laptop!', 'main', commit)).toMatchObject({ kind: 'pushed', branch: 'gitsync/My-Laptop/main' });
      expect(sh(remote, 'rev-parse', 'gitsync/My-Laptop/main')).toBe(commit);
    }
  });

  test('takes another name, the same each time, when the branch holds other commits', async () => {
    const { remote, a, b } = twoMachines();
    const theirs = commitFiles(b, { y: '1' });
    sh(b, 'push', '-q', 'origin', 'main:gitsync/host/main', 'main:gitsync/host/main-2');
    const repo = await openRepo(a);
    for (const content of ['1', '2']) {
      const commit = commitFiles(a, { x: content });
      expect(await publishFallback(repo, 'origin', 'host', 'main', commit)).toMatchObject({ kind: 'pushed', branch: 'gitsync/host/main-3' });
      expect(sh(remote, 'rev-parse', 'gitsync/host/main-3')).toBe(commit);
    }
    expect(sh(remote, 'rev-parse', 'gitsync/host/main')).toBe(theirs);
  });
});

describeWith(['git-lfs'], 'publishBranch with git LFS', () => {
  test('uploads the content of LFS files although hooks are off', async () => {
    const remote = bareRemote();
    const root = tempRepo();
    sh(root, 'remote', 'add', 'origin', `file://${remote}`);
    sh(root, 'lfs', 'install', '--local');
    sh(root, 'lfs', 'track', '*.bin');
    const commit = commitFiles(root, { 'big.bin': 'large content' });
    expect(await publishBranch(await openRepo(root), main, commit)).toMatchObject({ kind: 'pushed' });
    const clone = tempDir('lfs-clone');
    sh(clone, 'clone', '-q', `file://${remote}`, '.');
    expect(exists(clone, 'big.bin')).toBe(true);
    sh(clone, 'lfs', 'install', '--local');
    sh(clone, 'lfs', 'pull');
    expect(readFileSync(`${clone}/big.bin`, 'utf8')).toBe('large content');
  });
});
