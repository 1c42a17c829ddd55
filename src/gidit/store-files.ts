/**
 * Files of the store. Other programs may write into its directories, so no
 * symbolic link below the base is ever followed, and nothing is half written:
 * temporary file, flush, rename.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { errnoOf } from '../errors.ts';
import { isAlive, ownIdentity } from '../process/identity.ts';
import { Refusal } from './refusal.ts';

const planted = (path: string): Refusal => new Refusal('store', `${path} is a symbolic link, or not what it should be, within the store.`, { hint: `look who made it, then: rm ${path}` });

/** What lies at a path, or undefined. */
async function lookAt(path: string): Promise<Awaited<ReturnType<typeof lstat>> | undefined> {
  return lstat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  });
}

/**
 * Makes sure that everything between `base` and the directory is a directory.
 * @returns false where it is not there (and `make` is false).
 */
export async function checkDirectory(base: string, directory: string, make: boolean): Promise<boolean> {
  let at = base;
  for (const part of relative(base, directory).split(sep).filter((each) => each !== '')) {
    at = join(at, part);
    const info = await lookAt(at);
    if (info === undefined) {
      if (!make) return false;
      await mkdir(at).catch((error: unknown) => {
        if (errnoOf(error) !== 'EEXIST') throw error;
      });
      await flushDirectory(dirname(at));
    } else if (!info.isDirectory()) throw planted(at);
  }
  return true;
}

/** Opens a file for reading; undefined where there is none. */
export async function openStored(base: string, file: string): Promise<{ handle: FileHandle; sizeBytes: number } | undefined> {
  if (!(await checkDirectory(base, dirname(file), false))) return undefined;
  let handle;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw errnoOf(error) === 'ELOOP' ? planted(file) : error;
  }
  const info = await handle.stat();
  if (info.isFile()) return { handle, sizeBytes: info.size };
  await handle.close();
  throw planted(file);
}

/** The content of a file of at most `maxBytes`; undefined where there is none. */
export async function readStored(base: string, file: string, maxBytes: number): Promise<Buffer | undefined> {
  const opened = await openStored(base, file);
  if (opened === undefined) return undefined;
  try {
    if (opened.sizeBytes > maxBytes) throw new Refusal('size', `${file} has ${opened.sizeBytes} bytes; ${maxBytes} is the most.`);
    return await opened.handle.readFile();
  } finally {
    await opened.handle.close();
  }
}

/** The names in a directory of the store; none where it does not exist. */
export async function listStored(base: string, directory: string): Promise<string[]> {
  if (!(await checkDirectory(base, directory, false))) return [];
  return readdir(directory).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  });
}

/** A new file in `BASE/tmp` that says whose it is, so that one left by a crash can be cleared away. */
export async function temporaryFile(base: string): Promise<string> {
  await checkDirectory(base, join(base, 'tmp'), true);
  return join(base, 'tmp', `${ownIdentity().replace(' ', '-')}-${randomBytes(6).toString('hex')}`);
}

/** Removes temporary files of processes that have ended. */
export async function clearTemporaryFiles(base: string): Promise<void> {
  const directory = join(base, 'tmp');
  for (const name of await listStored(base, directory)) {
    const [pid = '', start = ''] = name.split('-');
    if (!isAlive(`${pid} ${start}`)) await rm(join(directory, name), { force: true, recursive: true });
  }
}

/** Writes a whole file: a reader sees the old content or the new, also after a power cut. */
export async function writeStored(base: string, file: string, content: Uint8Array | string): Promise<void> {
  const temporary = await temporaryFile(base);
  try {
    const handle = await open(temporary, 'wx');
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await moveStored(base, temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Moves a file that is whole and flushed to its place. */
export async function moveStored(base: string, from: string, file: string): Promise<void> {
  await checkDirectory(base, dirname(file), true);
  await rename(from, file);
  await flushDirectory(dirname(file));
}

async function flushDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
