/** Which directories of a tree hold exported live state, where no file may lie that does not belong. */
import { isManifest } from '../core/rows-merge.ts';
import { splitRaw, type RawPath } from '../core/raw-path.ts';
import type { Repo } from './git.ts';
import { readBlobs } from './merge-blobs.ts';
import type { Entry } from './tree.ts';

const bindingFile = /(^|\/)etc\/(gitted|glxc)\/sync\/[^/]+\.conf$/;

/** The path that a binding names, or the default that gitted takes: ENGINE/DATABASE, else the binding's name. */
function readBinding(file: RawPath, text: string): string {
  const valueOf = (name: string): string => new RegExp(`^\\s*(?:export\\s+)?${name}=["']?([^"'\\s#]+)`, 'm').exec(text)?.[1] ?? '';
  const engine = valueOf('GITTED_ENGINE');
  const database = valueOf(`GITTED_${engine.toUpperCase().replaceAll('-', '_')}_DATABASE`);
  const name = /^[^.]+\.(.+)\.conf$/.exec(splitRaw(file).name)?.[1] ?? '';
  return (valueOf('GITTED_DATA_PATH') || (database === '' ? name : `${engine}/${database}`)).replace(/\/+$/, '');
}

/** Tells of paths whether they lie in live state: below a manifest, or below what a binding in the tree names. */
export async function findDataDirectories(repo: Repo, tree: ReadonlyMap<RawPath, Entry>): Promise<(path: RawPath) => boolean> {
  const files = [...tree].filter(([path]) => bindingFile.test(path) || splitRaw(path).name === 'manifest.tsv');
  const contents = await readBlobs(repo, files.map(([, { oid }]) => oid));
  const directories = new Set<string>();
  for (const [i, [path]] of files.entries()) {
    const text = contents[i]?.toString('latin1') ?? '';
    if (bindingFile.test(path)) directories.add(readBinding(path, text));
    else if (isManifest(text)) directories.add(splitRaw(path).directory);
  }
  directories.delete('');
  return (path) => [...directories].some((directory) => path.startsWith(`${directory}/`));
}
