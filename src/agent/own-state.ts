/** What the agent remembers of a repository between runs, in `.git/gitsync/state.json`. */
import { readFile } from 'node:fs/promises';
import { existsSync, lstatSync } from 'node:fs';
import type { RawPath } from '../core/raw-path.ts';
import type { Belief } from '../git/apply.ts';
import { replaceDurably } from '../git/durable-file.ts';
import type { Repo } from '../git/git.ts';

/** A path whose incoming version waits. */
export interface BlockedPath {
  path: RawPath;
  why: string;
  /** The person's own version is held back: it must not be merged, which would publish it. */
  held: boolean;
  /** What the file was made from that lies there, or what they deleted there. */
  base?: Belief;
}

export interface OwnState {
  /** Paths that a person let through the safety rules (bytes as latin1, as everywhere). */
  allowed: RawPath[];
  /** The work tree's inode when it was last seen in order. */
  rootInode: string | undefined;
  blocked: BlockedPath[];
  /** Epoch milliseconds; 0: not paused; `null` in the file: until resumed. */
  pausedUntilMs: number | null;
  /** Remote name to the time of the last moment both were equal (epoch milliseconds). */
  lastSyncMs: Record<string, number>;
  /** Container name to the times of the last talks that went well. */
  containers: Record<string, { pushMs?: number; pullMs?: number }>;
  /** Remote name to its URL when it was last fetched from. */
  remoteUrls: Record<string, string>;
  /** When the upkeep was last done (epoch milliseconds). */
  lastUpkeepMs: number;
}

const empty: OwnState = { allowed: [], rootInode: undefined, blocked: [], pausedUntilMs: 0, lastSyncMs: {}, containers: {}, remoteUrls: {}, lastUpkeepMs: 0 };

function fileOf(repo: Repo): string {
  return `${repo.ownDir}/state.json`;
}

/** Whether the repository was ever synced by us. */
export function hasOwnState(repo: Repo): boolean {
  return existsSync(fileOf(repo));
}

/** Reads it; a missing or damaged file is an empty state, since nothing in it is needed for safety. */
export async function readOwnState(repo: Repo): Promise<OwnState> {
  try {
    return { ...empty, ...(JSON.parse(await readFile(fileOf(repo), 'utf8')) as Partial<OwnState>) };
  } catch {
    return { ...empty };
  }
}

/** Replaces it in one step. On disk before a branch moves: what apply could not put into place would look deleted after a power cut. */
export async function writeOwnState(repo: Repo, state: OwnState): Promise<void> {
  await replaceDurably(fileOf(repo), `${JSON.stringify(state, null, 2)}\n`);
}

/** The last change of each file: a pause may come while an action notes something. */
const changing = new Map<string, Promise<unknown>>();

/** Reads, changes and writes it, one change after the other. */
export function changeOwnState(repo: Repo, change: (state: OwnState) => Partial<OwnState>): Promise<OwnState> {
  const file = fileOf(repo);
  const changed = (changing.get(file) ?? Promise.resolve()).then(async () => {
    const before = await readOwnState(repo);
    const after = { ...before, ...change(before) };
    await writeOwnState(repo, after);
    return after;
  });
  changing.set(file, changed.catch(() => undefined));
  return changed;
}

/** The work tree's inode number now. */
export function rootInode(repo: Repo): string {
  return String(lstatSync(repo.workTree, { bigint: true }).ino);
}
