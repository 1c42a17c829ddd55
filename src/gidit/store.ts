/**
 * The store of PushObjects, keys and bundles, in the layout of the seed:
 *
 *     pushobjects/<fingerprint>/<project>/<id>, HEAD     and PGP beside the projects, .links as an index
 *     pushobjects/<SHA-1 of the exported key> -> <fingerprint>
 *     bundles/<start, first 2>/<rest>/<end>
 *
 * and, beside those, `seen` (highest number of each project, for ever), `locks`
 * and `tmp`. Several programs may use one store at a time.
 */
import { mkdir, open, realpath, rm, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GitsyncError } from '../errors.ts';
import { takeLock } from '../process/process-lock.ts';
import { formatAddress, isFingerprint, type Address } from './address.ts';
import { checkTips, maxHeaderBytes, parseBundleHeader } from './bundle-header.ts';
import { findBundle, findBundlesAmong, placeBundle, receiveInto, removeBundle, type StoredBundle } from './bundle-store.ts';
import type { BundleKey } from './chain.ts';
import type { Links } from './fork.ts';
import { listStoredKeys, readStoredKey, resolveSeedName, storeKey } from './key-store.ts';
import type { ReadKey } from './openpgp.ts';
import { isProjectName } from './project-name.ts';
import { zeroId, type PushObject } from './push-object.ts';
import { putInProject, type PutResult } from './put-push-object.ts';
import { Refusal } from './refusal.ts';
import { checkDirectory, clearTemporaryFiles, listStored, temporaryFile } from './store-files.ts';
import { projectFiles, type ProjectFiles } from './store-project.ts';
import { blockBytes, countUsage, defaultLimits, type StoreLimits, type Usage } from './store-usage.ts';
import type { Verified } from './verify.ts';
import { encodeWire } from './wire.ts';

export interface StoreOptions {
  limits?: Partial<StoreLimits>;
  /** Keys that no quota holds for. */
  isOwn?: (fingerprint: string) => boolean;
}

export interface Store {
  readonly base: string;
  /** Takes a verified object and its key. @throws Refusal `rollback`, `chain`, `quota` or `key` */
  putPushObject(verified: Verified): Promise<PutResult>;
  /** The newest object; while there is a fork, the last one before it was seen. */
  newest(address: Address): Promise<PushObject | undefined>;
  readObject(address: Address, id: string): Promise<PushObject | undefined>;
  /** Newest first, along all predecessors that are here. */
  list(address: Address, most?: number): Promise<PushObject[]>;
  /** The links of all objects here, for chain.ts. */
  links(address: Address): Promise<Map<string, Links>>;
  /** The tips of an open fork (two or more ids), or none. */
  forks(address: Address): Promise<string[]>;
  /** The highest number ever seen, also of projects that are no longer here. */
  highestSeen(address: Address): Promise<{ id: string; seq: bigint } | undefined>;
  /** The message in the form of the wire for an object here; the newest without `id`. */
  message(address: Address, id?: string): Promise<Buffer | undefined>;
  projects(): Promise<Address[]>;
  key(fingerprint: string): Promise<ReadKey | undefined>;
  /** Keeps a key, and makes a project for it where one is named. */
  addKey(key: ReadKey, given?: Uint8Array, project?: string): Promise<ReadKey>;
  /** The fingerprint for the SHA-1 of an exported key. */
  resolveSeedName(sha1: string): Promise<string | undefined>;
  /**
   * Keeps a bundle between two objects of a project (start zeros: from nothing) after checking that it brings what was signed.
   * @param source bytes, a stream, or a file made by `temporaryFile`, which is moved.
   * @throws Refusal `size`, `format`, `tips` or `quota`
   */
  putBundle(address: Address, key: BundleKey, source: Readable | Uint8Array | { file: string }): Promise<StoredBundle>;
  findBundle(key: BundleKey): Promise<StoredBundle | undefined>;
  listBundles(address: Address): Promise<StoredBundle[]>;
  removeBundle(address: Address, key: BundleKey): Promise<void>;
  /** Removes what is held of a project; the highest number stays known. */
  removeProject(address: Address): Promise<void>;
  /** A file on the same disk for what is about to be put; remove it when it was not. */
  temporaryFile(): Promise<string>;
  usage(): Promise<Usage>;
}

const lockDeadlineMs = 20_000;

/**
 * Opens (and where needed makes) a store.
 * @param baseDir absolute
 */
export async function openStore(baseDir: string, options: StoreOptions = {}): Promise<Store> {
  if (!baseDir.startsWith('/')) throw new GitsyncError('usage', `${JSON.stringify(baseDir)} is not an absolute path.`, { hint: 'git gidit -b /var/gidit ...' });
  await mkdir(baseDir, { recursive: true });
  // The base itself may be reached by links of its owner's choice.
  const base = await realpath(baseDir);
  for (const part of ['pushobjects', 'bundles', 'seen', 'locks', 'tmp']) await checkDirectory(base, join(base, part), true);
  await clearTemporaryFiles(base);
  return makeStore(base, options);
}

/** One after another within this process; the lock file does it between processes. */
const queues = new Map<string, Promise<unknown>>();

async function withLock<T>(base: string, { fingerprint, project }: Address, work: () => Promise<T>): Promise<T> {
  const file = join(base, 'locks', `${fingerprint}-${project}`);
  const mine = (queues.get(file) ?? Promise.resolve()).then(async () => {
    const until = Date.now() + lockDeadlineMs;
    for (;;) {
      const lock = await takeLock(file, `The project ${project}`, 'git gidit status').catch((error: unknown) => {
        if (!(error instanceof GitsyncError) || error.kind !== 'locked' || Date.now() > until) throw error;
      });
      if (lock !== undefined) return work().finally(() => lock.release());
      await sleep(20);
    }
  });
  const settled = mine.catch(() => undefined);
  queues.set(file, settled);
  try {
    return await mine;
  } finally {
    if (queues.get(file) === settled) queues.delete(file);
  }
}

function makeStore(base: string, options: StoreOptions): Store {
  const limits = { ...defaultLimits, ...options.limits };
  const filesOf = (address: Address): ProjectFiles => {
    if (!isFingerprint(address.fingerprint) || !isProjectName(address.project)) throw new Refusal('format', `${JSON.stringify(formatAddress(address))} is no address.`);
    return projectFiles(base, address);
  };
  const isOwn = options.isOwn ?? (() => false);
  let counted: Promise<Usage> | undefined;
  const usage = (): Promise<Usage> => (counted ??= projects().then((all) => countUsage(base, all, limits, isOwn)));
  // Counting looks at everything that is here, so it is left out where no limit holds.
  const charge = async (address: Address, bytes: number, taken: boolean): Promise<void> => {
    if (isOwn(address.fingerprint) && counted === undefined) return;
    if (taken) (await usage()).add(address, bytes);
    else (await usage()).check(address, bytes);
  };

  async function projects(): Promise<Address[]> {
    const all: Address[] = [];
    for (const fingerprint of await listStoredKeys(base)) {
      const names = await listStored(base, join(base, 'pushobjects', fingerprint));
      all.push(...names.filter(isProjectName).sort().map((project) => ({ fingerprint, project })));
    }
    return all;
  }

  async function putPushObject({ address, key, successor, pushObject }: Verified): Promise<PutResult> {
    const files = filesOf(address);
    await charge(address, blockBytes, false);
    return withLock(base, address, async () => {
      await storeKey(base, key);
      if (successor !== undefined) await storeKey(base, successor);
      const result = await putInProject(files, pushObject);
      if (result.outcome === 'new' || result.outcome === 'fork') await charge(address, blockBytes, true);
      return result;
    });
  }

  async function newest(address: Address): Promise<PushObject | undefined> {
    const head = await filesOf(address).readHead();
    return head === undefined ? undefined : filesOf(address).readObject(head);
  }

  async function list(address: Address, most = 10_000): Promise<PushObject[]> {
    const files = filesOf(address);
    const head = await newest(address);
    const found: PushObject[] = [];
    const rest = new Map(head === undefined ? [] : [[head.id, head]]);
    while (rest.size > 0 && found.length < most) {
      // After a heal there are two lines; whoever reads the list meets each object before what it names.
      const next = [...rest.values()].reduce((best, each) => ((files.lookUp(each.id)?.seq ?? 0n) > (files.lookUp(best.id)?.seq ?? 0n) ? each : best));
      rest.delete(next.id);
      found.push(next);
      for (const id of files.lookUp(next.id)?.prev ?? []) {
        const before = id === zeroId ? undefined : await files.readObject(id);
        if (before !== undefined) rest.set(id, before);
      }
    }
    return found;
  }

  async function message(address: Address, id?: string): Promise<Buffer | undefined> {
    const pushObject = id === undefined ? await newest(address) : await filesOf(address).readObject(id);
    const keys = [address.fingerprint, ...(pushObject?.chain?.successor === undefined ? [] : [pushObject.chain.successor])];
    const found = await Promise.all(keys.map((fingerprint) => readStoredKey(base, fingerprint)));
    if (pushObject === undefined || found.some((key) => key === undefined)) return undefined;
    return encodeWire({ key: Buffer.concat(found.map((key) => (key as ReadKey).bytes)), project: address.project, pushObject });
  }

  async function putBundle(address: Address, key: BundleKey, source: Readable | Uint8Array | { file: string }): Promise<StoredBundle> {
    const files = filesOf(address);
    const signed = await files.readObject(key.end);
    if (signed === undefined || (key.start !== zeroId && files.lookUp(key.start) === undefined)) throw new Refusal('tips', `The bundle leads between objects that ${formatAddress(address)} does not have.`, { hint: 'git gidit --updatepl with the PushObject comes before --store-bundle' });
    const received = 'file' in source ? { path: source.file, sizeBytes: (await stat(source.file)).size } : await receiveInto(base, source, limits.maxBundleBytes);
    try {
      if (received.sizeBytes > limits.maxBundleBytes) throw new Refusal('size', `A bundle of ${received.sizeBytes} bytes; ${limits.maxBundleBytes} is the most.`);
      checkTips(parseBundleHeader(await readStart(received.path)), signed, key.start !== zeroId);
      await charge(address, received.sizeBytes, false);
      const wasThere = (await findBundle(base, key)) !== undefined;
      await placeBundle(base, key, received.path);
      if (!wasThere) await charge(address, received.sizeBytes, true);
    } catch (error) {
      await rm(received.path, { force: true });
      throw error;
    }
    return (await findBundle(base, key)) as StoredBundle;
  }

  async function dropBundle(address: Address, key: BundleKey): Promise<void> {
    const found = await findBundle(base, key);
    if (found === undefined) return;
    await removeBundle(base, key);
    await charge(address, -found.sizeBytes, true);
  }

  return {
    base,
    putPushObject,
    newest,
    readObject: (address, id) => filesOf(address).readObject(id),
    list,
    links: (address) => filesOf(address).readLinks(),
    forks: (address) => filesOf(address).readTips(),
    highestSeen: (address) => filesOf(address).readSeen(),
    message,
    projects,
    key: (fingerprint) => readStoredKey(base, fingerprint),
    async addKey(key, given, project) {
      const kept = await storeKey(base, key, given);
      if (project !== undefined) await checkDirectory(base, join(base, 'pushobjects', filesOf({ fingerprint: key.fingerprint, project }).address.fingerprint, project), true);
      return kept;
    },
    resolveSeedName: (sha1) => resolveSeedName(base, sha1),
    putBundle,
    findBundle: (key) => findBundle(base, key),
    listBundles: async (address) => findBundlesAmong(base, await filesOf(address).listIds()),
    removeBundle: dropBundle,
    async removeProject(address) {
      const files = filesOf(address);
      await withLock(base, address, async () => {
        for (const bundle of await findBundlesAmong(base, await files.listIds())) await dropBundle(address, bundle);
        const directory = join(base, 'pushobjects', address.fingerprint, address.project);
        if (await checkDirectory(base, directory, false)) await rm(directory, { recursive: true, force: true });
        counted = undefined;
      });
    },
    temporaryFile: () => temporaryFile(base),
    usage,
  };
}

async function readStart(path: string): Promise<Buffer> {
  const handle = await open(path);
  try {
    const length = Math.min(maxHeaderBytes, (await handle.stat()).size);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
