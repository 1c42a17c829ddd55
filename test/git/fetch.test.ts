import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { createServer as createHttpServer } from 'node:http';
import { afterAll, describe, expect, test } from '@jest/globals';
import { fetchBranch, integratedTip, noteIntegrated } from '../../src/git/fetch.ts';
import { isAncestor } from '../../src/git/refs.ts';
import { openRepo } from '../../src/git/repository.ts';
import { bareRemote, commitFiles, sh, tempDir, tempRepo, twoMachines } from '../helpers/repos.ts';

const main = { remote: 'origin', branch: 'main' };
const kindOf = (promise: Promise<unknown>): Promise<unknown> => promise.then((value) => value, (error: { kind?: string }) => error.kind ?? error);

/** Runs stock git with bytes on standard input. */
function shInput(cwd: string, input: string, ...args: string[]): string {
  return execFileSync('git', args, { cwd, input, encoding: 'utf8' }).trim();
}

describe('fetchBranch', () => {
  test('brings a new tip, and says when nothing moved', async () => {
    const { a, b } = twoMachines();
    const repo = await openRepo(b);
    const tip = commitFiles(a, { 'new.md': 'new\n' });
    sh(a, 'push', '-q');
    expect(await fetchBranch(repo, main)).toEqual({ kind: 'fetched', tip, moved: true });
    expect(sh(b, 'rev-parse', 'origin/main')).toBe(tip);
    expect(await fetchBranch(repo, main)).toEqual({ kind: 'fetched', tip, moved: false });
  });

  test('starts nothing when the remote is a path of this machine and its ref has not moved', async () => {
    const { remote, b } = twoMachines();
    const started: string[] = [];
    const repo = await openRepo(b);
    const counted = { ...repo, log: { ...repo.log, debug: (sentence: string) => void started.push(sentence) } };
    expect(await fetchBranch(counted, main, { remoteGitDirectory: remote })).toMatchObject({ kind: 'fetched', moved: false });
    sh(remote, 'pack-refs', '--all');
    expect(await fetchBranch(counted, main, { remoteGitDirectory: remote })).toMatchObject({ kind: 'fetched', moved: false });
    expect(started).toEqual([]);
  });

  test('leaves FETCH_HEAD, tags, other branches and the work tree alone', async () => {
    const { a, b } = twoMachines();
    sh(a, 'tag', 'v1');
    sh(a, 'push', '-q', 'origin', 'v1', 'main:other');
    commitFiles(a, { x: '1' });
    sh(a, 'push', '-q');
    writeFileSync(`${b}/.git/FETCH_HEAD`, 'mine');
    await fetchBranch(await openRepo(b), main);
    expect(sh(b, 'for-each-ref', '--format=%(refname)')).toBe('refs/heads/main\nrefs/remotes/origin/HEAD\nrefs/remotes/origin/main');
    expect(execFileSync('cat', [`${b}/.git/FETCH_HEAD`]).toString()).toBe('mine');
    expect(sh(b, 'status', '--porcelain')).toBe('');
  });

  test('does not follow a mirror refspec into our own branches', async () => {
    const { a, b } = twoMachines();
    sh(b, 'config', 'remote.origin.fetch', '+refs/*:refs/*');
    const before = sh(b, 'rev-parse', 'main');
    commitFiles(a, { x: '1' });
    sh(a, 'push', '-q');
    expect(await fetchBranch(await openRepo(b), main)).toMatchObject({ kind: 'fetched', moved: true });
    expect(sh(b, 'rev-parse', 'refs/heads/main')).toBe(before);
  });

  test('tells an empty remote from one that lacks the branch', async () => {
    const remote = bareRemote();
    const root = tempRepo({ f: '1' });
    sh(root, 'remote', 'add', 'origin', remote);
    const repo = await openRepo(root);
    expect(await fetchBranch(repo, main)).toEqual({ kind: 'empty', seenBefore: undefined });
    sh(root, 'push', '-q', 'origin', 'main:topic', 'main:zürich/see');
    expect(await fetchBranch(repo, main)).toEqual({ kind: 'branch-missing', seenBefore: undefined, others: ['topic', 'zürich/see'] });
  });

  test('knows the tip of a branch that was deleted on the remote', async () => {
    const { remote, a, b } = twoMachines();
    const tip = sh(b, 'rev-parse', 'main');
    sh(a, 'push', '-q', 'origin', 'main:other');
    const repo = await openRepo(b);
    await noteIntegrated(repo, main, tip);
    sh(remote, 'update-ref', '-d', 'refs/heads/main');
    sh(b, 'update-ref', '-d', 'refs/remotes/origin/main');
    expect(await fetchBranch(repo, main)).toEqual({ kind: 'branch-missing', seenBefore: tip, others: ['other'] });
    sh(remote, 'update-ref', '-d', 'refs/heads/other');
    expect(await fetchBranch(repo, main)).toEqual({ kind: 'empty', seenBefore: tip });
  });

  test('takes a force-pushed tip, and the integrated tip shows that it was one', async () => {
    const { a, b } = twoMachines();
    const repo = await openRepo(b);
    const old = sh(b, 'rev-parse', 'main');
    await noteIntegrated(repo, main, old);
    sh(a, 'commit', '-q', '--amend', '-m', 'rewritten');
    sh(a, 'push', '-q', '--force');
    const outcome = await fetchBranch(repo, main);
    const tip = sh(a, 'rev-parse', 'main');
    expect(outcome).toEqual({ kind: 'fetched', tip, moved: true });
    expect(await integratedTip(repo, main)).toBe(old);
    expect(await isAncestor(repo, old, tip)).toBe(false);
  });

  test.each(['feature/deep/name', 'ünïcode-名前', 'with.dots', "quo'te$x", 'a%2Fb'])('works with a branch named %s', async (branch) => {
    const { a, b } = twoMachines();
    sh(a, 'push', '-q', 'origin', `main:refs/heads/${branch}`);
    const repo = await openRepo(b);
    const target = { remote: 'origin', branch };
    const tip = sh(a, 'rev-parse', 'main');
    expect(await fetchBranch(repo, target)).toEqual({ kind: 'fetched', tip, moved: true });
    expect(await fetchBranch(repo, target)).toEqual({ kind: 'fetched', tip, moved: false });
    await noteIntegrated(repo, target, tip);
    expect(await integratedTip(repo, target)).toBe(tip);
  });

  test.each(['my.server', 'team/backup', 'ümläut', 'x=y'])('works with a remote named %s', async (name) => {
    const { remote, b } = twoMachines();
    sh(b, 'config', `remote.${name}.url`, remote);
    expect(await fetchBranch(await openRepo(b), { remote: name, branch: 'main' })).toMatchObject({ kind: 'fetched', moved: true });
  });

  test('works in a shallow clone, in a linked work tree and with SHA-256', async () => {
    const { remote, a } = twoMachines({ f: '1' });
    commitFiles(a, { f: '2' });
    sh(a, 'push', '-q');
    const shallow = tempDir('shallow');
    sh(shallow, 'clone', '-q', '--depth=1', `file://${remote}`, '.');
    const linked = `${tempDir('linked')}/wt`;
    sh(shallow, 'worktree', 'add', '-q', linked, '-b', 'side');
    const tip = commitFiles(a, { f: '3' });
    sh(a, 'push', '-q');
    expect(await fetchBranch(await openRepo(linked), main)).toEqual({ kind: 'fetched', tip, moved: true });
    expect(await fetchBranch(await openRepo(shallow), main)).toEqual({ kind: 'fetched', tip, moved: false });
    expect(sh(shallow, 'rev-parse', '--is-shallow-repository')).toBe('true');

    const bare256 = tempDir('bare256');
    sh(bare256, 'init', '-q', '--bare', '--object-format=sha256', '-b', 'main');
    const root256 = tempDir('repo256');
    sh(root256, 'init', '-q', '--object-format=sha256', '-b', 'main');
    const tip256 = commitFiles(root256, { f: '1' });
    sh(root256, 'remote', 'add', 'origin', bare256);
    sh(root256, 'push', '-q', 'origin', 'main');
    sh(root256, 'update-ref', '-d', 'refs/remotes/origin/main');
    expect(await fetchBranch(await openRepo(root256), main)).toEqual({ kind: 'fetched', tip: tip256, moved: true });
  });

  test('clears a stale tracking ref that is in the way of the new name', async () => {
    const { a, b, remote } = twoMachines();
    const repo = await openRepo(b);
    sh(a, 'push', '-q', 'origin', 'main:x');
    await fetchBranch(repo, { remote: 'origin', branch: 'x' });
    await noteIntegrated(repo, { remote: 'origin', branch: 'x' }, sh(b, 'rev-parse', 'main'));
    sh(remote, 'branch', '-m', 'x', 'x/y');
    const under = { remote: 'origin', branch: 'x/y' };
    expect(await fetchBranch(repo, under)).toMatchObject({ kind: 'fetched', moved: true });
    await noteIntegrated(repo, under, sh(b, 'rev-parse', 'main'));
    sh(remote, 'branch', '-m', 'x/y', 'x');
    expect(await fetchBranch(repo, { remote: 'origin', branch: 'x' })).toMatchObject({ kind: 'fetched', moved: true });
  });

  test('refuses objects with a .git entry, and takes old histories with harmless mistakes', async () => {
    const { a, b } = twoMachines();
    const repo = await openRepo(b);
    const blob = shInput(a, 'evil', 'hash-object', '-w', '--stdin');
    const inner = shInput(a, `100755 blob ${blob}\tpost-checkout\n`, 'mktree');
    const tree = shInput(a, `040000 tree ${inner}\t.git\n`, 'mktree');
    const evil = sh(a, 'commit-tree', '-p', 'main', '-m', 'evil', tree);
    sh(a, 'push', '-q', 'origin', `${evil}:refs/heads/evil`);
    await expect(fetchBranch(repo, { remote: 'origin', branch: 'evil' })).rejects.toMatchObject({ kind: 'halted', hint: expect.stringContaining('git fetch origin') });

    const old = shInput(a, `tree ${sh(a, 'rev-parse', 'main^{tree}')}\nauthor Nobody <a@b> 1 +051800\ncommitter Nobody<a@b> 1 +0000\n\nold\n`, 'hash-object', '-t', 'commit', '--literally', '-w', '--stdin');
    sh(a, 'push', '-q', 'origin', `${old}:refs/heads/old`);
    expect(await fetchBranch(repo, { remote: 'origin', branch: 'old' })).toEqual({ kind: 'fetched', tip: old, moved: true });
  });

  test('names a remote that is not there, or not mounted', async () => {
    const { remote, b } = twoMachines();
    const repo = await openRepo(b);
    renameSync(remote, `${remote}-away`);
    expect(await kindOf(fetchBranch(repo, main))).toBe('not-found');
    mkdirSync(remote);
    expect(await kindOf(fetchBranch(repo, main))).toBe('not-found');
    expect(await kindOf(fetchBranch(repo, { remote: 'nosuch', branch: 'main' }))).toBe('not-found');
  });

  test('is interrupted at once', async () => {
    const { b } = twoMachines();
    const signal = AbortSignal.abort();
    expect(await kindOf(fetchBranch(await openRepo(b), main, { signal }))).toBe('interrupted');
  });
});

describe('fetchBranch over a network that does not help', () => {
  const servers: Server[] = [];
  afterAll(() => servers.forEach((server) => server.close()));

  const listen = (server: Server): Promise<number> => {
    servers.push(server);
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)));
  };

  async function repoWith(url: string) {
    const root = tempRepo({ f: '1' });
    sh(root, 'remote', 'add', 'origin', url);
    return openRepo(root);
  }

  test('a server that asks for a password gives kind auth at once, without a question', async () => {
    const asked = tempDir('askpass');
    const port = await listen(createHttpServer((_request, response) => response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="x"' }).end()));
    const repo = await repoWith(`http://127.0.0.1:${port}/r.git`);
    // A prompt program of the person's own would put a window up.
    const prompt = `${tempDir('prompt')}/ask`;
    writeFileSync(prompt, `#!/bin/sh\ntouch ${asked}/yes; echo x\n`, { mode: 0o755 });
    sh(repo.workTree, 'config', 'core.askPass', prompt);
    process.env['SSH_ASKPASS'] = process.env['GIT_ASKPASS'] = prompt;
    const startedAt = performance.now();
    await expect(fetchBranch(repo, main)).rejects.toMatchObject({ kind: 'auth', hint: expect.stringContaining('git push origin') });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(execFileSync('ls', [asked]).toString()).toBe('');
    delete process.env['SSH_ASKPASS'];
    delete process.env['GIT_ASKPASS'];
  });

  test('a credential helper of the person still answers', async () => {
    const seen: (string | undefined)[] = [];
    const port = await listen(createHttpServer((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="x"' }).end();
    }));
    const repo = await repoWith(`http://127.0.0.1:${port}/r.git`);
    sh(repo.workTree, 'config', 'credential.helper', '!f() { echo username=me; echo password=pw; }; f');
    expect(await kindOf(fetchBranch(repo, main))).toBe('auth');
    expect(seen).toContain(`Basic ${Buffer.from('me:pw').toString('base64')}`);
  });

  test.each([['http://127.0.0.1:1/r.git'], ['ssh://me@127.0.0.1:1/r.git'], ['git://127.0.0.1:1/r.git']])('%s, where nobody listens, is offline', async (url) => {
    expect(await kindOf(fetchBranch(await repoWith(url), main))).toBe('offline');
  });

  test.each([['ssh'], ['http'], ['git']])('a server that accepts %s and stays silent is given up after the deadline', async (scheme) => {
    const port = await listen(createServer(() => undefined));
    const repo = await repoWith(`${scheme}://127.0.0.1:${port}/r.git`);
    const startedAt = performance.now();
    await expect(fetchBranch(repo, main, { idleTimeoutMs: 700 })).rejects.toMatchObject({ kind: 'timeout', message: 'origin gave no answer for 1 s.' });
    expect(performance.now() - startedAt).toBeLessThan(8_000);
  });

  test.each([[503, 'offline'], [404, 'not-found'], [403, 'auth'], [413, 'too-large']])('HTTP %i is %s', async (status, kind) => {
    const port = await listen(createHttpServer((_request, response) => response.writeHead(status).end()));
    expect(await kindOf(fetchBranch(await repoWith(`http://127.0.0.1:${port}/r.git`), main))).toBe(kind);
  });
});
