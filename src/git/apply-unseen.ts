/**
 * Unseen edits: what a person saved after the last capture, found while files
 * were moved. Each becomes part of a commit on the state that it was made
 * from, and is merged like anybody's work.
 */
import { hostname } from 'node:os';
import { absoluteOf, isUtf8, joinNul, rawToDisplay, rawToText, splitNul, type RawPath } from '../core/raw-path.ts';
import { commitMessage } from '../core/commit-message.ts';
import { hashFiles, rawEntryOf } from './apply-content.ts';
import type { Update, UpdateOptions } from './apply-context.ts';
import { lookAt } from './apply-file.ts';
import { beliefAfter, trashFile, type Belief, type Op } from './apply-journal.ts';
import { putBack, type InTheWay } from './apply-move.ts';
import { commitTree } from './commit.ts';
import { git, type Repo } from './git.ts';
import { integrate } from './integrate.ts';
import { keepLate, keepRescue } from './late-refs.ts';
import { sameEntry, treeWith, type Entry } from './tree.ts';

/** A file with content that no commit has, and what was expected in its place. */
export interface Unseen {
  path: RawPath;
  entry: Entry;
  expected: Belief;
  /** The op that moved it to the trash; undefined for a file that lies in the work tree. */
  op?: Op;
}

/** A file to look at, wherever it lies now, and what it is taken to be. */
export interface Candidate {
  path: RawPath;
  file: Buffer;
  expected: Belief;
  /** The entry that the update brings: what equals it needs no saving either. */
  incoming: Entry | null;
  op: Op;
}

export type Verdict = { kind: 'expected' | 'incoming' } | { kind: 'unseen'; entry: Entry } | { kind: 'unreadable'; why: string };

/** Says of each file whether its content is known. What is not is in the object database afterwards. */
export async function judge(repo: Repo, directory: string, candidates: readonly Candidate[]): Promise<Map<Candidate, Verdict>> {
  const verdicts = new Map<Candidate, Verdict>();
  const suspects = new Map<string | null, Candidate[]>();
  for (const candidate of candidates) {
    const raw = await rawEntryOf(candidate.file, repo.oidLength);
    if (raw !== undefined && sameEntry(raw, candidate.expected.entry)) verdicts.set(candidate, { kind: 'expected' });
    else if (raw !== undefined && sameEntry(raw, candidate.incoming)) verdicts.set(candidate, { kind: 'incoming' });
    else suspects.set(candidate.expected.at, [...(suspects.get(candidate.expected.at) ?? []), candidate]);
  }
  for (const [at, group] of suspects) {
    for (const batch of onePerPath(group)) {
      const { entries, unreadable } = await hashFiles(repo, directory, at, new Map(batch.map(({ path, file }) => [path, file])));
      for (const candidate of batch) verdicts.set(candidate, verdictOf(candidate, entries.get(candidate.path), unreadable.get(candidate.path)));
    }
  }
  return verdicts;
}

function verdictOf(candidate: Candidate, entry: Entry | undefined, why: string | undefined): Verdict {
  if (why !== undefined) return { kind: 'unreadable', why };
  if (entry === undefined) return { kind: 'expected' };
  return sameEntry(entry, candidate.incoming) ? { kind: 'incoming' } : { kind: 'unseen', entry };
}

/** Splits candidates so that no batch has two for one path. */
function onePerPath(candidates: readonly Candidate[]): Candidate[][] {
  const batches: Map<RawPath, Candidate>[] = [];
  for (const candidate of candidates) {
    let batch = batches.find((each) => !each.has(candidate.path));
    if (batch === undefined) batches.push((batch = new Map()));
    batch.set(candidate.path, candidate);
  }
  return batches.map((batch) => [...batch.values()]);
}

/** Looks at what was moved away. A file that cannot be read goes back to its place and is blocked. */
export async function lookAtTrash(update: Update, ops: readonly Op[]): Promise<Unseen[]> {
  const { repo, directory, blocked } = update;
  const candidates = ops
    .map((op) => ({ op, path: op.path, file: trashFile(directory, op), expected: op.old, incoming: op.new }))
    .filter(({ file, op }) => op.found === undefined && lookAt(file) !== undefined);
  const unseen: Unseen[] = [];
  for (const [{ op, path, expected }, verdict] of await judge(repo, directory, candidates)) {
    if (verdict.kind === 'unseen') unseen.push({ op, path, expected, entry: verdict.entry });
    else if (verdict.kind === 'unreadable') {
      blocked.set(path, `what was saved there cannot be read: ${verdict.why}`);
      putBack(update, op);
    }
  }
  return unseen;
}

/**
 * Looks at what stood in the way of new files: unseen edits, or files that git
 * ignores, which may be secrets and are left alone. `open` are the ops that
 * another round has to try again.
 */
export async function lookAtObstacles(update: Update, found: readonly InTheWay[]): Promise<{ unseen: Unseen[]; open: Op[] }> {
  const { repo, directory, blocked, beliefs, journal } = update;
  const ignored = await findIgnored(repo, update.index.file, found.filter(({ kind }) => kind === 'file').map(({ at }) => at));
  const candidates: Candidate[] = [];
  for (const obstacle of found) {
    if (obstacle.kind === 'directory') candidates.push(...(await filesInDirectory(update, obstacle.op)));
    else candidates.push(...fileInTheWay(update, obstacle, ignored));
  }
  const unseen: Unseen[] = [];
  const done = new Set<Op>();
  const full = new Set(found.filter(({ kind }) => kind === 'directory').map(({ op }) => op));
  for (const [{ op, path, expected }, verdict] of await judge(repo, directory, candidates)) {
    if (verdict.kind === 'unreadable') blocked.set(op.path, `the file in its place cannot be read: ${verdict.why}`);
    else if (verdict.kind === 'unseen') {
      unseen.push({ path, expected, entry: verdict.entry });
      full.delete(op);
    } else if (verdict.kind === 'expected') beliefs.set(path, expected);
    else {
      beliefs.set(path, beliefAfter(journal, op));
      done.add(op);
    }
  }
  for (const { path } of full) if (!blocked.has(path)) blocked.set(path, 'a folder that holds other files is in its place');
  return { unseen, open: found.map(({ op }) => op).filter((op) => !blocked.has(op.path) && !done.has(op)) };
}

function fileInTheWay(update: Update, { op, at }: InTheWay, ignored: ReadonlySet<RawPath>): Candidate[] {
  const { repo, beliefs, blocked, journal, keep, original } = update;
  const file = absoluteOf(repo.workTree, at);
  const isOwn = at === op.path;
  // A version that never came into the work tree may have come there by another way.
  const expected = isOwn && op.old.entry !== null ? op.old : ((isOwn ? undefined : beliefs.get(at)) ?? { entry: original.get(at) ?? null, at: journal.from });
  const info = lookAt(file);
  if (info === undefined || info.isDirectory()) return []; // gone again: the next round sees what is there then
  if (!info.isFile() && !info.isSymbolicLink()) blocked.set(op.path, 'something that is neither file nor folder is in its place');
  else if (op.old.entry === null && ignored.has(at)) blocked.set(op.path, ignoredInTheWay(op, at));
  else if (keep.has(at)) blocked.set(op.path, `${rawToDisplay(at)} is held back`);
  else return [{ op, path: at, file, expected, incoming: isOwn ? op.new : null }];
  return [];
}

/** The untracked files in a directory that is in a new file's place; where git would not take them all, the path is blocked. */
async function filesInDirectory(update: Update, op: Op): Promise<Candidate[]> {
  const { repo, keep, blocked, journal, beliefs } = update;
  const inside = (await listUntracked(repo, update.index.file, [op.path], [])).filter((path) => path.startsWith(`${op.path}/`));
  if (inside.some((path) => path.endsWith('/') || keep.has(path))) {
    blocked.set(op.path, 'a folder that holds other files is in its place');
    return [];
  }
  return inside.map((path) => ({ op, path, file: absoluteOf(repo.workTree, path), expected: beliefs.get(path) ?? { entry: null, at: journal.from }, incoming: null }));
}

/** Untracked files (or, with `--ignored`, those that git ignores) below some directories, perhaps among others. */
async function listUntracked(repo: Repo, indexFile: string, directories: readonly RawPath[], options: readonly string[]): Promise<RawPath[]> {
  const limit = directories.every(isUtf8) ? ['--', ...directories.map(rawToText)] : [];
  const { stdout } = await git(repo, ['ls-files', '-z', '--others', ...options, '--exclude-standard', ...limit], { indexFile, env: { GIT_LITERAL_PATHSPECS: '1' } });
  return splitNul(stdout);
}

/** Those of the ops that have a directory with ignored files in it in the place of a file. */
export async function findHoldingIgnored(repo: Repo, indexFile: string, ops: readonly Op[]): Promise<Op[]> {
  if (ops.length === 0) return [];
  const ignored = await listUntracked(repo, indexFile, ops.map(({ path }) => path), ['--ignored']);
  return ops.filter((op) => ignored.some((path) => path.startsWith(`${op.path}/`)));
}

/** Why an op waits for a file that git ignores, at its own path or at a parent of it. */
export function ignoredInTheWay(op: Op, at: RawPath): string {
  return at === op.path ? 'a file that git ignores is in its place' : `${rawToDisplay(at)} is a file that git ignores, not a folder`;
}

/** Those of the paths that git would ignore if it did not track them; all of them, where git cannot tell. */
export async function findIgnored(repo: Repo, indexFile: string, paths: readonly RawPath[]): Promise<Set<RawPath>> {
  if (paths.length === 0) return new Set();
  const { exitCode, stdout } = await git(repo, ['check-ignore', '-z', '--no-index', '--stdin'], { indexFile, input: joinNul(paths), expect: [0, 1, 128] });
  return new Set(exitCode === 128 ? paths : splitNul(stdout));
}

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
