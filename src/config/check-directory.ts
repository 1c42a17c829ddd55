/** Whether a listed directory can be kept in sync, as far as a few looks at the disk can tell. */
import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { errnoOf } from '../errors.ts';
import { quoteWord } from './words.ts';

export interface DirectoryTrouble {
  message: string;
  expected: string;
  hint?: string;
}

/** Where the work tree really is, or what is wrong with it. */
export type DirectoryCheck = { place: string } | { trouble: DirectoryTrouble };

/**
 * Checks that `path` is the top of a git work tree. A network mount whose server
 * is gone answers nothing at all, so the check has a deadline.
 */
export async function checkDirectory(path: string, deadlineMs = 10_000): Promise<DirectoryCheck> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<DirectoryCheck>((settle) => {
    const trouble = { message: `${path} does not answer`, expected: 'a directory that can be read', hint: 'is its server down?' };
    timer = setTimeout(() => settle({ trouble }), deadlineMs);
  });
  try {
    return await Promise.race([inspect(path), silence]);
  } finally {
    clearTimeout(timer);
  }
}

async function inspect(path: string): Promise<DirectoryCheck> {
  const expected = 'the top of a git work tree';
  try {
    if (!(await stat(path)).isDirectory()) return { trouble: { message: `${path} is not a directory`, expected } };
    if (await isWorkTree(path)) return { place: await realpath(path) };
    return { trouble: { ...(await explainPlain(path)), expected } };
  } catch (error) {
    const hint = `is a drive not mounted? else: gitsync rm ${quoteWord(path)}`;
    if (errnoOf(error) === 'ENOENT') return { trouble: { message: `${path} does not exist`, expected, hint } };
    return { trouble: { message: `${path} cannot be read (${errnoOf(error) ?? String(error)})`, expected } };
  }
}

/** `.git` is a directory with HEAD, or a file that names one (linked work trees, submodules). */
async function isWorkTree(path: string): Promise<boolean> {
  const dotGit = `${path}/.git`;
  const info = await statIfThere(dotGit);
  if (info === undefined) return false;
  if (info.isDirectory()) return (await statIfThere(`${dotGit}/HEAD`)) !== undefined;
  const link = /^gitdir: (.+?)\r?\n?$/.exec(await readFile(dotGit, 'utf8'));
  return link !== null && (await statIfThere(`${resolve(path, link[1] as string)}/HEAD`)) !== undefined;
}

/** Why a directory is not the top of a work tree, and what to do instead. */
async function explainPlain(path: string): Promise<{ message: string; hint: string }> {
  if ((await statIfThere(`${path}/HEAD`)) !== undefined && (await statIfThere(`${path}/objects`)) !== undefined) {
    return { message: `${path} is a bare repository, which has no files to watch`, hint: `git clone ${quoteWord(path)} and list the clone` };
  }
  if ((await statIfThere(`${path}/.git`)) !== undefined) return { message: `${path}/.git is not a repository`, hint: `gitsync doctor ${quoteWord(path)}` };
  for (let above = dirname(path); above !== dirname(above); above = dirname(above)) {
    if (await isWorkTree(above)) return { message: `${path} lies inside the work tree ${above}`, hint: `gitsync add ${quoteWord(above)}` };
  }
  return { message: `${path} is not a git repository`, hint: `gitsync init ${quoteWord(path)}` };
}

const statIfThere = (path: string): Promise<Awaited<ReturnType<typeof stat>> | undefined> =>
  stat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  });
