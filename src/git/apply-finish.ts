/** The end of an update, when all files are in place: branch, indexes, journal; and the way back, when the branch is elsewhere. */
import { joinNul, type RawPath } from '../core/raw-path.ts';
import { GitsyncError } from '../errors.ts';
import { listBlocked, passStep, type Update } from './apply-context.ts';
import { lookAt, removeEmptied } from './apply-file.ts';
import { beginUndo, closeUpdateDir, dropStages, stagedFile, trashFile, type Op } from './apply-journal.ts';
import { addParents, giveBack, isFile, takeOut } from './apply-move.ts';
import { saveLateEdits } from './apply-trash.ts';
import { git } from './git.ts';
import type { IndexLock } from './index-lock.ts';
import { keepLate } from './late-refs.ts';
import { isAncestor, updateRef } from './refs.ts';
import { entriesOf, sameEntry } from './tree.ts';

/** Moves the branch to the update's target; `moved`: somebody else was faster. */
export async function moveBranch(update: Update): Promise<'done' | 'moved'> {
  const { repo, journal, options } = update;
  await options.onBlocked?.(listBlocked(update));
  if (journal.to === journal.from) return 'done';
  try {
    // By HEAD: whoever switches branches in this very moment has the files on the branch that they are on then.
    await updateRef(repo, 'HEAD', journal.to, journal.from, 'brought in changes');
  } catch (error) {
    if (error instanceof GitsyncError && error.kind === 'rejected') return 'moved';
    throw error;
  }
  await passStep(update, 'branch moved');
  return 'done';
}

/** Brings the private index and the person's to the branch, and lets go of the lock and the journal. */
export async function settleIndexes(update: Update, lock: IndexLock): Promise<void> {
  const { index, journal, directory } = update;
  // Before the indexes learn the files' times: a name less changes a file's ctime.
  await dropStages(directory);
  const last = new Map(journal.ops.map((op) => [op.path, op.new]));
  await index.moveTo(journal.to, [...last].filter(([, entry]) => entry !== null).map(([path]) => path));
  await keepFlags(update);
  await passStep(update, 'private index moved');
  await index.settle(journal.to, lock);
  await passStep(update, 'index replaced');
  await closeUpdateDir(directory);
  await passStep(update, 'journal closed');
}

/** What sparse checkout leaves out, and what git was told to leave alone, stays marked so. */
async function keepFlags(update: Update): Promise<void> {
  const { repo, index, journal } = update;
  const { sparse, skipWorktree, assumeUnchanged } = journal.skipped;
  const all = new Set([...sparse, ...skipWorktree, ...assumeUnchanged]);
  if (all.size === 0) return;
  const present = await entriesOf(repo, journal.to, all);
  const mark = async (flag: string, paths: readonly RawPath[]): Promise<void> => {
    const input = joinNul(paths.filter((path) => present.has(path)));
    if (input.length > 0) await git(repo, ['update-index', flag, '-z', '--stdin'], { indexFile: index.file, input });
  };
  await mark('--skip-worktree', [...sparse, ...skipWorktree]);
  await mark('--assume-unchanged', assumeUnchanged);
}

/**
 * Takes an update back, as far as nobody has touched what it did: the work
 * tree belongs to the commit that HEAD has come to since. Where that commit
 * has the old version of a path, the old file comes back; elsewhere the person
 * has already decided otherwise. Unseen edits become late edits.
 */
export async function undoMoves(update: Update, head: string | undefined): Promise<void> {
  const { repo, journal, directory } = update;
  await beginUndo(directory);
  await passStep(update, 'going back');
  const byPath = new Map<RawPath, Op[]>();
  for (const op of journal.ops) byPath.set(op.path, [...(byPath.get(op.path) ?? []), op]);
  const wanted = head === undefined ? new Map<RawPath, never>() : await entriesOf(repo, head, new Set(byPath.keys()));
  const undone = [...byPath].filter(([path, [first]]) => sameEntry(wanted.get(path), first?.old.entry)).map(([, ops]) => ops);

  const emptied = new Set<RawPath>();
  for (const ops of undone) {
    for (const op of [...ops].reverse()) takeOut(update, op);
    if (isFile((ops[0] as Op).new)) addParents(emptied, (ops[0] as Op).path);
  }
  removeEmptied(repo.workTree, emptied);
  await passStep(update, 'new files taken out');
  for (const ops of undone) {
    // The last thing in the trash that is not one of our own files from a round before.
    const theirs = [...ops].reverse().find((op) => holdsTheirFile(directory, op, ops));
    if (theirs !== undefined) giveBack(update, theirs);
  }
  await passStep(update, 'old files given back');
  for (const commit of journal.saved) if (head === undefined || !(await isAncestor(repo, commit, head))) await keepLate(repo, journal.ref, commit);
  await saveLateEdits(repo, directory, journal, update.options);
  update.index.forget();
  await closeUpdateDir(directory);
}

function holdsTheirFile(directory: string, op: Op, ops: readonly Op[]): boolean {
  const inode = lookAt(trashFile(directory, op))?.ino;
  return inode !== undefined && !ops.some((other) => lookAt(stagedFile(directory, other))?.ino === inode);
}
