/** What the parts of the daemon share: the engine, what is held, and the one door through which PushObjects come in. */
import type { Log } from '../log.ts';
import { formatAddress, recordKey, type Address } from './address.ts';
import type { BundleKey, OfferedBundle } from './chain.ts';
import type { Engine } from './engine.ts';
import type { Links } from './fork.ts';
import type { NodeMemory } from './node-files.ts';
import type { KeyInfo } from './openpgp.ts';
import type { PushObject } from './push-object.ts';
import type { StreamLimits } from './streams/limits.ts';
import type { Verified } from './verify.ts';

/** What became of an object: `older` and `known` are no news; a `gap` is filled by asking for the list. */
export type Intake = 'new' | 'known' | 'older' | 'fork' | 'gap';

/** What the daemon needs of the store. */
export interface Holdings {
  put(verified: Verified): Promise<Intake>;
  key(address: Address): Promise<KeyInfo | undefined>;
  links(address: Address): Promise<Map<string, Links>>;
  /**
   * Undefined where nothing is known of the project. Oldest first.
   * @param since only what comes after the newest of these.
   */
  list(address: Address, since?: readonly string[]): Promise<{ key: Buffer; objects: PushObject[] } | undefined>;
  /** The newest object; two and more where the project has forked. The one that was here first comes first. */
  tips(address: Address): Promise<PushObject[]>;
  /** The newest object in the form of the wire. */
  newestMessage(address: Address): Promise<Buffer | undefined>;
  bundles(address: Address): Promise<OfferedBundle[]>;
  bundleFile(bundle: BundleKey): Promise<string | undefined>;
  /** Whether a bundle belongs to one of these projects. */
  isHeldBundle(bundle: BundleKey, held: readonly Address[]): Promise<boolean>;
  /** A file on the store's disk, for what is about to be put. */
  temporaryFile(): Promise<string>;
  /** Removes what is held of a project. */
  release(address: Address): Promise<void>;
  /** Checks what can be checked without a repository, and takes the file over. */
  putBundle(address: Address, bundle: BundleKey, file: string): Promise<void>;
  /** @throws Refusal where a file is not a bundle from `start` that brings exactly the signed refs of `end`. */
  checkBundle(address: Address, bundle: BundleKey, file: string): Promise<void>;
}

/** A project moved; `peer` told us, undefined: a client of this machine. */
export interface Moved {
  address: Address;
  id: string;
  peer: string | undefined;
  forked: boolean;
}

export interface CloudNode {
  engine: Engine;
  holdings: Holdings;
  memory: NodeMemory;
  log: Log;
  limits: StreamLimits;
  verify(message: Uint8Array): Promise<Verified>;
  verifyListed(key: Buffer, project: string, object: PushObject): Promise<Verified>;
  /** Nodes that said that they hold a project, by record key. */
  holders: HolderCache;
  /** Puts a verified object into the store and tells whoever listens. */
  takeIn(verified: Verified, peer: string | undefined): Promise<Intake>;
  onMoved(listener: (moved: Moved) => void): void;
}

export interface HolderCache {
  of(address: Address): string[];
  add(address: Address, peer: string): void;
  remove(address: Address, peer: string): void;
}

const holdersPerProject = 32;
const cachedProjects = 2_000;

/** Remembers who holds what, bounded. */
export function createHolderCache(): HolderCache {
  const known = new Map<string, Set<string>>();
  return {
    of: (address) => [...(known.get(recordKey(address)) ?? [])],
    add(address, peer) {
      const key = recordKey(address);
      const peers = known.get(key) ?? new Set();
      known.delete(key);
      peers.delete(peer);
      known.set(key, peers.add(peer));
      if (peers.size > holdersPerProject) peers.delete(peers.values().next().value as string);
      if (known.size > cachedProjects) known.delete(known.keys().next().value as string);
    },
    remove(address, peer) {
      known.get(recordKey(address))?.delete(peer);
    },
  };
}

/** Puts the shared parts together. */
export function createCloudNode(parts: Omit<CloudNode, 'holders' | 'takeIn' | 'onMoved'>): CloudNode {
  const listeners: ((moved: Moved) => void)[] = [];
  return {
    ...parts,
    holders: createHolderCache(),
    onMoved: (listener) => void listeners.push(listener),
    async takeIn(verified, peer) {
      const intake = await parts.holdings.put(verified);
      if (intake !== 'new' && intake !== 'fork') return intake;
      const moved = { address: verified.address, id: verified.pushObject.id, peer, forked: intake === 'fork' };
      parts.log.info(intake === 'fork' ? 'A project has forked' : 'A project moved', { project: formatAddress(verified.address), id: moved.id, peer });
      for (const listener of listeners) listener(moved);
      return intake;
    },
  };
}
