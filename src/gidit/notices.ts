/** Who wants to hear of what: nodes that follow us, and projects that we follow elsewhere. */
import { GitsyncError } from '../errors.ts';
import { formatAddress, recordKey, type Address } from './address.ts';
import type { CloudNode } from './cloud-node.ts';
import { connectedPeers } from './engine.ts';
import { askHolder } from './lookup.ts';
import { notifyProtocol, sendFollow, sendNotice, serveNotify } from './streams/notify.ts';
import { deadline } from './streams/deadline.ts';

export interface Notices {
  /** Replaces the projects that we want to hear of. */
  follow(addresses: readonly Address[]): void;
  /** Whether some node that is connected has promised to tell us of this project. */
  isLive(address: Address): boolean;
  /** Tells followers, and those who hold the project, of its newest object; the number that took it. */
  announce(address: Address, message: Uint8Array, except: string | undefined): Promise<number>;
  close(): void;
}

export interface NoticeTimes {
  /** How often we look for somebody to follow, where nobody is. */
  lookMs: number;
  /** Notices that one node may send in ten seconds; each costs the check of a signature. */
  perTenSeconds: number;
}

const noticeTimes: NoticeTimes = { lookMs: 30_000, perTenSeconds: 100 };
const followDelayMs = 20;
const toldAtOnce = 64;

/**
 * Serves and sends notices.
 * @param onWish decides whether a project is held, of which another node asks it.
 */
export async function startNotices(node: CloudNode, onWish: (message: Buffer) => Promise<boolean> = () => Promise.resolve(false), times: NoticeTimes = noticeTimes): Promise<Notices> {
  const { engine, log } = node;
  let wanted = new Map<string, Address>();
  /** Record keys that each node wants to hear of. */
  const followers = new Map<string, ReadonlySet<string>>();
  /** Nodes that hold a project that we follow, and know that we do. */
  const followed = new Map<string, Set<string>>();
  const counts = new Map<string, number>();
  let closed = false;

  const takeMessage = async (message: Buffer, peer: string): Promise<void> => {
    const verified = await node.verify(message);
    if (!wanted.has(recordKey(verified.address))) return; // nothing of strangers
    node.holders.add(verified.address, peer);
    followed.set(recordKey(verified.address), (followed.get(recordKey(verified.address)) ?? new Set()).add(peer));
    // What comes between is in the list of the one who told us.
    if ((await node.takeIn(verified, peer)) === 'gap') await askHolder(node, verified.address, peer, deadline(node.limits.listMs));
  };
  const followAt = async (peer: string): Promise<void> => {
    if (closed || wanted.size === 0) return;
    const signal = deadline(2 * node.limits.answerMs);
    try {
      const channel = await engine.open(peer, notifyProtocol, signal);
      try {
        for (const message of await sendFollow(channel, [...wanted.keys()], signal, node.limits)) await takeMessage(message, peer);
      } finally {
        channel.abort();
      }
    } catch (error) {
      log.debug('A node could not be followed', { peer, error: String(error) });
      if (signal.aborted) engine.hangUp(peer);
    }
  };
  /** Whoever could not be told asks for the newest when it is connected again: a connection that seems to stand would hide that it missed something. */
  const missed = (peer: string, error: unknown): false => {
    log.debug('A node could not be told', { peer, error: String(error) });
    if (followers.has(peer)) engine.hangUp(peer);
    return false;
  };
  const countOne = (peer: string): void => {
    const count = (counts.get(peer) ?? 0) + 1;
    counts.set(peer, count);
    if (count > times.perTenSeconds) throw new GitsyncError('rejected', 'A node sends too many notices.');
  };
  const followEverywhere = (): Promise<unknown> => Promise.all([...connectedPeers(engine)].map(followAt));

  /** For projects that no connected node holds: looks in the table who does, and connects by asking. */
  const look = async (): Promise<void> => {
    for (const [key, address] of wanted) {
      if (closed || isLive(address)) continue;
      const signal = deadline(node.limits.answerMs);
      for await (const peer of engine.findHolders(key, signal)) {
        node.holders.add(address, peer);
        await followAt(peer);
        if (isLive(address)) break;
      }
    }
  };
  const isLive = (address: Address): boolean => (followed.get(recordKey(address))?.size ?? 0) > 0;

  engine.onPeer((peer, connected) => {
    if (connected) return void followAt(peer);
    followers.delete(peer);
    for (const peers of followed.values()) peers.delete(peer);
  });
  await engine.serve(
    notifyProtocol,
    serveNotify(
      {
        async onNotice(message, peer) {
          countOne(peer);
          await takeMessage(message, peer);
        },
        onWish(message, peer) {
          countOne(peer);
          return onWish(message);
        },
        async onFollow(keys, peer) {
          followers.set(peer, keys);
          const held = node.memory.state.held.filter((address) => keys.has(recordKey(address)));
          const messages = await Promise.all(held.map((address) => node.holdings.newestMessage(address)));
          return messages.filter((message): message is Buffer => message !== undefined);
        },
      },
      node.limits,
    ),
  );
  const forget = setInterval(() => counts.clear(), 10_000).unref();
  const looking = setInterval(() => void look().catch((error: unknown) => log.debug('Looking for holders failed', { error: String(error) })), times.lookMs).unref();
  let soon: NodeJS.Timeout | undefined;

  return {
    isLive,
    follow(addresses) {
      const next = new Map(addresses.map((address) => [recordKey(address), address]));
      const isSame = next.size === wanted.size && [...next.keys()].every((key) => wanted.has(key));
      wanted = next;
      for (const key of followed.keys()) if (!next.has(key)) followed.delete(key);
      if (isSame) return;
      clearTimeout(soon);
      soon = setTimeout(() => void followEverywhere().then(look).catch(() => undefined), followDelayMs).unref();
    },
    async announce(address, message, except) {
      const key = recordKey(address);
      const wishing = [...followers].filter(([, keys]) => keys.has(key)).map(([peer]) => peer);
      const peers = [...new Set([...wishing, ...node.holders.of(address)])].filter((peer) => peer !== except && peer !== engine.id).slice(0, toldAtOnce);
      const told = await Promise.all(peers.map((peer) => tell(node, peer, message).then(() => true, (error: unknown) => missed(peer, error))));
      log.debug('Told of a move', { project: formatAddress(address), nodes: told.filter(Boolean).length });
      return told.filter(Boolean).length;
    },
    close() {
      closed = true;
      clearInterval(forget);
      clearInterval(looking);
      clearTimeout(soon);
    },
  };
}

async function tell(node: CloudNode, peer: string, message: Uint8Array): Promise<void> {
  const signal = deadline(node.limits.answerMs);
  const channel = await node.engine.open(peer, notifyProtocol, signal);
  try {
    await sendNotice(channel, message, signal, node.limits);
  } finally {
    channel.abort();
  }
}
