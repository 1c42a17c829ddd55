/** From bytes of a stranger to a PushObject that its key's owner signed for this project. */
import { formatAddress, projectId, type Address } from './address.ts';
import { checkSignature, readKeys, type ReadKey, type Strength } from './openpgp.ts';
import type { PushObject } from './push-object.ts';
import { Refusal } from './refusal.ts';
import { decodeWire, encodeWire } from './wire.ts';

/** A PushObject that was checked in every respect that can be checked without its predecessor. */
export interface Verified {
  address: Address;
  pushObject: PushObject;
  key: ReadKey;
  /** The key that takes over, where the object says so. */
  successor: ReadKey | undefined;
  signedAt: Date;
  /** The form of the wire, for passing it on. */
  message: Buffer;
}

export interface VerifyOptions {
  now?: Date;
  /** `legacy` also takes objects of 2009, which could be replayed: for local use only. */
  strength?: Strength;
}

/**
 * Checks a message: size, form, key, project, signature, expiry, revocation.
 * @throws Refusal
 */
export async function verifyMessage(bytes: Uint8Array, options: VerifyOptions = {}): Promise<Verified> {
  const { key, project, pushObject } = decodeWire(bytes);
  return verifyObject(key, project, pushObject, options);
}

/**
 * Checks one PushObject (of a list, or of a file) with its key.
 * @param keyBytes binary: one key, or two where the object names a successor.
 * @throws Refusal
 */
export async function verifyObject(keyBytes: Uint8Array, project: string, pushObject: PushObject, options: VerifyOptions = {}): Promise<Verified> {
  const chain = pushObject.chain;
  if (chain === undefined && options.strength !== 'legacy') {
    throw new Refusal('legacy', 'The PushObject does not say which project it belongs to and what it follows.', { hint: 'objects of 2009 are taken locally only, with: git config gidit.minSignature legacy' });
  }
  const keys = await readKeys(keyBytes, chain?.successor === undefined ? 1 : 2);
  const key = keys[0] as ReadKey;
  const address = { fingerprint: key.fingerprint, project };
  if (chain !== undefined && chain.project !== projectId(address)) throw new Refusal('binding', `The PushObject was not signed for ${formatAddress(address)}.`);
  if (chain?.successor !== keys[1]?.fingerprint) throw new Refusal('key', 'The key that takes over is not in the message.');
  const signedAt = await checkSignature(pushObject.signedBytes, pushObject.signature, keys, options);
  return { address, pushObject, key, successor: keys[1], signedAt, message: encodeWire({ key: keyBytes, project, pushObject }) };
}
