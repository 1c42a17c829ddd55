/** A tree with some entries replaced: only the directories that they lie in are read and written, however many others there are. */
import { directoriesAbove, rawToDisplay, splitRaw, type RawPath } from '../core/raw-path.ts';
import { GitsyncError } from '../errors.ts';
import { git, gitText, type Repo } from './git.ts';
import { emptyTree, type Entry } from './tree.ts';

/** What a tree object holds, by name. */
type Directory = Map<string, { mode: string; oid: string }>;

const treeMode = '40000';

/**
 * The tree that equals `tree` (or a commit's) but for the given entries; `null`
 * removes. A directory that has become empty goes too; a file takes the place
 * of a directory, and the other way round. Returns its object id.
 */
export async function treeWith(repo: Repo, tree: string, entries: ReadonlyMap<RawPath, Entry | null>): Promise<string> {
  if (entries.size === 0) return gitText(repo, ['rev-parse', '--verify', `${tree}^{tree}`]);
  const directories = await readDirectories(repo, tree, directoriesAbove(entries.keys()));
  for (const [path, entry] of entries) {
    const { directory, name } = splitRaw(path);
    if (entry === null) directories.get(directory)?.delete(name);
    else directories.get(directory)?.set(name, entry);
  }
  const depthOf = (path: RawPath): number => (path === '' ? 0 : path.split('/').length);
  for (let depth = Math.max(...[...directories.keys()].map(depthOf)); depth > 0; depth--) {
    // What is a file now has nothing below it.
    const level = [...directories].filter(([path]) => depthOf(path) === depth && (entries.get(path) ?? null) === null);
    const written = await writeDirectories(repo, level.map(([, directory]) => directory));
    level.forEach(([path], i) => {
      const { directory, name } = splitRaw(path);
      const parent = directories.get(directory) as Directory;
      const oid = written[i];
      if (oid !== undefined) parent.set(name, { mode: treeMode, oid });
      else if (parent.get(name)?.mode === treeMode) parent.delete(name);
    });
  }
  const [root] = await writeDirectories(repo, [directories.get('' as RawPath) as Directory]);
  return root ?? emptyTree(repo);
}

/** Reads directories of a tree; one that is not there, or is a file, is empty. @throws GitsyncError `corrupt` where one cannot be read. */
async function readDirectories(repo: Repo, tree: string, paths: readonly RawPath[]): Promise<Map<RawPath, Directory>> {
  const names = paths.map((path) => `${tree}:${path}`);
  const { stdout } = await git(repo, ['cat-file', '--batch', '-z'], { input: Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1') });
  const directories = new Map<RawPath, Directory>();
  const absent: RawPath[] = [];
  const output = stdout.toString('latin1');
  let at = 0;
  paths.forEach((path, i) => {
    const answer = `${names[i]} missing\n`;
    if (output.startsWith(answer, at)) {
      at += answer.length;
      absent.push(path);
      directories.set(path, new Map());
      return;
    }
    const end = output.indexOf('\n', at);
    const [, type, size = ''] = output.slice(at, end).split(' ');
    const content = output.slice(end + 1, end + 1 + Number(size));
    directories.set(path, type === 'tree' ? parseDirectory(content, repo.oidLength / 2) : new Map());
    at = end + 1 + content.length + 1;
  });
  for (const path of absent) {
    const { directory, name } = splitRaw(path);
    const isInTree = path === '' || directories.get(directory)?.get(name)?.mode === treeMode;
    if (isInTree) throw new GitsyncError('corrupt', `The directory ${rawToDisplay(path)} of ${tree} cannot be read.`);
  }
  return directories;
}

/** Parses a tree object: `MODE NAME NUL OID`, the id as bytes. */
function parseDirectory(content: string, oidBytes: number): Directory {
  const directory: Directory = new Map();
  for (let at = 0; at < content.length; ) {
    const [space, nul] = [content.indexOf(' ', at), content.indexOf('\0', at)];
    const end = nul + 1 + oidBytes;
    directory.set(content.slice(space + 1, nul), { mode: content.slice(at, space).replace(/^0+/, ''), oid: Buffer.from(content.slice(nul + 1, end), 'latin1').toString('hex') });
    at = end;
  }
  return directory;
}

const typeOfMode: Record<string, string> = { [treeMode]: 'tree', '160000': 'commit' };

/** Writes directories as trees; undefined for an empty one. */
async function writeDirectories(repo: Repo, directories: readonly Directory[]): Promise<(string | undefined)[]> {
  const filled = directories.filter(({ size }) => size > 0);
  if (filled.length === 0) return directories.map(() => undefined);
  const lineOf = ([name, { mode, oid }]: [string, { mode: string; oid: string }]): string => `${mode} ${typeOfMode[mode] ?? 'blob'} ${oid}\t${name}\0`;
  const input = Buffer.from(filled.map((directory) => [...directory].map(lineOf).join('')).join('\0'), 'latin1');
  // Nothing that a partial clone lacks is fetched for it.
  const oids = (await gitText(repo, ['mktree', '-z', '--missing', '--batch'], { input })).split('\n');
  const written = new Map(filled.map((directory, i) => [directory, oids[i]]));
  return directories.map((directory) => written.get(directory));
}
