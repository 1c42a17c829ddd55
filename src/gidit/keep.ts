/** Keeps whole what this node holds: after every move the missing bundles are brought, within the limits; and sees to it that enough others hold it too. */
import { join } from 'node:path';
import { GitsyncError } from '../errors.ts';
import { formatAddress, type Address } from './address.ts';
import type { CloudNode } from './cloud-node.ts';
import { bringFromAnybody, type FreshLookups } from './fresh-lookups.ts';
import type { Held } from './node-files.ts';
import { askForMirrors, type RecruitSettings } from './recruit.ts';

export interface Keeper {
  /**
   * Brings what is missing of a project that is held; at most one at a time for each.
   * @param isTold a node has just told of a move, so that it has what is missing.
   */
  keep(address: Address, isTold?: boolean): Promise<void>;
  /** The same when things are quiet, once for many calls. */
  keepLater(address: Address): void;
  /** Compares everything that is held with the cloud, now. */
  compareAll(): Promise<void>;
  /** Why a project could not be kept whole, by address. */
  troubles: ReadonlyMap<string, string>;
  close(): void;
}

/** All bundles on this node together. */
const maxNodeBytes = 20 * 1024 ** 3;
/** How often everything held is compared with the cloud, whatever notices say. */
const compareMs = 10 * 60_000;
/** So long after the last of many pushes. */
const laterMs = 10_000;

/** Starts to keep. */
export function startKeeper(node: CloudNode, lookups: FreshLookups, directory: string, recruiting: RecruitSettings): Keeper {
  const running = new Map<string, Promise<void>>();
  const again = new Map<string, boolean>();
  const later = new Map<string, NodeJS.Timeout>();
  const troubles = new Map<string, string>();
  const closing = new AbortController();

  const bring = async (held: Held, isTold: boolean): Promise<void> => {
    const lookup = await lookups[isTold ? 'lookUp' : 'lookUpAll'](held, closing.signal);
    for (const { id } of await node.holdings.tips(held)) {
      const room = Math.min(held.maxBytes, maxNodeBytes - (await usedBytes(node, held)));
      await bringFromAnybody(lookups, node, held, lookup, { have: [], want: id, directory: join(directory, 'incoming'), keep: true, maxBytes: room, signal: closing.signal });
    }
  };
  const once = async (address: Address, isTold: boolean): Promise<void> => {
    const name = formatAddress(address);
    const held = node.memory.findHeld(address);
    if (held === undefined) return;
    try {
      await bring(held, isTold);
      troubles.delete(name);
    } catch (error) {
      if (closing.signal.aborted) return;
      const sentence = error instanceof GitsyncError ? error.message : String(error);
      if (troubles.get(name) !== sentence) node.log.warn('A project is not kept whole', { project: name, error: sentence });
      troubles.set(name, sentence);
    }
  };
  const keep = (address: Address, isTold = false): Promise<void> => {
    const name = formatAddress(address);
    const current = running.get(name);
    if (current !== undefined) {
      again.set(name, isTold && again.get(name) !== false);
      return current;
    }
    const work = once(address, isTold).finally(() => {
      running.delete(name);
      const next = again.get(name);
      again.delete(name);
      return next === undefined || closing.signal.aborted ? undefined : keep(address, next);
    });
    running.set(name, work);
    return work;
  };
  const keepLater = (address: Address): void => {
    const name = formatAddress(address);
    const keepNow = (): void => {
      later.delete(name);
      void keep(address);
    };
    clearTimeout(later.get(name));
    later.set(name, setTimeout(keepNow, laterMs).unref());
  };
  const compareAll = async (): Promise<void> => {
    for (const held of [...node.memory.state.held]) {
      if (closing.signal.aborted) return;
      await keep(held);
      // Whoever gave no answer just now is not among them any more.
      await askForMirrors(node, held, node.holders.of(held), recruiting);
    }
  };
  const comparing = setInterval(() => void compareAll(), compareMs).unref();
  return {
    keep,
    keepLater,
    compareAll,
    troubles,
    close() {
      later.forEach((timer) => clearTimeout(timer));
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
