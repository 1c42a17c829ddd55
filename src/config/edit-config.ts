/** `gitsync add` and `gitsync rm`: which directories the config file lists. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { resolve, sep } from 'node:path';
import { checkDirectory } from './check-directory.ts';
import { dropPath, insertWorkDir, listPaths, type IsMeant } from './edit-text.ts';
import { replaceFile } from './replace-file.ts';

/** A mount that does not answer must not keep a person from removing it. */
const lookDeadlineMs = 2000;

/** Lists a directory in the file (made where it is missing); false if it is listed already. */
export async function addWorkDir(file: string, path: string): Promise<boolean> {
  const absolute = resolve(path);
  return await replaceFile(file, async (text) => {
    const isMeant = await sameAs(absolute, text);
    return listPaths(text, homedir()).some(isMeant) ? undefined : insertWorkDir(text, shorten(absolute, file));
  });
}

/** Takes a directory out of the file, together with its section; false if it was not there. */
export async function removeWorkDir(file: string, path: string): Promise<boolean> {
  if (!existsSync(file)) return false;
  const absolute = resolve(path);
  return await replaceFile(file, async (text) => dropPath(text, homedir(), await sameAs(absolute, text)));
}

/** A config below the home directory may move between machines with it, so it says `~`. */
function shorten(path: string, file: string): string {
  const home = homedir();
  const isBelow = (child: string): boolean => child.startsWith(home + sep) && home !== sep;
  return isBelow(path) && isBelow(resolve(file)) ? `~${path.slice(home.length)}` : path;
}

/** Whether a listed path is the directory, by its name or through symbolic links. */
async function sameAs(absolute: string, text: string): Promise<IsMeant> {
  const listed = listPaths(text, homedir());
  if (listed.includes(absolute)) return (path) => path === absolute;
  const places = new Map<string, string>();
  const look = async (path: string): Promise<void> => {
    const check = await checkDirectory(path, lookDeadlineMs);
    if ('place' in check) places.set(path, check.place);
  };
  await Promise.all([absolute, ...listed].map(look));
  const place = places.get(absolute);
  return (path) => path === absolute || (place !== undefined && places.get(path) === place);
}
