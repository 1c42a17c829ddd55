/**
 * The moves of one round: deletions first, deepest first, then everything that
 * comes in. Each can be done again from wherever a kill left it.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { absoluteOf, rawToDisplay, splitRaw, type RawPath } from '../core/raw-path.ts';
import { isStagedFile, keepPermissions, lookAt, moveAway, putInPlace, removeEmptied, removeHollow, type Placing } from './apply-file.ts';
import { passStep, type Update } from './apply-context.ts';
import { stagedFile, trashFile, type Op } from './apply-journal.ts';
import type { Entry } from './tree.ts';

/** What stood in the way of a new file: at its own path, or at a parent of it. */
export interface InTheWay {
  op: Op;
  kind: 'file' | 'directory';
  at: RawPath;
}

/** Files moved before other work gets a turn. */
const movesPerTurn = 100;

/** Whether an entry is a file or symbolic link, and no submodule. */
export function isFile(entry: Entry | null): entry is Entry {
  return entry !== null && entry.mode !== '160000';
}

function depthOf(path: RawPath): number {
  return path.split('/').length;
}

/** Rules about what is ignored change last, so that until then the person's own hold. */
function ignoreFilesLast(a: Op, b: Op): number {
  return Number(splitRaw(a.path).name === '.gitignore') - Number(splitRaw(b.path).name === '.gitignore');
}

/** Moves the files of one round. Returns what was found in the way; blocked paths are noted in the update. */
export async function moveFiles(update: Update, ops: readonly Op[]): Promise<InTheWay[]> {
  const removals = ops.filter((op) => op.new === null).sort((a, b) => ignoreFilesLast(a, b) || depthOf(b.path) - depthOf(a.path));
  const arrivals = ops.filter((op) => op.new !== null).sort(ignoreFilesLast);
  const emptied = new Set<RawPath>();
  for (const op of ops) if (isFile(op.old.entry) && !isFile(op.new)) addParents(emptied, op.path);

  let moves = 0;
  for (const op of removals) {
    await remove(update, op);
    if ((moves += 1) % movesPerTurn === 0) await nextTurn();
  }
  const inTheWay: InTheWay[] = [];
  for (const op of arrivals) {
    const found = await bringIn(update, op, op.new as Entry);
    if (found !== undefined) inTheWay.push(found);
    if ((moves += 1) % movesPerTurn === 0) await nextTurn();
  }
  removeEmptied(update.repo.workTree, emptied);
  await passStep(update, 'emptied-directories-removed');
  return inTheWay;
}

/** Adds all directories above a path. */
export function addParents(directories: Set<RawPath>, path: RawPath): void {
  for (let { directory } = splitRaw(path); directory !== ''; directory = splitRaw(directory).directory) directories.add(directory);
}

function block(update: Update, path: RawPath, why: string): void {
  if (!update.blocked.has(path)) update.blocked.set(path, why);
}

async function remove(update: Update, op: Op): Promise<void> {
  const { repo, directory } = update;
  if (!isFile(op.old.entry)) {
    // A submodule's folder goes when it is empty, and only then.
    removeEmptied(repo.workTree, [op.path]);
    return;
  }
  const trash = trashFile(directory, op);
  const outcome = lookAt(trash) === undefined ? moveAway(repo.workTree, op.path, trash) : 'moved';
  if (typeof outcome === 'object') block(update, op.path, outcome.why);
  else update.changed.add(op.path);
  if (update.options.onStep !== undefined) await passStep(update, `removed ${op.n}`);
}

async function bringIn(update: Update, op: Op, entry: Entry): Promise<InTheWay | undefined> {
  const { repo, directory } = update;
  const [trash, staged] = [trashFile(directory, op), stagedFile(directory, op)];
  const isDone = isFile(entry) && isHere(update, op);
  if (!isDone && isFile(op.old.entry) && lookAt(trash) === undefined) {
    const moved = moveAway(repo.workTree, op.path, trash);
    if (typeof moved === 'object') {
      block(update, op.path, moved.why);
      return undefined;
    }
    if (moved === 'moved') keepPermissions(trash, staged);
    if (update.options.onStep !== undefined) await passStep(update, `moved away ${op.n}`);
  }
  const placed = isDone ? 'placed' : place(update, op, entry, staged);
  if (placed === 'placed') update.changed.add(op.path);
  if (update.options.onStep !== undefined) await passStep(update, `brought in ${op.n}`);
  if (placed === 'placed') return undefined;
  if (placed === 'occupied') return { op, kind: 'file', at: op.path };
  if (placed === 'directory') return { op, kind: 'directory', at: op.path };
  if ('parent' in placed) return { op, kind: 'file', at: placed.parent };
  block(update, op.path, placed.why);
  putBack(update, op);
  return undefined;
}

/** Whether an op's new file is in its place. */
export function isHere({ repo, directory }: Pick<Update, 'repo' | 'directory'>, op: Op): boolean {
  try {
    return isStagedFile(absoluteOf(repo.workTree, op.path), stagedFile(directory, op));
  } catch {
    return false;
  }
}

function place(update: Update, op: Op, entry: Entry, staged: Buffer): Placing {
  const root = update.repo.workTree;
  const first = putInPlace(root, op.path, entry, staged);
  if (first !== 'directory') return first;
  // A directory in which there is nothing but directories holds nothing that git could keep.
  return removeHollow(absoluteOf(root, op.path)) ? putInPlace(root, op.path, entry, staged) : 'directory';
}

/**
 * Gives a path back what was moved away from it: into an empty name, or in
 * exchange for our own new file. Whatever else is there by now stays. The trash
 * keeps its name for the file until it has been looked at.
 */
export function putBack(update: Pick<Update, 'repo' | 'directory'>, op: Op): void {
  takeOut(update, op);
  giveBack(update, op);
}

/** Moves our own new file away from a path again. */
export function takeOut({ repo, directory }: Pick<Update, 'repo' | 'directory'>, op: Op): void {
  const undone = trashFile(directory, op, 'undone');
  if (!isFile(op.new) || lookAt(undone) !== undefined || !isHere({ repo, directory }, op)) return;
  moveAway(repo.workTree, op.path, undone);
}

/** Links what an op moved away back to its path, if that is free. */
export function giveBack({ repo, directory }: Pick<Update, 'repo' | 'directory'>, op: Op): void {
  const trash = trashFile(directory, op);
  if (op.old.entry === null || lookAt(trash) === undefined) return;
  const outcome = putInPlace(repo.workTree, op.path, op.old.entry, trash);
  if (typeof outcome === 'object') repo.log.warn('A file could not be put back; it is kept in the trash', { path: rawToDisplay(op.path), file: trash.toString() });
}
