/**
 * Moving single files. Between moving an old file away and linking the new one
 * there is no other work (and so all calls are synchronous): a person's editor
 * finds the name empty for a few microseconds.
 */
import { chmodSync, constants, copyFileSync, linkSync, lstatSync, mkdirSync, readdirSync, readlinkSync, renameSync, rmdirSync, symlinkSync, type Stats } from 'node:fs';
import { absoluteOf, rawToDisplay, type RawPath } from '../core/raw-path.ts';
import { errnoOf } from '../errors.ts';
import type { Entry } from './tree.ts';

/** Why a path cannot be changed, as a sentence's end: "FILE waits: WHY". */
export interface Obstacle {
  why: string;
}

const reasons: Record<string, string> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied (is it immutable, or does it belong to someone else?)',
  EROFS: 'the file system is read-only',
  ENAMETOOLONG: 'the name is too long for this file system',
  EINVAL: 'this file system cannot hold such a name',
  EILSEQ: 'this file system cannot hold such a name',
  EXDEV: 'it lies on another file system than the rest of the folder',
  EBUSY: 'it is in use',
  ETXTBSY: 'the program is running',
  ELOOP: 'its symbolic links go round in circles',
  EIO: 'reading or writing failed (input/output error)',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
};

/** What a system error means for one path. @throws the error where it is none. */
export function obstacleOf(error: unknown): Obstacle {
  const code = errnoOf(error);
  if (code === undefined) throw error;
  return { why: reasons[code] ?? `the system refused it (${code})` };
}

/** What is at an absolute path, links not followed; undefined when nothing is. */
export function lookAt(file: Buffer): Stats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false });
  } catch (error) {
    if (['ENOTDIR', 'ENAMETOOLONG'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

export interface BadParent {
  kind: 'missing' | 'symlink' | 'file';
  at: RawPath;
}

/** The first parent of a path that is no real directory, if any. */
export function findBadParent(root: string, path: RawPath): BadParent | undefined {
  for (let slash = path.indexOf('/'); slash > 0; slash = path.indexOf('/', slash + 1)) {
    const at = path.slice(0, slash) as RawPath;
    const info = lookAt(absoluteOf(root, at));
    if (info === undefined) return { kind: 'missing', at };
    if (info.isSymbolicLink()) return { kind: 'symlink', at };
    if (!info.isDirectory()) return { kind: 'file', at };
  }
  return undefined;
}

/** Whether a path of a work tree is a file, a link or another thing that is no directory; `unknown` where nobody lets us look. */
export function isFileThere(root: string, path: RawPath, unknown: boolean): boolean {
  try {
    return findBadParent(root, path) === undefined && lookAt(absoluteOf(root, path))?.isDirectory() === false;
  } catch {
    return unknown;
  }
}

/** Makes the missing parents of a path; returns the one that stands in the way, if any. */
function makeParents(root: string, path: RawPath): BadParent | undefined {
  for (;;) {
    const bad = findBadParent(root, path);
    if (bad?.kind !== 'missing') return bad;
    try {
      mkdirSync(absoluteOf(root, bad.at));
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST' && errnoOf(error) !== 'ENOENT') throw error;
    }
  }
}

/** Moves the file at a path to `target`. `absent`: no file is there (nothing, or a directory). */
export function moveAway(root: string, path: RawPath, target: Buffer): 'moved' | 'absent' | Obstacle {
  const file = absoluteOf(root, path);
  try {
    if (findBadParent(root, path) !== undefined) return 'absent';
    const info = lookAt(file);
    if (info === undefined || info.isDirectory()) return 'absent';
    if (!info.isFile() && !info.isSymbolicLink()) return { why: 'something that is neither file nor folder is in its place' };
    renameSync(file, target);
    // Someone may have made a directory of it in between.
    if (lstatSync(target).isDirectory()) {
      renameSync(target, file);
      return 'absent';
    }
    return 'moved';
  } catch (error) {
    return errnoOf(error) === 'ENOENT' ? 'absent' : obstacleOf(error);
  }
}

/**
 * - `placed`: the new file is there
 * - `occupied`: a file is there that someone else has made
 * - `directory`: a directory is there
 * - `parent`: one of its parents is a file
 */
export type Placing = 'placed' | 'occupied' | 'directory' | { parent: RawPath } | Obstacle;

/** Whether a path holds the very file that was staged for it. */
export function isStagedFile(file: Buffer, staged: Buffer): boolean {
  const [there, ours] = [lookAt(file), lookAt(staged)];
  if (there === undefined || ours === undefined) return false;
  if (there.ino === ours.ino && there.dev === ours.dev) return true;
  return there.isSymbolicLink() && ours.isSymbolicLink() && readlinkSync(file, 'latin1') === readlinkSync(staged, 'latin1');
}

const attemptsToPlace = 3;

/** Puts a staged file into place, never over anything. */
export function putInPlace(root: string, path: RawPath, entry: Entry, staged: Buffer): Placing {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return tryToPlace(root, path, entry, staged);
    } catch (error) {
      const code = errnoOf(error);
      if (code === 'EEXIST') return isStagedFile(absoluteOf(root, path), staged) ? 'placed' : 'occupied';
      // A parent that someone removed in between is made again.
      if (code === 'ENOENT' && attempt < attemptsToPlace) continue;
      return obstacleOf(error);
    }
  }
}

function tryToPlace(root: string, path: RawPath, entry: Entry, staged: Buffer): Placing {
  const file = absoluteOf(root, path);
  const bad = makeParents(root, path);
  if (bad?.kind === 'symlink') return { why: `${rawToDisplay(bad.at)} is a symbolic link, which is never followed` };
  if (bad !== undefined) return { parent: bad.at };
  const there = lookAt(file);
  if (entry.mode === '160000') {
    if (there === undefined) mkdirSync(file);
    return 'placed';
  }
  if (there?.isDirectory()) return 'directory';
  linkFile(staged, file);
  return 'placed';
}

/** Gives a file a second name, which must be free; a copy where the file system has no hard links. */
export function linkFile(source: Buffer, target: Buffer): void {
  if (lstatSync(source).isSymbolicLink()) {
    // link(2) follows symbolic links on some systems.
    symlinkSync(readlinkSync(source, { encoding: 'buffer' }), target);
    return;
  }
  try {
    linkSync(source, target);
  } catch (error) {
    if (!['EPERM', 'EXDEV', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(errnoOf(error) ?? '')) throw error;
    copyFileSync(source, target, constants.COPYFILE_EXCL);
  }
}

/** Gives a staged file the permissions of the file that it replaces: what only its owner could read stays so. */
export function keepPermissions(replaced: Buffer, staged: Buffer): void {
  try {
    const [before, after] = [lookAt(replaced), lookAt(staged)];
    if (!before?.isFile() || !after?.isFile() || (before.mode & 0o400) === 0) return;
    const plain = before.mode & 0o666;
    const mode = (after.mode & 0o100) === 0 ? plain : plain | ((plain & 0o444) >> 2);
    if (mode !== (after.mode & 0o777)) chmodSync(staged, mode);
  } catch {
    // A file system without permissions.
  }
}

/** Removes those of the directories that are empty, deepest first. */
export function removeEmptied(root: string, directories: Iterable<RawPath>): void {
  const deepestFirst = [...directories].sort((a, b) => b.length - a.length);
  for (const directory of deepestFirst) {
    try {
      if (directory !== '' && findBadParent(root, directory) === undefined) rmdirSync(absoluteOf(root, directory));
    } catch {
      // Not empty, gone, or not ours to remove.
    }
  }
}

/** All directories of a tree, deepest first; undefined where it holds anything else. */
function listHollow(directory: Buffer): Buffer[] | undefined {
  const found: Buffer[] = [];
  for (const entry of readdirSync(directory, { withFileTypes: true, encoding: 'buffer' })) {
    const below = entry.isDirectory() ? listHollow(Buffer.concat([directory, Buffer.from('/'), entry.name])) : undefined;
    if (below === undefined) return undefined;
    found.push(...below);
  }
  return [...found, directory];
}

/** Removes a directory in which there are only directories; returns whether it is gone. */
export function removeHollow(directory: Buffer): boolean {
  try {
    const directories = listHollow(directory);
    directories?.forEach((each) => rmdirSync(each));
    return directories !== undefined;
  } catch {
    // Something was put into it meanwhile, or it is not ours to read or remove.
    return false;
  }
}
