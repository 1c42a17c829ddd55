/**
 * Rounds: each brings the work tree from what it is taken to hold to a target
 * commit. Edits that come to light are merged into a new target, and another
 * round follows, until one finds nothing new.
 */
import { absoluteOf, type RawPath } from '../core/raw-path.ts';
import { listBlocked, passStep, type Update } from './apply-context.ts';
import { findBadParent, isFileThere, lookAt, obstacleOf } from './apply-file.ts';
import { beliefAfter, writeJournal, type Belief, type Op } from './apply-journal.ts';
import { isFile, moveFiles } from './apply-move.ts';
import { saveUnseen } from './apply-save.ts';
import { flaggedPaths, stageFiles } from './apply-stage.ts';
import { findHoldingIgnored, findIgnored, ignoredInTheWay, lookAtObstacles, lookAtTrash } from './apply-unseen.ts';
import { findRefusedNames, withoutRefusedNames } from './refused-names.ts';
import { diffTrees, emptyTree, entriesOf, sameEntry, type Entry, type TreeChange } from './tree.ts';

/** After so many rounds, edits are no longer merged: they follow the target as they are. */
const mergeRounds = 4;
const lastRound = 6;

/** Brings the work tree to `journal.to`, or to a later commit that holds unseen edits too. */
export async function runRounds(update: Update, firstRound = 1): Promise<void> {
  for (let round = firstRound; ; round += 1) {
    const ops = await prepareRound(update, round);
    if (await finishRound(update, ops, round)) return;
  }
}

/** Goes on where the round that the journal describes was interrupted, and then as ever. */
export async function resumeRounds(update: Update): Promise<void> {
  const { repo, journal, original, beliefs, bases } = update;
  const stage = journal.stages.length;
  const entries = journal.from === null ? new Map<RawPath, Entry>() : await entriesOf(repo, journal.from, new Set(journal.ops.map(({ path }) => path)));
  for (const op of journal.ops) {
    original.set(op.path, entries.get(op.path) ?? null);
    bases.set(op.path, op.old);
    if (op.stage < stage) beliefs.set(op.path, beliefAfter(journal, op));
  }
  const ops = journal.ops.filter((op) => op.stage === stage);
  if (!(await finishRound(update, ops, stage))) await runRounds(update, stage + 1);
}

/** Stages what a round needs and writes the journal. */
async function prepareRound(update: Update, round: number): Promise<Op[]> {
  const { repo, directory, journal, index, blocked } = update;
  const start = journal.from ?? (await emptyTree(repo));
  const planned = await planRound(update, start, round);
  const wanted = planned.flatMap((op) => (op.new === null ? [] : [{ path: op.path, entry: op.new }]));
  const staged = await stageFiles(repo, directory, round, start, journal.to, index.file, wanted);
  journal.skipped.sparse.push(...staged.sparse);
  for (const [path, why] of staged.failed) blocked.set(path, why);
  await passStep(update, 'staged');
  const ops = planned.filter(({ path }) => !staged.sparse.has(path) && !blocked.has(path));
  for (const op of ops) journal.ops.push(op);
  journal.stages.push(journal.to);
  journal.blocked = listBlocked(update);
  await writeJournal(directory, journal);
  await passStep(update, 'journal written');
  return ops;
}

/** Moves a round's files and looks at what was found. Returns whether nothing is left to do. */
async function finishRound(update: Update, ops: readonly Op[], round: number): Promise<boolean> {
  const { journal, beliefs, blocked } = update;
  const inTheWay = await moveFiles(update, ops);
  const notPlaced = new Set(inTheWay.map(({ op }) => op));
  for (const op of ops) beliefs.set(op.path, notPlaced.has(op) ? { entry: null, at: op.old.at } : beliefAfter(journal, op));
  const unseenInTrash = await lookAtTrash(update, ops);
  const obstacles = await lookAtObstacles(update, inTheWay);
  const unseen = [...unseenInTrash, ...obstacles.unseen];
  for (const path of blocked.keys()) beliefs.delete(path);
  await passStep(update, 'looked at what was moved');
  if (unseen.length === 0 && obstacles.open.length === 0) return true;
  if (round >= lastRound) for (const { path } of obstacles.open) blocked.set(path, 'its place is taken again and again');

  if (unseen.length > 0) journal.to = await saveUnseen(update, unseen, journal.to, round >= mergeRounds);
  await passStep(update, 'unseen edits saved');
  if (round < lastRound) return false;
  await writeJournal(update.directory, journal);
  return true;
}

/** The ops of a round. Names that git refuses leave the target; paths that cannot be changed are noted as blocked. */
async function planRound(update: Update, start: string, round: number): Promise<Op[]> {
  const { repo, journal, keep, blocked, bases, beliefs, original } = update;
  const changes = await diffWithoutRefused(update, start);
  const wanted = new Map(changes.map((change) => [change.path, change.new]));
  for (const [path, entry] of original) if (!wanted.has(path)) wanted.set(path, entry);
  for (const change of changes) if (!original.has(change.path)) original.set(change.path, change.old);

  let n = journal.ops.at(-1)?.n ?? 0;
  const ops: Op[] = [];
  for (const [path, entry] of wanted) {
    const old: Belief = beliefs.get(path) ?? { entry: original.get(path) ?? null, at: journal.from };
    if (sameEntry(old.entry, entry) || keep.has(path) || blocked.has(path)) continue;
    ops.push({ n: (n += 1), path, old, new: entry, stage: round });
    bases.set(path, old);
  }
  const flagged = round === 1 ? await flaggedPaths(repo, update.index.file, ops.filter((op) => op.old.entry !== null).map(({ path }) => path)) : undefined;
  if (flagged !== undefined) Object.assign(journal.skipped, flagged);
  const ours = leaveFlagged(update, ops);
  await blockIgnored(update, ours);
  return ours.filter(({ path }) => !blocked.has(path));
}

/** The ops on paths that the person's index does not keep us away from. */
function leaveFlagged(update: Update, ops: readonly Op[]): Op[] {
  const { sparse, skipWorktree, assumeUnchanged } = update.journal.skipped;
  const [absent, flagged] = [new Set(sparse), new Set([...skipWorktree, ...assumeUnchanged])];
  return ops.filter((op) => {
    if (absent.has(op.path)) return false;
    if (!flagged.has(op.path)) return true;
    // Their own version, which they told git not to look at, must not come back as a new file.
    if (op.new === null && isFileThere(update.repo.workTree, op.path, false)) update.blocked.set(op.path, 'git was told to leave this file alone (git ls-files -v)');
    return false;
  });
}

async function diffWithoutRefused(update: Update, start: string): Promise<TreeChange[]> {
  const { repo, journal, blocked } = update;
  const changes = await diffTrees(repo, start, journal.to);
  const refused = findRefusedNames(changes);
  if (refused.length === 0) return changes;
  for (const path of refused) blocked.set(path, 'git refuses this name, since it may mean its own folder');
  journal.to = await withoutRefusedNames(repo, journal.to, refused);
  return diffTrees(repo, start, journal.to);
}

/** A file that git ignores may be a secret: the one that comes in waits. Asked before the update changes the rules. */
async function blockIgnored(update: Update, ops: readonly Op[]): Promise<void> {
  const { repo, index, blocked, beliefs, original } = update;
  const isTracked = (path: RawPath): boolean => (beliefs.get(path)?.entry ?? original.get(path) ?? null) !== null;
  const files = new Map<Op, RawPath>();
  const directories: Op[] = [];
  for (const op of ops.filter((each) => isFile(each.new))) {
    try {
      const parent = findBadParent(repo.workTree, op.path);
      const there = parent === undefined ? lookAt(absoluteOf(repo.workTree, op.path)) : undefined;
      if (parent?.kind === 'file' && !isTracked(parent.at)) files.set(op, parent.at);
      else if (there?.isDirectory()) directories.push(op);
      else if (there !== undefined && !isFile(op.old.entry)) files.set(op, op.path);
    } catch (error) {
      blocked.set(op.path, obstacleOf(error).why);
    }
  }
  const ignored = await findIgnored(repo, index.file, [...files.values()]);
  for (const [op, at] of files) if (ignored.has(at)) blocked.set(op.path, ignoredInTheWay(op, at));
  for (const op of await findHoldingIgnored(repo, index.file, directories)) blocked.set(op.path, 'a folder that holds other files is in its place');
}
