/**
 * OpenPGP, the public half: reading keys and checking signatures, in this
 * process (about 1 ms). Signing is gpg's (gpg.ts), where secret keys stay.
 */
import { createHash } from 'node:crypto';
import type { PublicKey, SignaturePacket } from 'openpgp';
import { Refusal } from './refusal.ts';
import { wireLimits } from './wire.ts';

/** Loaded with the first use, since most commands check no signature. */
const load = (): Promise<typeof import('openpgp')> => import('openpgp');

/** How far ahead another machine's clock may be. */
const clockSkewMs = 3_600_000;

/** What is known of a public key. */
export interface KeyInfo {
  /** Of the primary key, in upper case. */
  fingerprint: string;
  /** SHA-256 of the primary key's packet, pinned on first contact since a version 4 fingerprint is SHA-1. */
  packetSha256: string;
  userIds: string[];
  created: Date;
  /** Undefined when it never expires. */
  expires: Date | undefined;
  /** `hard` (compromised, or no reason given) counts for everything it ever signed, `soft` (retired, replaced) from `revokedAt` on. */
  revoked: 'no' | 'soft' | 'hard';
  revokedAt: Date | undefined;
  /** The binary key. */
  bytes: Buffer;
}

/** A key that was parsed, for checking signatures with. */
export interface ReadKey extends KeyInfo {
  readonly parsed: PublicKey;
}

/** `legacy` also takes what was good in 2009: DSA, SHA-1, RSA of 1024 bits. */
export type Strength = 'chain' | 'legacy';

/**
 * Reads the public keys of a binary block (`gpg --export`).
 * @param most how many there may be.
 * @throws Refusal `key`
 */
export async function readKeys(bytes: Uint8Array, most = 1): Promise<ReadKey[]> {
  if (bytes.length > wireLimits.maxKeyBytes) throw new Refusal('size', `A key of ${bytes.length} bytes; ${wireLimits.maxKeyBytes} is the most.`);
  const name = createHash('sha256').update(bytes).digest('hex');
  const keys = knownKeys.get(name) ?? (await parseKeys(bytes));
  if (knownKeys.size >= mostKnownKeys) knownKeys.clear();
  // The library notes on a signature that it was revoked at some date, and then takes it for revoked at any earlier one.
  if (!keys.some(({ parsed }) => hasRevocations(parsed))) knownKeys.set(name, keys);
  if (keys.length > most) throw new Refusal('key', `${keys.length} keys where ${most === 1 ? 'one' : `1 to ${most}`} can be.`);
  return keys;
}

/**
 * Keys by the SHA-256 of their bytes: reading one and checking its self-signatures
 * costs more than checking what it signed, and most messages are by a few keys.
 */
const knownKeys = new Map<string, ReadKey[]>();
const mostKnownKeys = 256;

function hasRevocations({ revocationSignatures, users, subkeys }: PublicKey): boolean {
  return revocationSignatures.length > 0 || [...users, ...subkeys].some((part) => part.revocationSignatures.length > 0);
}

async function parseKeys(bytes: Uint8Array): Promise<ReadKey[]> {
  const openpgp = await load();
  let keys;
  try {
    keys = await openpgp.readKeys({ binaryKeys: bytes });
  } catch (cause) {
    throw new Refusal('key', 'These bytes are no OpenPGP key.', { cause, hint: 'gpg --export FINGERPRINT writes one' });
  }
  if (keys.some((key) => key.isPrivate())) throw new Refusal('key', 'This is a secret key, which must never leave its owner.', { hint: 'gpg --export FINGERPRINT, not --export-secret-keys' });
  if (keys.length < 1 || keys.length > 2) throw new Refusal('key', `${keys.length} keys where one can be.`);
  // The bytes as they came, where they are one key's: their SHA-1 is a name of it.
  return Promise.all(keys.map((key) => describeKey(key as PublicKey, keys.length === 1 ? bytes : key.write())));
}

/** Reads one public key. @throws Refusal `key` */
export async function readKey(bytes: Uint8Array): Promise<ReadKey> {
  return (await readKeys(bytes))[0] as ReadKey;
}

async function describeKey(parsed: PublicKey, bytes: Uint8Array): Promise<ReadKey> {
  const revocations = await validRevocations(parsed);
  // The expiry that holds while the key is not revoked.
  const expiry = await parsed.getExpirationTime().catch(() => null);
  const soft = revocations.every(isSoft);
  return {
    fingerprint: parsed.getFingerprint().toUpperCase(),
    packetSha256: createHash('sha256').update(parsed.keyPacket.write()).digest('hex'),
    userIds: parsed.getUserIDs(),
    created: parsed.getCreationTime(),
    expires: expiry instanceof Date ? expiry : undefined,
    revoked: revocations.length === 0 ? 'no' : soft ? 'soft' : 'hard',
    revokedAt: revocations.map(({ created }) => created).reduce<Date | undefined>((first, at) => (at !== null && (first === undefined || at < first) ? at : first), undefined),
    bytes: Buffer.from(bytes),
    parsed,
  };
}

/** Revocations by the key itself whose signature is right. */
async function validRevocations(parsed: PublicKey): Promise<SignaturePacket[]> {
  const { enums } = await load();
  const checks = parsed.revocationSignatures.map(async (packet) => {
    await packet.verify(parsed.keyPacket, enums.signature.keyRevocation, { key: parsed.keyPacket }, null as never);
    return packet;
  });
  const results = await Promise.allSettled(checks);
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

/** RFC 9580, 5.2.3.31: 1 superseded, 3 retired; everything else may mean that somebody else has the key. */
function isSoft({ reasonForRevocationFlag }: SignaturePacket): boolean {
  return reasonForRevocationFlag === 1 || reasonForRevocationFlag === 3;
}

/**
 * Checks a detached signature over raw bytes: one signature by each of `keys`
 * and no other, made while the key was neither expired nor revoked.
 * @returns when it was signed.
 * @throws Refusal `signature`, `expired`, `revoked` or `time`
 */
export async function checkSignature(signedBytes: Uint8Array, armored: Uint8Array, keys: readonly ReadKey[], options: { now?: Date; strength?: Strength } = {}): Promise<Date> {
  const openpgp = await load();
  let packets: SignaturePacket[];
  try {
    packets = [...(await openpgp.readSignature({ armoredSignature: Buffer.from(armored).toString('latin1') })).packets] as SignaturePacket[];
  } catch (cause) {
    throw new Refusal('signature', 'The signature cannot be read.', { cause });
  }
  if (packets.length !== keys.length || packets.some(({ signatureType }) => signatureType !== openpgp.enums.signature.binary)) {
    throw new Refusal('signature', `There must be ${keys.length === 1 ? 'one detached signature' : 'one detached signature by each of the two keys'} over the lines.`, { hint: 'gpg --armor --detach-sign' });
  }
  const times = await Promise.all(keys.map((key) => checkOne(signedBytes, packets, key, options)));
  return times.reduce((latest, at) => (at > latest ? at : latest));
}

async function checkOne(signedBytes: Uint8Array, packets: readonly SignaturePacket[], key: ReadKey, options: { now?: Date; strength?: Strength }): Promise<Date> {
  const packet = packets.find(({ issuerKeyID }) => key.parsed.getKeys(issuerKeyID).length > 0);
  const created = packet?.created ?? undefined;
  if (packet === undefined || created === undefined) throw new Refusal('signature', `No signature is by the key ${key.fingerprint}.`);
  const latest = new Date((options.now ?? new Date()).getTime() + clockSkewMs);
  if (created > latest) throw new Refusal('time', `It was signed in the future, ${created.toISOString()}.`, { hint: 'check the clocks of both machines' });
  if (key.revoked === 'hard') throw new Refusal('revoked', `The key ${key.fingerprint} was revoked; nothing it signed counts.`);
  if (key.revoked === 'soft' && key.revokedAt !== undefined && created >= key.revokedAt) throw new Refusal('revoked', `The key ${key.fingerprint} was revoked before it signed this.`);
  await checkCrypto(signedBytes, packet, key, { created, latest, strength: options.strength ?? 'chain' });
  return created;
}

async function checkCrypto(signedBytes: Uint8Array, packet: SignaturePacket, key: ReadKey, at: { created: Date; latest: Date; strength: Strength }): Promise<void> {
  const openpgp = await load();
  const list = new openpgp.PacketList<SignaturePacket>();
  list.push(packet);
  try {
    const { signatures } = await openpgp.verify({
      message: await openpgp.createMessage({ binary: signedBytes }),
      signature: new openpgp.Signature(list),
      verificationKeys: key.parsed,
      // Whether the key was good is asked for the moment of signing. A minimal export keeps only the newest
      // self-signature, which is later than that once an expiry date was moved: then it is asked for when that was made.
      date: latestSelfSignature(key.parsed, at),
      config: { allowInsecureVerificationWithReformattedKeys: true, ...(at.strength === 'legacy' ? legacyConfig(openpgp) : {}) },
    });
    await signatures[0]?.verified;
    if (signatures.length !== 1) throw new Error('no signature was checked');
  } catch (cause) {
    throw explain(cause, key);
  }
}

function legacyConfig(openpgp: typeof import('openpgp')): object {
  const { md5, ripemd } = openpgp.enums.hash;
  return { rejectPublicKeyAlgorithms: new Set(), rejectMessageHashAlgorithms: new Set([md5, ripemd]), minRSABits: 1023 };
}

function latestSelfSignature(key: PublicKey, at: { created: Date; latest: Date }): Date {
  const { directSignatures } = key as PublicKey & { directSignatures: SignaturePacket[] }; // missing in the package's types
  const packets = [...directSignatures, ...key.users.flatMap(({ selfCertifications }) => selfCertifications), ...key.subkeys.flatMap(({ bindingSignatures }) => bindingSignatures)];
  const times = packets.flatMap(({ created }) => (created !== null && created <= at.latest ? [created.getTime()] : []));
  return new Date(Math.max(at.created.getTime(), ...times));
}

function explain(cause: unknown, key: KeyInfo): Refusal {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (/revoked/i.test(message)) return new Refusal('revoked', `The key ${key.fingerprint} was revoked before it signed this.`, { cause });
  if (/expired/i.test(message)) return new Refusal('expired', `The key ${key.fingerprint} had expired when it signed this.`, { cause, hint: 'gpg --quick-set-expire FINGERPRINT 2y, by its owner, who then publishes again' });
  return new Refusal('signature', `The signature is not good: ${message}.`, { cause });
}

/**
 * A key with what is new in another copy of it: a revocation that was seen once
 * stays, whatever an older copy says. Foreign signatures are left out.
 */
export async function mergeKeys(known: ReadKey, incoming: ReadKey): Promise<ReadKey> {
  const merged = (await known.parsed.update(incoming.parsed)) as PublicKey;
  for (const user of merged.users) user.otherCertifications = [];
  const same = [known, incoming].find((key) => Buffer.from(key.parsed.write()).equals(merged.write()));
  if (same !== undefined) return same;
  const read = await readKey(merged.write()).catch(() => undefined);
  if (read !== undefined) return read;
  // Together they are too large. A revocation goes before everything else, then whatever is newer.
  if (known.revoked !== 'no') return known;
  const newest = { created: new Date(0), latest: new Date(8.64e15) };
  return incoming.revoked !== 'no' || latestSelfSignature(incoming.parsed, newest) > latestSelfSignature(known.parsed, newest) ? incoming : known;
}
