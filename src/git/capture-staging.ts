/**
 * Where a capture stages what it takes: in the private index itself, or, for a
 * few changes among very many files, in an index of their own. Their commit can
 * be on its way before git has written the index of all paths.
 */
import { statSync } from 'node:fs';
import type { RawPath } from '../core/raw-path.ts';
import { areFew, fillFewIndex } from './few-index.ts';
import { git, gitText, type Repo } from './git.ts';
import type { PrivateIndex } from './private-index.ts';
import type { Finding } from './scan.ts';
import { hashIntoIndex } from './take-files.ts';
import { filesNamed, readDirectories, writeTree } from './tree-with.ts';
import { indexInfo, listIndex, sameEntry, withTemporaryIndex, type Entry } from './tree.ts';

export interface Staging {
  /** The index that files are hashed into. */
  indexFile: string;
  /** Whether the private index knows nothing of it yet. */
  isApart: boolean;
  /** The tree of the commit, with the taken paths as they were taken. */
  writeTree(taken: readonly Finding[]): Promise<string>;
  /** Brings the private index to the tree that was written. */
  bringUp(): Promise<void>;
}

/** From about this size on, the detour is shorter than reading and writing an index twice. */
const largeIndexBytes = 2_500_000;
/** What is staged apart is hashed again for the private index. */
const mostBytesApart = 1_000_000;

/** Runs `work` with the staging that suits the findings. @param commit what the private index stands at. */
export async function withStaging<T>(repo: Repo, index: PrivateIndex, commit: string | undefined, findings: readonly Finding[], work: (staging: Staging) => Promise<T>): Promise<T> {
  if (commit === undefined || !areFewOfMany(repo, index.file, findings)) {
    return work({ indexFile: index.file, isApart: false, writeTree: () => gitText(repo, ['write-tree'], { indexFile: index.file }), bringUp: async () => undefined });
  }
  return withTemporaryIndex(repo, async (indexFile) => {
    let entries: ReadonlyMap<RawPath, Entry | null> = new Map();
    const directories = await readDirectories(repo, commit, findings.map(({ path }) => path));
    await fillFewIndex(repo, indexFile, filesNamed(directories, '.gitattributes'), new Map(findings.map(({ path, old }) => [path, old])));
    return work({
      indexFile,
      isApart: true,
      async writeTree(taken) {
        const staged = await listIndex(repo, indexFile);
        entries = new Map(taken.map(({ path }) => [path, staged.get(path) ?? null]));
        return writeTree(repo, directories, entries);
      },
      bringUp: () => bringUp(repo, index.file, entries),
    });
  });
}

/** Gives the private index these entries, with the files' stat data where they are still as they were taken. */
async function bringUp(repo: Repo, indexFile: string, entries: ReadonlyMap<RawPath, Entry | null>): Promise<void> {
  const paths = [...entries.keys()];
  await hashIntoIndex(repo, indexFile, paths.map((path) => ({ path, sizeBytes: 0 })), []);
  const present = await listIndex(repo, indexFile, paths);
  const others = [...entries].filter(([path, entry]) => !sameEntry(present.get(path), entry));
  if (others.length > 0) await git(repo, ['update-index', '-z', '--replace', '--index-info'], { indexFile, input: indexInfo(others, repo.oidLength) });
}

function areFewOfMany(repo: Repo, indexFile: string, findings: readonly Finding[]): boolean {
  // The variable is for tests.
  const fromBytes = Number(process.env['GITSYNC_LARGE_INDEX_BYTES'] ?? largeIndexBytes);
  const isSmall = findings.length > 0 && findings.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) <= mostBytesApart;
  // Hooks expect an index of all paths.
  return isSmall && !repo.hooks && (statSync(indexFile, { throwIfNoEntry: false })?.size ?? 0) >= fromBytes && areFew(repo, findings.map(({ path }) => path));
}
