/** What keeps two directories in step: gitsync, and its peers as Debian has them. All of it on loopback. */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pause, until } from './measure.ts';

export interface Pair {
  a: string;
  b: string;
  /** The long-running processes, A's first. */
  pids: number[];
  stop(): Promise<void>;
}

export interface Peer {
  name: string;
  isInstalled(): boolean;
  /** Starts with what `fill` writes into A; B has it too, or gets it. */
  start(root: string, fill: (directory: string) => void): Promise<Pair>;
}

const program = new URL('../dist/gitsync.js', import.meta.url).pathname;
const has = (name: string): boolean => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;

export function environmentOf(home: string): NodeJS.ProcessEnv {
  mkdirSync(join(home, '.config'), { recursive: true });
  mkdirSync(join(home, 'run'), { recursive: true, mode: 0o700 });
  const name = home.split('/').at(-1) ?? '';
  writeFileSync(join(home, '.gitconfig'), `[user]\n\tname = ${name}\n\temail = ${name}@example.org\n[init]\n\tdefaultBranch = main\n[protocol "file"]\n\tallow = always\n`);
  return { PATH: process.env['PATH'], HOME: home, XDG_CONFIG_HOME: join(home, '.config'), XDG_RUNTIME_DIR: join(home, 'run'), GITSYNC_HOST: name, GIT_CONFIG_NOSYSTEM: '1', LC_ALL: 'C.UTF-8' };
}

function endAll(children: readonly ChildProcess[]): Promise<void> {
  return Promise.all(
    children.map((child) => {
      const ended = new Promise<void>((resolve) => (child.exitCode === null && child.signalCode === null ? child.once('exit', () => resolve()) : resolve()));
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), 10_000);
      return ended.then(() => clearTimeout(killer));
    }),
  ).then(() => undefined);
}

/** A repository with a bare remote, and a clone of it. */
export function makeClones(root: string, fill: (directory: string) => void): { a: string; b: string; remote: string; envA: NodeJS.ProcessEnv; envB: NodeJS.ProcessEnv } {
  const [homeA, homeB, remote] = [join(root, 'a'), join(root, 'b'), join(root, 'remote.git')];
  const [envA, envB] = [environmentOf(homeA), environmentOf(homeB)];
  const [a, b] = [join(homeA, 'Notes'), join(homeB, 'Notes')];
  const git = (env: NodeJS.ProcessEnv, ...args: string[]): void => void execFileSync('git', args, { env, stdio: 'ignore' });
  git(envA, 'init', '-q', '--bare', '-b', 'main', remote);
  git(envA, 'init', '-q', '-b', 'main', a);
  fill(a);
  git(envA, '-C', a, 'add', '-A');
  git(envA, '-C', a, 'commit', '-q', '--allow-empty', '-m', 'first');
  git(envA, '-C', a, 'remote', 'add', 'origin', remote);
  git(envA, '-C', a, 'push', '-q', '-u', 'origin', 'main');
  git(envB, 'clone', '-q', remote, b);
  return { a, b, remote, envA, envB };
}

export function startAgent(env: NodeJS.ProcessEnv, workDirs: readonly string[], settings = ''): ChildProcess {
  writeFileSync(join(env['XDG_CONFIG_HOME'] as string, 'gitsync'), `[gitsync]\nwork_dir = ${workDirs.map((path) => JSON.stringify(path)).join(', ')}\nnotify = no\n${settings}\n`);
  return spawn(process.execPath, [program, '--daemon'], { env, stdio: 'ignore' });
}

/** Waits until the agent says that everything is in step. */
export async function waitUntilSafe(env: NodeJS.ProcessEnv, deadlineMs = 300_000): Promise<boolean> {
  return until(() => spawnSync(process.execPath, [program, 'status'], { env, stdio: 'ignore' }).status === 0, deadlineMs, 100);
}

export const gitsync: Peer = {
  name: 'gitsync',
  isInstalled: () => existsSync(program),
  async start(root, fill) {
    const { a, b, envA, envB } = makeClones(root, fill);
    const agents = [startAgent(envA, [a]), startAgent(envB, [b])];
    for (const env of [envA, envB]) await waitUntilSafe(env);
    return { a, b, pids: agents.map(({ pid }) => pid as number), stop: () => endAll(agents) };
  },
};

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface SyncthingSide {
  home: string;
  folder: string;
  port: number;
  id: string;
}

function syncthingConfig(self: SyncthingSide, other: SyncthingSide, delaySeconds: number): string {
  const device = ({ id, port }: SyncthingSide): string => `<device id="${id}" compression="metadata"><address>tcp://127.0.0.1:${port}</address></device>`;
  return `<configuration version="35">
<folder id="f" path="${self.folder}" type="sendreceive" rescanIntervalS="3600" fsWatcherEnabled="true" fsWatcherDelayS="${delaySeconds}"><filesystemType>basic</filesystemType><device id="${self.id}"/><device id="${other.id}"/></folder>
${device(self)}${device(other)}
<gui enabled="false"></gui>
<options><listenAddress>tcp://127.0.0.1:${self.port}</listenAddress><globalAnnounceEnabled>false</globalAnnounceEnabled><localAnnounceEnabled>false</localAnnounceEnabled><relaysEnabled>false</relaysEnabled><natEnabled>false</natEnabled><urAccepted>-1</urAccepted><autoUpgradeIntervalH>0</autoUpgradeIntervalH><crashReportingEnabled>false</crashReportingEnabled><startBrowser>false</startBrowser><reconnectionIntervalS>1</reconnectionIntervalS><stunKeepaliveStartS>0</stunKeepaliveStartS></options>
</configuration>`;
}

export function syncthing(delaySeconds: number): Peer {
  return {
    name: delaySeconds === 10 ? 'Syncthing' : `Syncthing, watcher delay ${delaySeconds} s`,
    isInstalled: () => has('syncthing'),
    async start(root, fill) {
      const sides: SyncthingSide[] = [];
      for (const name of ['a', 'b']) {
        const home = join(root, name);
        const env = { ...environmentOf(home), STNODEFAULTFOLDER: '1' };
        execFileSync('syncthing', ['generate', `--home=${home}/st`], { env, stdio: 'ignore' });
        const id = execFileSync('syncthing', [`--home=${home}/st`, '--device-id'], { env, encoding: 'utf8' }).trim();
        const folder = join(home, 'Notes');
        mkdirSync(join(folder, '.stfolder'), { recursive: true });
        sides.push({ home, folder, port: await freePort(), id });
      }
      const [a, b] = sides as [SyncthingSide, SyncthingSide];
      fill(a.folder);
      const children = [[a, b], [b, a]].map(([self, other]) => {
        writeFileSync(join((self as SyncthingSide).home, 'st/config.xml'), syncthingConfig(self as SyncthingSide, other as SyncthingSide, delaySeconds));
        return spawn('syncthing', ['serve', `--home=${(self as SyncthingSide).home}/st`, '--no-browser', '--no-restart', '--no-upgrade'], { env: { ...environmentOf((self as SyncthingSide).home), STNOUPGRADE: '1' }, stdio: 'ignore' });
      });
      return { a: a.folder, b: b.folder, pids: children.map(({ pid }) => pid as number), stop: () => endAll(children) };
    },
  };
}

export const unison: Peer = {
  name: 'Unison, -repeat 1',
  isInstalled: () => has('unison'),
  async start(root, fill) {
    const env = environmentOf(join(root, 'a'));
    const [a, b] = [join(root, 'a/Notes'), join(root, 'b/Notes')];
    for (const folder of [a, b]) mkdirSync(folder, { recursive: true });
    fill(a);
    // Without a terminal it needs its text interface to be named.
    const child = spawn('unison', ['-ui', 'text', a, b, '-batch', '-auto', '-repeat', '1', '-silent'], { env, stdio: 'ignore' });
    await pause(1_000);
    return { a, b, pids: [child.pid as number], stop: () => endAll([child]) };
  },
};

export const annex: Peer = {
  name: 'git-annex assistant',
  isInstalled: () => has('git-annex'),
  async start(root, fill) {
    const { a, b, remote, envA, envB } = makeClones(root, () => undefined);
    const git = (env: NodeJS.ProcessEnv, at: string, ...args: string[]): void => void execFileSync('git', ['-C', at, ...args], { env, stdio: 'ignore' });
    git(envA, remote, 'annex', 'init', 'hub');
    for (const [env, at] of [[envA, a], [envB, b]] as const) {
      git(env, at, 'annex', 'init');
      git(env, at, 'config', 'annex.addunlocked', 'true');
      git(env, at, 'annex', 'config', '--set', 'annex.largefiles', 'largerthan=1mb');
      git(env, at, 'annex', 'group', '.', 'client');
      git(env, at, 'annex', 'wanted', '.', 'standard');
    }
    // Each sees the other's repository, as its "local pairing" sets it up.
    git(envA, a, 'remote', 'add', 'other', b);
    git(envB, b, 'remote', 'add', 'other', a);
    fill(a);
    for (const [env, at] of [[envA, a], [envB, b]] as const) git(env, at, 'annex', 'assistant', '--startdelay=0');
    const pidOf = (at: string): number => Number(readFileSync(join(at, '.git/annex/daemon.pid'), 'utf8').trim());
    const stop = async (): Promise<void> => {
      for (const [env, at] of [[envA, a], [envB, b]] as const) spawnSync('git', ['-C', at, 'annex', 'assistant', '--stop'], { env, stdio: 'ignore', timeout: 30_000 });
      await pause(1_000);
    };
    return { a, b, pids: [a, b].map(pidOf), stop };
  },
};

export const allPeers: readonly Peer[] = [gitsync, syncthing(10), syncthing(1), annex, unison];
