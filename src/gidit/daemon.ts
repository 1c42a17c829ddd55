/** The daemon: takes part in the cloud and serves the programs of this machine. */
import { randomBytes } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../log.ts';
import { takeLock } from '../process/process-lock.ts';
import { formatAddress, type Address } from './address.ts';
import { createCloudNode, type CloudNode } from './cloud-node.ts';
import { startDht } from './dht.ts';
import { createFreshLookups, type FreshLookups } from './fresh-lookups.ts';
import { openHoldings } from './holdings.ts';
import { startKeeper } from './keep.ts';
import { daemonPaths } from './local-client.ts';
import { createLocalHandlers } from './local-operations.ts';
import { startLocalServer } from './local-server.ts';
import { startJoining } from './joining.ts';
import { openNodeDirectory, openNodeMemory, nodeSeed } from './node-files.ts';
import { startNotices } from './notices.ts';
import { startPublisher } from './publish.ts';
import { answerWish, type RecruitSettings } from './recruit.ts';
import { createRecordJudge } from './record-judge.ts';
import { openRecordTable } from './record-table.ts';
import { bundleProtocol, serveBundles } from './streams/bundle.ts';
import { streamLimits, type StreamLimits } from './streams/limits.ts';
import { polistProtocol, servePolist } from './streams/polist.ts';
import { verifyMessage, verifyObject } from './verify.ts';

export interface DaemonOptions {
  baseDir: string;
  /** Multiaddrs to listen at. */
  listen: readonly string[];
  /** Addresses of nodes to join at. */
  peers: readonly string[];
  lan: boolean;
  /** Port of 127.0.0.1 for local clients; undefined: the unix socket only. */
  localPort: number | undefined;
  joinsPerSecond: number;
  /** When others are asked to hold a project, and for whom this node does it. */
  recruiting: RecruitSettings;
  limits?: Partial<StreamLimits>;
  log: Log;
}

export interface Daemon {
  id: string;
  addresses(): string[];
  localPort: number | undefined;
  stop(): Promise<void>;
}

/** What the parts of a running daemon need of each other. */
export interface DaemonParts {
  node: CloudNode;
  notices: Awaited<ReturnType<typeof startNotices>>;
  publisher: ReturnType<typeof startPublisher>;
  keeper: ReturnType<typeof startKeeper>;
  lookups: FreshLookups;
  joining: ReturnType<typeof startJoining>;
  directory: string;
  startedAt: Date;
  /** Projects that local programs watch at the moment, with what to call. */
  watchers: Set<Watcher>;
  /** Follows what is held and watched now. */
  refollow(): void;
}

export interface Watcher {
  addresses: readonly Address[];
  onMoved(address: Address, id: string): void;
}

async function readToken(directory: string): Promise<string> {
  const file = join(directory, 'token');
  const known = (await readFile(file, 'utf8').catch(() => '')).trim();
  if (/^[0-9a-f]{64}$/.test(known)) return known;
  const token = randomBytes(32).toString('hex');
  await writeFile(file, `${token}\n`, { mode: 0o600 });
  return token;
}

/**
 * Starts the daemon of a store and returns when it can be asked.
 * @throws GitsyncError `locked` when one runs already, `config` when an address or port is taken.
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { log, baseDir } = options;
  const directory = await openNodeDirectory(baseDir);
  const paths = daemonPaths(baseDir);
  const lock = await takeLock(paths.lock, `The store ${baseDir}`, 'git gidit status');
  const undo: (() => Promise<unknown> | void)[] = [() => lock.release()];
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    await rm(join(directory, 'incoming'), { recursive: true, force: true });
    const parts = await startParts(options, directory, undo);
    const { engine } = parts.node;
    const server = await startLocalServer({ socketFile: paths.socket, port: options.localPort, token: await readToken(directory), handlers: createLocalHandlers(parts), log });
    undo.push(() => server.close());
    log.info('Taking part in the cloud', { node: engine.id, addresses: engine.addresses().join(' '), port: server.port });
    return { id: engine.id, addresses: () => engine.addresses(), localPort: server.port, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startParts(options: DaemonOptions, directory: string, undo: (() => Promise<unknown> | void)[]): Promise<DaemonParts> {
  const { log, baseDir } = options;
  const limits = { ...streamLimits, ...options.limits };
  const memory = await openNodeMemory(directory);
  const holdings = await openHoldings(baseDir);
  const seed = await nodeSeed(directory);
  const verify = (message: Uint8Array): ReturnType<typeof verifyMessage> => verifyMessage(message);
  const watchers = new Set<Watcher>();
  const isWanted = (address: Address): boolean => {
    const name = formatAddress(address);
    return memory.findHeld(address) !== undefined || [...watchers].some(({ addresses }) => addresses.some((each) => formatAddress(each) === name));
  };
  const late: { node?: CloudNode } = {};
  // Records of others that pass by: one of a project that we follow is news, two of one number are a fork.
  const judge = createRecordJudge(verify, (verified) => {
    if (isWanted(verified.address)) void late.node?.takeIn(verified, undefined).catch((error: unknown) => log.debug('A record was not taken in', { error: String(error) }));
  });
  const table = openRecordTable(join(directory, 'table'), seed.toString('hex'));
  const engine = await startDht({ seed, listen: options.listen, judge, table, lan: options.lan, joinsPerSecond: options.joinsPerSecond });
  undo.push(() => engine.stop());
  const node = (late.node = createCloudNode({ engine, holdings, memory, log, limits, verify, verifyListed: (key, project, object) => verifyObject(key, project, object) }));
  engine.deny(new Set(memory.state.denied));
  await serveHeld(node, limits);
  const begin: { holding?: (address: Address) => void } = {};
  const notices = await startNotices(node, (message) => answerWish(node, message, options.recruiting, (address) => begin.holding?.(address)));
  const publisher = startPublisher(node, notices);
  const lookups = createFreshLookups(node, notices);
  const keeper = startKeeper(node, lookups, directory, options.recruiting);
  const joining = startJoining(engine, memory, options.peers, log);
  undo.push(() => {
    for (const part of [joining, keeper, publisher, notices]) part.close();
  });
  const refollow = (): void => notices.follow([...memory.state.held, ...[...watchers].flatMap(({ addresses }) => addresses)]);
  const parts = { node, notices, publisher, keeper, lookups, joining, directory, startedAt: new Date(), watchers, refollow };
  passOnMoves(parts);
  begin.holding = (address) => {
    refollow();
    void keeper.keep(address).then(() => publisher.publish(address)).catch((error: unknown) => log.debug('A project was not taken over', { error: String(error) }));
  };
  refollow();
  return parts;
}

/** Strangers get lists and bundles of what is held here, and nothing else. */
async function serveHeld(node: CloudNode, limits: StreamLimits): Promise<void> {
  const { engine, holdings, memory } = node;
  await engine.serve(
    polistProtocol,
    servePolist(async (address, since) => {
      if (memory.findHeld(address) === undefined) return undefined;
      // With a fork, what comes after one end says nothing of the other.
      const isFork = (await holdings.tips(address)).length > 1;
      const list = await holdings.list(address, isFork ? [] : since);
      return list === undefined ? undefined : { ...list, bundles: await holdings.bundles(address) };
    }, limits),
  );
  await engine.serve(bundleProtocol, serveBundles(async (bundle) => (await holdings.isHeldBundle(bundle, memory.state.held) ? holdings.bundleFile(bundle) : undefined), limits));
}

/** What came in goes on: to watchers of this machine at once, to other nodes, and into the store what belongs to it. */
function passOnMoves(parts: DaemonParts): void {
  const { node, publisher, keeper, watchers } = parts;
  node.onMoved(({ address, id, peer }) => {
    const name = formatAddress(address);
    for (const watcher of watchers) if (watcher.addresses.some((each) => formatAddress(each) === name)) watcher.onMoved(address, id);
    if (node.memory.findHeld(address) === undefined || peer === undefined) return;
    void keeper
      .keep(address, true)
      .then(() => publisher.passOn(address, peer))
      .catch((error: unknown) => node.log.debug('A move was not passed on', { project: name, error: String(error) }));
  });
}
