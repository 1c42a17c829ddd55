/** `/gidit/polist/1`: a project's PushObjects, and which bundles the other node has. */
import { GitsyncError } from '../../errors.ts';
import { isFingerprint, type Address } from '../address.ts';
import type { OfferedBundle } from '../chain.ts';
import type { StreamHandler } from '../engine.ts';
import { isProjectName } from '../project-name.ts';
import { formatPushObject, splitPushObjects, type PushObject } from '../push-object.ts';
import { wireLimits } from '../wire.ts';
import type { Channel } from './channel.ts';
import { readFrame, readJson, writeFrame, writeJson } from './frames.ts';
import { streamLimits, type StreamLimits } from './limits.ts';
import { deadline } from './deadline.ts';

export const polistProtocol = '/gidit/polist/1';

export interface ProjectList {
  /** The publisher's key, as `gpg --export` writes it. */
  key: Buffer;
  /** Oldest first. */
  objects: PushObject[];
  bundles: OfferedBundle[];
}

const idPattern = /^[0-9a-f]{40}$/;
/** PushObjects of one frame together; one more may be as large as a message. */
const frameBytes = 512 * 1024;
const maxSince = 256;

/** Reads an address that a stranger sent. */
export function readAddress(value: unknown): Address {
  const { fingerprint, project } = (value ?? {}) as Partial<Address>;
  if (typeof fingerprint !== 'string' || typeof project !== 'string' || !isFingerprint(fingerprint) || !isProjectName(project)) throw new GitsyncError('corrupt', 'The other end names no project.');
  return { fingerprint, project };
}

/** Answers with what `find` gives: the list without what lies behind the objects that the other end has. */
export function servePolist(find: (address: Address, since: readonly string[]) => Promise<ProjectList | undefined>, limits: StreamLimits = streamLimits): StreamHandler {
  return async (channel) => {
    const signal = deadline(limits.listMs);
    const request = await readJson(channel, signal, limits.answerMs);
    const since = Array.isArray(request['since']) ? request['since'].slice(0, maxSince).filter((id): id is string => typeof id === 'string' && idPattern.test(id)) : [];
    const list = await find(readAddress(request), since);
    if (list === undefined) return writeJson(channel, { objects: -1 }, signal);
    // The newest are what the other end needs, where not all may go.
    const objects = list.objects.slice(-limits.maxListObjects);
    await writeJson(channel, { objects: objects.length }, signal);
    await writeFrame(channel, list.key, signal);
    await writeFrame(channel, Buffer.from(JSON.stringify(list.bundles.slice(-limits.maxOffers).map(({ start, end, sizeBytes }) => [start, end, sizeBytes]))), signal);
    for (let at = 0; at < objects.length; ) {
      const parts: Buffer[] = [];
      for (let size = 0; at < objects.length && size < frameBytes; at++) {
        const part = formatPushObject(objects[at] as PushObject);
        parts.push(part);
        size += part.length;
      }
      await writeFrame(channel, Buffer.concat(parts), signal);
    }
  };
}

function readOffers(bytes: Buffer, limits: StreamLimits): OfferedBundle[] {
  const value: unknown = JSON.parse(bytes.toString('utf8'));
  if (!Array.isArray(value) || value.length > limits.maxOffers) throw new GitsyncError('corrupt', 'The other end offers something that is not a list of bundles.');
  return value.map((entry: unknown) => {
    const [start, end, sizeBytes] = (Array.isArray(entry) ? entry : []) as unknown[];
    const isOffer = typeof start === 'string' && typeof end === 'string' && idPattern.test(start) && idPattern.test(end) && Number.isSafeInteger(sizeBytes) && (sizeBytes as number) >= 0;
    if (!isOffer) throw new GitsyncError('corrupt', 'The other end offers something that is not a bundle.');
    return { start, end, sizeBytes: sizeBytes as number };
  });
}

/**
 * Asks for a project's list; nothing of the answer is verified. Undefined: the
 * other end does not have the project.
 * @param since ids of objects that are here already.
 */
export async function askPolist(channel: Channel, address: Address, since: readonly string[], signal: AbortSignal, limits: StreamLimits = streamLimits): Promise<ProjectList | undefined> {
  const total = deadline(limits.listMs, signal);
  await writeJson(channel, { ...address, since: since.slice(0, maxSince) }, total);
  const { objects: count } = await readJson(channel, total, limits.answerMs);
  if (count === -1) return undefined;
  if (!Number.isSafeInteger(count) || (count as number) < 0 || (count as number) > limits.maxListObjects) throw new GitsyncError('corrupt', 'The other end announces a list that is too long.');
  const key = await readFrame(channel, total, limits.answerMs, wireLimits.maxKeyBytes);
  const bundles = readOffers(await readFrame(channel, total, limits.answerMs), limits);
  const objects: PushObject[] = [];
  for (let sizeBytes = 0; objects.length < (count as number); ) {
    const part = await readFrame(channel, total, limits.chunkMs);
    sizeBytes += part.length;
    if (part.length === 0 || sizeBytes > limits.maxListBytes) throw new GitsyncError('too-large', 'The other end sends a list that is too long.');
    objects.push(...splitPushObjects(part));
  }
  if (objects.length !== count) throw new GitsyncError('corrupt', 'The other end sends another number of objects than it announced.');
  return { key, objects, bundles };
}
