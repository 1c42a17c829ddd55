/**
 * Taking a stranger's bundle into a repository. Git's own ways
 * (`git bundle unbundle`, fetching from a bundle) ignore
 * `transfer.fsckObjects`, so a tree with a `.git` entry gets through (measured
 * with 2.39). Here everything happens in a quarantine first, as in
 * git-receive-pack(1): header, strict index-pack, sizes, connectivity; then the
 * pack is moved. No ref is touched and nothing is checked out.
 */
import { createReadStream } from 'node:fs';
import { mkdtemp, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { formatByteSize } from '../core/byte-size.ts';
import { GitsyncError } from '../errors.ts';
import { checkTips, maxHeaderBytes, parseBundleHeader, type BundleHeader } from './bundle-header.ts';
import { readByteSetting } from './limit-settings.ts';
import { readGiditConfig } from './node-settings.ts';
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

/**
 * Imports the bundle at `file`, which must bring what `signed` says and what it builds on must be here.
 * @returns the number of new objects.
 * @throws Refusal `format`, `size`, `tips` or `objects`
 */
export async function importBundle(repository: GiditRepository, file: string, signed: PushObject, options: { limits?: Partial<ImportLimits>; signal?: AbortSignal } = {}): Promise<number> {
  const limits = { ...importLimits, ...(await readLimits(repository)), ...options.limits };
  const { header, sizeBytes } = await readHeader(file);
  if (sizeBytes > limits.maxBundleBytes) throw new Refusal('size', `A bundle of ${formatByteSize(sizeBytes)}; ${formatByteSize(limits.maxBundleBytes)} is the most.`, { hint: 'git config gidit.maxBundleSize sets more' });
  // What it leaves out must be here: the connectivity check below asks for all that was signed.
  checkTips(header, signed, true);
  if (header.oidLength !== repository.oidLength) throw new Refusal('format', `The project has ids of ${header.oidLength} digits, this repository of ${repository.oidLength}.`, { hint: `git init --object-format=${header.oidLength === 64 ? 'sha256' : 'sha1'} makes one that fits` });
  const missing = await findMissing(repository, header.prerequisites);
  if (missing.length > 0) throw new Refusal('objects', `The bundle builds on ${missing[0] as string}, which is not here.`, { hint: 'an earlier bundle of the chain comes first' });
  await clearQuarantines(repository.objectDir);
  const quarantine = await mkdtemp(join(repository.objectDir, quarantinePrefix));
  try {
    const count = await indexInQuarantine(repository, quarantine, file, header, limits, options.signal);
    await checkConnected(repository, quarantine, signed, limits, options.signal);
    await movePacks(quarantine, repository.objectDir);
    return count;
  } finally {
    await rm(quarantine, { recursive: true, force: true });
  }
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

async function indexInQuarantine(repository: GiditRepository, quarantine: string, file: string, header: BundleHeader, limits: ImportLimits, signal: AbortSignal | undefined): Promise<number> {
  await mkdir(join(quarantine, 'pack'));
  const env = quarantineEnvironment(repository, quarantine);
  // Old histories have modes with leading zeros, which harm nobody; every other warning of fsck counts as an error.
  const words = ['index-pack', '--stdin', '--fix-thin', '--strict=zeroPaddedFilemode=ignore', `--max-input-size=${limits.maxBundleBytes}`];
  await runGuarded(repository, words, {
    input: createReadStream(file, { start: header.packOffset }),
    env,
    // Large blobs are streamed and not held in memory.
    config: ['core.bigFileThreshold=16m'],
    idleTimeoutMs: limits.timeoutMs,
    timeoutMs: limits.timeoutMs,
    ...(signal === undefined ? {} : { signal }),
  });
  return checkSizes(repository, quarantine, limits);
}

type GuardedOptions = Parameters<typeof gitFor>[2];

/** What git finds wrong with a pack is a refusal; that it could not run is not. */
async function runGuarded(repository: GiditRepository, words: readonly string[], options: GuardedOptions): Promise<Buffer> {
  try {
    return (await gitFor(repository, words, options)).stdout;
  } catch (cause) {
    if (cause instanceof GitsyncError && ['timeout', 'interrupted', 'no-space', 'read-only'].includes(cause.kind)) throw cause;
    throw new Refusal('objects', 'Git refuses what a bundle brings.', { cause });
  }
}

async function checkSizes(repository: GiditRepository, quarantine: string, limits: ImportLimits): Promise<number> {
  const indexes = (await readdir(join(quarantine, 'pack'))).filter((name) => name.endsWith('.idx'));
  let count = 0;
  for (const name of indexes) {
    const listed = await gitFor(repository, ['show-index', `--object-format=${repository.oidLength === 64 ? 'sha256' : 'sha1'}`], { inputFile: join(quarantine, 'pack', name) });
    const ids = listed.stdout.toString('latin1').split('\n').flatMap((line) => line.split(' ')[1] ?? []);
    if (ids.length === 0) continue;
    count += ids.length;
    const { stdout } = await gitFor(repository, ['cat-file', '--batch-check=%(objectsize) %(objectname)'], { input: `${ids.join('\n')}\n`, env: quarantineEnvironment(repository, quarantine) });
    for (const line of stdout.toString('latin1').split('\n')) {
      const [size = '0', id = ''] = line.split(' ');
      if (Number(size) > limits.maxObjectBytes) throw new Refusal('size', `The object ${id} has ${formatByteSize(Number(size))}; ${formatByteSize(limits.maxObjectBytes)} is the most.`, { hint: 'git config gidit.maxObjectSize sets more' });
    }
  }
  return count;
}

const connectivity = ['rev-list', '--objects', '--stdin', '--not', '--all', '--quiet'];

function idLines(signed: Pick<PushObject, 'refs'>): string {
  return [...new Set(signed.refs.map(({ id }) => id))].map((id) => `${id}\n`).join('');
}

async function checkConnected(repository: GiditRepository, quarantine: string, signed: PushObject, limits: ImportLimits, signal: AbortSignal | undefined): Promise<void> {
  await runGuarded(repository, connectivity, {
    input: idLines(signed),
    env: quarantineEnvironment(repository, quarantine),
    idleTimeoutMs: limits.timeoutMs,
    timeoutMs: limits.timeoutMs,
    ...(signal === undefined ? {} : { signal }),
  });
}

/** The index last: git looks for packs by it. */
async function movePacks(quarantine: string, objectDir: string): Promise<void> {
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
}
