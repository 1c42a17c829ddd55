/** What the daemon remembers beside the store: its own key, peers, what it holds and whom it refuses. */
import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GitsyncError } from '../errors.ts';
import { replaceDurably } from '../git/durable-file.ts';
import { formatAddress, parseAddress, type Address } from './address.ts';

/** Why a project is kept. */
export interface Held extends Address {
  /** `own`: published through this daemon; `mirror`: asked for, without the key. */
  how: 'own' | 'mirror';
  /** More than this of bundles is not taken. */
  maxBytes: number;
}

export interface NodeState {
  held: Held[];
  /** Addresses that were reached, the latest first. */
  peers: string[];
  /** Ids of nodes that are neither called nor answered. */
  denied: string[];
}

const maxRememberedPeers = 64;
/** For a mirrored project, where nothing else was said. */
export const defaultMirrorBytes = 2 * 1024 ** 3;

/** The directory of the daemon in a store, private to its owner. */
export async function openNodeDirectory(baseDir: string): Promise<string> {
  const directory = join(baseDir, 'daemon');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const info = await lstat(directory);
  if (!info.isDirectory() || info.uid !== process.getuid?.() || (info.mode & 0o077) !== 0) {
    throw new GitsyncError('config', `${directory} is not a private directory of yours.`, { hint: `look who made it, then: chmod 700 ${directory}` });
  }
  return directory;
}

/** The 32 bytes that make this node's id; made at the first start. */
export async function nodeSeed(directory: string): Promise<Buffer> {
  const file = join(directory, 'node-key');
  const known = await readFile(file).catch(() => undefined);
  if (known?.length === 32) return known;
  const seed = randomBytes(32);
  await replaceDurably(file, seed);
  return seed;
}

/** Reads what was remembered; entries that make no sense are left out. */
export async function readNodeState(directory: string): Promise<NodeState> {
  const text = await readFile(join(directory, 'state.json'), 'utf8').catch(() => '{}');
  let value: Partial<NodeState> = {};
  try {
    value = JSON.parse(text) as Partial<NodeState>;
  } catch {
    // Damaged: what is in the store can be mirrored again, peers are found again.
  }
  const strings = (list: unknown): string[] => (Array.isArray(list) ? list.filter((entry): entry is string => typeof entry === 'string') : []);
  return { held: (Array.isArray(value.held) ? value.held : []).flatMap(readHeld), peers: strings(value.peers).slice(0, maxRememberedPeers), denied: strings(value.denied) };
}

function readHeld(entry: Partial<Held>): Held[] {
  try {
    const address = parseAddress(`${String(entry.fingerprint)}/${String(entry.project)}`);
    return [{ ...address, how: entry.how === 'own' ? 'own' : 'mirror', maxBytes: Number.isSafeInteger(entry.maxBytes) ? (entry.maxBytes as number) : defaultMirrorBytes }];
  } catch {
    return [];
  }
}

export interface NodeMemory {
  readonly state: NodeState;
  findHeld(address: Address): Held | undefined;
  hold(held: Held): Promise<void>;
  release(address: Address): Promise<boolean>;
  rememberPeer(address: string): Promise<void>;
  deny(peers: readonly string[]): Promise<void>;
}

/** Opens the memory; every change is on disk when its promise resolves. */
export async function openNodeMemory(directory: string): Promise<NodeMemory> {
  const state = await readNodeState(directory);
  let writing: Promise<void> = Promise.resolve();
  const save = (): Promise<void> => {
    const next = writing.catch(() => undefined).then(() => replaceDurably(join(directory, 'state.json'), `${JSON.stringify(state, null, 1)}\n`));
    writing = next;
    return next;
  };
  const isAt = (address: Address) => (held: Held) => formatAddress(held) === formatAddress(address);
  return {
    state,
    findHeld: (address) => state.held.find(isAt(address)),
    async hold(held) {
      const known = state.held.find(isAt(held));
      // A project of one's own stays one's own when it is mirrored too.
      if (known?.how === held.how && known.maxBytes === held.maxBytes) return;
      state.held = [...state.held.filter((entry) => entry !== known), { ...held, how: known?.how === 'own' ? 'own' : held.how }];
      await save();
    },
    async release(address) {
      const before = state.held.length;
      state.held = state.held.filter((held) => !isAt(address)(held));
      if (state.held.length < before) await save();
      return state.held.length < before;
    },
    async rememberPeer(address) {
      if (state.peers[0] === address) return;
      state.peers = [address, ...state.peers.filter((known) => known !== address)].slice(0, maxRememberedPeers);
      await save();
    },
    async deny(peers) {
      state.denied = [...peers];
      await save();
    },
  };
}
