/** Keys on disk: `pushobjects/<fingerprint>/PGP`, a pin of the primary key, and the names that the seed gives a key's directory. */
import { createHash } from 'node:crypto';
import { lstat, readlink, rename, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { isFingerprint } from './address.ts';
import { mergeKeys, readKey, type ReadKey } from './openpgp.ts';
import { Refusal } from './refusal.ts';
import { checkDirectory, listStored, readStored, writeStored } from './store-files.ts';
import { wireLimits } from './wire.ts';

/** SHA-1 of the exported key: the seed's name of its directory. */
export function seedNameOf(key: Uint8Array): string {
  return createHash('sha1').update(key).digest('hex');
}

/** The key as it is kept. */
export async function readStoredKey(base: string, fingerprint: string): Promise<ReadKey | undefined> {
  if (!isFingerprint(fingerprint)) return undefined;
  const bytes = await readStored(base, join(base, 'pushobjects', fingerprint, 'PGP'), wireLimits.maxKeyBytes);
  return bytes === undefined ? undefined : readKey(bytes);
}

/**
 * Keeps a key, together with what is known of it already.
 * @param given the bytes as they came, whose SHA-1 becomes one more name of the directory.
 * @throws Refusal `key` where another key with the same fingerprint was seen first.
 */
export async function storeKey(base: string, key: ReadKey, given: Uint8Array = key.bytes): Promise<ReadKey> {
  const directory = join(base, 'pushobjects', key.fingerprint);
  const pin = (await readStored(base, join(directory, '.pin'), 4096))?.toString('latin1').trim();
  if (pin !== undefined && pin !== key.packetSha256) {
    throw new Refusal('key', `Another key than the one that was seen first says it is ${key.fingerprint}.`, { hint: 'somebody has made a second key with the same fingerprint; do not trust either' });
  }
  const known = await readStoredKey(base, key.fingerprint);
  const merged = known === undefined ? key : await mergeKeys(known, key);
  if (pin === undefined) await writeStored(base, join(directory, '.pin'), `${key.packetSha256}\n`);
  if (known === undefined || !merged.bytes.equals(known.bytes)) await writeStored(base, join(directory, 'PGP'), merged.bytes);
  await linkSeedName(base, seedNameOf(given), key.fingerprint);
  return merged;
}

async function linkSeedName(base: string, name: string, fingerprint: string): Promise<void> {
  await symlink(fingerprint, join(base, 'pushobjects', name)).catch((error: unknown) => {
    if (errnoOf(error) !== 'EEXIST') throw error;
  });
}

/**
 * The fingerprint that a seed's name (SHA-1 of an exported key) stands for. A
 * directory of 2009, which has that very name, gets the new one first.
 * @throws Refusal `store` for a link that leads elsewhere.
 */
export async function resolveSeedName(base: string, name: string): Promise<string | undefined> {
  if (!/^[0-9a-f]{40}$/.test(name) || !(await checkDirectory(base, join(base, 'pushobjects'), false))) return undefined;
  const path = join(base, 'pushobjects', name);
  const info = await lstat(path).catch(() => undefined);
  if (info === undefined) return undefined;
  if (info.isSymbolicLink()) {
    const target = await readlink(path);
    if (isFingerprint(target)) return target;
    throw new Refusal('store', `${path} leads out of the store.`, { hint: `rm ${path}` });
  }
  const bytes = info.isDirectory() ? await readStored(base, join(path, 'PGP'), wireLimits.maxKeyBytes) : undefined;
  if (bytes === undefined) return undefined;
  const { fingerprint } = await readKey(bytes);
  await rename(path, join(base, 'pushobjects', fingerprint));
  await linkSeedName(base, name, fingerprint);
  return fingerprint;
}

/** The fingerprints of all keys here. */
export async function listStoredKeys(base: string): Promise<string[]> {
  return (await listStored(base, join(base, 'pushobjects'))).filter(isFingerprint).sort();
}
