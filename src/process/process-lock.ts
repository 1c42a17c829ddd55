/** One process for one thing: a lock file that names its process, so that one left by a crash is recognised at once. */
import { link, readdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { errnoOf, GitsyncError } from '../errors.ts';
import { isAlive, ownIdentity } from './identity.ts';

export interface HeldLock {
  release(): Promise<void>;
}

/** The locks of this process: a file with our own name that is not among them was left behind (its drive was away when we let go). */
const held = new Set<string>();

/** How often a lock that vanished or was stale is tried again before giving up. */
const attempts = 5;

async function release(file: string): Promise<void> {
  held.delete(file);
  await unlink(file).catch(() => undefined);
}

/** Removes what processes have left that were killed while they took the lock. */
async function dropHalfTaken(file: string): Promise<void> {
  const prefix = `${basename(file)}.`;
  for (const name of await readdir(dirname(file))) {
    const pid = name.startsWith(prefix) ? name.slice(prefix.length) : '';
    if (/^\d+$/.test(pid) && !isAlive(pid)) await unlink(`${dirname(file)}/${name}`).catch(() => undefined);
  }
}

/**
 * Takes the lock at `file`.
 * @throws GitsyncError `locked` when another live process holds it.
 */
export async function takeLock(file: string, what: string, hint = 'gitsync status'): Promise<HeldLock> {
  const own = `${file}.${process.pid}`;
  await writeFile(own, `${ownIdentity()}\n`);
  try {
    for (let i = 0; i < attempts; i++) {
      try {
        // link(2) fails when the name is taken, and the content is complete from the first moment.
        await link(own, file);
        held.add(file);
        await dropHalfTaken(file).catch(() => undefined);
        return { release: () => release(file) };
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw error;
      }
      const owner = await readFile(file, 'latin1').catch(() => undefined);
      if (owner !== undefined && isAlive(owner.trim()) && (owner.trim() !== ownIdentity() || held.has(file))) {
        throw new GitsyncError('locked', `${what} is in the hands of another gitsync (process ${owner.split(' ')[0] ?? '?'}).`, { hint });
      }
      if (owner !== undefined) await unlink(file).catch(() => undefined);
    }
    throw new GitsyncError('locked', `${what} is being locked by several gitsync processes at once.`, { hint: 'try again' });
  } finally {
    await unlink(own).catch(() => undefined);
  }
}
