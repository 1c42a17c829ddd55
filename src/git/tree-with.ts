/** A tree with some entries replaced: only the directories that they lie in are read and written, however many others there are. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { directoriesAbove, joinRaw, rawToDisplay, splitRaw, type RawPath } from '../core/raw-path.ts';
import { GitsyncError } from '../errors.ts';
import { git, gitText, type Repo } from './git.ts';
import { emptyTree, type Entry, type FileMode } from './tree.ts';

/** The entries of one tree object by their names, each as the object has it: `MODE NAME NUL ID`, a byte per character. */
type Directory = Map<string, string>;

/** Directories of a tree by their paths; one that is not there, or is a file, is empty. */
export type Directories = ReadonlyMap<RawPath, Directory>;

const treeMode = '40000';

function entryBytes(mode: string, name: string, oid: string): string {
  return `${mode} ${name}\0${Buffer.from(oid, 'hex').toString('latin1')}`;
}

function isTree(entry: string | undefined): boolean {
  return entry?.startsWith(`${treeMode} `) ?? false;
}

/**
 * The tree that equals `tree` (or a commit's) but for the given entries; `null`
 * removes. A directory that has become empty goes too; a file takes the place
 * of a directory, and the other way round. Returns its object id.
 */
export async function treeWith(repo: Repo, tree: string, entries: ReadonlyMap<RawPath, Entry | null>): Promise<string> {
  if (entries.size === 0) return gitText(repo, ['rev-parse', '--verify', `${tree}^{tree}`]);
  return writeTree(repo, await readDirectories(repo, tree, entries.keys()), entries);
}

/** Reads all directories above the paths. @throws GitsyncError `corrupt` where one cannot be read. */
export async function readDirectories(repo: Repo, tree: string, above: Iterable<RawPath>): Promise<Directories> {
  const paths = directoriesAbove(above);
  const names = paths.map((path) => `${tree}:${path}`);
  const { stdout } = await git(repo, ['cat-file', '--batch', '-z'], { input: Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1') });
  const output = stdout.toString('latin1');
  const directories = new Map<RawPath, Directory>();
  const absent: RawPath[] = [];
  let at = 0;
  paths.forEach((path, i) => {
    const answer = `${names[i]} missing\n`;
    if (output.startsWith(answer, at)) {
      at += answer.length;
      absent.push(path);
      directories.set(path, new Map());
      return;
    }
    const start = output.indexOf('\n', at) + 1;
    const [, type, size] = output.slice(at, start).split(' ');
    at = start + Number(size) + 1;
    directories.set(path, type === 'tree' ? parseDirectory(output.slice(start, at - 1), repo.oidLength / 2) : new Map());
  });
  for (const path of absent) {
    const { directory, name } = splitRaw(path);
    if (path === '' || isTree(directories.get(directory)?.get(name))) throw new GitsyncError('corrupt', `The directory ${rawToDisplay(path)} of ${tree} cannot be read.`);
  }
  return directories;
}

function parseDirectory(content: string, oidBytes: number): Directory {
  const directory: Directory = new Map();
  for (let at = 0; at < content.length; ) {
    const nul = content.indexOf('\0', at);
    const end = nul + 1 + oidBytes;
    // Very old trees have zeros before a mode.
    while (content[at] === '0') at++;
    directory.set(content.slice(content.indexOf(' ', at) + 1, nul), content.slice(at, end));
    at = end;
  }
  return directory;
}

/** The files with this name in the directories. */
export function filesNamed(directories: Directories, name: string): Map<RawPath, Entry> {
  const found = new Map<RawPath, Entry>();
  for (const [path, directory] of directories) {
    const entry = directory.get(name);
    if (entry === undefined || isTree(entry)) continue;
    found.set(joinRaw(path, name), { mode: entry.slice(0, entry.indexOf(' ')) as FileMode, oid: Buffer.from(entry.slice(entry.indexOf('\0') + 1), 'latin1').toString('hex') });
  }
  return found;
}

/** Writes the tree that has these entries in place of what `directories`, all that are above them, were read with. */
export async function writeTree(repo: Repo, directories: Directories, entries: ReadonlyMap<RawPath, Entry | null>): Promise<string> {
  const next = new Map([...directories].map(([path, directory]) => [path, new Map(directory)]));
  const at = (path: RawPath): Directory => next.get(path) as Directory;
  for (const [path, entry] of entries) {
    const { directory, name } = splitRaw(path);
    if (entry === null) at(directory).delete(name);
    else at(directory).set(name, entryBytes(entry.mode, name, entry.oid));
  }
  const contents: Buffer[] = [];
  const deepestFirst = [...next.keys()].filter((path) => path !== '').sort((a, b) => b.split('/').length - a.split('/').length);
  for (const path of deepestFirst) {
    const { directory, name } = splitRaw(path);
    // What is a file now has nothing below it.
    if ((entries.get(path) ?? null) !== null) continue;
    const content = contentOf(at(path));
    if (content.length > 0) at(directory).set(name, entryBytes(treeMode, name, idOf(content, repo.oidLength)));
    else if (isTree(at(directory).get(name))) at(directory).delete(name);
    contents.push(content);
  }
  const root = contentOf(at('' as RawPath));
  if (root.length === 0) return emptyTree(repo);
  await writeObjects(repo, [...contents.filter(({ length }) => length > 0), root]);
  return idOf(root, repo.oidLength);
}

/** A tree object's content: the entries in git's order, which takes a directory's name to end with a slash. */
function contentOf(directory: Directory): Buffer {
  const sorted = [...directory].map(([name, entry]) => [isTree(entry) ? `${name}/` : name, entry] as const).sort(([a], [b]) => (a < b ? -1 : 1));
  return Buffer.from(sorted.map(([, entry]) => entry).join(''), 'latin1');
}

function idOf(content: Buffer, oidLength: number): string {
  return createHash(oidLength === 64 ? 'sha256' : 'sha1').update(`tree ${content.length}\0`).update(content).digest('hex');
}

/** Writes tree objects, and makes sure that git calls them what we do. */
async function writeObjects(repo: Repo, contents: readonly Buffer[]): Promise<void> {
  const directory = await mkdtemp(`${repo.ownDir}/tmp-trees-`);
  try {
    const files = contents.map((_, i) => `${directory}/${i}`);
    await Promise.all(contents.map((content, i) => writeFile(files[i] as string, content)));
    const oids = await gitText(repo, ['hash-object', '-t', 'tree', '-w', '--no-filters', '--stdin-paths'], { input: files.map((file) => `${file}\n`).join('') });
    const expected = contents.map((content) => idOf(content, repo.oidLength)).join('\n');
    if (oids !== expected) throw new Error(`git has written the trees ${oids}, not ${expected}`);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
