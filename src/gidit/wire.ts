/** The message between client and daemon, and the value in the table: `[4 hex: size of pgpkey][pgpkey][projname]\n[pushobject]`. */
import { isProjectName } from './project-name.ts';
import { parsePushObject, formatPushObject, type PushObject } from './push-object.ts';
import { Refusal } from './refusal.ts';

export const wireLimits = { maxKeyBytes: 16_384, maxMessageBytes: 65_536 } as const;

/** Nothing in here is verified yet, see verify.ts. */
export interface WireMessage {
  /** Binary, as `gpg --export` writes it. */
  key: Buffer;
  project: string;
  pushObject: PushObject;
}

/**
 * Splits a message; every bound is checked before anything is copied.
 * @throws Refusal `size` or `format`
 */
export function decodeWire(bytes: Uint8Array): WireMessage {
  if (bytes.length > wireLimits.maxMessageBytes) throw new Refusal('size', `A message of ${bytes.length} bytes; ${wireLimits.maxMessageBytes} is the most.`);
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const digits = all.subarray(0, 4).toString('latin1');
  // parseInt would take "-001", "0x1f" and " +1f".
  if (!/^[0-9a-f]{4}$/.test(digits)) throw new Refusal('format', 'A message does not begin with the size of a key in four hexadecimal digits.');
  const keyBytes = Number.parseInt(digits, 16);
  if (keyBytes === 0 || keyBytes > wireLimits.maxKeyBytes) throw new Refusal('size', `A key of ${keyBytes} bytes; 1 to ${wireLimits.maxKeyBytes} are taken.`);
  if (all.length < 4 + keyBytes) throw new Refusal('format', 'A message ends within its key.');
  const nameAt = 4 + keyBytes;
  const nameEnd = all.subarray(nameAt, nameAt + 101).indexOf(10);
  const project = nameEnd < 0 ? '' : all.subarray(nameAt, nameAt + nameEnd).toString('latin1');
  if (!isProjectName(project)) throw new Refusal('format', 'A message has no name of a project behind its key.');
  const pushObject = parsePushObject(all.subarray(nameAt + nameEnd + 1));
  if (pushObject.diskPrev !== undefined) throw new Refusal('format', 'A message holds a PushObject in the form of the disk.');
  return { key: Buffer.from(all.subarray(4, nameAt)), project, pushObject };
}

/**
 * Puts a message together.
 * @throws Refusal `size` where no peer would take it.
 */
export function encodeWire(message: { key: Uint8Array; project: string; pushObject: Pick<PushObject, 'signedBytes' | 'signature'> }): Buffer {
  const { key, project } = message;
  if (key.length === 0 || key.length > wireLimits.maxKeyBytes) throw new Refusal('size', `The key has ${key.length} bytes; ${wireLimits.maxKeyBytes} is the most.`, { hint: 'export it without photos and foreign signatures: gpg --export-options export-minimal,no-export-attributes' });
  const digits = key.length.toString(16).padStart(4, '0');
  const bytes = Buffer.concat([Buffer.from(digits), key, Buffer.from(`${project}\n`), formatPushObject(message.pushObject)]);
  if (bytes.length > wireLimits.maxMessageBytes) {
    throw new Refusal('size', `The project's refs and key have ${bytes.length} bytes; ${wireLimits.maxMessageBytes} is the most.`, { hint: 'publish fewer branches and tags in one project' });
  }
  return bytes;
}
