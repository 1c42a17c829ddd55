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
  publish(address: Address, except?: string): Promise<Published>;
  close(): void;
}

const renewMs = 12 * 3_600_000;
const tableMs = 8_000;
/** After the first nodes have joined, the table can be reached. */
const settleMs = 1_500;

/** Starts to renew what is held; at once when the first node is connected, then every 12 hours. */
export function startPublisher(node: CloudNode, notices: Notices): Publisher {
  const { engine, log } = node;
  /** Projects whose newest object no other node has taken into the table yet. */
  const waiting = new Set<string>();
  let closed = false;
  let settling: NodeJS.Timeout | undefined;

  const intoTable = async (address: Address, message: Uint8Array): Promise<number> => {
    const key = recordKey(address);
    const signal = deadline(tableMs);
    const [kept] = await Promise.all([engine.put(key, message, signal), engine.provide(key, signal)]);
    waiting[kept > 0 ? 'delete' : 'add'](formatAddress(address));
    return kept;
  };
  const publish = async (address: Address, except?: string): Promise<Published> => {
    const message = await node.holdings.newestMessage(address);
    if (message === undefined) return { told: 0, kept: 0 };
    const [told, kept] = await Promise.all([
      notices.announce(address, message, except),
      intoTable(address, message).catch((error: unknown) => {
        // A newer one may be there already, or nobody can be reached: the next round tries again.
        log.debug('The table did not take a record', { project: formatAddress(address), error: String(error) });
        waiting.add(formatAddress(address));
        return 0;
      }),
    ]);
    return { told, kept };
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
    close() {
      closed = true;
      clearInterval(renewing);
      clearTimeout(settling);
    },
  };
}
