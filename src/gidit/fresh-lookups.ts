/** Lookups for local programs: what was asked a moment ago, or what a node has just told of, need not be looked for in the whole cloud. */
import { setTimeout as sleep } from 'node:timers/promises';
import { toGitsyncError } from '../errors.ts';
import { formatAddress, type Address } from './address.ts';
import { bringBundles, type BringOptions, type BroughtBundle } from './bring-bundles.ts';
import type { CloudNode } from './cloud-node.ts';
import { askHolder, lookUp, type Lookup } from './lookup.ts';
import type { Notices } from './notices.ts';
import { deadline } from './streams/deadline.ts';

export type KnownLookup = Lookup & { isPartial: boolean };

export interface FreshLookups {
  /** What is known now; `isPartial` where only nodes were asked that hold the project for sure. */
  lookUp(address: Address, signal: AbortSignal): Promise<KnownLookup>;
  /** Asks the whole cloud, whatever was asked before. */
  lookUpAll(address: Address, signal: AbortSignal): Promise<KnownLookup>;
}

/** A project that is followed live and was looked up, or moved, a moment ago need not be looked up again. */
const freshMs = 2_000;
/** How long those who hold a project that has just moved may take. */
const askMs = 1_500;
const mostAsked = 6;
/** Before everybody is asked a second time: who has just come is found after a moment. */
const againMs = 500;
const mostRemembered = 1_000;

/** Remembers lookups until the project moves. */
export function createFreshLookups(node: CloudNode, notices: Pick<Notices, 'isLive'>): FreshLookups {
  const cache = new Map<string, { known: KnownLookup; atMs: number }>();
  const moved = new Map<string, { atMs: number; quick: Promise<Lookup | undefined> }>();
  const remember = <T>(map: Map<string, T>, address: Address, value: T): void => {
    if (map.size > mostRemembered) map.clear();
    map.set(formatAddress(address), value);
  };
  const isRecent = (atMs: number | undefined): boolean => atMs !== undefined && Date.now() - atMs < freshMs;
  node.onMoved(({ address, id }) => {
    // What others offered before lacks the bundle that leads to the new object.
    cache.delete(formatAddress(address));
    // A program that watches, or the keeper, will ask in a moment; while it starts, the answer comes.
    remember(moved, address, { atMs: Date.now(), quick: askWhoHolds(node, address, id, deadline(askMs)).catch(() => undefined) });
  });
  const note = (address: Address, lookup: Lookup, isPartial: boolean): KnownLookup => {
    const known = { ...lookup, isPartial };
    remember(cache, address, { known, atMs: Date.now() });
    return known;
  };
  const lookUpAll = async (address: Address, signal: AbortSignal): Promise<KnownLookup> => note(address, await lookUp(node, address, signal), false);
  return {
    lookUpAll,
    async lookUp(address, signal) {
      const name = formatAddress(address);
      if (notices.isLive(address)) {
        const last = cache.get(name);
        if (last !== undefined && isRecent(last.atMs) && last.known.offers.size > 0) return last.known;
        const move = moved.get(name);
        const quick = isRecent(move?.atMs) ? await move?.quick : undefined;
        if (quick !== undefined) return note(address, quick, true);
      }
      return lookUpAll(address, signal);
    },
  };
}

/**
 * Asks those who are known to hold a project, the last to speak first, until one offers what leads to an object.
 * Undefined where nobody does.
 */
async function askWhoHolds(node: CloudNode, address: Address, id: string, within: AbortSignal): Promise<Lookup | undefined> {
  const peers = node.holders.of(address).reverse().slice(0, mostAsked);
  if (peers.length === 0) return undefined;
  const asking = peers.map(async (peer) => {
    const offers = await askHolder(node, address, peer, within);
    if (offers?.some(({ end }) => end === id) !== true) throw new Error('it is behind');
    return { offers: new Map([[peer, offers]]), asked: peers.length };
  });
  return Promise.any(asking).catch(() => undefined);
}

/**
 * Brings bundles from those whom a lookup has found; where these do not have them all, or their connection broke, from
 * whoever a second, whole lookup finds.
 */
export async function bringFromAnybody(lookups: FreshLookups, node: CloudNode, address: Address, lookup: KnownLookup, options: BringOptions): Promise<BroughtBundle[]> {
  try {
    return await bringBundles(node, address, lookup, options);
  } catch (error) {
    if (toGitsyncError(error).kind !== 'not-found' || node.engine.connections().length === 0) throw error;
    if (!lookup.isPartial) await sleep(againMs, undefined, { signal: options.signal, ref: false });
    return bringBundles(node, address, await lookups.lookUpAll(address, options.signal), options);
  }
}
