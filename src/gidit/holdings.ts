/** The store as the daemon sees it. */
import { stat } from 'node:fs/promises';
import { formatAddress, type Address } from './address.ts';
import { checkTips, maxHeaderBytes, parseBundleHeader } from './bundle-header.ts';
import type { BundleKey } from './chain.ts';
import type { Holdings } from './cloud-node.ts';
import { openConfiguredStore } from './limit-settings.ts';
import { readGiditConfig } from './node-settings.ts';
import { zeroId, type PushObject } from './push-object.ts';
import { Refusal } from './refusal.ts';
import type { Store } from './store.ts';
import { openStored } from './store-files.ts';

/** Opens the store of a base directory for the daemon. */
export async function openHoldings(baseDir: string): Promise<Holdings> {
  const store = await openConfiguredStore(baseDir, await readGiditConfig());
  const tips = async (address: Address): Promise<PushObject[]> => {
    const head = await store.newest(address);
    const others = (await store.forks(address)).filter((id) => id !== head?.id);
    const found = await Promise.all(others.map((id) => store.readObject(address, id)));
    return [head, ...found].filter((object): object is PushObject => object !== undefined);
  };
  return {
    put: async (verified) => (await store.putPushObject(verified)).outcome,
    tips,
    newestMessage: (address) => store.message(address),
    key: ({ fingerprint }) => store.key(fingerprint),
    links: (address) => store.links(address),
    async list(address, since = []) {
      const key = await store.key(address.fingerprint);
      const links = [...(await store.links(address)).values()].sort((a, b) => (a.seq < b.seq ? -1 : Number(a.seq > b.seq)));
      if (key === undefined || links.length === 0) return undefined;
      const known = new Set(since);
      const from = links.reduce((at, { id }, index) => (known.has(id) ? index + 1 : at), 0);
      const objects = await Promise.all(links.slice(from).map(({ id }) => store.readObject(address, id)));
      return { key: key.bytes, objects: objects.filter((object): object is PushObject => object !== undefined) };
    },
    bundles: (address) => store.listBundles(address),
    bundleFile: async (bundle) => (await store.findBundle(bundle))?.path,
    async isHeldBundle(bundle, held) {
      for (const address of held) if ((await store.readObject(address, bundle.end)) !== undefined) return true;
      return false;
    },
    async putBundle(address, bundle, file) {
      await store.putBundle(address, bundle, { file });
    },
    temporaryFile: () => store.temporaryFile(),
    checkBundle: (address, bundle, file) => checkFile(store, address, bundle, file),
    release: (address) => store.removeProject(address),
  };
}

async function checkFile(store: Store, address: Address, { start, end }: BundleKey, file: string): Promise<void> {
  const signed = await store.readObject(address, end);
  if (signed === undefined) throw new Refusal('tips', `The bundle leads to an object that ${formatAddress(address)} does not have.`);
  const opened = await openStored(store.base, file);
  if (opened === undefined) throw new Refusal('format', 'A bundle has gone.');
  try {
    const sizeBytes = Math.min(maxHeaderBytes, (await stat(file)).size);
    const { buffer } = await opened.handle.read(Buffer.alloc(sizeBytes), 0, sizeBytes, 0);
    checkTips(parseBundleHeader(buffer), signed, start !== zeroId);
  } finally {
    await opened.handle.close();
  }
}
