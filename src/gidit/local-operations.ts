/** What local programs may ask of the daemon. */
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GitsyncError } from '../errors.ts';
import { formatAddress, parseAddress, type Address } from './address.ts';
import type { BringOptions, BroughtBundle } from './bring-bundles.ts';
import type { DaemonParts, Watcher } from './daemon.ts';
import { bringFromAnybody } from './fresh-lookups.ts';
import { describeKeyTrouble } from './key-warnings.ts';
import type { LocalHandlers, LocalRequest } from './local-server.ts';
import { defaultMirrorBytes } from './node-files.ts';
import { nodeStatus } from './node-status.ts';

/** How much progress is told of: not more often than this. */
const sayEveryMs = 200;

type Operation = (parts: DaemonParts, request: LocalRequest) => Promise<unknown>;

function addressOf(args: Record<string, unknown>): Address {
  return parseAddress(String(args['address']));
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry): entry is string => typeof entry === 'string') : [];
}

/** What is known of a project after asking the cloud. An own project is there also without anybody else. */
const lookUpProject: Operation = async (parts, { args, gone }) => {
  const address = addressOf(args);
  const { node } = parts;
  const connected = node.engine.connections().length;
  const isHeld = node.memory.findHeld(address) !== undefined;
  // Somebody who pushes need not wait for nodes that are away.
  const lookup = connected === 0 ? { offers: new Map(), asked: 0 } : await parts.lookups.lookUp(address, gone);
  const known = (await node.holdings.tips(address)).length > 0;
  if (!known && args['mayBeNew'] !== true) {
    if (connected === 0) throw new GitsyncError('not-found', `${formatAddress(address)} is not here, and no peer is connected.`, { hint: 'git-gidit-daemon --peer ADDRESS joins one; git gidit status shows the addresses of a daemon' });
    throw new GitsyncError('not-found', `Nobody holds ${formatAddress(address)}, of ${connected} peers that are connected and those they know.`, { hint: 'check the fingerprint and the name; its holders may be offline' });
  }
  const key = await node.holdings.key(address);
  const keyTrouble = key === undefined ? undefined : describeKeyTrouble(key, formatAddress(address), args['mayBeNew'] === true);
  return { known, isHeld, connected, holders: lookup.offers.size, asked: lookup.asked, keyTrouble: keyTrouble ?? null };
};

const bring: Operation = async (parts, { args, gone, say }) => {
  const address = addressOf(args);
  const { node } = parts;
  const directory = join(parts.directory, 'incoming', randomBytes(8).toString('hex'));
  gone.addEventListener('abort', () => void rm(directory, { recursive: true, force: true }));
  const held = node.memory.findHeld(address);
  let saidMs = 0;
  const options: BringOptions = {
    have: textsOf(args['have']),
    want: String(args['want']),
    directory,
    keep: held !== undefined,
    maxBytes: typeof args['maxBytes'] === 'number' ? args['maxBytes'] : Number.MAX_SAFE_INTEGER,
    signal: gone,
    refused: (Array.isArray(args['refused']) ? args['refused'] : []) as BroughtBundle[],
    onBytes(sizeBytes, totalBytes) {
      if (Date.now() - saidMs < sayEveryMs && sizeBytes < totalBytes) return;
      saidMs = Date.now();
      void say({ sizeBytes, totalBytes }).catch(() => undefined);
    },
  };
  return { bundles: await bringFromAnybody(parts.lookups, node, address, await parts.lookups.lookUp(address, gone), options) };
};

const publish: Operation = async (parts, { args }) => {
  const address = addressOf(args);
  await parts.node.memory.hold({ ...address, how: 'own', maxBytes: defaultMirrorBytes });
  parts.refollow();
  const tip = (await parts.node.holdings.tips(address))[0];
  if (tip === undefined) throw new GitsyncError('usage', `Nothing of ${formatAddress(address)} is in the store.`, { hint: 'git push does both: git remote add cloud gidit::PROJECT && git push cloud' });
  for (const watcher of parts.watchers) if (watcher.addresses.some((each) => formatAddress(each) === formatAddress(address))) watcher.onMoved(address, tip.id);
  const published = await parts.publisher.publish(address);
  // What other devices have published meanwhile may be missing here; not now, when everybody comes for what is new.
  parts.keeper.keepLater(address);
  return { ...published, connected: parts.node.engine.connections().length };
};

const watch: Operation = async (parts, { args, gone, say }) => {
  const addresses = textsOf(args['addresses']).map((text) => parseAddress(text));
  const { holdings } = parts.node;
  const tell = async (address: Address, id: string): Promise<void> => {
    const tips = await holdings.tips(address);
    const object = tips.find((tip) => tip.id === id);
    await say({ moved: formatAddress(address), id, forked: tips.length > 1, refs: Object.fromEntries((object?.refs ?? []).map(({ id: oid, name }) => [name, oid])) });
  };
  const watcher: Watcher = { addresses, onMoved: (address, id) => void tell(address, id).catch(() => undefined) };
  parts.watchers.add(watcher);
  parts.refollow();
  await say({ live: true });
  // A word now and then, so that each end notices when the other is gone.
  const beat = setInterval(() => void say({ beat: true }).catch(() => undefined), 15_000);
  await new Promise<void>((resolve) => (gone.aborted ? resolve() : gone.addEventListener('abort', () => resolve())));
  clearInterval(beat);
  parts.watchers.delete(watcher);
  parts.refollow();
  return null;
};

const mirror: Operation = async (parts, { args, gone }) => {
  const address = addressOf(args);
  const maxBytes = typeof args['maxBytes'] === 'number' && args['maxBytes'] > 0 ? args['maxBytes'] : defaultMirrorBytes;
  const { holders } = (await lookUpProject(parts, { op: 'look-up', args, gone, say: () => Promise.resolve() })) as { holders: number };
  await parts.node.memory.hold({ ...address, how: 'mirror', maxBytes });
  parts.refollow();
  await parts.keeper.keep(address);
  const trouble = parts.keeper.troubles.get(formatAddress(address));
  if (trouble !== undefined) return { whole: false, trouble, holders };
  return { whole: true, holders, ...(await parts.publisher.publish(address)) };
};

const release: Operation = async (parts, { args }) => {
  const address = addressOf(args);
  const isReleased = await parts.node.memory.release(address);
  parts.refollow();
  if (isReleased && args['keepFiles'] !== true) await parts.node.holdings.release(address);
  return { released: isReleased };
};

const operations: Record<string, Operation> = {
  status: (parts) => nodeStatus(parts),
  'look-up': lookUpProject,
  bring,
  publish,
  watch,
  mirror,
  release,
  compare: async (parts) => {
    await parts.keeper.compareAll();
    return nodeStatus(parts);
  },
  join: async (parts, { args }) => ({ peer: await parts.joining.join(String(args['peer'])) }),
  deny: async (parts, { args }) => {
    const peers = textsOf(args['peers']);
    await parts.node.memory.deny(peers);
    parts.node.engine.deny(new Set(peers));
    parts.joining.wake();
    return { denied: peers };
  },
};

/** The handlers of the local door. */
export function createLocalHandlers(parts: DaemonParts): LocalHandlers {
  return {
    async handle(request) {
      const operation = operations[request.op];
      if (operation === undefined) throw new GitsyncError('usage', `The daemon does not know ${JSON.stringify(request.op)}.`, { hint: 'the daemon and this program are of different versions: start the daemon again' });
      return operation(parts, request);
    },
    async takeMessage(message, trusted) {
      const { node } = parts;
      const verified = await node.verify(message);
      if (!trusted && node.memory.findHeld(verified.address)?.how !== 'own') throw new GitsyncError('auth', 'Over 127.0.0.1 only projects are taken that this daemon has published before.');
      const intake = await node.holdings.put(verified);
      if (intake === 'gap') throw new GitsyncError('rejected', 'The PushObjects before this one are missing here.', { hint: 'send them first, oldest first' });
      await node.memory.hold({ ...verified.address, how: 'own', maxBytes: defaultMirrorBytes });
      parts.refollow();
      await parts.publisher.publish(verified.address);
      return verified.pushObject.id;
    },
  };
}
