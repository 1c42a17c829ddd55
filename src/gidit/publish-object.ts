/** From refs to the next PushObject of one's own project: signed, in the store, with the bundles that lead to it. */
import { rm } from 'node:fs/promises';
import { GitsyncError } from '../errors.ts';
import { projectId, type Address } from './address.ts';
import { createBundle } from './bundle.ts';
import { ancestorAt, planBundles, rollUpDistances, supersededBundles } from './chain.ts';
import { linksOf, nextChain } from './fork.ts';
import { exportKey, signDetached, type Gpg } from './gpg.ts';
import { formatSigned, parseSigned, zeroId, type PushObject, type RefEntry } from './push-object.ts';
import type { GiditRepository } from './repository.ts';
import type { Store } from './store.ts';
import { verifyObject, type Verified } from './verify.ts';

/** Where an object is published. */
export interface Publication {
  store: Store;
  address: Address;
  /** Has everything that the refs point to. */
  repository: GiditRepository;
  gpg?: Gpg;
}

/**
 * Signs the next object behind `tips`.
 * @param successor the fingerprint of the key that takes over, which signs too.
 * @throws GitsyncError `signing`
 */
export async function signNext(address: Address, refs: readonly RefEntry[], tips: readonly PushObject[], gpg: Gpg = {}, successor?: string): Promise<Verified> {
  const chain = { ...nextChain(projectId(address), tips.map(linksOf)), ...(successor === undefined ? {} : { successor }) };
  const unsigned = parseSigned(formatSigned(refs, chain));
  const keys = [address.fingerprint, ...(successor === undefined ? [] : [successor])];
  const signature = await signDetached(unsigned.signedBytes, keys, gpg);
  const exported = await Promise.all(keys.map((key) => exportKey(key, gpg)));
  // Nobody would take what we ourselves do not.
  return verifyObject(Buffer.concat(exported), address.project, { ...unsigned, signature });
}

/**
 * Publishes refs in the store: bundles are made first, since an object without a
 * way to it would leave everybody else behind.
 * @throws GitsyncError `rejected` when the project moved meanwhile.
 */
export async function publishObject(publication: Publication, refs: readonly RefEntry[], tips: readonly PushObject[], successor?: string): Promise<PushObject> {
  const { store, address } = publication;
  const chain = nextChain(projectId(address), tips.map(linksOf));
  const coming = parseSigned(formatSigned(refs, { ...chain, ...(successor === undefined ? {} : { successor }) }));
  const made: { start: string; file: string }[] = [];
  try {
    for (const start of await planSpans(publication, coming, tips)) made.push({ start, file: await makeBundle(publication, coming, start) });
    const verified = await signNext(address, refs, tips, publication.gpg, successor);
    const { outcome } = await store.putPushObject(verified);
    if (outcome !== 'new' && outcome !== 'known') throw new GitsyncError('rejected', 'The project moved just now.', { hint: 'git pull, then push again' });
    for (const { start, file } of made) await store.putBundle(address, { start, end: coming.id }, { file });
    await dropSuperseded(publication, verified.pushObject);
    return verified.pushObject;
  } finally {
    await Promise.all(made.map(({ file }) => rm(file, { force: true })));
  }
}

/** From where bundles are made: always from what the object follows, and now and then from further back. */
async function planSpans({ store, address }: Publication, object: PushObject, tips: readonly PushObject[]): Promise<string[]> {
  if (tips.length === 0) return [zeroId];
  const links = await store.links(address);
  const offered = await store.listBundles(address);
  links.set(object.id, linksOf(object));
  const spans = new Set(tips.map(({ id }) => id));
  // Where a bundle was lost, or a crash came between, nobody new could follow: begin anew.
  if (tips.some(({ id }) => planBundles([], id, links, offered) === undefined)) spans.add(zeroId);
  for (const distance of rollUpDistances(object.chain?.seq ?? 1n)) {
    const start = ancestorAt(object.id, distance, links);
    if (start !== undefined) spans.add(start);
  }
  return [...spans];
}

async function makeBundle({ store, address, repository }: Publication, object: PushObject, start: string): Promise<string> {
  const before = start === zeroId ? undefined : await store.readObject(address, start);
  const file = await store.temporaryFile();
  await createBundle(repository, before, object, file);
  return file;
}

/** Now and then, what longer bundles have made needless. */
async function dropSuperseded({ store, address }: Publication, newest: PushObject): Promise<void> {
  if ((newest.chain?.seq ?? 1n) % 16n !== 0n) return;
  for (const bundle of supersededBundles(newest.id, await store.links(address), await store.listBundles(address))) await store.removeBundle(address, bundle);
}
