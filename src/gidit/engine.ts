/**
 * What the cloud is made of, behind a few methods, so that it can be changed:
 * a table of records that every node checks, who holds what, and streams
 * between two nodes. Everything that comes out of it is unverified.
 */
import type { Channel } from './streams/channel.ts';

export interface PeerConnection {
  /** The node's id: the text form of its public key. */
  peer: string;
  /** The other end of the connection. */
  address: string;
}

/** A stranger's question on one protocol; the stream ends when the promise settles. */
export type StreamHandler = (channel: Channel, peer: string) => Promise<void>;

export interface Engine {
  /** This node's id. */
  readonly id: string;
  /** Addresses that others can join at, id included. */
  addresses(): string[];
  connections(): PeerConnection[];
  /** Where a node that is connected says that it listens. */
  addressesOf(peer: string): Promise<string[]>;
  /** Looks for the nodes that are nearest to this one, and connects to them. */
  lookAround(signal: AbortSignal): Promise<void>;
  /** Joins a node by its address and returns its id. */
  join(address: string, signal: AbortSignal): Promise<string>;
  /** Puts a record into the table; the number of other nodes that took it. */
  put(key: string, value: Uint8Array, signal: AbortSignal): Promise<number>;
  /** Asks the table; gives every different value that a node answered with, as they come. */
  get(key: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Says that this node holds what the key stands for. */
  provide(key: string, signal: AbortSignal): Promise<void>;
  /** Other nodes that say they hold it, as they are found. */
  findHolders(key: string, signal: AbortSignal): AsyncIterable<string>;
  open(peer: string, protocol: string, signal: AbortSignal): Promise<Channel>;
  serve(protocol: string, handler: StreamHandler): Promise<void>;
  /** Ends all connections to a node that does not answer on them; it can come back. */
  hangUp(peer: string): void;
  /** Calls back when a node is connected (again, where it comes with a new connection), and when it is not any more. */
  onPeer(listener: (peer: string, connected: boolean) => void): void;
  /** Nodes that we neither call nor answer; replaces the list before. */
  deny(peers: ReadonlySet<string>): void;
  stop(): Promise<void>;
}

/** The nodes that this one is connected to, each once. */
export function connectedPeers(engine: Pick<Engine, 'connections'>): Set<string> {
  return new Set(engine.connections().map(({ peer }) => peer));
}

/** Decides about a record before it is stored here. */
export interface RecordJudge {
  /** @throws when the value may never stand under this key: size, form, key, signature. */
  check(key: string, value: Uint8Array): Promise<void>;
  /** The index of the newest among valid values. */
  choose(key: string, values: readonly Uint8Array[]): number;
  /** @throws when `next` must not take the place of `current` (a rollback), or there is no room for it. */
  admit(key: string, next: Uint8Array, current: Uint8Array | undefined): void;
}
