/** Bundles on disk: `bundles/<start, first 2>/<rest>/<end>`; the later layout of the C code is read too. */
import { constants } from 'node:fs';
import { lstat, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Readable } from 'node:stream';
import { errnoOf } from '../errors.ts';
import type { BundleKey, OfferedBundle } from './chain.ts';
import { zeroId } from './push-object.ts';
import { Refusal } from './refusal.ts';
import { checkDirectory, listStored, moveStored, readStored, temporaryFile } from './store-files.ts';

/** A bundle that is there. */
export interface StoredBundle extends OfferedBundle {
  path: string;
}

const idPattern = /^[0-9a-f]{40}$/;

function pathsOf(base: string, { start, end }: BundleKey): { file: string; later: string } {
  if (!idPattern.test(start) || !idPattern.test(end)) throw new Refusal('format', 'A bundle is named by two ids of 40 hexadecimal digits.');
  return { file: join(base, 'bundles', start.slice(0, 2), start.slice(2), end), later: join(base, 'bundles', start, end) };
}

/** A plain file's size; undefined for anything else. */
async function sizeOf(path: string): Promise<number | undefined> {
  const info = await lstat(path).catch(() => undefined);
  return info?.isFile() === true ? info.size : undefined;
}

/** Finds a bundle in either layout. */
export async function findBundle(base: string, key: BundleKey): Promise<StoredBundle | undefined> {
  const { file, later } = pathsOf(base, key);
  if (await checkDirectory(base, join(file, '..'), false)) {
    const sizeBytes = await sizeOf(file);
    if (sizeBytes !== undefined) return { ...key, path: file, sizeBytes };
  }
  if (!(await checkDirectory(base, join(later, '..'), false)) || (await lstat(later).catch(() => undefined))?.isDirectory() !== true) return undefined;
  // BUNDLES lists the files by the SHA-1 of their content; any of them will do.
  const names = (await readStored(base, join(later, 'BUNDLES'), 65_536))?.toString('latin1').split('\n') ?? [];
  for (const name of names.filter((each) => idPattern.test(each))) {
    const sizeBytes = await sizeOf(join(later, name));
    if (sizeBytes !== undefined) return { ...key, path: join(later, name), sizeBytes };
  }
  return undefined;
}

/** The bundles between any two of these ids, and from nothing. */
export async function findBundlesAmong(base: string, ids: readonly string[]): Promise<StoredBundle[]> {
  const wanted = new Set(ids);
  const found: StoredBundle[] = [];
  for (const { start, directory } of await listStarts(base, new Set([zeroId, ...ids]))) {
    for (const end of await listStored(base, directory)) {
      const bundle = wanted.has(end) ? await findBundle(base, { start, end }) : undefined;
      if (bundle !== undefined && !found.some((each) => each.path === bundle.path)) found.push(bundle);
    }
  }
  return found;
}

/** The directories of the starts that are wanted, in both layouts. */
async function listStarts(base: string, wanted: ReadonlySet<string>): Promise<{ start: string; directory: string }[]> {
  const root = join(base, 'bundles');
  const starts: { start: string; directory: string }[] = [];
  const prefixes = new Set([...wanted].map((id) => id.slice(0, 2)));
  for (const name of await listStored(base, root)) {
    if (wanted.has(name)) starts.push({ start: name, directory: join(root, name) });
    else if (prefixes.has(name)) for (const rest of await listStored(base, join(root, name))) if (wanted.has(name + rest)) starts.push({ start: name + rest, directory: join(root, name, rest) });
  }
  return starts;
}

/** Collects a stream into a temporary file of the store. @throws Refusal `size` */
export async function receiveInto(base: string, source: Readable | Uint8Array, maxBytes: number): Promise<{ path: string; sizeBytes: number }> {
  const path = await temporaryFile(base);
  const handle = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL);
  let sizeBytes = 0;
  const count = async function* (chunks: AsyncIterable<Buffer> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) throw new Refusal('size', `A bundle of more than ${maxBytes} bytes.`);
      yield chunk;
    }
  };
  try {
    await pipeline(count(source instanceof Uint8Array ? [source] : source), async (chunks: AsyncIterable<Uint8Array>) => {
      for await (const chunk of chunks) await handle.writeFile(chunk);
    });
    await handle.sync();
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
  return { path, sizeBytes };
}

/** Puts a whole, flushed temporary file in place. One that is there is left: it does the same. */
export async function placeBundle(base: string, key: BundleKey, temporary: string): Promise<void> {
  const { file } = pathsOf(base, key);
  if ((await findBundle(base, key)) === undefined) await moveStored(base, temporary, file);
  else await rm(temporary, { force: true });
}

/** Removes a bundle that is in our layout. */
export async function removeBundle(base: string, key: BundleKey): Promise<void> {
  const { file } = pathsOf(base, key);
  if (!(await checkDirectory(base, join(file, '..'), false))) return;
  await rm(file, { force: true }).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error;
  });
}
