/**
 * Making bundles. Header and pack are written by ourselves and not by
 * `git bundle create`: that resolves names anew (a branch may have moved since
 * it was signed), leaves out refs that did not move, and refuses to make the
 * empty bundle that a deletion or a rewind needs. Stock git reads the result.
 */
import { appendFile, open } from 'node:fs/promises';
import { formatBundleHeader } from './bundle-header.ts';
import type { PushObject, RefEntry } from './push-object.ts';
import { findCommits, gitFor, type GiditRepository } from './repository.ts';

/**
 * Writes a bundle into `file` (new or empty): everything that `object` points
 * to and `start` did not.
 * @param start undefined: from nothing.
 */
export async function createBundle(repository: GiditRepository, start: Pick<PushObject, 'refs'> | undefined, object: Pick<PushObject, 'refs'>, file: string, options: { signal?: AbortSignal } = {}): Promise<void> {
  // What a rewind left behind may be gone here; whoever has the start has it, but needs nothing for it.
  const before = await findCommits(repository, start?.refs.map(({ id }) => id) ?? []);
  await appendFile(file, formatBundleHeader(object.refs, before, repository.oidLength));
  await writePack(repository, object.refs, before, file, options);
  const handle = await open(file, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writePack(repository: GiditRepository, tips: readonly RefEntry[], exclude: readonly string[], file: string, options: { signal?: AbortSignal }): Promise<void> {
  const ids = [...new Set(tips.map(({ id }) => id))];
  const input = [...ids, ...exclude.map((id) => `^${id}`)].map((line) => `${line}\n`).join('');
  await gitFor(repository, ['pack-objects', '--revs', '--thin', '--stdout', '--delta-base-offset', '-q'], {
    input,
    outputFile: file,
    // Counting and compressing a large repository is silent.
    idleTimeoutMs: 3_600_000,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
}
