/**
 * Taking a stranger's bundle into a repository. Git's own ways
 * (`git bundle unbundle`, fetching from a bundle) ignore
 * `transfer.fsckObjects`, so a tree with a `.git` entry gets through (measured
 * with 2.39). Here everything happens in a quarantine first, as in
 * git-receive-pack(1): header, strict index-pack, sizes, connectivity; then the
 * pack is moved. No ref is touched and nothing is checked out.
 */
import { createReadStream } from 'node:fs';
import { mkdtemp, mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { join } from 'node:path';
import { formatByteSize } from '../core/byte-size.ts';
import { GitsyncError } from '../errors.ts';
import type { GitResult } from '../git/git.ts';
import { checkTips, maxHeaderBytes, parseBundleHeader, type BundleHeader } from './bundle-header.ts';
import { joinPacks, type PackPlace } from './join-packs.ts';
import { readByteSetting } from './limit-settings.ts';
import { readGiditConfig } from './node-settings.ts';
import { readPackIds } from './pack-index.ts';
import type { PushObject } from './push-object.ts';
import { Refusal } from './refusal.ts';
import { findMissing, gitFor, type GiditRepository } from './repository.ts';

export interface ImportLimits {
  maxBundleBytes: number;
  /** Uncompressed; a gigabyte of zeros packs into a megabyte. */
  maxObjectBytes: number;
  timeoutMs: number;
}

export const importLimits: ImportLimits = { maxBundleBytes: 500 * 1024 ** 2, maxObjectBytes: 2 * 1024 ** 3, timeoutMs: 30 * 60_000 };

export interface ImportOptions {
  limits?: Partial<ImportLimits>;
  signal?: AbortSignal;
  /** Ids behind which everything is known to be here: what is new is all that is walked. */
  complete?: readonly string[];
  /** Leaves a `.keep` beside the pack, so that no repack takes it before git has set its refs. */
  keep?: boolean;
}

export interface Imported {
  /** How many objects came. */
  count: number;
  /** Where exactly one pack came that needs nothing from elsewhere: its `.keep`, with `keep`. */
  keepFile: string | undefined;
}

/**
 * Imports the bundle at `file`, which must bring what `signed` says and what it builds on must be here.
 * @returns the number of new objects.
 * @throws Refusal `format`, `size`, `tips` or `objects`
 */
export async function importBundle(repository: GiditRepository, file: string, signed: PushObject, options: ImportOptions = {}): Promise<number> {
  return (await importChain(repository, [{ file, signed }], options)).count;
}

/**
 * Imports bundles that lead from one to the next as if they were one: their packs
 * go through git joined, so that a long chain costs no more runs of git than a short one.
 * @throws Refusal as above; it does not say which of them was bad.
 */
export async function importChain(repository: GiditRepository, chain: readonly { file: string; signed: PushObject }[], options: ImportOptions = {}): Promise<Imported> {
  const limits = { ...importLimits, ...(await readLimits(repository)), ...options.limits };
  const headers = await Promise.all(chain.map(({ file, signed }) => readChecked(repository, file, signed, limits)));
  const prerequisites = headers[0]?.header.prerequisites ?? [];
  const known = new Set(options.complete);
  const missing = await findMissing(repository, prerequisites.filter((id) => !known.has(id)));
  if (missing.length > 0) throw new Refusal('objects', `The bundle builds on ${missing[0] as string}, which is not here.`, { hint: 'an earlier bundle of the chain comes first' });
  await clearQuarantines(repository.objectDir);
  const quarantine = await mkdtemp(join(repository.objectDir, quarantinePrefix));
  try {
    const packs = chain.map(({ file }, i) => ({ file, sizeBytes: headers[i]?.sizeBytes as number, packOffset: headers[i]?.header.packOffset as number }));
    const isClosed = await indexInQuarantine({ repository, quarantine, limits, options }, packs, prerequisites.length === 0);
    const { signed } = chain.at(-1) as { signed: PushObject };
    const connected = (): Promise<void> => checkConnected({ repository, quarantine, limits, options }, signed);
    const [ids] = await Promise.all([checkSizes(repository, quarantine, limits), isClosed ? undefined : connected()]);
    const hasTips = signed.refs.every(({ id }) => ids.has(id));
    if (isClosed && !hasTips) await connected();
    const keepFile = await movePacks(quarantine, repository.objectDir, options.keep === true && isClosed && hasTips && ids.size > 0);
    return { count: ids.size, keepFile };
  } finally {
    await rm(quarantine, { recursive: true, force: true });
  }
}

/** The header, after everything that it says was compared with what was signed. */
async function readChecked(repository: GiditRepository, file: string, signed: PushObject, limits: ImportLimits): Promise<{ header: BundleHeader; sizeBytes: number }> {
  const { header, sizeBytes } = await readHeader(file);
  if (sizeBytes > limits.maxBundleBytes) throw new Refusal('size', `A bundle of ${formatByteSize(sizeBytes)}; ${formatByteSize(limits.maxBundleBytes)} is the most.`, { hint: 'git config gidit.maxBundleSize sets more' });
  // What it leaves out must be here: the connectivity check below asks for all that was signed.
  checkTips(header, signed, true);
  if (header.oidLength !== repository.oidLength) throw new Refusal('format', `The project has ids of ${header.oidLength} digits, this repository of ${repository.oidLength}.`, { hint: `git init --object-format=${header.oidLength === 64 ? 'sha256' : 'sha1'} makes one that fits` });
  return { header, sizeBytes };
}

async function readLimits({ gitDir }: GiditRepository): Promise<Partial<ImportLimits>> {
  const config = await readGiditConfig(gitDir);
  const [maxBundleBytes, maxObjectBytes] = [readByteSetting(config, 'maxBundleSize'), readByteSetting(config, 'maxObjectSize')];
  return { ...(maxBundleBytes === undefined ? {} : { maxBundleBytes }), ...(maxObjectBytes === undefined ? {} : { maxObjectBytes }) };
}

const quarantinePrefix = 'gidit-incoming-';

/** Removes what a crash left behind, once it is older than any import takes. */
async function clearQuarantines(objectDir: string): Promise<void> {
  for (const name of (await readdir(objectDir)).filter((each) => each.startsWith(quarantinePrefix))) {
    const path = join(objectDir, name);
    const info = await stat(path).catch(() => undefined);
    if (info !== undefined && Date.now() - info.mtimeMs > 2 * importLimits.timeoutMs) await rm(path, { recursive: true, force: true });
  }
}

/** Checks without importing that everything a PushObject points to is here and connects. */
export async function isComplete(repository: GiditRepository, signed: Pick<PushObject, 'refs'>): Promise<boolean> {
  const result = await gitFor(repository, connectivity, { input: idLines(signed), expect: [0, 1, 128], idleTimeoutMs: 3_600_000 });
  return result.exitCode === 0;
}

async function readHeader(file: string): Promise<{ header: BundleHeader; sizeBytes: number }> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.min(size, maxHeaderBytes)), 0, Math.min(size, maxHeaderBytes), 0);
    return { header: parseBundleHeader(buffer.subarray(0, bytesRead)), sizeBytes: size };
  } finally {
    await handle.close();
  }
}

function quarantineEnvironment(repository: GiditRepository, quarantine: string): Record<string, string> {
  return { GIT_OBJECT_DIRECTORY: quarantine, GIT_ALTERNATE_OBJECT_DIRECTORIES: repository.objectDir, GIT_QUARANTINE_PATH: quarantine };
}

interface Import {
  repository: GiditRepository;
  quarantine: string;
  limits: ImportLimits;
  options: ImportOptions;
}

/**
 * Indexes and checks the packs as one.
 * @param isFromNothing nothing that is here may be needed.
 * @returns whether no object points to anything outside of the pack, so that connectivity is proven.
 */
async function indexInQuarantine({ repository, quarantine, limits, options: { signal } }: Import, packs: readonly PackPlace[], isFromNothing: boolean): Promise<boolean> {
  await mkdir(join(quarantine, 'pack'));
  const [first] = packs as [PackPlace];
  // Old histories have modes with leading zeros, which harm nobody; every other warning of fsck counts as an error.
  const words = ['index-pack', '--stdin', isFromNothing ? '--check-self-contained-and-connected' : '--fix-thin', '--strict=zeroPaddedFilemode=ignore', `--max-input-size=${limits.maxBundleBytes * packs.length}`];
  const { exitCode } = await runGuarded(repository, words, {
    input: packs.length === 1 ? createReadStream(first.file, { start: first.packOffset }) : Readable.from(joinPacks(packs, repository.oidLength)),
    env: quarantineEnvironment(repository, quarantine),
    // Large blobs are streamed and not held in memory.
    config: ['core.bigFileThreshold=16m'],
    // 1: good, but something is pointed to that only the repository has.
    expect: isFromNothing ? [0, 1] : [0],
    idleTimeoutMs: limits.timeoutMs,
    timeoutMs: limits.timeoutMs,
    ...(signal === undefined ? {} : { signal }),
  });
  return isFromNothing && exitCode === 0;
}

type GuardedOptions = Parameters<typeof gitFor>[2];

/** What git finds wrong with a pack is a refusal; that it could not run is not. */
async function runGuarded(repository: GiditRepository, words: readonly string[], options: GuardedOptions): Promise<GitResult> {
  try {
    return await gitFor(repository, words, options);
  } catch (cause) {
    if (cause instanceof GitsyncError && ['timeout', 'interrupted', 'no-space', 'read-only'].includes(cause.kind)) throw cause;
    throw new Refusal('objects', 'Git refuses what a bundle brings.', { cause });
  }
}

/** Refuses objects that are too large once unpacked; gives the ids of all. */
async function checkSizes(repository: GiditRepository, quarantine: string, limits: ImportLimits): Promise<Set<string>> {
  const all = new Set<string>();
  for (const name of (await readdir(join(quarantine, 'pack'))).filter((each) => each.endsWith('.idx'))) {
    for (const id of await readPackIds(join(quarantine, 'pack', name), repository.oidLength)) all.add(id);
  }
  if (all.size === 0) return all;
  const { stdout } = await gitFor(repository, ['cat-file', '--buffer', '--batch-check=%(objectsize) %(objectname)'], { input: `${[...all].join('\n')}\n`, env: quarantineEnvironment(repository, quarantine) });
  for (const line of stdout.toString('latin1').split('\n')) {
    const size = Number.parseInt(line, 10);
    if (size > limits.maxObjectBytes) throw new Refusal('size', `The object ${line.split(' ')[1] ?? ''} has ${formatByteSize(size)}; ${formatByteSize(limits.maxObjectBytes)} is the most.`, { hint: 'git config gidit.maxObjectSize sets more' });
  }
  return all;
}

const connectivity = ['rev-list', '--objects', '--stdin', '--not', '--all', '--quiet'];

function idLines(signed: Pick<PushObject, 'refs'>): string {
  return [...new Set(signed.refs.map(({ id }) => id))].map((id) => `${id}\n`).join('');
}

async function checkConnected({ repository, quarantine, limits, options: { signal, complete = [] } }: Import, signed: PushObject): Promise<void> {
  await runGuarded(repository, connectivity, {
    input: idLines(signed) + complete.map((id) => `^${id}\n`).join(''),
    env: quarantineEnvironment(repository, quarantine),
    idleTimeoutMs: limits.timeoutMs,
    timeoutMs: limits.timeoutMs,
    ...(signal === undefined ? {} : { signal }),
  });
}

/** The index last: git looks for packs by it. */
async function movePacks(quarantine: string, objectDir: string, keep: boolean): Promise<string | undefined> {
  const index = (await readdir(join(quarantine, 'pack'))).find((name) => name.endsWith('.idx'));
  const keepName = keep ? index?.replace(/\.idx$/, '.keep') : undefined;
  if (keepName !== undefined) await writeFile(join(quarantine, 'pack', keepName), 'gidit\n');
  const names = await readdir(join(quarantine, 'pack'));
  await mkdir(join(objectDir, 'pack'), { recursive: true });
  const rank = (name: string): number => Number(name.endsWith('.idx'));
  for (const name of names.sort((a, b) => rank(a) - rank(b))) await rename(join(quarantine, 'pack', name), join(objectDir, 'pack', name));
  const directory = await open(join(objectDir, 'pack'));
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
  return keepName === undefined ? undefined : join(objectDir, 'pack', keepName);
}
