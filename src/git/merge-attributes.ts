/** The `.gitattributes` files that say how a path is merged. */
import { mkdir, writeFile } from 'node:fs/promises';
import { absoluteOf, splitRaw, type RawPath } from '../core/raw-path.ts';
import { attributeFilesAbove } from './attribute-files.ts';
import type { Repo } from './git.ts';
import { readBlobs } from './merge-blobs.ts';

/** The attribute files of a tree that apply to the paths, with their content. */
export async function attributeFilesFor(repo: Repo, tree: string, paths: ReadonlySet<RawPath>): Promise<Map<RawPath, Buffer>> {
  const files = attributeFilesAbove(paths);
  const contents = await readBlobs(repo, files.map((file) => `${tree}:${file}`));
  return new Map(files.flatMap((file, i) => (contents[i] === undefined ? [] : [[file, contents[i]] as const])));
}

/** Writes attribute files below a directory. */
export async function writeAttributes(root: string, files: ReadonlyMap<RawPath, Buffer>): Promise<void> {
  for (const [file, content] of files) {
    await mkdir(absoluteOf(root, splitRaw(file).directory), { recursive: true });
    await writeFile(absoluteOf(root, file), content);
  }
}
