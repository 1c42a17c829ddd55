/** Line merges in which one side wins wherever both changed the same place. */
import { writeFile } from 'node:fs/promises';
import { git, type Repo } from './git.ts';
import { readBlobs, storeFiles } from './merge-blobs.ts';
import { withScratch } from './merge-scratch.ts';

/** Object ids of one file's three versions; `preferred` wins where hunks collide. */
export interface HunkMerge {
  base: string;
  preferred: string;
  other: string;
}

/** Beyond this, nobody wrote it by hand, and git's line merge has a limit of its own. */
const maxTextBytes = 64 * 1024 * 1024;

/** Text as git sees it: no NUL near the start. */
function isText(content: Buffer | undefined): content is Buffer {
  return content !== undefined && content.length <= maxTextBytes && !content.subarray(0, 8000).includes(0);
}

async function mergeOne(repo: Repo, directory: string, index: number, versions: readonly [preferred: Buffer, base: Buffer, other: Buffer]): Promise<string> {
  const names = ['preferred', 'base', 'other'].map((label) => `${index}-${label}`);
  await Promise.all(names.map((name, i) => writeFile(`${directory}/${name}`, versions[i] as Buffer)));
  // diff.algorithm: newer versions of git take it from a person's settings here.
  await git(repo, ['merge-file', '--ours', ...names], { cwd: directory, env: { GIT_WORK_TREE: directory }, config: ['diff.algorithm=myers'] });
  return names[0] as string;
}

/** The merged contents' object ids, in order; undefined where one of the three is no text. */
export async function mergeHunks(repo: Repo, merges: readonly HunkMerge[]): Promise<(string | undefined)[]> {
  if (merges.length === 0) return [];
  return withScratch(repo, async (directory) => {
    const contents = await readBlobs(repo, merges.flatMap(({ preferred, base, other }) => [preferred, base, other]));
    const written = new Map<number, string>();
    for (let i = 0; i < merges.length; i += 1) {
      const versions = contents.slice(i * 3, i * 3 + 3);
      if (!versions.every(isText)) continue;
      written.set(i, await mergeOne(repo, directory, i, versions as [Buffer, Buffer, Buffer]));
    }
    const oids = await storeFiles(repo, directory, [...written.values()]);
    const oidOf = new Map([...written.keys()].map((i, k) => [i, oids[k] as string]));
    return merges.map((_, i) => oidOf.get(i));
  });
}
