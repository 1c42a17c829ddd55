/**
 * PushObjects: a signed snapshot of a repository's refs, one line for each.
 * Parsing is strict and byte for byte: every accepted text is exactly what
 * `formatPushObject` would write, so that one content has one id.
 */
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { isRefName } from './ref-name.ts';
import { Refusal } from './refusal.ts';

/** One ref and the object it points to. */
export interface RefEntry {
  /** 40 hexadecimal digits, or 64 in a SHA-256 repository. */
  id: string;
  /** `HEAD` or a full ref name; bytes as UTF-8. */
  name: string;
}

/** What ties an object to its project and to the one before it. */
export interface Chain {
  /** See `projectId` in address.ts. */
  project: string;
  /** Ids of the PushObjects before this one: zeros for the first; two, in byte order, where a fork was healed. */
  prev: string[];
  /** 1 for the first, then one more than the highest of `prev`. */
  seq: bigint;
  /** The fingerprint (upper case) of the key that takes over; such an object is the last of its project and signed by both keys. */
  successor?: string;
}

export interface PushObject {
  /** HEAD first where there is one, then byte order. */
  refs: RefEntry[];
  /** Undefined in objects of 2009, which bind neither project nor predecessor. */
  chain: Chain | undefined;
  /** The lines above the signature. */
  signedBytes: Buffer;
  /** Armored, from BEGIN to END with its newline. */
  signature: Buffer;
  /** SHA-1 of `signedBytes`. */
  id: string;
  /** From the line PREV, which only the form on disk has. */
  diskPrev: string | undefined;
}

export interface PushObjectLimits {
  maxBytes: number;
  maxRefs: number;
}

/** "64 KiB in all" is the whole message's limit; no object can be larger. */
export const pushObjectLimits: PushObjectLimits = { maxBytes: 65_536, maxRefs: 1_300 };

/** The id that stands for "nothing before". */
export const zeroId = '0'.repeat(40);

const beginSignature = '-----BEGIN PGP SIGNATURE-----\n';
const endSignature = '-----END PGP SIGNATURE-----\n';
const prevLine = /^([0-9a-f]{40}) PREV\n$/;
const reservedPrefix = 'refs/gidit/';

/** The SHA-1 of the lines above a signature. */
export function idOf(signedBytes: Uint8Array): string {
  return createHash('sha1').update(signedBytes).digest('hex');
}

/**
 * Reads a PushObject in the form of the wire or (with PREV) of the disk.
 * @throws Refusal `size` or `format`
 */
export function parsePushObject(bytes: Uint8Array, limits: PushObjectLimits = pushObjectLimits): PushObject {
  if (bytes.length > limits.maxBytes) throw new Refusal('size', `A PushObject of ${bytes.length} bytes; ${limits.maxBytes} is the most.`);
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const { body, signature, tail } = splitSignature(all);
  const diskPrev = tail.length === 0 ? undefined : prevLine.exec(tail.toString('latin1'))?.[1];
  if (tail.length > 0 && diskPrev === undefined) throw new Refusal('format', 'Something follows the signature of a PushObject.');
  return { ...parseSigned(body, limits), signature: Buffer.from(signature), diskPrev };
}

/** Reads the lines above the signature; for those who are about to sign them. */
export function parseSigned(body: Uint8Array, limits: PushObjectLimits = pushObjectLimits): PushObject {
  const lines = readLines(Buffer.from(body.buffer, body.byteOffset, body.length), limits);
  const firstChain = lines.findIndex(({ name }) => name.startsWith(reservedPrefix));
  const refs = firstChain < 0 ? lines : lines.slice(0, firstChain);
  checkRefs(refs);
  const chain = firstChain < 0 ? undefined : readChain(lines.slice(firstChain));
  if (chain === undefined && refs.length === 0) throw new Refusal('format', 'A PushObject without a line.');
  const signedBytes = Buffer.from(body);
  return { refs, chain, signedBytes, signature: Buffer.alloc(0), id: idOf(signedBytes), diskPrev: undefined };
}

function splitSignature(all: Buffer): { body: Buffer; signature: Buffer; tail: Buffer } {
  const begin = all.indexOf(beginSignature);
  if (begin < 0 || (begin > 0 && all[begin - 1] !== 10)) throw new Refusal('format', 'A PushObject without a signature.');
  const end = all.indexOf(endSignature, begin);
  if (end < 0 || all[end - 1] !== 10) throw new Refusal('format', 'A PushObject whose signature has no end.');
  const after = end + endSignature.length;
  const signature = all.subarray(begin, after);
  if (all.indexOf(beginSignature, begin + 1) >= 0 || /[^\n\r\t -~]/.test(signature.toString('latin1'))) throw new Refusal('format', 'A PushObject whose signature is not plain armor.');
  return { body: all.subarray(0, begin), signature, tail: all.subarray(after) };
}

function readLines(body: Buffer, limits: PushObjectLimits): RefEntry[] {
  const lines: RefEntry[] = [];
  for (let at = 0; at < body.length; ) {
    const end = body.indexOf(10, at);
    if (end < 0) throw new Refusal('format', 'A PushObject whose last line has no end.');
    if (lines.length === limits.maxRefs) throw new Refusal('size', `A PushObject with more than ${limits.maxRefs} refs.`);
    lines.push(readLine(body.subarray(at, end)));
    at = end + 1;
  }
  return lines;
}

function readLine(line: Buffer): RefEntry {
  const space = line.indexOf(32);
  const id = line.subarray(0, Math.max(space, 0)).toString('latin1');
  const nameBytes = line.subarray(space + 1);
  const name = nameBytes.toString('utf8');
  if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(id)) throw new Refusal('format', 'A line of a PushObject does not begin with an object id.');
  // What is no UTF-8 would come out of git as other bytes than were signed.
  if (!isUtf8(nameBytes) || (name !== 'HEAD' && !isRefName(name))) throw new Refusal('format', 'A line of a PushObject does not name a ref.');
  return { id, name };
}

function checkRefs(refs: readonly RefEntry[]): void {
  const length = refs[0]?.id.length;
  for (const [index, { id, name }] of refs.entries()) {
    if (id.length !== length) throw new Refusal('format', 'A PushObject mixes SHA-1 and SHA-256.');
    if (/^0+$/.test(id)) throw new Refusal('format', `A PushObject points ${name} at nothing.`);
    if (name === 'HEAD' && index !== 0) throw new Refusal('format', 'HEAD is not the first line of a PushObject.');
    if (index > 0 && compareNames((refs[index - 1] as RefEntry).name, name) >= 0) throw new Refusal('format', 'The refs of a PushObject are not in byte order.');
  }
}

/** HEAD before everything, else byte order. */
export function compareNames(a: string, b: string): number {
  if (a === 'HEAD' || b === 'HEAD') return Number(b === 'HEAD') - Number(a === 'HEAD');
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** The lines project, prev (one or two), successor (rarely), seq: in this order, or none of them. */
function readChain(lines: readonly RefEntry[]): Chain {
  const names = lines.map(({ name }) => (name.startsWith(reservedPrefix) ? name.slice(reservedPrefix.length) : '?')).join(' ');
  if (!/^project prev (prev )?(successor )?seq$/.test(names)) throw new Refusal('format', 'The lines refs/gidit/project, prev and seq are not all there, in this order.');
  if (lines.some(({ id }) => id.length !== 40)) throw new Refusal('format', 'The lines refs/gidit/ have ids of 40 digits.');
  const [project, ...rest] = lines.map(({ id }) => id) as [string, ...string[]];
  const seq = BigInt(`0x${rest.pop() as string}`);
  const successor = names.includes('successor') ? rest.pop()?.toUpperCase() : undefined;
  checkChain(rest, seq);
  return { project, prev: rest, seq, ...(successor === undefined ? {} : { successor }) };
}

function checkChain(prev: readonly string[], seq: bigint): void {
  if (seq === 0n) throw new Refusal('format', 'Sequence numbers begin at 1.');
  if (prev[0] === zeroId && (prev.length > 1 || seq !== 1n)) throw new Refusal('format', 'Only the first object of a project has nothing before it, and its number is 1.');
  if (prev.length === 2 && (prev[0] as string) >= (prev[1] as string)) throw new Refusal('format', 'Two predecessors are in byte order and not the same.');
}

/** The lines above the signature. Refs are put in order. */
export function formatSigned(refs: readonly RefEntry[], chain: Chain | undefined): Buffer {
  const lines = [...refs].sort((a, b) => compareNames(a.name, b.name)).map(({ id, name }) => `${id} ${name}\n`);
  if (chain !== undefined) {
    lines.push(`${chain.project} refs/gidit/project\n`);
    for (const id of [...chain.prev].sort()) lines.push(`${id} refs/gidit/prev\n`);
    if (chain.successor !== undefined) lines.push(`${chain.successor.toLowerCase()} refs/gidit/successor\n`);
    lines.push(`${formatSeq(chain.seq)} refs/gidit/seq\n`);
  }
  return Buffer.from(lines.join(''));
}

/** 40 hexadecimal digits. */
export function formatSeq(seq: bigint): string {
  return seq.toString(16).padStart(40, '0');
}

/** The form of the wire, or with `prev` that of the disk. */
export function formatPushObject(object: Pick<PushObject, 'signedBytes' | 'signature'>, prev?: string): Buffer {
  return Buffer.concat([object.signedBytes, object.signature, ...(prev === undefined ? [] : [Buffer.from(`${prev} PREV\n`)])]);
}

/** Splits a list of PushObjects in the form of the wire, one right behind the other. */
export function splitPushObjects(bytes: Uint8Array, limits: PushObjectLimits = pushObjectLimits): PushObject[] {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const objects: PushObject[] = [];
  for (let at = 0; at < all.length; ) {
    const end = all.indexOf(endSignature, at);
    if (end < 0) throw new Refusal('format', 'A list of PushObjects does not end in a signature.');
    objects.push(parsePushObject(all.subarray(at, end + endSignature.length), limits));
    at = end + endSignature.length;
  }
  return objects;
}
