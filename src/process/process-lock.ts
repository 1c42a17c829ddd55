/** One process for one thing: a lock file that names its process, so that one left by a crash is recognised at once. */
import { link, readFile, unlink, writeFile } from 'node:fs/promises';
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
