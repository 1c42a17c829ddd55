/** Brings what this node holds into the table, and keeps it there: values live 48 hours, and nobody else renews them. */
import { formatAddress, recordKey, type Address } from './address.ts';
import type { CloudNode } from './cloud-node.ts';
import type { Notices } from './notices.ts';
import { deadline } from './streams/deadline.ts';

export interface Published {
  /** Nodes that were told at once. */
  told: number;
  /** Nodes that took the record into their part of the table. */
  kept: number;
}

export interface Publisher {
  publish(address: Address): Promise<Published>;
  /** What the node `except` told us goes on to our own followers at once, and into the table when things are quiet: whoever published has put it there too. */
  passOn(address: Address, except: string): Promise<void>;
  close(): void;
}

const renewMs = 12 * 3_600_000;
const tableMs = 8_000;
/** "We hold it" need not be said with each of many pushes. */
const provideEveryMs = 120_000;
/** Each mirror's put would cost the cloud as much as the publisher's. */
const laterMs = 30_000;
/** After the first nodes have joined, the table can be reached. */
const settleMs = 1_500;

/** Starts to renew what is held; at once when the first node is connected, then every 12 hours. */
export function startPublisher(node: CloudNode, notices: Notices): Publisher {
  const { engine, log } = node;
  /** Projects whose newest object no other node has taken into the table yet. */
  const waiting = new Set<string>();
  let closed = false;
  let settling: NodeJS.Timeout | undefined;

  /** When we last said that we hold a project. */
  const provided = new Map<string, number>();
  /** Projects of which somebody else told us, and has put the record too. */
  const later = new Map<string, NodeJS.Timeout>();

  const provide = async (address: Address, signal: AbortSignal): Promise<void> => {
    const name = formatAddress(address);
    if (Date.now() - (provided.get(name) ?? 0) < provideEveryMs) return;
    await engine.provide(recordKey(address), signal);
    if (engine.connections().length > 0) provided.set(name, Date.now());
  };
  const putNow = async (address: Address, message: Uint8Array): Promise<number> => {
    const signal = deadline(tableMs);
    const [kept] = await Promise.all([engine.put(recordKey(address), message, signal), provide(address, signal)]);
    waiting[kept > 0 ? 'delete' : 'add'](formatAddress(address));
    return kept;
  };
  const intoTable = (address: Address, message: Uint8Array): Promise<number> =>
    putNow(address, message).catch((error: unknown) => {
      // A newer one may be there already, or nobody can be reached: the next round tries again.
      log.debug('The table did not take a record', { project: formatAddress(address), error: String(error) });
      waiting.add(formatAddress(address));
      return 0;
    });
  const intoTableLater = (address: Address): void => {
    const name = formatAddress(address);
    clearTimeout(later.get(name));
    const putNewest = async (): Promise<void> => {
      later.delete(name);
      const message = await node.holdings.newestMessage(address);
      if (message !== undefined && !closed) await intoTable(address, message);
    };
    later.set(name, setTimeout(() => void putNewest().catch((error: unknown) => log.debug('Renewing failed', { error: String(error) })), laterMs).unref());
  };
  const publish = async (address: Address): Promise<Published> => {
    const message = await node.holdings.newestMessage(address);
    if (message === undefined) return { told: 0, kept: 0 };
    const [told, kept] = await Promise.all([notices.announce(address, message, undefined), intoTable(address, message)]);
    return { told, kept };
  };
  const passOn = async (address: Address, except: string): Promise<void> => {
    const message = await node.holdings.newestMessage(address);
    if (message === undefined) return;
    intoTableLater(address);
    await notices.announce(address, message, except);
  };
  const renew = async (which: (address: Address) => boolean): Promise<void> => {
    for (const held of [...node.memory.state.held]) if (!closed && which(held)) await publish(held);
  };
  for (const held of node.memory.state.held) waiting.add(formatAddress(held));
  engine.onPeer((_peer, connected) => {
    if (!connected || closed || waiting.size === 0 || settling !== undefined) return;
    settling = setTimeout(() => {
      settling = undefined;
      void renew((held) => waiting.has(formatAddress(held))).catch((error: unknown) => log.debug('Renewing failed', { error: String(error) }));
    }, settleMs).unref();
  });
  const renewing = setInterval(() => void renew(() => true).catch((error: unknown) => log.debug('Renewing failed', { error: String(error) })), renewMs).unref();
  return {
    publish,
    passOn,
    close() {
      closed = true;
      later.forEach((timer) => clearTimeout(timer));
      clearInterval(renewing);
      clearTimeout(settling);
    },
  };
}
