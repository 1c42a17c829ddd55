/**
 * Brings what a remote has and what we have together, in memory: only objects
 * are written; no work tree, index or ref is touched. Two machines that
 * integrate the same two commits make the same commit.
 */
import type { ConflictRule } from '../core/conflict-rule.ts';
import type { Conflict } from '../core/merge-policy.ts';
import type { RawPath } from '../core/raw-path.ts';
import { git, gitText, type Repo } from './git.ts';
import { writeFixedCommit } from './merge-commit.ts';
import { readTips, type Tip } from './merge-history.ts';
import { mergeMessage, reapplyMessage } from './merge-message.ts';
import { mergeSides } from './merge-resolve.ts';
import { isAncestor } from './refs.ts';
import { diffTrees } from './tree.ts';

export type { Conflict } from '../core/merge-policy.ts';
export { parseRecordedConflicts, type RecordedConflict } from './merge-message.ts';

export interface IntegrateRequest {
  /** Commits. */
  local: string;
  remote: string;
  /** The remote tip that was integrated last, when the remote was force-pushed (it is not in `remote`). */
  rewrittenFrom?: string;
  /** The last match wins; `copies` where none matches. */
  rules: readonly ConflictRule[];
  /** Merges histories without a common commit (`gitsync adopt`). */
  allowUnrelated?: boolean;
}

/**
 * - `up-to-date`: the remote's commit is in ours
 * - `fast-forward`: ours is in the remote's
 * - `merged`: a merge commit of both
 * - `rewritten`: the remote's new history, with local changes on top of it
 *   (`reapplied` counts paths; 0: the remote's commit itself)
 * - `unrelated`: no common commit; nothing was done
 * - `stopped`: a rule wants a person for these paths; nothing was done
 */
export type Integration =
  | { kind: 'up-to-date' }
  | { kind: 'fast-forward'; commit: string }
  | { kind: 'merged'; commit: string; conflicts: Conflict[] }
  | { kind: 'rewritten'; commit: string; conflicts: Conflict[]; reapplied: number }
  | { kind: 'unrelated'; localRoots: string[]; remoteRoots: string[] }
  | { kind: 'stopped'; policy: 'branch' | 'pause'; paths: RawPath[] };

/** Integrates a remote commit into a local one. */
export async function integrate(repo: Repo, request: IntegrateRequest): Promise<Integration> {
  const { local, remote, rewrittenFrom } = request;
  const base = await findBase(repo, local, remote);
  if (base === local) return base === remote ? { kind: 'up-to-date' } : { kind: 'fast-forward', commit: remote };
  if (rewrittenFrom !== undefined && !(await isAncestor(repo, rewrittenFrom, remote))) return integrateRewritten(repo, request, rewrittenFrom);
  if (base === remote) return { kind: 'up-to-date' };
  if (base === undefined && request.allowUnrelated !== true) return { kind: 'unrelated', localRoots: await rootsOf(repo, local), remoteRoots: await rootsOf(repo, remote) };
  return integrateDiverged(repo, request, base);
}

/** The best common ancestor, if the two have any; of several, the same one on every machine. */
async function findBase(repo: Repo, a: string, b: string): Promise<string | undefined> {
  const result = await git(repo, ['merge-base', ...[a, b].sort()], { expect: [0, 1] });
  return result.exitCode === 0 ? result.stdout.toString().trim() : undefined;
}

async function rootsOf(repo: Repo, commit: string): Promise<string[]> {
  return (await gitText(repo, ['rev-list', '--max-parents=0', commit])).split('\n');
}

function laterDate(tips: readonly Tip[]): number {
  return Math.max(0, ...tips.map(({ committerSeconds }) => committerSeconds));
}

async function integrateDiverged(repo: Repo, request: IntegrateRequest, base: string | undefined): Promise<Integration> {
  const { local, remote, rules } = request;
  const tips = (await readTips(repo, [local, remote])) as [Tip, Tip];
  const merged = await mergeSides(repo, {
    sides: { local: { tip: tips[0], commit: local, excluding: remote }, remote: { tip: tips[1], commit: remote, excluding: local } },
    base,
    rules,
    allowUnrelated: base === undefined,
  });
  if (merged.kind === 'stopped') return merged;
  const parents = [local, remote].sort() as [string, string];
  const message = mergeMessage(parents, merged.conflicts);
  const commit = await writeFixedCommit(repo, { tree: merged.tree, parents, message, dateSeconds: laterDate(tips) });
  return { kind: 'merged', commit, conflicts: merged.conflicts };
}

/**
 * The remote's history was replaced, perhaps to purge something. What we have
 * beyond the old remote tip is merged onto the new one with the old one as
 * base, and becomes one commit whose only parent is the new tip: a merge
 * commit would bring the purged history back.
 */
async function integrateRewritten(repo: Repo, request: IntegrateRequest, rewrittenFrom: string): Promise<Integration> {
  const { local, remote, rules } = request;
  // Where our branch left the old history; the old tip itself, if we had integrated all of it.
  const base = (await findBase(repo, rewrittenFrom, local)) ?? rewrittenFrom;
  const trees = (await gitText(repo, ['rev-parse', ...[base, local, remote].map((commit) => `${commit}^{tree}`)])).split('\n') as [string, string, string];
  const asRemote: Integration = { kind: 'rewritten', commit: remote, conflicts: [], reapplied: 0 };
  if (base === local || trees[0] === trees[1]) return asRemote;
  const tips = (await readTips(repo, [local, remote])) as [Tip, Tip];
  const [localTwin, remoteTwin] = await makeTwins(repo, trees);
  const merged = await mergeSides(repo, {
    sides: { local: { tip: tips[0], commit: localTwin, excluding: base }, remote: { tip: tips[1], commit: remoteTwin, excluding: base } },
    base,
    rules,
    allowUnrelated: false,
  });
  if (merged.kind === 'stopped') return merged;
  if (merged.tree === trees[2]) return asRemote;
  const reapplied = (await diffTrees(repo, remote, merged.tree)).length;
  const message = reapplyMessage(reapplied, remote, merged.conflicts);
  const [{ author, authorSeconds }] = tips;
  const commit = await writeFixedCommit(repo, { tree: merged.tree, parents: [remote], message, dateSeconds: laterDate(tips), author: { ...author, dateSeconds: Math.max(0, authorSeconds) } });
  return { kind: 'rewritten', commit, conflicts: merged.conflicts, reapplied };
}

/**
 * Commits with the trees of our side and the remote's whose common parent has
 * the base's tree: git 2.39 takes the base of `merge-tree` only from history.
 */
async function makeTwins(repo: Repo, [base, local, remote]: readonly [string, string, string]): Promise<[string, string]> {
  const fixed = { message: 'gitsync: for a merge\n', dateSeconds: 0 };
  const parent = await writeFixedCommit(repo, { tree: base, parents: [], ...fixed });
  return Promise.all([
    writeFixedCommit(repo, { tree: local, parents: [parent], ...fixed, message: 'gitsync: local side of a merge\n' }),
    writeFixedCommit(repo, { tree: remote, parents: [parent], ...fixed, message: 'gitsync: remote side of a merge\n' }),
  ]);
}
