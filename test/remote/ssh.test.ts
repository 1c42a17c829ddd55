import { spawn } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { userInfo } from 'node:os';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { parseRemoteUrl, type SshUrl } from '../../src/core/remote-url.ts';
import { fetchBranch } from '../../src/git/fetch.ts';
import type { Repo } from '../../src/git/git.ts';
import { publishBranch } from '../../src/git/publish.ts';
import { listRemotes } from '../../src/git/remotes.ts';
import { openRepo } from '../../src/git/repository.ts';
import { silentLog } from '../../src/log.ts';
import { startNotifier, type Notifier } from '../../src/remote/remote.ts';
import { startSshNotifier, type SshTiming } from '../../src/remote/ssh.ts';
import { converge } from '../helpers/converge.ts';
import { commitFiles, sh, tempDir, twoMachines } from '../helpers/repos.ts';
import { describeWith } from '../helpers/requires.ts';
import { isRunning } from '../helpers/processes.ts';
import { startSshd, type TestSshd } from '../helpers/sshd.ts';

const main = { remote: 'origin', branch: 'main' };

/** Two machines whose remote is reached over ssh. */
async function overSsh(sshd: TestSshd, rename?: string) {
  const machines = twoMachines();
  let { remote } = machines;
  if (rename !== undefined) {
    remote = `${tempDir('odd')}/${rename}`;
    renameSync(machines.remote, remote);
  }
  const url = sshd.url(encodeURI(remote));
  for (const root of [machines.a, machines.b]) {
    sh(root, 'remote', 'set-url', 'origin', url);
    sh(root, 'config', 'core.sshCommand', sshd.sshCommand);
  }
  return { a: machines.a, remote, url, repo: await openRepo(machines.b) };
}

const running: Notifier[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((notifier) => notifier.close()));
});

/** A notifier, and what it has told so far. */
function listen(start: (events: { onMoved(tip?: string): void; onState(live: boolean, why?: string): void }) => Notifier) {
  const told = { moves: [] as (string | undefined)[], states: [] as string[] };
  const notifier = start({ onMoved: (tip) => told.moves.push(tip), onState: (live, why) => told.states.push(live ? 'live' : (why ?? '')) });
  running.push(notifier);
  return { notifier, told };
}

const timed = (repo: Repo, url: string, timing: Partial<SshTiming>) => listen((events) => startSshNotifier(repo, parseRemoteUrl(url) as SshUrl, 'main', events, silentLog, timing));

describeWith(['ssh', 'linux'], 'a remote over ssh', () => {
  let sshd: TestSshd;
  beforeAll(async () => {
    sshd = await startSshd();
  });
  afterAll(() => sshd.stop());

  test('is fetched from and pushed to', async () => {
    const { a, repo, remote } = await overSsh(sshd);
    const theirs = commitFiles(a, { x: '1' });
    sh(a, 'push', '-q');
    expect(await fetchBranch(repo, main)).toEqual({ kind: 'fetched', tip: theirs, moved: true });
    sh(repo.workTree, 'merge', '-q', '--ff-only', 'origin/main');
    const ours = commitFiles(repo.workTree, { y: '1' });
    expect(await publishBranch(repo, main, ours)).toEqual({ kind: 'pushed', from: theirs });
    expect(sh(remote, 'rev-parse', 'main')).toBe(ours);
  });

  test('that ssh does not know is told apart from one whose key has changed, and from one that refuses our key', async () => {
    const { repo } = await overSsh(sshd);
    const other = await startSshd();
    await other.stop();
    const words = `ssh -p ${sshd.port} ${userInfo().username}@127.0.0.1`;
    sh(repo.workTree, 'config', 'core.sshCommand', `${sshd.sshCommand} -o UserKnownHostsFile=/dev/null`);
    await expect(fetchBranch(repo, main)).rejects.toMatchObject({ kind: 'host-unknown', hint: expect.stringContaining(words) });
    const wrong = `${tempDir('known')}/hosts`;
    writeFileSync(wrong, `[127.0.0.1]:${sshd.port} ${other.hostKey}\n`);
    sh(repo.workTree, 'config', 'core.sshCommand', `${sshd.sshCommand} -o UserKnownHostsFile=${wrong}`);
    await expect(fetchBranch(repo, main)).rejects.toMatchObject({ kind: 'host-key-changed', hint: expect.stringMatching(new RegExp(`ssh-keygen -f (["'])${wrong}\\1 -R`)) });
    sh(repo.workTree, 'config', 'core.sshCommand', `ssh -F /dev/null -i ${other.clientKey} -o IdentitiesOnly=yes -o IdentityAgent=none -o UserKnownHostsFile=${sshd.knownHosts}`);
    await expect(fetchBranch(repo, main)).rejects.toMatchObject({ kind: 'auth' });
  });

  test('tells of a push by another clone, and leaves nothing behind when it is closed', async () => {
    const { a, repo } = await overSsh(sshd);
    const [info] = await listRemotes(repo);
    const { notifier, told } = listen((events) => startNotifier(repo, info!, 'main', events, silentLog));
    await converge('live', () => notifier.live);
    for (const content of ['1', '2', '3']) {
      const tip = commitFiles(a, { x: content });
      sh(a, 'push', '-q');
      await converge('the move is told', () => told.moves.at(-1) === tip, 2_000);
    }
    expect(sshd.processes('gitsync-watch').length).toBeGreaterThan(0);
    await notifier.close();
    await converge('nothing is left on the server', () => sshd.processes('gitsync-watch').length === 0, 5_000);
    expect(told.states).toEqual(['live']);
  });

  test('does not tell of what we pushed ourselves', async () => {
    const { a, repo } = await overSsh(sshd);
    const [info] = await listRemotes(repo);
    const { notifier, told } = listen((events) => startNotifier(repo, info!, 'main', events, silentLog));
    await converge('live', () => notifier.live);
    const ours = commitFiles(repo.workTree, { y: '1' });
    await publishBranch(repo, main, ours);
    sh(a, 'pull', '-q');
    const theirs = commitFiles(a, { x: '1' });
    sh(a, 'push', '-q');
    await converge('the next move is told', () => told.moves.includes(theirs), 2_000);
    // The word may overtake the end of our own push, no more.
    expect(told.moves.filter((tip) => tip === ours).length).toBeLessThanOrEqual(1);
  });

  test('leaves nothing behind when ssh is killed, and connects again', async () => {
    const { a, repo, url } = await overSsh(sshd);
    const { notifier, told } = timed(repo, url, {});
    await converge('live', () => notifier.live);
    const before = sshd.processes('gitsync-watch');
    const client = clientOf(sshd);
    process.kill(client, 'SIGKILL');
    await converge('nothing is left on the server', () => before.every((pid) => !isRunning(pid)), 5_000);
    await converge('not live', () => !notifier.live);
    notifier.wake();
    await converge('live again', () => notifier.live);
    const tip = commitFiles(a, { x: '1' });
    sh(a, 'push', '-q');
    await converge('the move is told', () => told.moves.includes(tip), 2_000);
  });

  test('leaves nothing behind when the whole program is killed', async () => {
    const { repo, url } = await overSsh(sshd);
    const child = spawn(process.execPath, ['--import', 'tsx', new URL('./listen-forever.ts', import.meta.url).pathname, repo.workTree, url], { stdio: 'ignore' });
    await converge('it listens', () => sshd.processes('gitsync-watch').length > 0);
    const client = clientOf(sshd);
    child.kill('SIGKILL');
    await converge('nothing is left', () => !isRunning(client) && sshd.processes('gitsync-watch').length === 0, 5_000);
  });

  test('with a path and a branch that a shell could misread', async () => {
    const { a, repo, remote } = await overSsh(sshd, "it's $(touch pwned) `x` \"y\" \\ r.git");
    const branch = "feat/$(id)'ü";
    sh(remote, 'update-ref', `refs/heads/${branch}`, 'refs/heads/main');
    const [info] = await listRemotes(repo);
    const { notifier, told } = listen((events) => startNotifier(repo, info!, branch, events, silentLog));
    await converge('live', () => notifier.live);
    const tip = commitFiles(a, { x: '1' });
    sh(a, 'push', '-q', 'origin', `main:refs/heads/${branch}`);
    await converge('the move is told', () => told.moves.includes(tip), 2_000);
  });

  test('is not called live when its words stop coming', async () => {
    const { repo, url } = await overSsh(sshd);
    const { notifier, told } = timed(repo, url, { silenceMs: 300 });
    await converge('silent', () => told.states.includes('the server is silent'));
    expect(told.states[0]).toBe('live');
    expect(notifier.live).toBe(false);
  });

  test('says so when the repository is not there', async () => {
    const { repo } = await overSsh(sshd);
    const { notifier, told } = timed(repo, sshd.url('/nonexistent/r.git'), {});
    await converge('told', () => told.states.length > 0);
    expect(told.states).toEqual(['the repository is not visible from the shell there']);
    expect(notifier.live).toBe(false);
  });

  test('is listened to again when the server is back', async () => {
    const first = await startSshd();
    const { repo, url } = await overSsh(first);
    const { notifier, told } = timed(repo, url, {});
    await converge('live', () => notifier.live);
    await first.stop();
    for (const pid of first.processes('sshd')) process.kill(pid);
    for (const pid of first.processes('gitsync-watch')) process.kill(pid);
    await converge('not live', () => !notifier.live);
    notifier.wake();
    await converge('refused', () => told.states.some((state) => /refused/.test(state)));
    const again = await startSshd({ like: first });
    notifier.wake();
    await converge('live again', () => notifier.live);
    await notifier.close();
    await again.stop();
  });
});

/** The ssh client that talks to the server and waits for moves. */
function clientOf(sshd: TestSshd): number {
  const [pid] = sshd.clients();
  if (pid === undefined) throw new Error('no ssh client runs');
  return pid;
}

describeWith(['ssh', 'linux'], 'an account that is not a plain one with bash', () => {
  test('is polled when it only gives git, which is found out once for all repositories', async () => {
    const sshd = await startSshd({ keyOptions: 'command="exec git-shell -c \\"$SSH_ORIGINAL_COMMAND\\""' });
    const { repo, url, a } = await overSsh(sshd);
    const { notifier, told } = timed(repo, url, {});
    await converge('told', () => told.states.length > 0);
    expect(told.states).toEqual(['the account gives no shell']);
    notifier.wake();
    const second = timed(repo, url, {});
    await converge('told', () => second.told.states.length > 0 && told.states.length > 1);
    expect([...second.told.states, ...told.states]).toEqual(Array(3).fill('the account gives no shell'));
    expect(sshd.accepted()).toBe(1);
    const tip = commitFiles(a, { x: '1' });
    sh(a, 'push', '-q');
    expect(await fetchBranch(repo, main)).toEqual({ kind: 'fetched', tip, moved: true });
    await sshd.stop();
  });

  test('is listened to through a plain POSIX shell, which ends with its input', async () => {
    const sshd = await startSshd({ keyOptions: 'command="case $SSH_ORIGINAL_COMMAND in sh*) echo Welcome; exec dash -s gitsync-watch;; *) exec sh -c \\"$SSH_ORIGINAL_COMMAND\\";; esac"' });
    const { repo, url, a } = await overSsh(sshd);
    const { notifier, told } = timed(repo, url, {});
    await converge('live', () => notifier.live);
    const tip = commitFiles(a, { x: '1' });
    sh(a, 'push', '-q');
    await converge('the move is told', () => told.moves.includes(tip), 3_000);
    expect(sshd.processes('dash').length).toBeGreaterThan(0);
    expect(sshd.processes('cat').length).toBe(1);
    process.kill(clientOf(sshd), 'SIGKILL');
    await converge('nothing is left on the server', () => ['dash', 'cat', 'sleep'].every((name) => sshd.processes(name).length === 0), 5_000);
    await sshd.stop();
  });
});

describe('a server that does not help', () => {
  test('is given up when it accepts and stays silent', async () => {
    const server = createServer(() => undefined);
    const port = await new Promise<number>((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)));
    const { b } = twoMachines();
    const { notifier, told } = timed(await openRepo(b), `ssh://me@127.0.0.1:${port}/r`, { helloMs: 500 });
    await converge('told', () => told.states.length > 0, 5_000);
    expect(told.states).toEqual(['the server is silent']);
    await notifier.close();
    server.close();
  });

  test.each(['git@github.com:me/r.git', 'ssh://git@ssh.github.com:443/me/r.git', 'https://example.org/r.git', 'transport::x'])('%s is polled without trying', async (url) => {
    const { b } = twoMachines();
    const { notifier, told } = listen((events) => startNotifier({ workTree: b } as Repo, { name: 'origin', url, pushUrl: url }, 'main', events, silentLog));
    expect(notifier.kind).toBe('none');
    expect(told.states).toEqual([]);
  });
});
