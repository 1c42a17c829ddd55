/** Keeps whole what this node holds: after every move the missing bundles are brought, within the limits. */
import { join } from 'node:path';
import { GitsyncError } from '../errors.ts';
import { formatAddress, type Address } from './address.ts';
import { bringBundles } from './bring-bundles.ts';
import type { CloudNode } from './cloud-node.ts';
import { lookUp } from './lookup.ts';
import type { Held } from './node-files.ts';

export interface Keeper {
  /** Brings what is missing of a project that is held; at most one at a time for each. */
  keep(address: Address): Promise<void>;
  /** Why a project could not be kept whole, by address. */
  troubles: ReadonlyMap<string, string>;
  close(): void;
}

/** All bundles on this node together. */
const maxNodeBytes = 20 * 1024 ** 3;
/** How often everything held is compared with the cloud, whatever notices say. */
const compareMs = 10 * 60_000;

/** Starts to keep. */
export function startKeeper(node: CloudNode, directory: string): Keeper {
  const running = new Map<string, Promise<void>>();
  const again = new Set<string>();
  const troubles = new Map<string, string>();
  const closing = new AbortController();

  const bring = async (held: Held): Promise<void> => {
    const lookup = await lookUp(node, held, closing.signal);
    for (const { id } of await node.holdings.tips(held)) {
      const room = Math.min(held.maxBytes, maxNodeBytes - (await usedBytes(node, held)));
      await bringBundles(node, held, lookup, { have: [], want: id, directory: join(directory, 'incoming'), keep: true, maxBytes: room, signal: closing.signal });
    }
  };
  const once = async (address: Address): Promise<void> => {
    const name = formatAddress(address);
    const held = node.memory.findHeld(address);
    if (held === undefined) return;
    try {
      await bring(held);
      troubles.delete(name);
    } catch (error) {
      if (closing.signal.aborted) return;
      const sentence = error instanceof GitsyncError ? error.message : String(error);
      if (troubles.get(name) !== sentence) node.log.warn('A project is not kept whole', { project: name, error: sentence });
      troubles.set(name, sentence);
    }
  };
  const keep = (address: Address): Promise<void> => {
    const name = formatAddress(address);
    const current = running.get(name);
    if (current !== undefined) {
      again.add(name);
      return current;
    }
    const work = once(address).finally(() => {
      running.delete(name);
      if (again.delete(name) && !closing.signal.aborted) return keep(address);
      return undefined;
    });
    running.set(name, work);
    return work;
  };
  const compareAll = async (): Promise<void> => {
    for (const held of [...node.memory.state.held]) if (!closing.signal.aborted) await keep(held);
  };
  const comparing = setInterval(() => void compareAll(), compareMs).unref();
  return {
    keep,
    troubles,
    close() {
      closing.abort();
      clearInterval(comparing);
    },
  };
}

/** What everything else that is held takes. */
async function usedBytes(node: CloudNode, except: Address): Promise<number> {
  let sum = 0;
  for (const held of node.memory.state.held) {
    if (formatAddress(held) === formatAddress(except)) continue;
    for (const { sizeBytes } of await node.holdings.bundles(held)) sum += sizeBytes;
  }
  return sum;
}
