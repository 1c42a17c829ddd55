/** Downloads the bundles that lead from what is there to what is wanted, from whoever has them. */
import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GitsyncError } from '../errors.ts';
import { formatAddress, type Address } from './address.ts';
import { planBundles, type BundleKey, type OfferedBundle } from './chain.ts';
import type { CloudNode } from './cloud-node.ts';
import type { Lookup } from './lookup.ts';
import { bundleProtocol, receiveBundle, type Download } from './streams/bundle.ts';
import { deadline } from './streams/deadline.ts';

export interface BroughtBundle extends BundleKey {
  file: string;
  sizeBytes: number;
  /** The node that it came from; undefined: it was here. */
  peer: string | undefined;
}

export interface BringOptions {
  /** PushObjects whose objects are all there; none for everything. */
  have: readonly string[];
  want: string;
  /** Where downloads go. With `keep` they go on into the store. */
  directory: string;
  keep: boolean;
  maxBytes: number;
  signal: AbortSignal;
  onBytes?(sizeBytes: number, totalBytes: number): void;
  /** Bundles that turned out to be bad, and where they came from. */
  refused?: readonly (BundleKey & { peer: string | undefined })[];
}

const here = '';
const nameOf = ({ start, end }: BundleKey): string => `${start} ${end}`;

/**
 * Brings the bundles, in the order in which they have to be imported.
 * @throws GitsyncError `not-found` when no way leads there from what nodes offer.
 */
export async function bringBundles(node: CloudNode, address: Address, lookup: Lookup, options: BringOptions): Promise<BroughtBundle[]> {
  const objects = await node.holdings.links(address);
  const sources = await collectSources(node, address, lookup, options);
  const downloads = new Map<string, Download>();
  const brought = new Map<string, BroughtBundle>();
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  for (;;) {
    const offered = [...sources.values()].filter((source) => source.peers.length > 0).map(({ bundle }) => bundle);
    const plan = planBundles(options.have, options.want, objects, offered);
    if (plan === undefined) throw new GitsyncError('not-found', `Nobody who can be reached holds all of ${formatAddress(address)}.`, { hint: 'try again when more of its holders are online: git gidit status' });
    const totalBytes = plan.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    if (totalBytes > options.maxBytes) throw new GitsyncError('too-large', `${formatAddress(address)} needs ${totalBytes} bytes; ${options.maxBytes} is the most here.`, { hint: 'git gidit mirror --max-size raises the limit of a mirror' });
    const next = plan.find((bundle) => !brought.has(nameOf(bundle)));
    if (next === undefined) return plan.map((bundle) => brought.get(nameOf(bundle)) as BroughtBundle);
    const before = [...brought.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const source = sources.get(nameOf(next)) as Source;
    const bundle = await bringOne(node, address, source, { ...options, onBytes: (sizeBytes) => options.onBytes?.(before + sizeBytes, totalBytes) }, downloads);
    if (bundle !== undefined) brought.set(nameOf(next), bundle);
  }
}

interface Source {
  bundle: OfferedBundle;
  peers: string[];
}

async function collectSources(node: CloudNode, address: Address, lookup: Lookup, { refused = [] }: BringOptions): Promise<Map<string, Source>> {
  const sources = new Map<string, Source>();
  const isRefused = (bundle: BundleKey, peer: string): boolean => refused.some((bad) => nameOf(bad) === nameOf(bundle) && (bad.peer ?? here) === peer);
  const add = (bundle: OfferedBundle, peer: string): void => {
    if (isRefused(bundle, peer)) return;
    const source = sources.get(nameOf(bundle)) ?? { bundle, peers: [] };
    // What nodes say of the size is only a guess for planning; the lowest lie would hide the truth.
    if (bundle.sizeBytes > source.bundle.sizeBytes) source.bundle = bundle;
    source.peers.push(peer);
    sources.set(nameOf(bundle), source);
  };
  for (const bundle of await node.holdings.bundles(address)) add(bundle, here);
  for (const [peer, bundles] of lookup.offers) for (const bundle of bundles) add(bundle, peer);
  return sources;
}

/** One bundle from the first source that gives a good one; sources that do not are struck off. */
async function bringOne(node: CloudNode, address: Address, source: Source, options: BringOptions, downloads: Map<string, Download>): Promise<BroughtBundle | undefined> {
  const { bundle } = source;
  const peer = source.peers[0] as string;
  if (peer === here) {
    const file = await node.holdings.bundleFile(bundle);
    if (file !== undefined) return { ...bundle, file, peer: undefined };
    source.peers.shift();
    return undefined;
  }
  const download = downloads.get(nameOf(bundle)) ?? { file: options.keep ? await node.holdings.temporaryFile() : join(options.directory, `${randomBytes(8).toString('hex')}.bundle`), sha256: undefined, chunks: 0 };
  downloads.set(nameOf(bundle), download);
  try {
    const channel = await node.engine.open(peer, bundleProtocol, deadline(node.limits.answerMs, options.signal));
    let sizeBytes: number | undefined;
    try {
      sizeBytes = await receiveBundle(channel, bundle, download, { signal: options.signal, limits: { ...node.limits, maxBundleBytes: Math.min(node.limits.maxBundleBytes, options.maxBytes) }, ...(options.onBytes === undefined ? {} : { onBytes: options.onBytes }) });
    } finally {
      channel.abort();
    }
    if (sizeBytes === undefined) throw new GitsyncError('not-found', 'It does not have the bundle any more.');
    await node.holdings.checkBundle(address, bundle, download.file);
    if (!options.keep) return { ...bundle, sizeBytes, file: download.file, peer };
    await node.holdings.putBundle(address, bundle, download.file);
    return { ...bundle, sizeBytes, file: (await node.holdings.bundleFile(bundle)) as string, peer };
  } catch (error) {
    options.signal.throwIfAborted();
    node.log.debug('A node gave no good bundle', { project: formatAddress(address), peer, start: bundle.start, end: bundle.end, error: String(error) });
    source.peers.shift();
    if (source.peers.length === 0) await rm(download.file, { force: true });
    return undefined;
  }
}
