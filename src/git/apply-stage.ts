/**
 * Staging: all new contents are written by git, beside the work tree and
 * flushed to disk, before the first file moves.
 */
import { existsSync } from 'node:fs';
import { open, readdir, rm, statfs } from 'node:fs/promises';
import { absoluteOf, isUtf8, joinNul, rawToText, splitNul, type RawPath } from '../core/raw-path.ts';
import { GitsyncError, type ErrorKind } from '../errors.ts';
import { lookAt } from './apply-file.ts';
import { stageOf } from './apply-journal.ts';
import { knownSizes } from './commit-step.ts';
import { areFew, attributesOf, fillFewIndex } from './few-index.ts';
import { classifyGitFailure, essenceOf } from './git-errors.ts';
import { git, type Repo } from './git.ts';
import { copyIndex } from './index-lock.ts';
import { gitInShadow, makeShadowTree, type ShadowTree } from './shadow-tree.ts';
import type { Entry } from './tree.ts';

/** A file to stage. */
export interface Wanted {
  path: RawPath;
  entry: Entry;
}

export interface Staged {
  /** The stage's directory. */
  root: string;
  /** Paths that a sparse checkout leaves out. */
  sparse: Set<RawPath>;
  /** Paths that git could not write, and why. */
  failed: Map<RawPath, string>;
}

/** Room that must stay free beside the new files: for directories, objects and the index. */
const reserveBytes = 1024 * 1024;
const syncsAtOnce = 16;
/** Errors that concern more than one path: nothing is moved then. */
const fatalKinds: ReadonlySet<ErrorKind> = new Set<ErrorKind>(['no-space', 'read-only', 'corrupt', 'locked', 'timeout', 'interrupted']);

/**
 * Writes the wanted files of commit `to` below `directory`, as a checkout from
 * `from` (a commit or the empty tree, where `indexFile` stands) would.
 * @throws GitsyncError `no-space` when they do not fit; nothing was moved then.
 */
export async function stageFiles(repo: Repo, directory: string, stage: number, from: string, to: string, indexFile: string, wanted: readonly Wanted[]): Promise<Staged> {
  const files = wanted.filter(({ entry }) => entry.mode !== '160000');
  const [root, ownIndex] = [stageOf(directory, stage), `${directory}/index-${stage}`];
  const staged: Staged = { root, sparse: new Set(), failed: new Map() };
  if (files.length === 0) return staged;
  // Of a round that a crash interrupted; the lock of a git that died with it would stop every round from now on.
  await rm(root, { recursive: true, force: true });
  await rm(`${ownIndex}.lock`, { force: true });
  const room = checkFreeSpace(repo, directory, files);
  room.catch(() => undefined); // answered below, when nothing else is under way
  const paths = files.map(({ path }) => path);
  // More files are left to one checkout from an index of all paths, which lets filters and partial clones fetch in one go.
  const isFew = areFew(repo, paths);
  const entries = new Map(files.map(({ path, entry }) => [path, entry]));
  const filling = isFew ? fillFewIndex(repo, ownIndex, attributesOf(repo, to, paths), entries) : copyIndex(indexFile, ownIndex);
  const [shadow] = await Promise.all([makeShadowTree(repo, root, ownIndex), filling]);
  await room;
  await (isFew ? checkOutEach(repo, shadow, paths, staged.failed) : checkOutAll(repo, shadow, from, to, files, staged));
  await rm(ownIndex, { force: true });
  refuseTwins(files, staged);
  await flush(root);
  return staged;
}

async function checkFreeSpace(repo: Repo, directory: string, files: readonly Wanted[]): Promise<void> {
  const neededBytes = (await sizesOf(repo, files.map(({ entry }) => entry.oid))).reduce((sum, bytes) => sum + bytes, 0);
  const { bavail, bsize } = await statfs(directory);
  if (neededBytes + reserveBytes <= bavail * bsize) return;
  const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;
  throw new GitsyncError('no-space', `The incoming files do not fit on the disk: ${megabytes(neededBytes)} needed, ${megabytes(bavail * bsize)} free.`, {
    hint: 'free some space; gitsync goes on by itself',
  });
}

/** The bytes of objects; 0 for one that is not there. */
async function sizesOf(repo: Repo, oids: readonly string[]): Promise<number[]> {
  const known = knownSizes(repo);
  if (oids.every((oid) => known.has(oid))) return oids.map((oid) => known.get(oid) as number);
  const { stdout } = await git(repo, ['cat-file', '--batch-check=%(objectsize)'], { input: `${oids.join('\n')}\n` });
  return stdout.toString().split('\n').map((line) => Number(line) || 0);
}

async function checkOutAll(repo: Repo, shadow: ShadowTree, from: string, to: string, files: readonly Wanted[], staged: Staged): Promise<void> {
  const isMissing = ({ path }: Wanted): boolean => lookAt(absoluteOf(shadow.root, path)) === undefined;
  const { exitCode, stderr } = await gitInShadow(repo, shadow, ['read-tree', '-m', '-u', from, to], { expect: [0, 1, 128] });
  if (exitCode !== 0) {
    // Git stops at the first file that it cannot write (a required filter fails); the others come after all.
    throwIfFatal(stderr);
    await git(repo, ['read-tree', '-i', '-m', from, to], { indexFile: shadow.indexFile });
  }
  const missing = files.filter(isMissing).map(({ path }) => path);
  if (missing.length === 0) return;
  for (const path of (await flaggedPaths(repo, shadow.indexFile, missing)).skipWorktree) staged.sparse.add(path);
  await checkOutEach(repo, shadow, missing.filter((path) => !staged.sparse.has(path)), staged.failed);
}

/** Writes files, and finds by halving those that git cannot write. */
async function checkOutEach(repo: Repo, shadow: ShadowTree, paths: readonly RawPath[], failed: Map<RawPath, string>): Promise<void> {
  if (paths.length === 0) return;
  const { exitCode, stderr } = await gitInShadow(repo, shadow, ['checkout-index', '-f', '-z', '--stdin'], { input: joinNul(paths), expect: [0, 1, 128] });
  if (exitCode === 0) return;
  throwIfFatal(stderr);
  if (paths.length === 1) {
    failed.set(paths[0] as RawPath, `git could not write it: ${essenceOf(stderr)}`);
    return;
  }
  const middle = paths.length >> 1;
  await checkOutEach(repo, shadow, paths.slice(0, middle), failed);
  await checkOutEach(repo, shadow, paths.slice(middle), failed);
}

/** Trouble with single files lets the others go on; trouble with the disk does not. */
function throwIfFatal(stderr: string): void {
  const error = classifyGitFailure('checkout', 128, stderr);
  if (fatalKinds.has(error.kind)) throw error;
}

/** Two names that this file system takes for one cannot both be put into place. */
function refuseTwins(files: readonly Wanted[], staged: Staged): void {
  const seen = new Map<string, RawPath>();
  for (const { path } of files) {
    const info = lookAt(absoluteOf(staged.root, path));
    if (info === undefined) continue;
    const identity = `${info.dev}:${info.ino}`;
    const twin = seen.get(identity);
    if (twin === undefined) seen.set(identity, path);
    else for (const each of [path, twin]) staged.failed.set(each, 'this file system takes two names that came in for one');
  }
}

/** Flushes a directory tree: after a power cut the journal must find whole files. */
async function flush(root: string): Promise<void> {
  const files: Buffer[] = [];
  const directories = [Buffer.from(root)];
  for (const directory of directories) {
    for (const entry of await readdir(directory, { withFileTypes: true, encoding: 'buffer' })) {
      const name = Buffer.concat([directory, Buffer.from('/'), entry.name]);
      if (entry.isDirectory()) directories.push(name);
      else if (entry.isFile()) files.push(name);
    }
  }
  const queue = [...files, ...directories];
  const work = async (): Promise<void> => {
    for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
      const handle = await open(file, 'r');
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    }
  };
  await Promise.all(Array.from({ length: syncsAtOnce }, work));
}

/** The paths that an index marks as "not in the work tree" or "leave this to the person". */
export async function flaggedPaths(repo: Repo, indexFile: string, paths: readonly RawPath[]): Promise<{ skipWorktree: RawPath[]; assumeUnchanged: RawPath[] }> {
  const flagged = { skipWorktree: [] as RawPath[], assumeUnchanged: [] as RawPath[] };
  if (paths.length === 0 || !existsSync(indexFile)) return flagged;
  const few = paths.length <= 200 && paths.every(isUtf8) ? ['--', ...paths.map(rawToText)] : [];
  const wanted = new Set(paths);
  const { stdout } = await git(repo, ['ls-files', '-v', '-z', ...few], { indexFile, env: { GIT_LITERAL_PATHSPECS: '1' } });
  for (const line of splitNul(stdout)) {
    const path = line.slice(2) as RawPath;
    if (!wanted.has(path)) continue;
    // `ls-files -v`: S or s for skip-worktree, lower case for assume-unchanged.
    if (/^s/i.test(line)) flagged.skipWorktree.push(path);
    if (/^[a-z]/.test(line)) flagged.assumeUnchanged.push(path);
  }
  return flagged;
}
