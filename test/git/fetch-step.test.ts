import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { fetchBranch, type FetchOutcome } from '../../src/git/fetch.ts';
import { isAncestor } from '../../src/git/refs.ts';
import { openRepo } from '../../src/git/repository.ts';
import { diffTrees } from '../../src/git/tree.ts';
import type { Repo } from '../../src/git/git.ts';
import { commitFiles, sh, tempDir, twoMachines } from '../helpers/repos.ts';

const main = { remote: 'origin', branch: 'main' };

/** The repository, and the git commands that were started in it. */
async function counted(root: string): Promise<{ repo: Repo; started: string[] }> {
  const repo = await openRepo(root);
  const started: string[] = [];
  return { repo: { ...repo, log: { ...repo.log, debug: (sentence: string) => void started.push(sentence) } }, started };
}

/** Fetches from a URL that is known, and says whether the whole `git fetch` was needed. */
async function fetchFrom(root: string, url: string): Promise<{ outcome: FetchOutcome; whole: boolean }> {
  const { repo, started } = await counted(root);
  const outcome = await fetchBranch(repo, main, { url });
  return { outcome, whole: started.includes('git fetch') };
}

describe('a branch that went on by one commit', () => {
  test('is fetched without a walk over all files, and what was found out is not asked again', async () => {
    const { remote, a, b } = twoMachines({ f: '1\n', gone: 'x\n' });
    const { repo, started } = await counted(b);
    const before = sh(b, 'rev-parse', 'origin/main');
    rmSync(`${a}/gone`);
    const tip = commitFiles(a, { f: '2\n', 'new/名前': 'three\n' });
    sh(a, 'push', '-q');
    expect(await fetchBranch(repo, main, { url: remote })).toEqual({ kind: 'fetched', tip, moved: true });
    expect(started).not.toContain('git fetch');
    expect(sh(b, 'rev-parse', 'origin/main')).toBe(tip);
    expect(sh(b, 'reflog', '-1', '--format=%gs', 'refs/remotes/origin/main')).toBe('gitsync: fetched from origin');
    started.length = 0;
    const changes = await diffTrees(repo, before, tip);
    expect(await isAncestor(repo, before, tip)).toBe(true);
    expect(started).toEqual([]);
    expect(changes).toEqual(await diffTrees(await openRepo(b), before, tip));
    expect(changes).toHaveLength(3);
    expect(await fetchBranch(repo, main, { url: remote })).toEqual({ kind: 'fetched', tip, moved: false });
    sh(b, 'fsck', '--connectivity-only');
  });

  test('whatever its size', async () => {
    const { remote, a, b } = twoMachines();
    commitFiles(a, Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`many/${i}`, `${i}\n`])));
    sh(a, 'push', '-q');
    expect(await fetchFrom(b, remote)).toMatchObject({ outcome: { moved: true }, whole: false });
    expect(readdirSync(`${b}/.git/objects/pack`).filter((name) => name.endsWith('.keep'))).toEqual([]);
  });

  test('with a submodule, which is not looked for', async () => {
    const { remote, a, b } = twoMachines();
    sh(a, 'update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},sub`);
    sh(a, 'commit', '-q', '-m', 'sub');
    sh(a, 'push', '-q');
    expect(await fetchFrom(b, remote)).toMatchObject({ outcome: { moved: true }, whole: false });
  });

  test('with SHA-256, and in a linked work tree', async () => {
    const remote = tempDir('bare256');
    sh(remote, 'init', '-q', '--bare', '--object-format=sha256', '-b', 'main');
    const a = tempDir('a256');
    sh(a, 'init', '-q', '--object-format=sha256', '-b', 'main');
    commitFiles(a, { f: '1' });
    sh(a, 'remote', 'add', 'origin', remote);
    sh(a, 'push', '-q', 'origin', 'main');
    const b = tempDir('b256');
    sh(b, 'clone', '-q', remote, '.');
    const linked = `${tempDir('linked')}/wt`;
    sh(b, 'worktree', 'add', '-q', linked, '-b', 'side');
    const tip = commitFiles(a, { f: '2' });
    sh(a, 'push', '-q', 'origin', 'main');
    expect(await fetchFrom(linked, remote)).toEqual({ outcome: { kind: 'fetched', tip, moved: true }, whole: false });
  });
});

describe('everything else is left to git fetch', () => {
  test('several commits, a merge, an empty one, a rewritten branch, a branch that went', async () => {
    const { remote, a, b } = twoMachines();
    commitFiles(a, { x: '1' });
    const second = commitFiles(a, Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`many/${i}`, `${i}\n`])));
    sh(a, 'push', '-q');
    expect(await fetchFrom(b, remote)).toEqual({ outcome: { kind: 'fetched', tip: second, moved: true }, whole: true });
    sh(a, 'switch', '-q', '-c', 'side', 'HEAD~1');
    commitFiles(a, { y: '1' });
    sh(a, 'switch', '-q', 'main');
    sh(a, 'merge', '-q', '--no-edit', 'side');
    sh(a, 'push', '-q', 'origin', 'main');
    expect(await fetchFrom(b, remote)).toMatchObject({ outcome: { tip: sh(a, 'rev-parse', 'main') }, whole: true });
    sh(a, 'commit', '-q', '--allow-empty', '-m', 'empty');
    sh(a, 'push', '-q', 'origin', 'main');
    expect(await fetchFrom(b, remote)).toMatchObject({ outcome: { moved: true }, whole: true });
    sh(a, 'commit', '-q', '--amend', '--allow-empty', '-m', 'rewritten');
    sh(a, 'push', '-q', '--force', 'origin', 'main');
    expect(await fetchFrom(b, remote)).toMatchObject({ outcome: { tip: sh(a, 'rev-parse', 'main'), moved: true }, whole: true });
    sh(a, 'push', '-q', 'origin', 'side');
    sh(remote, 'update-ref', '-d', 'refs/heads/main');
    expect(await fetchFrom(b, remote)).toMatchObject({ outcome: { kind: 'branch-missing', others: ['side'] }, whole: true });
  });

  test('remotes with settings of their own, and shallow clones', async () => {
    const { remote, a, b } = twoMachines();
    const shallow = tempDir('shallow');
    sh(shallow, 'clone', '-q', '--depth=1', `file://${remote}`, '.');
    sh(b, 'config', 'remote.origin.uploadPack', 'git upload-pack');
    commitFiles(a, { x: '1' });
    sh(a, 'push', '-q');
    for (const root of [b, shallow]) expect(await fetchFrom(root, remote)).toMatchObject({ outcome: { moved: true }, whole: true });
  });

  test('a repository that is not there is named as ever', async () => {
    const { remote, b } = twoMachines();
    rmSync(remote, { recursive: true });
    const { repo } = await counted(b);
    await expect(fetchBranch(repo, main, { url: remote })).rejects.toMatchObject({ kind: 'not-found' });
  });
});

describe('over ssh', () => {
  /** A repository whose origin is reached by a program in the place of ssh; each call of it leaves a line. */
  function reachedBy(remote: string, body: string): { root: string; url: string; calls: () => number } {
    const [root, place] = [tempDir('by-ssh'), tempDir('ssh')];
    writeFileSync(`${place}/ssh`, `#!/bin/sh\necho called >> ${place}/calls\n${body}\n`, { mode: 0o755 });
    sh(root, 'clone', '-q', remote, '.');
    const url = `me@example.invalid:${remote}`;
    sh(root, 'config', 'remote.origin.url', url);
    sh(root, 'config', 'core.sshCommand', `${place}/ssh`);
    sh(root, 'config', 'ssh.variant', 'ssh');
    return { root, url, calls: () => readFileSync(`${place}/calls`, 'utf8').split('\n').length - 1 };
  }

  test('one connection is enough', async () => {
    const { remote, a } = twoMachines();
    const { root, url, calls } = reachedBy(remote, 'for last; do :; done; exec sh -c "$last"');
    const tip = commitFiles(a, { x: '1' });
    sh(a, 'push', '-q');
    expect(await fetchFrom(root, url)).toEqual({ outcome: { kind: 'fetched', tip, moved: true }, whole: false });
    expect(calls()).toBe(1);
  });

  test('a server that cannot be reached is asked once', async () => {
    const { remote } = twoMachines();
    const { root, url, calls } = reachedBy(remote, 'echo "ssh: connect to host example.invalid port 22: Connection refused" >&2; exit 255');
    const { repo } = await counted(root);
    await expect(fetchBranch(repo, main, { url })).rejects.toMatchObject({ kind: 'offline' });
    expect(calls()).toBe(1);
  });

  test('a server that leaves a file out moves nothing', async () => {
    const { remote, a } = twoMachines({ f: '1' });
    const hook = `${tempDir('hook')}/pack`;
    const { root, url } = reachedBy(remote, `for last; do :; done; exec git -c uploadpack.packObjectsHook=${hook} upload-pack ${remote}`);
    const before = sh(root, 'rev-parse', 'origin/main');
    const tip = commitFiles(a, { f: 'left out\n' });
    sh(a, 'push', '-q');
    writeFileSync(hook, `#!/bin/sh\nprintf '%s\\n' ${tip} ${sh(a, 'rev-parse', 'main^{tree}')} | git pack-objects -q --stdout\n`, { mode: 0o755 });
    const { repo } = await counted(root);
    await expect(fetchBranch(repo, main, { url })).rejects.toMatchObject({ name: 'GitsyncError' });
    expect(sh(root, 'rev-parse', 'origin/main')).toBe(before);
  });

  test('a name of git itself in a tree is refused here too', async () => {
    const { remote, a } = twoMachines();
    const { root, url } = reachedBy(remote, 'for last; do :; done; exec sh -c "$last"');
    const before = sh(root, 'rev-parse', 'origin/main');
    const inner = sh(a, 'rev-parse', 'main^{tree}');
    writeFileSync(`${a}/listing`, `040000 tree ${inner}\t.git\n`);
    const tree = sh(a, '-c', 'alias.make=!git mktree < listing', 'make');
    sh(a, 'push', '-q', 'origin', `${sh(a, 'commit-tree', '-p', 'main', '-m', 'evil', tree)}:refs/heads/main`);
    const { repo } = await counted(root);
    await expect(fetchBranch(repo, main, { url })).rejects.toMatchObject({ kind: 'halted' });
    expect(sh(root, 'rev-parse', 'origin/main')).toBe(before);
  });
});
