/** The engine on libp2p: TCP, Noise, Yamux and a Kademlia table of our own, never the public one. */
import './with-resolvers.ts';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { identify } from '@libp2p/identify';
import type { Connection, ConnectionGater, Libp2p, PeerId, PeerInfo } from '@libp2p/interface';
import { kadDHT, passthroughMapper, type KadDHT, type QueryEvent } from '@libp2p/kad-dht';
import { mdns } from '@libp2p/mdns';
import { noise } from '@libp2p/noise';
import { peerIdFromString } from '@libp2p/peer-id';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { createHash } from 'node:crypto';
import { errnoOf, GitsyncError } from '../errors.ts';
import type { Engine, RecordJudge } from './engine.ts';
import { engineChannel } from './streams/channel.ts';
import { deadline } from './streams/deadline.ts';
import type { RecordTable } from './record-table.ts';
import { tableDatastore } from './table-datastore.ts';

export interface DhtOptions {
  /** 32 bytes from which the node's key is made. */
  seed: Uint8Array;
  /** Multiaddrs to listen at. */
  listen: readonly string[];
  judge: RecordJudge;
  table: RecordTable;
  /** Looks for nodes in the local network (multicast DNS). */
  lan: boolean;
  /** New connections a second from one address before more are refused; tests have all nodes on one. */
  joinsPerSecond: number;
}

const kadProtocol = '/gidit/kad/1.0.0';
const serviceTag = '_gidit._udp.local';
const maxConnections = 150;
/** A silent connection is asked for by the kernel after so long, ten times in ten seconds: a cable that was pulled costs us no work. */
const socketOptions = { keepAlive: true, keepAliveInitialDelay: 20_000 };
/** The kernel of a process that hangs answers all the same, and does not ask while something is under way. */
const pingMs = 60_000;
/** Connections of one pair of nodes that begin within this time belong to one meeting. */
const atOnceMs = 5_000;
const foundDialMs = 8_000;
/** Streams of one protocol that one connection may have open. */
const streamsPerConnection = 16;

type Services = { dht: KadDHT };

/** Starts a node. */
export async function startDht(options: DhtOptions): Promise<Engine> {
  const denied = new Set<string>();
  const near: { join?: (found: PeerInfo) => void } = {};
  const node = await startNode(options, gaterOf(denied), (found) => near.join?.(found));
  near.join = (found) => void joinFound(node, found);
  return engineOf(node, denied, options.judge);
}

async function startNode(options: DhtOptions, connectionGater: ConnectionGater, onFound: (found: PeerInfo) => void): Promise<Libp2p<Services>> {
  const { judge } = options;
  try {
    return (await createLibp2p({
      privateKey: await generateKeyPairFromSeed('Ed25519', options.seed),
      nodeInfo: { name: 'gidit', userAgent: 'gidit' },
      addresses: { listen: [...options.listen] },
      transports: [tcp({ dialOpts: socketOptions, listenOpts: socketOptions })],
      connectionEncrypters: [noise()],
      // Its own pings end nothing, whatever comes back.
      streamMuxers: [yamux({ enableKeepAlive: false })],
      connectionGater,
      // Each ping is a stream of its own; with a hundred connections one every ten seconds would be most of what a node does.
      connectionMonitor: { pingInterval: pingMs },
      connectionManager: { maxConnections, inboundConnectionThreshold: options.joinsPerSecond, maxIncomingPendingConnections: 64 },
      datastore: tableDatastore(options.table, judge),
      peerDiscovery: options.lan ? [localDiscovery(onFound)] : [],
      services: {
        identify: identify(),
        ping: ping(),
        dht: kadDHT({
          protocol: kadProtocol,
          // The defaults are for the public network: no private addresses, and a node that only asks.
          clientMode: false,
          peerInfoMapper: passthroughMapper,
          allowQueryWithZeroPeers: true,
          initialQuerySelfInterval: 500,
          validators: {
            gidit: (key, value) => judge.check(Buffer.from(key).toString('utf8'), value),
            // Public keys of nodes: nothing that we keep for strangers.
            pk: () => Promise.reject(new GitsyncError('rejected', 'Only gidit records are kept here.')),
          },
          selectors: { gidit: (key, values) => judge.choose(Buffer.from(key).toString('utf8'), values) },
        }),
      },
    })) as unknown as Libp2p<Services>;
  } catch (error) {
    if (errnoOf(error) === 'EADDRINUSE' || /EADDRINUSE|in use|UnsupportedListenAddress/i.test(String(error))) {
      throw new GitsyncError('config', `The daemon cannot listen at ${options.listen.join(', ')}.`, { cause: error, hint: 'choose another port: git-gidit-daemon --listen /ip4/0.0.0.0/tcp/0' });
    }
    throw error;
  }
}

/** Multicast DNS that tells of everybody it hears of; the engine itself would only note the addresses. */
function localDiscovery(onFound: (found: PeerInfo) => void): ReturnType<typeof mdns> {
  return (components) => {
    const service = mdns({ serviceTag })(components) as ReturnType<ReturnType<typeof mdns>> & EventTarget;
    service.addEventListener('peer', (event) => onFound((event as CustomEvent<PeerInfo>).detail));
    return service;
  };
}

/** Called every few seconds for each neighbour, so a failure is tried again by itself. */
async function joinFound(node: Libp2p<Services>, { id, multiaddrs }: PeerInfo): Promise<void> {
  if (id.equals(node.peerId) || node.getConnections(id).length > 0 || multiaddrs.length === 0) return;
  const addresses = multiaddrs.map((address) => multiaddr(withId(address.toString(), id.toString())));
  await node.dial(addresses, { signal: deadline(foundDialMs) }).catch(() => undefined);
}

function gaterOf(denied: ReadonlySet<string>): ConnectionGater {
  const isDenied = (peer: PeerId): boolean => denied.has(peer.toString());
  return {
    denyDialPeer: isDenied,
    denyInboundEncryptedConnection: isDenied,
    denyOutboundEncryptedConnection: isDenied,
    denyDialMultiaddr: (address) => denied.has(address.getComponents().findLast(({ name }) => name === 'p2p')?.value ?? ''),
  };
}

/** Provider records are kept under a content id, so the key becomes one. */
function cidOf(key: string): CID {
  return CID.createV1(0x55, createDigest(0x12, createHash('sha256').update(key).digest()));
}

/** The events of a query until it is over; running out of time or of nodes is an end like any other. */
async function* eventsOf(query: AsyncIterable<QueryEvent>, signal: AbortSignal): AsyncGenerator<QueryEvent> {
  try {
    for await (const event of query) yield event;
  } catch (error) {
    // A node that refuses a correction ends a query with an error, after all answers have come.
    if (!signal.aborted && !/correction|abort|peers in routing table|NoPeers|QueryError|NotFound/i.test(`${(error as Error).name} ${String(error)}`)) throw error;
  }
}

function engineOf(node: Libp2p<Services>, denied: Set<string>, judge: RecordJudge): Engine {
  const { dht } = node.services;
  return {
    id: node.peerId.toString(),
    addresses: () => node.getMultiaddrs().map(String),
    connections: () =>
      node.getConnections().map((connection) => ({
        peer: connection.remotePeer.toString(),
        address: withId(connection.remoteAddr.toString(), connection.remotePeer.toString()),
      })),
    async addressesOf(peer) {
      const known = await node.peerStore.get(peerIdFromString(peer)).catch(() => undefined);
      return (known?.addresses ?? []).map(({ multiaddr: address }) => withId(address.toString(), peer));
    },
    async lookAround(signal) {
      for await (const _event of eventsOf(dht.getClosestPeers(node.peerId.toMultihash().bytes, { signal }), signal));
    },
    async join(address, signal) {
      return (await node.dial(multiaddr(address), { signal })).remotePeer.toString();
    },
    async put(key, value, signal) {
      const takers = new Set<string>();
      // The engine stores it here first, without asking its own validator.
      await judge.check(key, value);
      for await (const event of eventsOf(dht.put(Buffer.from(key), value, { signal }), signal)) {
        if (event.name === 'PEER_RESPONSE' && event.messageName === 'PUT_VALUE' && event.record !== undefined) takers.add(event.from.toString());
      }
      return takers.size;
    },
    async *get(key, signal) {
      const seen = new Set<string>();
      for await (const event of eventsOf(dht.get(Buffer.from(key), { signal }), signal)) {
        const value = event.name === 'VALUE' ? event.value : event.name === 'PEER_RESPONSE' ? event.record?.value : undefined;
        if (value === undefined) continue;
        const digest = createHash('sha256').update(value).digest('hex');
        if (!seen.has(digest)) yield value;
        seen.add(digest);
      }
    },
    async provide(key, signal) {
      for await (const _event of eventsOf(dht.provide(cidOf(key), { signal }), signal));
    },
    async *findHolders(key, signal) {
      const seen = new Set([node.peerId.toString()]);
      for await (const event of eventsOf(dht.findProviders(cidOf(key), { signal }), signal)) {
        if (event.name !== 'PROVIDER') continue;
        for (const { id, multiaddrs } of event.providers) {
          const peer = id.toString();
          if (seen.has(peer) || denied.has(peer)) continue;
          seen.add(peer);
          if (multiaddrs.length > 0) await node.peerStore.merge(id, { multiaddrs });
          yield peer;
        }
      }
    },
    async open(peer, protocol, signal) {
      return engineChannel(await node.dialProtocol(peerIdFromString(peer), protocol, { signal }));
    },
    serve: (protocol, handler) =>
      node.handle(
        protocol,
        async (stream, connection) => {
          const channel = engineChannel(stream);
          try {
            await handler(channel, connection.remotePeer.toString());
            await channel.end();
          } catch {
            // One stream's trouble is that stream's alone.
            channel.abort();
          }
        },
        { maxInboundStreams: streamsPerConnection, maxOutboundStreams: streamsPerConnection },
      ),
    onPeer(listener) {
      // Not `peer:connect`, which says nothing of a second connection; and a node comes with a second one when the first is dead.
      node.addEventListener('connection:open', ({ detail }) => {
        dropOlder(node, detail);
        listener(detail.remotePeer.toString(), true);
      });
      node.addEventListener('peer:disconnect', ({ detail }) => listener(detail.toString(), false));
    },
    hangUp(peer) {
      for (const connection of node.getConnections(peerIdFromString(peer))) connection.abort(new Error('it does not answer'));
    },
    deny(peers) {
      denied.clear();
      for (const peer of peers) denied.add(peer);
      // Not closed in good order: that would wait for the streams of somebody whom we do not want to hear.
      for (const connection of node.getConnections()) if (denied.has(connection.remotePeer.toString())) connection.abort(new Error('denied'));
    },
    stop: async () => {
      await node.stop();
    },
  };
}

/**
 * A node does not call one that it is connected to, so for whoever calls again the old connection is gone: a cable
 * was pulled, a machine slept. Two that call each other at the same moment keep both.
 */
function dropOlder(node: Libp2p<Services>, newest: Connection): void {
  for (const connection of node.getConnections(newest.remotePeer)) {
    if (connection !== newest && newest.timeline.open - connection.timeline.open > atOnceMs) connection.abort(new Error('there is a newer one'));
  }
}

function withId(address: string, peer: string): string {
  return address.includes('/p2p/') ? address : `${address}/p2p/${peer}`;
}
