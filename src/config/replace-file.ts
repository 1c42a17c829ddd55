/** Changing a small file so that a reader sees the old content or the new, and two writers never lose each other's change. */
import { mkdir, open, readFile, readlink, realpath, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, GitsyncError } from '../errors.ts';

/**
 * Replaces a file by what `change` makes of its text (undefined: leaves it alone)
 * and says whether it did. A missing file ('') and its parents are made; of a
 * symbolic link the target changes; mode and owner stay. As in git, `FILE.lock`
 * is the lock and the new content at once.
 * @throws GitsyncError `locked` when somebody else holds the lock for `deadlineMs`
 */
export async function replaceFile(file: string, change: (text: string) => Promise<string | undefined>, deadlineMs = 5000): Promise<boolean> {
  const target = await followLinks(file);
  await mkdir(dirname(target), { recursive: true });
  const lock = `${target}.lock`;
  const handle = await takeLock(lock, deadlineMs);
  let renamed = false;
  try {
    const text = await change(await readText(target));
    if (text === undefined) return false;
    await fillLike(handle, target, text);
    await rename(lock, target);
    renamed = true;
    await flushDirectory(dirname(target));
    return true;
  } finally {
    await handle.close();
    if (!renamed) await rm(lock, { force: true });
  }
}

/** The file that a chain of links ends at, also where that file does not exist yet. */
async function followLinks(file: string): Promise<string> {
  let path = resolve(file);
  for (let steps = 0; steps < 40; steps++) {
    const next = await readlink(path).catch(() => undefined);
    if (next === undefined) break;
    path = resolve(await realpath(dirname(path)), next);
  }
  return path;
}

async function takeLock(lock: string, deadlineMs: number): Promise<FileHandle> {
  const until = Date.now() + deadlineMs;
  for (;;) {
    try {
      return await open(lock, 'wx', 0o666);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      if (Date.now() >= until) throw new GitsyncError('locked', `${lock} exists: something else is changing that file.`, { cause: error, hint: `if nothing is: rm ${lock}` });
      await sleep(20);
    }
  }
}

/** @throws GitsyncError `config` for bytes that writing the text back would change */
async function readText(target: string): Promise<string> {
  const bytes = await readFile(target).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return Buffer.alloc(0);
    throw error;
  });
  const text = bytes.toString('utf8');
  if (!Buffer.from(text).equals(bytes)) throw new GitsyncError('config', `${target} is not UTF-8 text, so it was left alone.`, { hint: `convert it: iconv -f latin1 -t utf8 ${target}` });
  return text;
}

/** Writes the text to disk with the mode and owner of the file that it will replace. */
async function fillLike(handle: FileHandle, target: string, text: string): Promise<void> {
  const before = await stat(target).catch(() => undefined);
  await handle.writeFile(text);
  if (before !== undefined) {
    // Only root may give a file away; for anybody else it is theirs already.
    await handle.chown(before.uid, before.gid).catch(() => undefined);
    await handle.chmod(before.mode & 0o7777);
  }
  await handle.sync();
}

async function flushDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
