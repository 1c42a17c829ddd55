/** How much is kept for each key and in all, against limits, so that no stranger's key fills a disk. */
import { formatByteSize } from '../core/byte-size.ts';
import type { Address } from './address.ts';
import { Refusal } from './refusal.ts';
import { findBundlesAmong } from './bundle-store.ts';
import { projectFiles } from './store-project.ts';

export interface StoreLimits {
  maxBundleBytes: number;
  /** For each key that is not one's own. */
  maxKeyBytes: number;
  maxKeyProjects: number;
  /** For all keys that are not one's own, together. */
  maxTotalBytes: number;
}

export const defaultLimits: StoreLimits = { maxBundleBytes: 500 * 1024 ** 2, maxKeyBytes: 2 * 1024 ** 3, maxKeyProjects: 100, maxTotalBytes: 20 * 1024 ** 3 };

/** A small file fills a block of the disk. */
export const blockBytes = 4096;

export interface Usage {
  bytesOf(fingerprint: string): number;
  totalBytes(): number;
  /** @throws Refusal `quota` */
  check(address: Address, bytes: number): void;
  add(address: Address, bytes: number): void;
}

/** What one project takes. */
async function measureProject(base: string, address: Address): Promise<number> {
  const ids = await projectFiles(base, address).listIds();
  const bundles = await findBundlesAmong(base, ids);
  return ids.length * blockBytes + bundles.reduce((sum, { sizeBytes }) => sum + roundUp(sizeBytes), 0);
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / blockBytes) * blockBytes;
}

/** Counts what is there. @param isOwn keys without limits. */
export async function countUsage(base: string, projects: readonly Address[], limits: StoreLimits, isOwn: (fingerprint: string) => boolean): Promise<Usage> {
  const keys = new Map<string, { bytes: number; projects: Set<string> }>();
  const of = (fingerprint: string): { bytes: number; projects: Set<string> } => {
    const found = keys.get(fingerprint) ?? { bytes: 0, projects: new Set<string>() };
    keys.set(fingerprint, found);
    return found;
  };
  for (const address of projects) {
    of(address.fingerprint).bytes += await measureProject(base, address);
    of(address.fingerprint).projects.add(address.project);
  }
  const foreignBytes = (): number => [...keys].reduce((sum, [fingerprint, { bytes }]) => sum + (isOwn(fingerprint) ? 0 : bytes), 0);
  return {
    bytesOf: (fingerprint) => keys.get(fingerprint)?.bytes ?? 0,
    totalBytes: () => [...keys.values()].reduce((sum, { bytes }) => sum + bytes, 0),
    check({ fingerprint, project }, bytes) {
      if (isOwn(fingerprint)) return;
      const { bytes: used, projects: held } = of(fingerprint);
      const hint = 'git config gidit.keyQuota and gidit.quota set how much is kept for others';
      if (!held.has(project) && held.size >= limits.maxKeyProjects) throw new Refusal('quota', `The key ${fingerprint} has ${held.size} projects here, which is the most.`, { hint });
      if (used + bytes > limits.maxKeyBytes) throw new Refusal('quota', `More than ${formatByteSize(limits.maxKeyBytes)} for the key ${fingerprint}.`, { hint });
      if (foreignBytes() + bytes > limits.maxTotalBytes) throw new Refusal('quota', `More than ${formatByteSize(limits.maxTotalBytes)} for the keys of others.`, { hint });
    },
    add({ fingerprint, project }, bytes) {
      of(fingerprint).bytes += bytes < 0 ? -roundUp(-bytes) : roundUp(bytes);
      of(fingerprint).projects.add(project);
    },
  };
}
