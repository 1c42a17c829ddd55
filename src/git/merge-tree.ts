/** `git merge-tree --write-tree`: merges two commits into a tree without touching anything else. */
import { splitNul, type RawPath } from '../core/raw-path.ts';
import { git, type Repo } from './git.ts';
import { attributeFilesFor, writeAttributes } from './merge-attributes.ts';
import { withScratch } from './merge-scratch.ts';
import type { Entry, FileMode } from './tree.ts';

/** One conflicting entry: stage 1 is the base, 2 the first commit, 3 the second. After renames the content may already be merged. */
export interface StageEntry extends Entry {
  stage: 1 | 2 | 3;
  path: RawPath;
}

/** What git says about paths: a type from its fixed list, and the paths that it concerns. */
export interface MergeMessage {
  type: string;
  paths: RawPath[];
}

/** The answer of `merge-tree`. Where stages are listed, the tree holds conflict markers. */
export interface MergeOutcome {
  tree: string;
  stages: StageEntry[];
  messages: MergeMessage[];
}

/** Both machines must compute the same, so a person's own settings do not count here; versions of git differ in the defaults. */
const fixedSettings = ['merge.renormalize=false', 'merge.default=text', 'merge.verbosity=2', 'diff.algorithm=histogram', 'core.attributesFile=/dev/null',
  // Rows are ours to merge (merge-rows.ts): a driver that is registered here may be missing elsewhere. All that it is asked for is a conflict.
  'merge.gitted-rows.driver=false'];

/** Parses the output of `merge-tree --write-tree --messages -z`. */
export function parseMergeTree(output: Buffer): MergeOutcome {
  const fields = splitNul(output);
  const stages: StageEntry[] = [];
  let at = 1;
  for (; at < fields.length && fields[at] !== ''; at += 1) {
    const field = fields[at] as string;
    const [mode = '', oid = '', stage = ''] = field.slice(0, field.indexOf('\t')).split(' ');
    stages.push({ mode: mode as FileMode, oid, stage: Number(stage) as 1 | 2 | 3, path: field.slice(field.indexOf('\t') + 1) as RawPath });
  }
  return { tree: fields[0] ?? '', stages, messages: parseMessages(fields.slice(at + 1)) };
}

/** Messages are `COUNT PATH... TYPE TEXT`; behind them git may print advice without any structure. */
function parseMessages(fields: readonly RawPath[]): MergeMessage[] {
  const messages: MergeMessage[] = [];
  for (let at = 0; at < fields.length; ) {
    if (!/^\d+$/.test(fields[at] as string)) break;
    const type = at + 1 + Number(fields[at]);
    messages.push({ paths: fields.slice(at + 1, type), type: fields[type] ?? '' });
    at = type + 2;
  }
  return messages;
}

/** The paths that messages of a type name first. */
export function pathsWithMessage(outcome: MergeOutcome, type: string): Set<RawPath> {
  return new Set(outcome.messages.filter((message) => message.type === type).map(({ paths }) => paths[0] as RawPath));
}

async function runMergeTree(repo: Repo, sides: readonly [string, string], allowUnrelated: boolean, workTree: string): Promise<MergeOutcome> {
  const args = ['merge-tree', '--write-tree', '--messages', '-z', ...(allowUnrelated ? ['--allow-unrelated-histories'] : []), ...sides];
  const { stdout } = await git(repo, args, { expect: [0, 1], cwd: workTree, config: fixedSettings, env: { GIT_WORK_TREE: workTree, GIT_ATTR_NOSYSTEM: '1' } });
  return parseMergeTree(stdout);
}

/**
 * Merges two commits. Runs in an empty directory: git would take attributes
 * from the files that happen to be checked out, which differ from machine to
 * machine, and merge drivers leave temporary files there. The attributes that
 * count are those of the merge itself, so where lines were merged at all and
 * such a file exists, it merges once more with them.
 */
export async function mergeTrees(repo: Repo, sides: readonly [string, string], allowUnrelated: boolean): Promise<MergeOutcome> {
  return withScratch(repo, async (directory) => {
    const plain = await runMergeTree(repo, sides, allowUnrelated, directory);
    const attributes = await attributeFilesFor(repo, plain.tree, pathsWithMessage(plain, 'Auto-merging'));
    if (attributes.size === 0) return plain;
    await writeAttributes(directory, attributes);
    return runMergeTree(repo, sides, allowUnrelated, directory);
  });
}
