/** `fetch`: brings the bundles that lead to the object that git was shown, and imports them one after another. */
import { GitsyncError } from '../errors.ts';
import { formatAddress } from './address.ts';
import type { BroughtBundle } from './bring-bundles.ts';
import type { HelperState } from './helper-state.ts';
import { importBundle, isComplete } from './import-bundle.ts';
import { askDaemon } from './local-client.ts';
import type { PushObject } from './push-object.ts';

/** Bad bundles that are put up with, each from another node or of another span. */
const mostRefused = 20;

/** Brings everything of the object that was shown into the repository. */
export async function fetchProject(state: HelperState): Promise<void> {
  const want = state.shown;
  if (want === undefined) throw new GitsyncError('not-found', `${formatAddress(state.address)} has nothing to fetch.`);
  const last = await state.readLast();
  const lastObject = last === undefined ? undefined : await state.store.readObject(state.address, last);
  const have = lastObject !== undefined && (await isComplete(await state.repository(), lastObject)) ? [lastObject.id] : [];
  const refused: Pick<BroughtBundle, 'start' | 'end' | 'peer'>[] = [];
  while (!(await bringOnce(state, want, have, refused))) {
    if (refused.length >= mostRefused) throw new GitsyncError('corrupt', 'Too many bundles were bad.', { hint: 'try again later; git gidit status shows who holds the project' });
  }
  await state.writeLast(want.id);
}

/** One attempt; false where a bundle was bad, which is noted, so that the next attempt takes another way. */
async function bringOnce(state: HelperState, want: PushObject, have: string[], refused: Pick<BroughtBundle, 'start' | 'end' | 'peer'>[]): Promise<boolean> {
  let isGood = true;
  let lastShown = '';
  const showProgress = ({ sizeBytes, totalBytes }: Record<string, unknown>): void => {
    if (!state.progress || typeof sizeBytes !== 'number' || typeof totalBytes !== 'number' || totalBytes === 0) return;
    const percent = Math.floor((100 * sizeBytes) / totalBytes);
    const line = `Receiving bundles: ${String(percent).padStart(3)}% (${(sizeBytes / 1024 ** 2).toFixed(2)}/${(totalBytes / 1024 ** 2).toFixed(2)} MiB)`;
    if (line !== lastShown) process.stderr.write(`\r${line}${sizeBytes === totalBytes ? ', done.\n' : ''}`);
    lastShown = line;
  };
  await askDaemon(state.store.base, 'bring', { address: formatAddress(state.address), have, want: want.id, refused }, {
    onPart: showProgress,
    use: async (result) => {
      for (const bundle of (result as { bundles: BroughtBundle[] }).bundles) {
        isGood = await importOne(state, bundle);
        if (!isGood) {
          refused.push({ start: bundle.start, end: bundle.end, peer: bundle.peer });
          return;
        }
        have.push(bundle.end);
      }
    },
  });
  return isGood;
}

async function importOne(state: HelperState, bundle: BroughtBundle): Promise<boolean> {
  const signed = await state.store.readObject(state.address, bundle.end);
  try {
    if (signed === undefined) throw new GitsyncError('corrupt', 'A bundle leads to an object that is not known.');
    await importBundle(await state.repository(), bundle.file, signed);
    return true;
  } catch (error) {
    process.stderr.write(`gidit: a bundle from ${bundle.peer ?? 'the store'} was refused: ${(error as Error).message}\n`);
    // A bad file of our own store would be taken again and again.
    if (bundle.peer === undefined) await state.store.removeBundle(state.address, bundle);
    return false;
  }
}
