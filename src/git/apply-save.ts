/**
 * Saving unseen edits: a commit on the state that they were made from, merged
 * like anybody's work into what the update brings.
 */
import { hostname } from 'node:os';
import { commitMessage } from '../core/commit-message.ts';
import type { RawPath } from '../core/raw-path.ts';
import type { Update, UpdateOptions } from './apply-context.ts';
import type { Unseen } from './apply-unseen.ts';
import { commitTree } from './commit.ts';
import type { Repo } from './git.ts';
import { integrate } from './integrate.ts';
import { keepLate, keepRescue } from './late-refs.ts';
import { treeWith } from './tree-with.ts';
import type { Entry } from './tree.ts';

/** Writes the commit of a set of edits on top of `parent`. */
export async function commitEdits(repo: Repo, ref: string, parent: string, edits: ReadonlyMap<RawPath, Entry>, added: (path: RawPath) => boolean, options: UpdateOptions): Promise<string> {
  const message = commitMessage({
    host: options.host ?? hostname().split('.')[0] ?? '',
    branch: ref.replace(/^refs\/heads\//, ''),
    date: new Date().toISOString(),
    changes: [...edits.keys()].map((path) => ({ path, status: added(path) ? 'A' : 'M' })),
    template: undefined,
  });
  return commitTree(repo, { tree: await treeWith(repo, parent, edits), parents: [parent], message, sign: options.sign ?? false });
}

/**
 * Commits unseen edits and merges them with the update's target; returns the
 * new target. With `onTop` they simply follow it: for a file that is written
 * faster than it can be merged, the person's version counts.
 */
export async function saveUnseen(update: Update, unseen: readonly Unseen[], target: string, onTop: boolean): Promise<string> {
  const groups = new Map<string | null, Unseen[]>();
  for (const edit of unseen) {
    update.unseen.add(edit.path);
    // Without a commit that it was made from, an edit follows the first one there is.
    const at = onTop ? null : edit.expected.at;
    groups.set(at, [...(groups.get(at) ?? []), edit]);
  }
  let head = target;
  for (const [at, edits] of groups) {
    const tip = await commitGroup(update, at ?? head, edits);
    head = at === null ? tip : await mergeEdits(update, at, tip, head);
    update.journal.saved.push(tip);
  }
  return head;
}

/** What was moved away came first, what lies in the work tree after it: two commits where a path has both. */
async function commitGroup(update: Update, base: string, edits: readonly Unseen[]): Promise<string> {
  const { repo, journal, options, beliefs, original } = update;
  let tip = base;
  for (const layer of [edits.filter(({ op }) => op !== undefined), edits.filter(({ op }) => op === undefined)]) {
    if (layer.length === 0) continue;
    const isNew = new Set(layer.filter(({ expected }) => expected.entry === null).map(({ path }) => path));
    tip = await commitEdits(repo, journal.ref, tip, new Map(layer.map(({ path, entry }) => [path, entry])), (path) => isNew.has(path), options);
    for (const { op, path, entry } of layer) {
      if (op !== undefined) op.found = { entry, at: tip };
      else {
        beliefs.set(path, { entry, at: tip });
        if (!original.has(path)) original.set(path, null);
      }
    }
  }
  return tip;
}

async function mergeEdits(update: Update, base: string, tip: string, head: string): Promise<string> {
  const { repo, rules, journal } = update;
  const result = await integrate(repo, { local: tip, remote: head, rules, rewrittenFrom: base });
  switch (result.kind) {
    case 'up-to-date':
      return tip;
    case 'fast-forward':
      return result.commit;
    case 'merged':
      update.conflicts.push(...result.conflicts);
      return result.commit;
    case 'rewritten':
      update.conflicts.push(...result.conflicts);
      await keepRescue(repo, journal.ref, tip);
      return result.commit;
    case 'stopped':
    case 'unrelated':
      // The person has to merge: their side stays checked out, the other one waits.
      if (base === journal.from && journal.saved.length === 0) return tip;
      await keepLate(repo, journal.ref, tip);
      return head;
    default:
      return result satisfies never;
  }
}
