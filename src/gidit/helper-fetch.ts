/** `fetch`: brings the bundles that lead to the object that git was shown, and imports them. */
import { rm } from 'node:fs/promises';
import { GitsyncError } from '../errors.ts';
import { formatAddress } from './address.ts';
import type { BroughtBundle } from './bring-bundles.ts';
import type { HelperState } from './helper-state.ts';
import { importChain } from './import-bundle.ts';
import { askDaemon } from './local-client.ts';
import type { PushObject } from './push-object.ts';
import { Refusal } from './refusal.ts';
import type { GiditRepository } from './repository.ts';

/** Bad bundles that are put up with, each from another node or of another span. */
const mostRefused = 20;

/**
 * Brings everything of the object that was shown into the repository.
 * @returns the `.keep` of the one pack that came, where it needs nothing from elsewhere: git then need not walk all of it again.
 */
export async function fetchProject(state: HelperState): Promise<string | undefined> {
  const want = state.shown;
  if (want === undefined) throw new GitsyncError('not-found', `${formatAddress(state.address)} has nothing to fetch.`);
  const last = await state.lastComplete();
  const progress: Progress = { have: [], complete: [], refused: [], isJoined: true, keepFile: undefined };
  if (last !== undefined) noteComplete(progress, last);
  while (!(await bringOnce(state, want, progress))) {
    if (progress.refused.length >= mostRefused) throw new GitsyncError('corrupt', 'Too many bundles were bad.', { hint: 'try again later; git gidit status shows who holds the project' });
  }
  await state.writeLast(want.id);
  return progress.keepFile;
}

interface Progress {
  /** PushObjects whose objects are all here, and the ids in them. */
  have: string[];
  complete: string[];
  refused: Pick<BroughtBundle, 'start' | 'end' | 'peer'>[];
  /** Bundles are imported as one; false from the moment that one of them was bad, until it is found. */
  isJoined: boolean;
  keepFile: string | undefined;
}

function noteComplete(progress: Progress, { id, refs }: PushObject): void {
  progress.have.push(id);
  progress.complete.push(...refs.map((ref) => ref.id));
}

/** One attempt; false where a bundle was bad, which is noted, so that the next attempt takes another way. */
async function bringOnce(state: HelperState, want: PushObject, progress: Progress): Promise<boolean> {
  let isGood = true;
  const { have, refused } = progress;
  await askDaemon(state.store.base, 'bring', { address: formatAddress(state.address), have, want: want.id, refused }, {
    onPart: createReceiving(state),
    use: async (result) => {
      isGood = await importAll(state, (result as { bundles: BroughtBundle[] }).bundles, progress);
    },
  });
  return isGood;
}

/** A line that counts bytes, as git users know it. */
function createReceiving(state: HelperState): (part: Record<string, unknown>) => void {
  let lastShown = '';
  return ({ sizeBytes, totalBytes }) => {
    if (!state.progress || typeof sizeBytes !== 'number' || typeof totalBytes !== 'number' || totalBytes === 0) return;
    const percent = Math.floor((100 * sizeBytes) / totalBytes);
    const line = `Receiving bundles: ${String(percent).padStart(3)}% (${(sizeBytes / 1024 ** 2).toFixed(2)}/${(totalBytes / 1024 ** 2).toFixed(2)} MiB)`;
    if (line !== lastShown) process.stderr.write(`\r${line}${sizeBytes === totalBytes ? ', done.\n' : ''}`);
    lastShown = line;
  };
}

/** All as one; where that fails one by one, to find the bad one, or because one object is in two of them. */
async function importAll(state: HelperState, bundles: readonly BroughtBundle[], progress: Progress): Promise<boolean> {
  if (bundles.length > 1 && progress.isJoined && (await importJoined(state, bundles, progress))) return true;
  for (const bundle of bundles) if (!(await importOne(state, bundle, progress))) return false;
  return true;
}

async function importJoined(state: HelperState, bundles: readonly BroughtBundle[], progress: Progress): Promise<boolean> {
  const objects = await Promise.all(bundles.map(({ end }) => state.store.readObject(state.address, end)));
  const chain = bundles.flatMap(({ file }, i) => (objects[i] === undefined ? [] : [{ file, signed: objects[i] }]));
  if (chain.length < bundles.length) return false;
  try {
    const repository = await state.repository();
    progress.keepFile = (await importChain(repository, chain, { complete: progress.complete, keep: mayKeep(state, repository) })).keepFile;
    return true;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    progress.isJoined = false;
    return false;
  }
}

async function importOne(state: HelperState, bundle: BroughtBundle, progress: Progress): Promise<boolean> {
  const signed = await state.store.readObject(state.address, bundle.end);
  try {
    if (signed === undefined) throw new GitsyncError('corrupt', 'A bundle leads to an object that is not known.');
    const isFirst = progress.have.length === 0;
    const repository = await state.repository();
    const { keepFile } = await importChain(repository, [{ file: bundle.file, signed }], { complete: progress.complete, keep: isFirst && mayKeep(state, repository) });
    // Two packs are more than git can be told of.
    progress.keepFile = isFirst ? keepFile : await dropKeep(progress.keepFile);
    noteComplete(progress, signed);
    return true;
  } catch (error) {
    process.stderr.write(`gidit: a bundle from ${bundle.peer ?? 'the store'} was refused: ${(error as Error).message}\n`);
    // A bad file of our own store would be taken again and again.
    if (bundle.peer === undefined) await state.store.removeBundle(state.address, bundle);
    progress.refused.push({ start: bundle.start, end: bundle.end, peer: bundle.peer });
    return false;
  }
}

/** git is told of the file in a line of its own. */
function mayKeep(state: HelperState, { objectDir }: GiditRepository): boolean {
  return state.provesConnectivity && !objectDir.includes('\n');
}

async function dropKeep(file: string | undefined): Promise<undefined> {
  if (file !== undefined) await rm(file, { force: true });
  return undefined;
}
