/** `git-gidit-daemon`: arguments to a running daemon, a health check, or one round. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { exitCodes, GitsyncError, toGitsyncError } from '../errors.ts';
import { createLog, type Log } from '../log.ts';
import { run } from '../process/run.ts';
import { version } from '../version.ts';
import { isFingerprint } from './address.ts';
import type { Daemon, DaemonOptions } from './daemon.ts';
import { askDaemon } from './local-client.ts';
import { baseDirectory, nodeSettings, readGiditConfig, type NodeSettings } from './node-settings.ts';
import { formatNodeStatus, type NodeStatus } from './node-status.ts';

const usage = `usage: git-gidit-daemon [options]            takes part in the cloud until it is told to stop
       git-gidit-daemon --once               asks a running daemon whether all is well; where none runs: one round
       git-gidit-daemon status [--json]      who is connected, what is held
       git-gidit-daemon mirror ADDRESS       holds somebody's project, without their key (--max-size BYTES)
       git-gidit-daemon release ADDRESS      does not hold it any more
       git-gidit-daemon join MULTIADDR       joins at a node now
       git-gidit-daemon deny PEER-ID...      these nodes are neither called nor answered (none: all are)

  -b, --base DIR           the store; default: gidit.base, or ~/.local/share/gidit
      --listen MULTIADDR   /ip4/0.0.0.0/tcp/4119; may be repeated
      --peer MULTIADDR     a node to join at; may be repeated
      --no-lan             does not look for nodes in the local network
      --local-port PORT    answers local programs on 127.0.0.1 too
      --joins-per-second N new connections from one address; default 5
      --verbose, --debug, --version, --help

Every option but the first can be kept in git's configuration: git config --global --add gidit.peer MULTIADDR
`;

const options = {
  base: { type: 'string', short: 'b' },
  listen: { type: 'string', multiple: true },
  peer: { type: 'string', multiple: true },
  'no-lan': { type: 'boolean' },
  'local-port': { type: 'string' },
  'joins-per-second': { type: 'string' },
  'max-size': { type: 'string' },
  once: { type: 'boolean' },
  json: { type: 'boolean' },
  verbose: { type: 'boolean', short: 'v' },
  debug: { type: 'boolean' },
  version: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** How long one round may take. */
const roundMs = 60_000;

function parse(args: readonly string[]): { values: Partial<Record<keyof typeof options, unknown>>; words: string[] } {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    return { values, words: positionals };
  } catch (error) {
    throw new GitsyncError('usage', (error as Error).message, { hint: 'git-gidit-daemon --help' });
  }
}

/** Runs the program and returns its exit code. */
export async function runGiditDaemon(args: readonly string[]): Promise<number> {
  const { values, words } = parse(args);
  if (values.help === true) return print(usage);
  if (values.version === true) return print(`${version}\n`);
  const config = await readGiditConfig();
  const baseDir = baseDirectory(values.base as string | undefined, config);
  if (words[0] !== undefined) return tell(baseDir, words, values);
  const settings = nodeSettings(
    {
      listen: values.listen as string[] | undefined,
      peer: values.peer as string[] | undefined,
      noLan: values['no-lan'] as boolean | undefined,
      localPort: values['local-port'] as string | undefined,
      joinsPerSecond: values['joins-per-second'] as string | undefined,
    },
    config,
  );
  checkSettings(settings);
  const log = createLog({ level: values.debug === true ? 'debug' : values.once === true && values.verbose !== true ? 'warn' : 'info', json: values.json === true });
  const daemonOptions = { baseDir, ...settings, log };
  return values.once === true ? runOnce(daemonOptions, settings) : runUntilStopped(daemonOptions, settings, log);
}

function checkSettings({ localPort, joinsPerSecond, listen, peers, recruiting: { copies, mirrorFor } }: NodeSettings): void {
  if (!(Number.isInteger(copies) && copies >= 1)) throw new GitsyncError('config', 'gidit.copies is a number from 1 on.', { hint: 'git config --global gidit.copies 3' });
  for (const fingerprint of mirrorFor) if (!isFingerprint(fingerprint)) throw new GitsyncError('config', `gidit.mirrorFor: ${JSON.stringify(fingerprint)} is no fingerprint.`, { hint: 'git config --global --add gidit.mirrorFor FINGERPRINT, 40 hexadecimal digits; gpg --list-keys shows them' });
  if (localPort !== undefined && !(Number.isInteger(localPort) && localPort >= 0 && localPort < 65_536)) throw new GitsyncError('usage', 'The local port is a number from 0 to 65535.', { hint: 'git-gidit-daemon --local-port 4120' });
  if (!(joinsPerSecond >= 1)) throw new GitsyncError('usage', 'Joins per second are a number from 1 on.', { hint: 'git-gidit-daemon --joins-per-second 5' });
  for (const address of listen) if (!/^\/(ip4|ip6|dns4|dns6)\/[^/]+\/tcp\/\d+$/.test(address)) throw new GitsyncError('usage', `${JSON.stringify(address)} is no address to listen at.`, { hint: '/ip4/0.0.0.0/tcp/4119' });
  for (const address of peers) if (!/^\/(ip4|ip6|dns|dns4|dns6)\/[^/]+\/tcp\/\d+\/p2p\/\w+$/.test(address)) throw new GitsyncError('usage', `${JSON.stringify(address)} is no address of a peer.`, { hint: 'git-gidit-daemon status, on the other machine, shows its addresses' });
}

function print(text: string): number {
  process.stdout.write(text);
  return exitCodes.ok;
}

/** What a running daemon is told or asked. */
async function tell(baseDir: string, [word, first, ...rest]: readonly string[], values: Partial<Record<keyof typeof options, unknown>>): Promise<number> {
  const needsOne = ['mirror', 'release', 'join'].includes(word as string);
  if (needsOne && first === undefined) throw new GitsyncError('usage', `${word as string} needs an address.`, { hint: 'git-gidit-daemon --help' });
  switch (word as string) {
    case 'status':
      return showStatus(baseDir, values.json === true);
    case 'deny':
      await askDaemon(baseDir, 'deny', { peers: first === undefined ? [] : [first, ...rest] });
      return exitCodes.ok;
    case 'join':
      return print(`joined ${(await askDaemon<{ peer: string }>(baseDir, 'join', { peer: first })).peer}\n`);
    case 'release':
      return print((await askDaemon<{ released: boolean }>(baseDir, 'release', { address: first })).released ? 'released\n' : 'was not held\n');
    case 'mirror':
      return showMirrored(await askDaemon<Mirrored>(baseDir, 'mirror', { address: first, ...(values['max-size'] === undefined ? {} : { maxBytes: Number(values['max-size']) }) }));
    default:
      throw new GitsyncError('usage', `There is no ${JSON.stringify(word)} here.`, { hint: 'git-gidit-daemon --help' });
  }
}

interface Mirrored {
  whole: boolean;
  trouble?: string;
  holders: number;
}

function showMirrored({ whole, trouble, holders }: Mirrored): number {
  if (!whole) throw new GitsyncError('failed', `It is held, but not whole yet: ${trouble ?? ''}`, { hint: 'it goes on by itself; git-gidit-daemon status shows how far it is' });
  return print(`held whole, beside ${holders} other${holders === 1 ? '' : 's'}\n`);
}

async function showStatus(baseDir: string, isJson: boolean): Promise<number> {
  const status = await askDaemon<NodeStatus>(baseDir, 'status');
  return print(isJson ? `${JSON.stringify(status, null, 1)}\n` : formatNodeStatus(status));
}

/** Starts; where our own choice of port is taken (another user's daemon), any other one does. */
async function start(daemonOptions: DaemonOptions, { isDefaultPort }: NodeSettings): Promise<Daemon> {
  // Loaded only here: asking a running daemon must be quick.
  const { startDaemon } = await import('./daemon.ts');
  try {
    return await startDaemon(daemonOptions);
  } catch (error) {
    if (!isDefaultPort || !(error instanceof GitsyncError) || error.kind !== 'config') throw error;
    return startDaemon({ ...daemonOptions, listen: ['/ip4/0.0.0.0/tcp/0'] });
  }
}

/** Tells systemd; there is no way to send a datagram from Node itself. */
async function notifySystemd(word: string, log: Log): Promise<void> {
  if (process.env['NOTIFY_SOCKET'] === undefined) return;
  await run('systemd-notify', [`--pid=${process.pid}`, word], { idleTimeoutMs: 5_000 }).catch((error: unknown) => log.warn('systemd was not told', { error: String(error) }));
}

async function runUntilStopped(daemonOptions: DaemonOptions, settings: NodeSettings, log: Log): Promise<number> {
  // A stranger's stream may end in an error that nobody waits for: it must not end the daemon.
  const survive = (error: unknown): void => log.error('Something failed and was left', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  process.on('unhandledRejection', survive).on('uncaughtException', survive);
  const stopped = new Promise<void>((resolve) => ['SIGTERM', 'SIGINT', 'SIGHUP'].forEach((signal) => process.on(signal, () => resolve())));
  const daemon = await start(daemonOptions, settings);
  await notifySystemd('--ready', log);
  await stopped;
  await notifySystemd('--stopping', log);
  // Connections that do not close in time are left to the kernel.
  await Promise.race([daemon.stop(), sleep(5_000)]);
  return exitCodes.ok;
}

/** With a daemon: whether all is well, exit code 1 where not. Without: joins, brings and publishes what is held, and ends. */
async function runOnce(daemonOptions: DaemonOptions, settings: NodeSettings): Promise<number> {
  const running = await askDaemon<NodeStatus>(daemonOptions.baseDir, 'status').catch((error: unknown) => {
    if (toGitsyncError(error).kind !== 'not-running') throw error;
    return undefined;
  });
  if (running !== undefined) return reportHealth(running);
  const daemon = await start(daemonOptions, settings);
  try {
    const until = Date.now() + roundMs;
    let status = await askDaemon<NodeStatus>(daemonOptions.baseDir, 'status');
    while (status.peers.length === 0 && Date.now() < until) {
      await sleep(200);
      status = await askDaemon<NodeStatus>(daemonOptions.baseDir, 'status');
    }
    for (const { address, how, maxBytes } of status.projects) {
      await askDaemon(daemonOptions.baseDir, how === 'own' ? 'publish' : 'mirror', { address, maxBytes });
    }
    return reportHealth(await askDaemon<NodeStatus>(daemonOptions.baseDir, 'status'));
  } finally {
    await Promise.race([daemon.stop(), sleep(5_000)]);
  }
}

function reportHealth(status: NodeStatus): number {
  const bad = status.projects.filter(({ tips, whole }) => tips.length > 1 || !whole);
  print(formatNodeStatus(status));
  return status.peers.length > 0 && bad.length === 0 ? exitCodes.ok : exitCodes.failed;
}
