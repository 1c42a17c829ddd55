/**
 * `/gidit/bundle/1`: one bundle in chunks of 1 MiB, each with its SHA-256.
 * Bundles of the same span differ from node to node, so what was broken off
 * goes on only where the whole file's digest is the same.
 */
import { createHash, type Hash } from 'node:crypto';
import { open, stat, truncate, type FileHandle } from 'node:fs/promises';
import { GitsyncError } from '../../errors.ts';
import type { BundleKey } from '../chain.ts';
import type { StreamHandler } from '../engine.ts';
import type { Channel } from './channel.ts';
import { readFrame, readJson, writeFrame, writeJson } from './frames.ts';
import { streamLimits, type StreamLimits } from './limits.ts';
import { deadline, within } from './deadline.ts';

export const bundleProtocol = '/gidit/bundle/1';

const chunkBytes = 1024 * 1024;
const digestBytes = 32;
const idPattern = /^[0-9a-f]{40}$/;
/** How long a whole bundle may take; one that comes steadily needs no more than this for the largest. */
const bundleMs = 3 * 3_600_000;

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

async function* chunksOf(handle: FileHandle, from: number): AsyncGenerator<Buffer> {
  const { size } = await handle.stat();
  for (let at = from * chunkBytes; at < size; at += chunkBytes) {
    // Most bundles are small; a mebibyte for each would stay with the process.
    const length = Math.min(chunkBytes, size - at);
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(length), 0, length, at);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

async function hashFile(file: string): Promise<Hash> {
  const hash = createHash('sha256');
  const handle = await open(file);
  try {
    for await (const chunk of chunksOf(handle, 0)) hash.update(chunk);
  } finally {
    await handle.close();
  }
  return hash;
}

/** Digests of files that were sent before; a bundle never changes under its name. */
const digests = new Map<string, string>();

async function digestOf(file: string, sizeBytes: number, changedMs: number): Promise<string> {
  const name = `${sizeBytes} ${changedMs} ${file}`;
  const known = digests.get(name) ?? (await hashFile(file)).digest('hex');
  if (digests.size > 10_000) digests.clear();
  digests.set(name, known);
  return known;
}

/** Sends bundles; `find` gives the file, or undefined. */
export function serveBundles(find: (bundle: BundleKey) => Promise<string | undefined>, limits: StreamLimits = streamLimits): StreamHandler {
  return async (channel) => {
    const signal = deadline(bundleMs);
    const { start, end, from, sha256: known } = await readJson(channel, signal, limits.answerMs);
    const isAsked = typeof start === 'string' && typeof end === 'string' && idPattern.test(start) && idPattern.test(end);
    const file = isAsked ? await find({ start, end }) : undefined;
    if (file === undefined) return writeJson(channel, { sizeBytes: -1 }, signal);
    const { size, mtimeMs } = await stat(file);
    const digest = await digestOf(file, size, mtimeMs);
    const first = known === digest && Number.isSafeInteger(from) && (from as number) > 0 && (from as number) * chunkBytes <= size ? (from as number) : 0;
    await writeJson(channel, { sizeBytes: size, sha256: digest, from: first }, signal);
    const handle = await open(file);
    try {
      for await (const chunk of chunksOf(handle, first)) {
        await within(limits.chunkMs, signal, (slow) => writeFrame(channel, Buffer.concat([sha256(chunk), chunk]), slow));
      }
    } finally {
      await handle.close();
    }
  };
}

/** What of a bundle has arrived; kept between attempts. */
export interface Download {
  /** Where the bytes are collected. */
  file: string;
  sha256: string | undefined;
  chunks: number;
}

/**
 * Receives a bundle into `download.file`. What arrived is kept when it breaks
 * off, and used by the next attempt.
 * @returns its size, or undefined where the other end does not have it.
 */
export async function receiveBundle(channel: Channel, bundle: BundleKey, download: Download, options: { signal: AbortSignal; onBytes?: (sizeBytes: number, totalBytes: number) => void; limits?: StreamLimits }): Promise<number | undefined> {
  const limits = options.limits ?? streamLimits;
  const signal = deadline(bundleMs, options.signal);
  await writeJson(channel, { ...bundle, from: download.chunks, sha256: download.sha256 ?? null }, signal);
  const { sizeBytes, sha256: digest, from } = await readJson(channel, signal, limits.answerMs);
  if (sizeBytes === -1) return undefined;
  if (!Number.isSafeInteger(sizeBytes) || (sizeBytes as number) < 0 || typeof digest !== 'string' || !/^[0-9a-f]{64}$/.test(digest) || (from !== 0 && (from !== download.chunks || digest !== download.sha256))) {
    throw new GitsyncError('corrupt', 'The other end does not say which bundle it sends.');
  }
  const total = sizeBytes as number;
  if (total > limits.maxBundleBytes) throw new GitsyncError('too-large', `A bundle of ${total} bytes is larger than the ${limits.maxBundleBytes} that are taken.`);
  if (from === 0) Object.assign(download, { sha256: digest, chunks: 0 });
  const handle = await open(download.file, from === 0 ? 'w' : 'r+', 0o600);
  try {
    for (; download.chunks * chunkBytes < total; download.chunks++) {
      const length = Math.min(chunkBytes, total - download.chunks * chunkBytes);
      const frame = await readFrame(channel, signal, limits.chunkMs, digestBytes + length);
      const chunk = frame.subarray(digestBytes);
      if (chunk.length !== length || !sha256(chunk).equals(frame.subarray(0, digestBytes))) throw new GitsyncError('corrupt', 'A part of a bundle arrived damaged.');
      await handle.write(chunk, 0, length, download.chunks * chunkBytes);
      options.onBytes?.(download.chunks * chunkBytes + length, total);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  await truncate(download.file, total);
  if ((await hashFile(download.file)).digest('hex') === digest) return total;
  Object.assign(download, { sha256: undefined, chunks: 0 });
  throw new GitsyncError('corrupt', 'A bundle that arrived is not the one that was announced.');
}
