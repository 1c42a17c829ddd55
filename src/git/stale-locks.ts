/**
 * Locks that a killed git has left behind (`refs/heads/main.lock`, `index.lock`, ...).
 * One goes only when it is old, stands still, and nobody has it open.
 */
import { lstatSync, readdirSync } from 'node:fs';
import { stat, unlink, writeFile } from 'node:fs/promises';
import { findOpenForWriting } from '../process/open-files.ts';
import { steadyNow } from '../process/steady-clock.ts';
import type { Repo } from './git.ts';
import { clearStaleIndexLock } from './index-lock.ts';

/** A lock younger than this is never taken for stale; the variable is for tests. */
const staleAfterMs = Number(process.env['GITSYNC_STALE_LOCK_MS'] ?? 10 * 60_000);

/** Each lock as it was when this process first saw it: the clock on the wall may have been set since. */
const seen = new Map<string, { identity: string; sinceMs: number }>();

/** A lock file's identity once it is old; undefined while it is young, or when it is gone. */
async function identityWhenOld(file: string, nowMs: number): Promise<string | undefined> {
  const info = await stat(file).catch(() => undefined);
  if (info === undefined) return void seen.delete(file);
  const identity = `${info.ino} ${info.size} ${info.mtimeMs}`;
  const known = seen.get(file);
  if (known?.identity !== identity) seen.set(file, { identity, sinceMs: steadyNow() });
  const seenForMs = known?.identity === identity ? steadyNow() - known.sinceMs : 0;
  return Math.max(nowMs - info.mtimeMs, seenForMs) >= staleAfterMs ? identity : undefined;
}

/** The time by the clock of the repository's own file system, which may be another machine's. */
async function fileSystemNow(repo: Repo): Promise<number> {
  const file = `${repo.ownDir}/tmp-clock`;
  try {
    await writeFile(file, '');
    return (await stat(file)).mtimeMs;
  } catch {
    return Date.now(); // a full disk, say
  } finally {
    await unlink(file).catch(() => undefined);
  }
}

async function isStale(file: string, nowMs: number): Promise<boolean> {
  const identity = await identityWhenOld(file, nowMs);
  if (identity === undefined) return false;
  const isOpen = (await findOpenForWriting(new Set([Buffer.from(file).toString('latin1')]))).size > 0;
  return !isOpen && (await identityWhenOld(file, nowMs)) === identity;
}

function locksIn(directory: string, deep: boolean): string[] {
  try {
    return readdirSync(directory, { recursive: deep, encoding: 'utf8' }).filter((name) => name.endsWith('.lock')).map((name) => `${directory}/${name}`);
  } catch {
    return [];
  }
}

/** Where git's upkeep has its locks; with one that was left over it does nothing, without a word. */
const upkeepDirectories = ['objects', 'objects/pack', 'objects/info', 'objects/info/commit-graphs'];

/** What git locks, other than the index: refs, HEAD, config, its upkeep. */
function findLocks(repo: Repo): string[] {
  const tops = new Set([repo.gitDir, repo.commonDir, ...upkeepDirectories.map((name) => `${repo.commonDir}/${name}`)].flatMap((directory) => locksIn(directory, false)));
  tops.delete(`${repo.gitDir}/index.lock`);
  const below = ['refs', 'logs'].flatMap((name) => locksIn(`${repo.commonDir}/${name}`, true));
  return [...tops, ...below].filter((file) => lstatSync(file, { throwIfNoEntry: false })?.isFile() ?? false);
}

/**
 * Clears abandoned locks; says how it went with the person's `index.lock`. To
 * be called while no git of ours runs: what locks our own folder then is left
 * over, however young it is.
 */
export async function clearStaleLocks(repo: Repo): Promise<'none' | 'cleared' | 'held'> {
  for (const file of locksIn(repo.ownDir, false)) await unlink(file).catch(() => undefined);
  const nowMs = await fileSystemNow(repo);
  for (const file of findLocks(repo)) {
    if (!(await isStale(file, nowMs))) continue;
    await unlink(file).catch(() => undefined);
    repo.log.warn('Removed a stale lock', { file });
  }
  return clearStaleIndexLock(repo, (file) => isStale(file, nowMs));
}
