/**
 * The trash: files that an update replaced or removed. A program that held one
 * open may have written to it since, so it is looked at once more before it
 * goes; nothing goes whose content is not in the object database and reachable.
 */
import { existsSync, readdirSync, statSync, unlinkSync } from 'node:fs';
import type { RawPath } from '../core/raw-path.ts';
import { findOpenForWriting } from '../process/open-files.ts';
import type { UpdateOptions } from './apply-context.ts';
import { beliefAfter, listUpdateDirs, readJournal, removeUpdateDir, trashFile, trashOf, type Journal, type Op } from './apply-journal.ts';
import { commitEdits } from './apply-save.ts';
import { judge, type Candidate } from './apply-unseen.ts';
import type { Repo } from './git.ts';
import { keepLate } from './late-refs.ts';
import type { Entry } from './tree.ts';

export interface TrashReport {
  /** Files that stay for now: too young, still open for writing, or not readable. */
  waiting: number;
  /** Commits of late edits, kept under refs/gitsync/late: to be merged into the branch. */
  late: string[];
}

/** Files younger than this are not looked at yet. */
const youngMs = 1_000;
/** A program that keeps a replaced file open for longer than this writes into the void. */
const openForTooLongMs = 24 * 60 * 60_000;

/** Takes the second look at all trash; what was written meanwhile becomes late edits, the rest goes. */
export async function checkTrash(repo: Repo, options: UpdateOptions = {}): Promise<TrashReport> {
  const report: TrashReport = { waiting: 0, late: [] };
  for (const directory of await listUpdateDirs(repo, 'closed')) {
    if (!existsSync(trashOf(directory))) {
      // A removal that was killed half-way.
      await removeUpdateDir(directory);
      continue;
    }
    const ageMs = Date.now() - statSync(trashOf(directory)).ctimeMs;
    const names = readdirSync(trashOf(directory));
    // A clock that was set back must not make it young for hours.
    if (Math.abs(ageMs) < youngMs) {
      report.waiting += names.length;
      continue;
    }
    const files = names.map((name) => `${trashOf(directory)}/${name}`);
    // One that was set forward must not make it old: this process has been there for as long.
    const open = Math.min(ageMs, performance.now()) > openForTooLongMs ? new Set<string>() : await findOpenForWriting(new Set(files.map((file) => Buffer.from(file).toString('latin1'))));
    const resting = files.filter((file) => !open.has(Buffer.from(file).toString('latin1')));
    const { late, kept } = await saveLateEdits(repo, directory, await readJournal(directory), options, new Set(resting));
    for (const file of kept) unlinkSync(file);
    report.late.push(...late);
    report.waiting += names.length - kept.size;
    if (kept.size === names.length) await removeUpdateDir(directory);
  }
  return report;
}

/**
 * Commits what the files in an update's trash hold and no commit has yet. Each
 * commit follows the state that the file was taken from.
 * @param only the files to look at; all, where it is left out
 * @returns the commits, and the files whose content is in the object database now
 */
export async function saveLateEdits(repo: Repo, directory: string, journal: Journal, options: UpdateOptions, only?: ReadonlySet<string>): Promise<{ late: string[]; kept: Set<string> }> {
  const present = new Set(readdirSync(trashOf(directory)).map((name) => `${trashOf(directory)}/${name}`));
  const candidates = journal.ops.flatMap((op) => candidatesOf(directory, journal, op)).filter(({ file }) => present.has(file.toString()) && (only?.has(file.toString()) ?? true));
  const kept = new Set<string>();
  // Commits are keyed by what they follow; a path that comes twice needs two.
  const commits: { at: string | null; edits: Map<RawPath, Entry> }[] = [];
  for (const [{ file, path, expected: { at } }, verdict] of await judge(repo, directory, candidates)) {
    if (verdict.kind !== 'unreadable') kept.add(file.toString());
    if (verdict.kind !== 'unseen') continue;
    let commit = commits.find((each) => each.at === at && !each.edits.has(path));
    if (commit === undefined) commits.push((commit = { at, edits: new Map() }));
    commit.edits.set(path, verdict.entry);
  }
  const late: string[] = [];
  for (const { at, edits } of commits) {
    const commit = await commitEdits(repo, journal.ref, at ?? journal.to, edits, () => false, options);
    await keepLate(repo, journal.ref, commit);
    late.push(commit);
  }
  return { late, kept };
}

function candidatesOf(directory: string, journal: Journal, op: Op): Candidate[] {
  return [
    { op, path: op.path, file: trashFile(directory, op), expected: op.found ?? op.old, incoming: null },
    { op, path: op.path, file: trashFile(directory, op, 'undone'), expected: beliefAfter(journal, op), incoming: null },
  ];
}
