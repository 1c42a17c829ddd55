/** Which subdirectories a directory has. Symbolic links are never directories here. */
import { lstat, readdir } from 'node:fs/promises';
import { absoluteOf, joinRaw, rawFromBytes, type RawPath } from '../core/raw-path.ts';

export interface Listing {
  /** Names of subdirectories, `.git` not among them. */
  directories: string[];
  /** Whether there is a `.git`, so that this is a repository of its own (unless it is the root). */
  hasGit: boolean;
}

/** Up to this many names are looked at one by one; beyond, one listing of the directory is quicker. */
const lookEachUpTo = 16;

/** Lists the subdirectories of a directory. Throws the system's errors. */
export async function listDirectory(root: string, directory: RawPath): Promise<Listing> {
  const listing: Listing = { directories: [], hasGit: false };
  for (const entry of await readdir(absoluteOf(root, directory), { withFileTypes: true, encoding: 'buffer' })) {
    const name = rawFromBytes(entry.name);
    if (name === '.git') listing.hasGit = true;
    else if (entry.isDirectory()) listing.directories.push(name);
  }
  return listing;
}

/** Which of the names in a directory are directories now; what cannot be looked at is none. */
export async function findDirectories(root: string, directory: RawPath, names: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  if (names.size > lookEachUpTo) {
    const listing = await listDirectory(root, directory).catch(() => undefined);
    for (const name of listing?.directories ?? []) if (names.has(name)) found.add(name);
    return found;
  }
  for (const name of names) {
    const info = await lstat(absoluteOf(root, joinRaw(directory, name))).catch(() => undefined);
    if (info?.isDirectory() === true) found.add(name);
  }
  return found;
}
