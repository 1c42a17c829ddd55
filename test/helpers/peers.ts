/** Nodes of the peers' cloud: each with a home, a store and a daemon process of its own, on loopback or in a network of the test's own. */
import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { askDaemon } from '../../src/gidit/local-client.ts';
import type { NodeStatus } from '../../src/gidit/node-status.ts';
import { converge } from './converge.ts';
import { children } from './hermetic-env.ts';
import type { Machine } from './net-lab.ts';
import { tempDir } from './repos.ts';

const dist = new URL('../../dist/', import.meta.url).pathname;
export const daemonProgram = join(dist, 'git-gidit-daemon.js');

export interface Said {
  status: number;
  stdout: string;
  /** Both outputs. */
  text: string;
}

export interface Peer {
  name: string;
  home: string;
  env: NodeJS.ProcessEnv;
  store: string;
  /** Starts the daemon, which joins at the others named; resolves when it answers. */
  start(...others: Peer[]): Promise<void>;
  /** Ends it, `SIGKILL` where nothing else is said, and waits for its end. */
  end(signal?: NodeJS.Signals): Promise<void>;
  pid(): number;
  log(): string;
  status(): Promise<NodeStatus>;
  /** Its address, the same at every start. */
  address(): string;
  daemon(...args: string[]): Said;
  git(directory: string, ...args: string[]): Said;
  /** Does not stand in the way of another one that runs meanwhile. */
  gitLater(directory: string, ...args: string[]): Promise<Said>;
  /** Runs git, which must succeed. */
  must(directory: string, ...args: string[]): string;
  /** A new repository with one commit. */
  repo(name: string, ...init: string[]): string;
  commit(repo: string, files: Record<string, string>, message?: string): string;
  /** Makes a key for this person, or takes that of another machine of theirs. */
  own(key?: Key): Key;
}

export interface Key {
  fingerprint: string;
  secret: Buffer;
}

/** `dist` as programs in a PATH, under the names that git looks for. */
function binDirectory(): string {
  const directory = tempDir('bin');
  for (const program of ['git-gidit-daemon', 'git-remote-gidit', 'git-gidit', 'gitsync']) if (existsSync(join(dist, `${program}.js`))) symlinkSync(join(dist, `${program}.js`), join(directory, program));
  return directory;
}

let bin: string | undefined;

/** @param machine where its daemon runs; undefined: on loopback, without looking for others in the local network. */
export function makePeer(name: string, machine?: Machine): Peer {
  const home = tempDir(`peer-${name}`);
  for (const directory of ['run', 'gnupg']) mkdirSync(join(home, directory), { mode: 0o700 });
  mkdirSync(join(home, '.config'));
  writeFileSync(join(home, '.gitconfig'), `[user]\n\tname = ${name}\n\temail = ${name}@example.org\n[init]\n\tdefaultBranch = main\n`);
  writeFileSync(join(home, 'daemon.log'), '');
  bin ??= binDirectory();
  const store = join(home, 'data/gidit');
  const env: NodeJS.ProcessEnv = {
    ...process.env, HOME: home, PATH: `${bin}:${process.env['PATH']}:/usr/sbin:/sbin`, XDG_CONFIG_HOME: join(home, '.config'), XDG_DATA_HOME: join(home, 'data'),
    XDG_RUNTIME_DIR: join(home, 'run'), GNUPGHOME: join(home, 'gnupg'), GITSYNC_HOST: name,
  };
  let child: ChildProcess | undefined;
  let address: string | undefined;
  const say = (directory: string, file: string, args: readonly string[], input?: Buffer): Said => {
    const result = spawnSync(file, args, { cwd: directory, env, encoding: 'utf8', timeout: 90_000, maxBuffer: 1 << 28, ...(input === undefined ? {} : { input }) });
    return { status: result.status ?? -1, stdout: result.stdout, text: `${result.stdout}${result.stderr}` };
  };
  const must = (directory: string, file: string, args: readonly string[], input?: Buffer): string => {
    const { status, stdout, text } = say(directory, file, args, input);
    if (status !== 0) throw new Error(`${name}: ${file} ${args.join(' ')}: ${text}`);
    return stdout.trim();
  };
  const daemon = (...args: string[]): Said => say(home, process.execPath, [daemonProgram, ...args]);
  const status = (): Promise<NodeStatus> => askDaemon<NodeStatus>(store, 'status', {}, { env });
  const commit: Peer['commit'] = (repo, files, message = 'change') => {
    for (const [file, content] of Object.entries(files)) writeFileSync(join(repo, file), content);
    must(repo, 'git', ['add', '-A']);
    must(repo, 'git', ['commit', '-qm', message]);
    return must(repo, 'git', ['rev-parse', 'HEAD']);
  };
  return {
    name,
    home,
    env,
    store,
    status,
    daemon,
    commit,
    address: () => address as string,
    log: () => readFileSync(join(home, 'daemon.log'), 'utf8'),
    pid: () => child?.pid as number,
    async start(...others) {
      const listen = address === undefined ? `/ip4/${machine?.ip ?? '127.0.0.1'}/tcp/0` : address.replace(/\/p2p\/.*/, '');
      const args = ['--listen', listen, ...(machine?.looksAround === true ? [] : ['--no-lan']), '--debug', '--joins-per-second', '1000', ...others.flatMap((other) => ['--peer', other.address()])];
      child = spawn('/bin/sh', ['-c', 'exec "$0" "$@" 2>>"$HOME/daemon.log"', ...(machine?.inside ?? []), process.execPath, daemonProgram, ...args], { env, cwd: home, stdio: 'ignore' });
      children.add(child);
      const mine = child;
      mine.on('exit', () => children.delete(mine));
      await converge(`the daemon of ${name} answers`, async () => (address = (await status()).addresses[0]) !== undefined, 30_000);
    },
    async end(signal = 'SIGKILL') {
      const ending = child;
      child = undefined;
      if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
      const ended = new Promise((resolve) => ending.once('exit', resolve));
      ending.kill(signal);
      await ended;
    },
    git: (directory, ...args) => say(directory, 'git', args),
    gitLater: (directory, ...args) =>
      new Promise((resolve) => {
        execFile('git', args, { cwd: directory, env, timeout: 90_000 }, (error, stdout, stderr) => resolve({ status: error === null ? 0 : Number(error.code ?? -1), stdout, text: `${stdout}${stderr}` }));
      }),
    must: (directory, ...args) => must(directory, 'git', args),
    repo(directory, ...init) {
      const path = join(home, directory);
      must(home, 'git', ['init', '-q', ...init, path]);
      commit(path, { 'readme.md': `of ${name}\n` }, 'first');
      return path;
    },
    own(key) {
      if (key === undefined) must(home, 'gpg', ['--batch', '--pinentry-mode', 'loopback', '--passphrase', '', '--quick-generate-key', `${name} <${name}@example.org>`, 'ed25519', 'sign', 'never']);
      else must(home, 'gpg', ['--batch', '--import'], key.secret);
      const fingerprint = key?.fingerprint ?? (/^fpr:+([0-9A-F]{40})/m.exec(must(home, 'gpg', ['--with-colons', '--list-secret-keys'])) as RegExpExecArray)[1] as string;
      must(home, 'git', ['config', '--global', 'gidit.key', fingerprint]);
      const exported = spawnSync('gpg', ['--batch', '--pinentry-mode', 'loopback', '--passphrase', '', '--export-secret-keys', fingerprint], { env });
      return { fingerprint, secret: exported.stdout };
    },
  };
}

/** Starts daemons that all know the first one, and waits until each is connected to most of the others. */
export async function startCloud(...peers: Peer[]): Promise<void> {
  const [first, ...others] = peers as [Peer, ...Peer[]];
  await first.start();
  await Promise.all(others.map((peer) => peer.start(first)));
  await converge('every node has found others', async () => (await Promise.all(peers.map((peer) => peer.status()))).every((each) => each.peers.length >= Math.min(2, peers.length - 1)), 40_000);
}

/** Ends what is left, gently enough for gpg's agents to go too. */
export async function endCloud(...peers: Peer[]): Promise<void> {
  await Promise.all(peers.map((peer) => peer.end('SIGKILL')));
  for (const { env, home } of peers) spawnSync('gpgconf', ['--kill', 'all'], { env, cwd: home });
}
