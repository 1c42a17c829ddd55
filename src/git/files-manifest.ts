/**
 * A directory of files and its manifest are merged each by itself: a file that
 * one side edited and the other deleted stays, while its line in the manifest
 * goes. Afterwards the two must speak of the same files again.
 */
import { isFilesManifest } from '../core/rows-merge.ts';
import { splitRaw, type RawPath } from '../core/raw-path.ts';
import { gitText, type Repo } from './git.ts';
import { readBlobs } from './merge-blobs.ts';
import type { Entry } from './tree.ts';

type Lines = Map<string, string>;

const linesByPath = (text: string): Lines => new Map(text.split('\n').filter((line) => line !== '').map((line) => [line.split('\t')[4] ?? '', line]));

/** Lines for all files and the directories above them that are there and have none, from whichever side knows them; none for files that are gone. */
function mendLines(lines: Lines, known: readonly Lines[], files: ReadonlySet<string>): Lines {
  const mended = new Map([...lines].filter(([path, line]) => !line.startsWith('f\t') || files.has(path)));
  const add = (path: string): void => {
    const line = mended.has(path) ? undefined : known.map((other) => other.get(path)).find((found) => found !== undefined);
    if (line !== undefined) mended.set(path, line);
  };
  for (const file of files) {
    add(file);
    for (let slash = file.indexOf('/'); slash >= 0; slash = file.indexOf('/', slash + 1)) add(file.slice(0, slash));
  }
  return mended;
}

export interface MergedTree {
  sides: readonly [string, string];
  /** What git made of the merge, and what is to be changed in it. */
  result: ReadonlyMap<RawPath, Entry>;
  changes: ReadonlyMap<RawPath, Entry | null>;
}

/** The changes, with those to the manifests of directories in which anything was decided. */
export async function mendManifests(repo: Repo, { sides, result, changes }: MergedTree): Promise<ReadonlyMap<RawPath, Entry | null>> {
  const manifests = [...new Set([...result.keys(), ...changes.keys()])].filter((path) => splitRaw(path).name === 'manifest.tsv');
  const touched = manifests.filter((path) => [...changes.keys()].some((changed) => changed.startsWith(path.slice(0, -'manifest.tsv'.length))));
  if (touched.length === 0) return changes;
  const mended = new Map(changes);
  const final = new Map<RawPath, Entry | null>([...result, ...changes]);
  for (const manifest of touched) {
    const entry = final.get(manifest);
    if (entry === undefined || entry === null) continue;
    const [text, ...others] = (await readBlobs(repo, [entry.oid, ...sides.map((side) => `${side}:${manifest}`)])).map((blob) => blob?.toString('latin1') ?? '');
    if (text === undefined || !isFilesManifest(text)) continue;
    const tree = `${manifest.slice(0, -'manifest.tsv'.length)}tree/`;
    const files = new Set([...final].filter(([path, there]) => there !== null && path.startsWith(tree)).map(([path]) => path.slice(tree.length)));
    const lines = mendLines(linesByPath(text), others.sort().map(linesByPath), files);
    const sorted = [...lines].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => `${line}\n`).join('');
    if (sorted !== text) mended.set(manifest, { mode: entry.mode, oid: await gitText(repo, ['hash-object', '-w', '--stdin'], { input: Buffer.from(sorted, 'latin1') }) });
  }
  return mended;
}
