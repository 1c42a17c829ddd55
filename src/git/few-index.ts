/**
 * An index of few paths beside the large one: of all paths, git reads and
 * writes an index for much longer than it takes to look at a few files.
 */
import { existsSync } from 'node:fs';
import { isUtf8, rawToText, type RawPath } from '../core/raw-path.ts';
import { attributeFilesAbove } from './attribute-files.ts';
import { git, inputLater, type Repo } from './git.ts';
import { indexInfo, parseTree, type Entry } from './tree.ts';

const mostPaths = 100;

/** Whether these paths can have an index of their own. */
export function areFew(repo: Repo, paths: readonly RawPath[]): boolean {
  if (paths.length > mostPaths || !paths.every(isUtf8) || existsSync(`${repo.gitDir}/info/sparse-checkout`)) return false;
  // Directories too are limited, since their names become words of a command.
  return attributeFilesAbove(paths).length <= mostPaths;
}

/** The attribute files of a commit that count for these paths. */
export async function attributesOf(repo: Repo, commit: string, paths: readonly RawPath[]): Promise<Map<RawPath, Entry>> {
  const { stdout } = await git(repo, ['ls-tree', '-z', '--full-tree', commit, '--', ...attributeFilesAbove(paths).map(rawToText)], { env: { GIT_LITERAL_PATHSPECS: '1' } });
  return parseTree(stdout);
}

/** Fills an index with entries (`null`: a path that is not there yet), and with the attribute files that count for them. */
export async function fillFewIndex(repo: Repo, indexFile: string, attributes: ReadonlyMap<RawPath, Entry> | Promise<ReadonlyMap<RawPath, Entry>>, entries: ReadonlyMap<RawPath, Entry | null>): Promise<void> {
  const isEmpty = ![...entries.values()].some((entry) => entry !== null);
  if (isEmpty && (await attributes).size === 0) return;
  const lines = Promise.resolve(attributes).then((known) => indexInfo([...new Map([...known, ...entries])].filter(([, entry]) => entry !== null), repo.oidLength));
  await Promise.all([lines, git(repo, ['update-index', '-z', '--index-info'], { indexFile, input: inputLater(lines) })]);
}
