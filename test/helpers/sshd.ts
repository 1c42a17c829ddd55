/** A real sshd on 127.0.0.1 with keys of its own, for one test file. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';
import { afterAll } from '@jest/globals';
import { converge } from './converge.ts';
import { runningPids } from './processes.ts';
import { tempDir } from './repos.ts';

const servers = new Set<ChildProcess>();

// A test that fails must leave no server behind; jest runs no 'exit' listeners of a test file.
afterAll(() => servers.forEach((server) => server.kill('SIGKILL')));

export interface TestSshd {
  port: number;
  /** `ssh -F FILE`: reaches the server without the person's own configuration; for core.sshCommand. */
  sshCommand: string;
  /** `ssh://USER@127.0.0.1:PORT/PATH` */
  url(path: string): string;
  /** The server's public key, as in known_hosts. */
  hostKey: string;
  /** Files: the client's private key, and where the server is known. */
  clientKey: string;
  knownHosts: string;
  /** How many connections the server has let in. */
  accepted(): number;
  /** Ids of the ssh clients that run with this server's configuration. */
  clients(): number[];
  /** Ids of the running processes that the server started for a client and whose command line holds `text`. */
  processes(text: string): number[];
  stop(): Promise<void>;
}

/** A port of the loopback that nobody has. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Whether somebody answers on a port of the loopback. */
export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

function environOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return '';
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** The files of one server: keys, configuration of both sides, log. */
function prepare(port: number, keyOptions: string | undefined): string {
  const directory = tempDir('sshd');
  for (const name of ['host', 'client']) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', `${directory}/${name}`]);
  const key = readFileSync(`${directory}/client.pub`, 'utf8');
  writeFileSync(`${directory}/authorized_keys`, `${keyOptions === undefined ? '' : `${keyOptions} `}${key}`, { mode: 0o600 });
  writeFileSync(`${directory}/known_hosts`, `[127.0.0.1]:${port} ${readFileSync(`${directory}/host.pub`, 'utf8')}`);
  writeFileSync(
    `${directory}/ssh_config`,
    `Host *\n  IdentityFile ${directory}/client\n  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile ${directory}/known_hosts\n  GlobalKnownHostsFile /dev/null\n`,
  );
  writeFileSync(
    `${directory}/sshd_config`,
    `Port ${port}\nListenAddress 127.0.0.1\nHostKey ${directory}/host\nAuthorizedKeysFile ${directory}/authorized_keys\nStrictModes no\nUsePAM no\nPidFile none\n` +
      `PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nMaxStartups 100\nPrintMotd no\n`,
  );
  writeFileSync(`${directory}/log`, '');
  return directory;
}

/**
 * Starts sshd.
 * @param options.keyOptions what stands before the key in authorized_keys, such as `command="..."`
 * @param options.like a stopped server whose port, keys and log the new one takes over
 */
export async function startSshd(options: { keyOptions?: string; like?: TestSshd } = {}): Promise<TestSshd> {
  const user = userInfo().username;
  const port = options.like?.port ?? (await freePort());
  const directory = options.like === undefined ? prepare(port, options.keyOptions) : dirname(options.like.knownHosts);
  // sshd of root separates its privileges in this directory.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', `${directory}/sshd_config`], { stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr.on('data', (text: Buffer) => appendFileSync(`${directory}/log`, text));
  const ended = new Promise((resolve) => child.on('exit', resolve));
  servers.add(child);
  child.on('exit', () => servers.delete(child));
  await converge(`sshd listens (see ${directory}/log)`, () => isListening(port));
  return {
    port,
    sshCommand: `ssh -F ${directory}/ssh_config`,
    hostKey: readFileSync(`${directory}/host.pub`, 'utf8').trim(),
    clientKey: `${directory}/client`,
    knownHosts: `${directory}/known_hosts`,
    accepted: () => readFileSync(`${directory}/log`, 'utf8').split('Accepted publickey').length - 1,
    clients: () => runningPids().filter((pid) => commandOf(pid).startsWith('ssh ') && commandOf(pid).includes(` -F ${directory}/`)),
    url: (path) => `ssh://${user}@127.0.0.1:${port}${path}`,
    processes: (text) =>
      runningPids().filter((pid) => commandOf(pid).includes(text) && environOf(pid).includes(` 127.0.0.1 ${port}\0`)),
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
