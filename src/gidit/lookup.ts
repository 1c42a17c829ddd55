/** Asks the cloud about one project: the table for the newest object, and those who hold it for the list. */
import { setTimeout as sleep } from 'node:timers/promises';
import { GitsyncError } from '../errors.ts';
import { formatAddress, recordKey, type Address } from './address.ts';
import type { OfferedBundle } from './chain.ts';
import type { CloudNode } from './cloud-node.ts';
import { connectedPeers } from './engine.ts';
import { askPolist, polistProtocol, type ProjectList } from './streams/polist.ts';
import type { Verified } from './verify.ts';
import { deadline } from './streams/deadline.ts';

export interface Lookup {
  /** Nodes that answered with a good list, and the bundles that they offer. */
  offers: Map<string, OfferedBundle[]>;
  /** How many nodes were found that say they hold the project. */
  asked: number;
}

export interface LookupTimes {
  /** "Nobody holds it" is said after at most so long. */
  totalMs: number;
  /** How long others may still answer once somebody has. */
  graceMs: number;
}

export const lookupTimes: LookupTimes = { totalMs: 6_000, graceMs: 1_000 };
const maxAsked = 24;
/** So many of those who are connected are asked where nobody says that they hold it. */
const maxNeighbours = 8;

/** Takes in whatever the cloud knows of the project now. Nodes that lie or are silent cost time, never more. */
export async function lookUp(node: CloudNode, address: Address, signal: AbortSignal, times: LookupTimes = lookupTimes): Promise<Lookup> {
  const enough = new AbortController();
  const until = deadline(times.totalMs, signal, enough.signal);
  const lookup: Lookup = { offers: new Map(), asked: 0 };
  const asked = new Set<string>();
  const asking: Promise<void>[] = [];
  let firstAnswer: () => void = () => undefined;
  const answered = new Promise<void>((resolve) => (firstAnswer = resolve));
  /** False: it was asked already, or enough were. */
  const ask = (peer: string): boolean => {
    if (asked.has(peer) || asked.size >= maxAsked) return false;
    asked.add(peer);
    asking.push(
      askHolder(node, address, peer, until).then((offers) => {
        if (offers === undefined) return;
        lookup.offers.set(peer, offers);
        firstAnswer();
      }),
    );
    return true;
  };
  const askFound = (peer: string): void => {
    if (ask(peer)) lookup.asked += 1;
  };
  node.holders.of(address).forEach(askFound);
  const records: Verified[] = [];
  const table = readTable(node, address, records, until);
  const finding = (async () => {
    for await (const peer of node.engine.findHolders(recordKey(address), until)) askFound(peer);
  })().catch(() => undefined);
  const all = (async () => {
    await Promise.all([table, finding]);
    await settleAll(asking);
    if (lookup.offers.size > 0 || until.aborted) return;
    // Whoever has just come is not in the table yet, nor is what they hold.
    [...connectedPeers(node.engine)].filter((peer) => !asked.has(peer)).slice(0, maxNeighbours).forEach(ask);
    await settleAll(asking);
  })();
  // A node that is merely the first to answer may be a liar, so the table and the others get a little longer.
  await Promise.race([all, answered.then(() => Promise.race([all, sleep(times.graceMs, undefined, { ref: false })]))]);
  enough.abort();
  signal.throwIfAborted();
  // Lists first: they have what comes between. Without a list, the record alone is still the highest number that was seen.
  for (const verified of records) await node.takeIn(verified, undefined).catch((error: unknown) => node.log.debug('A record was not taken in', { error: String(error) }));
  return lookup;
}

/** All of a list that may grow while we wait. */
async function settleAll(list: Promise<void>[]): Promise<void> {
  for (let done = 0; done < list.length; ) {
    const now = list.length;
    await Promise.allSettled(list.slice(done));
    done = now;
  }
}

async function readTable(node: CloudNode, address: Address, records: Verified[], signal: AbortSignal): Promise<void> {
  try {
    for await (const value of node.engine.get(recordKey(address), signal)) {
      const verified = await node.verify(value).catch(() => undefined);
      if (verified !== undefined && formatAddress(verified.address) === formatAddress(address)) records.push(verified);
    }
  } catch (error) {
    node.log.debug('The table gave no answer', { project: formatAddress(address), error: String(error) });
  }
}

/** Gets one node's list, checks every object with its signature, and takes them in, oldest first. Undefined: it has nothing, or nothing good. */
export async function askHolder(node: CloudNode, address: Address, peer: string, signal: AbortSignal): Promise<OfferedBundle[] | undefined> {
  try {
    const since = (await node.holdings.tips(address)).map(({ id }) => id);
    const within = deadline(node.limits.listMs, signal);
    const channel = await node.engine.open(peer, polistProtocol, within);
    try {
      const list = await askPolist(channel, address, since, within, node.limits);
      if (list === undefined) {
        node.holders.remove(address, peer);
        return undefined;
      }
      await takeList(node, address, list, peer);
      node.holders.add(address, peer);
      return list.bundles;
    } finally {
      channel.abort();
    }
  } catch (error) {
    if (!signal.aborted) node.holders.remove(address, peer);
    node.log.debug('A node gave no good list', { project: formatAddress(address), peer, error: String(error) });
    return undefined;
  }
}

async function takeList(node: CloudNode, address: Address, list: ProjectList, peer: string): Promise<void> {
  const older: Verified[] = [];
  for (const object of list.objects) {
    const verified = await node.verifyListed(list.key, address.project, object);
    if (verified.address.fingerprint !== address.fingerprint) throw new GitsyncError('corrupt', 'A list came with another key.');
    if ((await node.takeIn(verified, peer)) === 'older') older.push(verified);
  }
  // The newest may have been here without what came before it, which is filled in backwards.
  for (const verified of older.reverse()) await node.takeIn(verified, peer);
}
