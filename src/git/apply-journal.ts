/**
 * What an update of the work tree leaves on disk while it is under way: a
 * folder with the staged files, the files that were moved away (the trash) and
 * the journal, which is flushed before the first file moves. When the update
 * is over the journal becomes the list of what lies in the trash.
 */
import { existsSync, linkSync, lstatSync, unlinkSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { absoluteOf, type RawPath } from '../core/raw-path.ts';
import { GitsyncError } from '../errors.ts';
import { replaceDurably, syncDirectory } from './durable-file.ts';
import type { Repo } from './git.ts';
import type { Entry } from './tree.ts';

/** What a path is taken to hold, and a commit that says so (null: the branch was unborn). */
export interface Belief {
  entry: Entry | null;
  at: string | null;
}

/** A path that waits, and why (the end of a sentence). */
export interface Blocked {
  path: RawPath;
  why: string;
  /** Where the file that lies there was left as it was: what it was made from. */
  base?: Belief;
  /** Their own version, which is not to be taken, lies there. */
  held?: true;
}

/** One path to change: what lies there goes to `trash/N`, the staged file takes its place. */
export interface Op {
  n: number;
  path: RawPath;
  old: Belief;
  new: Entry | null;
  /** Which of the folder's stages holds the new file; the first is 1. */
  stage: number;
  /** What was really found there, once it is in the object database. */
  found?: Belief;
}

export interface Journal {
  version: 1;
  /** The branch, where it stood, and the commit that the work tree is being brought to. */
  ref: string;
  from: string | null;
  to: string;
  /** The commit that each stage's files are from. Only the last stage is under way. */
  stages: string[];
  ops: Op[];
  keep: RawPath[];
  blocked: Blocked[];
  /** Paths that the index marks as none of ours. */
  skipped: { sparse: RawPath[]; skipWorktree: RawPath[]; assumeUnchanged: RawPath[] };
  /** Commits made of unseen edits. */
  saved: string[];
}

const journalName = 'journal.json';
/** The journal's name while the update is being taken back. */
const undoName = 'undo.json';
const trashListName = 'trash.json';
const fallbackName = '.gitsync-stage';

export function stageOf(directory: string, stage: number): string {
  return `${directory}/stage-${stage}`;
}

/** What a path holds once an op is done. */
export function beliefAfter(journal: Journal, op: Op): Belief {
  return { entry: op.new, at: journal.stages[op.stage - 1] ?? journal.to };
}

export function trashOf(directory: string): string {
  return `${directory}/trash`;
}

/** The new file of an op, until it is put into place (and after, as a second name of it). */
export function stagedFile(directory: string, op: Op): Buffer {
  return absoluteOf(stageOf(directory, op.stage), op.path);
}

/** Where the file that an op moves away goes; `undone` where a new file goes that has to leave again. */
export function trashFile(directory: string, op: Op, part: 'old' | 'undone' = 'old'): Buffer {
  return Buffer.from(`${trashOf(directory)}/${op.n}${part === 'old' ? '' : '-undone'}`);
}

/**
 * The folder for updates: our own, when files can be renamed and linked between
 * it and the work tree; else one in the work tree's root that ignores itself.
 */
async function chooseArea(repo: Repo): Promise<string> {
  const own = `${repo.ownDir}/apply`;
  await mkdir(own, { recursive: true, mode: 0o700 });
  if (await canMoveBetween(repo, own)) return own;
  const fallback = `${repo.workTree}/${fallbackName}`;
  await mkdir(fallback, { recursive: true, mode: 0o700 });
  await writeFile(`${fallback}/.gitignore`, '*\n');
  return fallback;
}

async function canMoveBetween(repo: Repo, own: string): Promise<boolean> {
  const [ours, theirs] = await Promise.all([stat(own), stat(repo.workTree)]);
  if (ours.dev !== theirs.dev) return false;
  const dotGit = `${repo.workTree}/.git`;
  if (repo.gitDir === dotGit) return true;
  // Linked work trees and bind mounts: the same device may still be two mounts, between which nothing can be linked.
  const probe = `${own}/probe`;
  try {
    if (!lstatSync(dotGit).isFile()) return true;
    await rm(probe, { force: true });
    linkSync(dotGit, probe);
    unlinkSync(probe);
    return true;
  } catch {
    return false;
  }
}

/** Makes the folder of a new update. */
export async function makeUpdateDir(repo: Repo): Promise<string> {
  const directory = await mkdtemp(`${await chooseArea(repo)}/update-`);
  await mkdir(trashOf(directory));
  return directory;
}

/** Writes the journal so that it survives a power cut, replacing the one before. */
export async function writeJournal(directory: string, journal: Journal): Promise<void> {
  await replaceDurably(`${directory}/${journalName}`, JSON.stringify(journal));
}

/** Reads the journal of an open update, or the list of a closed one's trash. */
export async function readJournal(directory: string): Promise<Journal> {
  const state = stateOf(directory);
  const file = `${directory}/${fileOfState[state === 'unborn' ? 'open' : state]}`;
  try {
    const journal = JSON.parse(await readFile(file, 'utf8')) as Journal;
    if (journal.version === 1) return journal;
  } catch (error) {
    throw new GitsyncError('corrupt', `The journal ${file} cannot be read.`, { cause: error, hint: 'gitsync doctor --fix' });
  }
  throw new GitsyncError('corrupt', `The journal ${file} was written by a newer gitsync.`, { hint: 'use the newer version' });
}

/**
 * - `open`: under way, or interrupted; the journal says where
 * - `undo`: being taken back
 * - `closed`: over, only trash is left
 * - `unborn`: no file was moved yet
 */
export type UpdateState = 'open' | 'undo' | 'closed' | 'unborn';

const fileOfState = { open: journalName, undo: undoName, closed: trashListName } as const;

export function stateOf(directory: string): UpdateState {
  const states = ['open', 'undo', 'closed'] as const;
  return states.find((state) => existsSync(`${directory}/${fileOfState[state]}`)) ?? 'unborn';
}

/** The folders of the updates in some states. */
export async function listUpdateDirs(repo: Repo, ...states: UpdateState[]): Promise<string[]> {
  const found: string[] = [];
  for (const area of [`${repo.ownDir}/apply`, `${repo.workTree}/${fallbackName}`]) {
    const names = await readdir(area).catch(() => []);
    found.push(...names.filter((name) => name.startsWith('update-')).map((name) => `${area}/${name}`));
  }
  return found.filter((directory) => states.includes(stateOf(directory)));
}

/** Whether an update was interrupted: until `recoverApply` has been there, the work tree is in between two commits. */
export async function hasOpenUpdate(repo: Repo): Promise<boolean> {
  return (await listUpdateDirs(repo, 'open', 'undo')).length > 0;
}

/** From now on the update only goes back, whatever happens. Needs no room on the disk. */
export async function beginUndo(directory: string): Promise<void> {
  if (stateOf(directory) !== 'open') return;
  await rename(`${directory}/${journalName}`, `${directory}/${undoName}`);
  await syncDirectory(directory);
}

/** Ends an update: the journal becomes the trash's list; without trash everything goes. */
export async function closeUpdateDir(directory: string): Promise<void> {
  await rename(`${directory}/${stateOf(directory) === 'undo' ? undoName : journalName}`, `${directory}/${trashListName}`);
  await dropStages(directory);
  if ((await readdir(trashOf(directory))).length === 0) await removeUpdateDir(directory);
}

/** Removes the staged files' names in the update's folder. */
export async function dropStages(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!['trash', trashListName, journalName].includes(name)) await rm(`${directory}/${name}`, { recursive: true, force: true });
  }
}

/** Removes an update's folder; its trash must be empty. */
export async function removeUpdateDir(directory: string): Promise<void> {
  await rmdir(trashOf(directory)).catch((error: unknown) => {
    if (existsSync(trashOf(directory))) throw error;
  });
  await rm(directory, { recursive: true, force: true });
  const area = directory.slice(0, directory.lastIndexOf('/'));
  if (!area.endsWith(`/${fallbackName}`) || (await readdir(area)).some((name) => name !== '.gitignore')) return;
  await rm(`${area}/.gitignore`, { force: true });
  await rmdir(area).catch(() => undefined);
}
