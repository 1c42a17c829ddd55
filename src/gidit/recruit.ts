/**
 * New mirrors where some have gone. Nodes keep nothing of strangers, so only those
 * agree whose owners have named the key: `git config --global --add gidit.mirrorFor FINGERPRINT`.
 */
import { formatAddress, type Address } from './address.ts';
import type { CloudNode } from './cloud-node.ts';
import { connectedPeers } from './engine.ts';
import { defaultMirrorBytes } from './node-files.ts';
import { notifyProtocol, sendWish } from './streams/notify.ts';
import { deadline } from './streams/deadline.ts';

export interface RecruitSettings {
  /** Nodes that shall hold each project, this one among them; fewer, and others are asked. */
  copies: number;
  /** Fingerprints of keys whose projects this node holds when it is asked to. */
  mirrorFor: ReadonlySet<string>;
}

/** In one round; what is missing then is asked for in the next. */
const mostAsked = 32;

/**
 * Asks connected nodes, one after another, to hold a project, until there are enough.
 * @param holders nodes that hold it now, without this one.
 * @returns how many agreed.
 */
export async function askForMirrors(node: CloudNode, address: Address, holders: readonly string[], { copies }: RecruitSettings): Promise<number> {
  const message = await node.holdings.newestMessage(address);
  const others = [...connectedPeers(node.engine)].filter((peer) => !holders.includes(peer));
  let missing = copies - 1 - holders.length;
  let agreed = 0;
  for (const peer of shuffle(others).slice(0, mostAsked)) {
    if (missing <= 0 || message === undefined) break;
    if (!(await askOne(node, peer, message))) continue;
    missing -= 1;
    agreed += 1;
    node.holders.add(address, peer);
    node.log.info('A node agreed to hold a project', { project: formatAddress(address), peer });
  }
  return agreed;
}

async function askOne(node: CloudNode, peer: string, message: Uint8Array): Promise<boolean> {
  const signal = deadline(node.limits.answerMs);
  try {
    const channel = await node.engine.open(peer, notifyProtocol, signal);
    try {
      return await sendWish(channel, message, signal, node.limits);
    } finally {
      channel.abort();
    }
  } catch (error) {
    node.log.debug('A node could not be asked to hold a project', { peer, error: String(error) });
    return false;
  }
}

/** Not the same ones first each time: they may be those that say no. */
function shuffle<T>(list: readonly T[]): T[] {
  return list.map((value) => ({ value, order: Math.random() })).sort((a, b) => a.order - b.order).map(({ value }) => value);
}

/**
 * Decides about the wish of another node, and holds the project where its key was named.
 * @param begin brings it, after the answer was given.
 */
export async function answerWish(node: CloudNode, message: Uint8Array, { mirrorFor }: RecruitSettings, begin: (address: Address) => void): Promise<boolean> {
  const { address } = await node.verify(message);
  if (node.memory.findHeld(address) !== undefined) return true;
  if (!mirrorFor.has(address.fingerprint)) return false;
  await node.memory.hold({ ...address, how: 'mirror', maxBytes: defaultMirrorBytes });
  begin(address);
  return true;
}
