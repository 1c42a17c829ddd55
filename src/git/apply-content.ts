/**
 * What files really hold, in git's terms: first by hashing their bytes; where
 * that is not what was expected, through git with all its filters.
 */
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, readlinkSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { absoluteOf, joinNul, splitRaw, type RawPath } from '../core/raw-path.ts';
import { toGitsyncError } from '../errors.ts';
import { linkFile, lookAt, obstacleOf } from './apply-file.ts';
import { git, type Repo } from './git.ts';
import { gitInShadow, makeShadowTree, type ShadowTree } from './shadow-tree.ts';
import { emptyTree, parseRawDiff, type Entry, type FileMode } from './tree.ts';

const readAtOnceBytes = 4 * 1024 * 1024;

/** The entry that a file's bytes make, unfiltered; undefined when it cannot be read or changes meanwhile. */
export async function rawEntryOf(file: Buffer, oidLength: number): Promise<Entry | undefined> {
  try {
    const info = lookAt(file);
    if (info === undefined) return undefined;
    const hash = createHash(oidLength === 64 ? 'sha256' : 'sha1');
    const finish = (mode: FileMode, content: Buffer): Entry => ({ mode, oid: hash.update(`blob ${content.length}\0`).update(content).digest('hex') });
    if (info.isSymbolicLink()) return finish('120000', readlinkSync(file, { encoding: 'buffer' }));
    if (!info.isFile()) return undefined;
    const mode = (info.mode & 0o100) === 0 ? '100644' : '100755';
    if (info.size <= readAtOnceBytes) return finish(mode, readFileSync(file));
    hash.update(`blob ${info.size}\0`);
    let sizeBytes = 0;
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      sizeBytes += chunk.length;
    }
    return sizeBytes === info.size ? { mode, oid: hash.digest('hex') } : undefined;
  } catch (error) {
    obstacleOf(error);
    return undefined;
  }
}

export interface HashedFiles {
  /** Entries that differ from the commit's, now in the object database. */
  entries: Map<RawPath, Entry>;
  /** Files that could not be read or filtered, and why. */
  unreadable: Map<RawPath, string>;
}

/**
 * Compares files (wherever they lie) with what `commit` (null: nothing) holds
 * at their paths, as git would after `git add`, and keeps what differs in the
 * object database.
 */
export async function hashFiles(repo: Repo, directory: string, commit: string | null, files: ReadonlyMap<RawPath, Buffer>): Promise<HashedFiles> {
  const scratch = await mkdtemp(`${directory}/look-`);
  const result: HashedFiles = { entries: new Map(), unreadable: new Map() };
  try {
    const base = commit ?? (await emptyTree(repo));
    const shadow = await shadowOf(repo, `${scratch}/files`, base);
    const present: RawPath[] = [];
    for (const [path, file] of files) {
      try {
        await mkdir(absoluteOf(shadow.root, splitRaw(path).directory), { recursive: true });
        linkFile(file, absoluteOf(shadow.root, path));
        present.push(path);
      } catch (error) {
        result.unreadable.set(path, obstacleOf(error).why);
      }
    }
    await addFiles(repo, shadow, present, result.unreadable);
    const { stdout } = await git(repo, ['diff-index', '--cached', '-z', '--raw', '--no-renames', base], { indexFile: shadow.indexFile });
    const changes = parseRawDiff(stdout).filter((change) => files.has(change.path));
    const same = await findFreshCheckouts(repo, scratch, base, changes.filter((change) => change.old !== null).map(({ path }) => path), shadow);
    for (const change of changes) if (change.new !== null && !same.has(change.path)) result.entries.set(change.path, change.new);
    return result;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function shadowOf(repo: Repo, root: string, tree: string): Promise<ShadowTree> {
  const shadow = await makeShadowTree(repo, root, `${root}.index`);
  await git(repo, ['read-tree', tree], { indexFile: shadow.indexFile });
  return shadow;
}

/** Hashes files into the shadow's index; where git stops at one of them, finds which by halving. */
async function addFiles(repo: Repo, shadow: ShadowTree, paths: readonly RawPath[], unreadable: Map<RawPath, string>, isFirst = true): Promise<void> {
  if (paths.length === 0) return;
  try {
    await gitInShadow(repo, shadow, ['update-index', '-z', '--add', '--replace', '--stdin'], { input: joinNul(paths) });
  } catch (error) {
    const known = toGitsyncError(error);
    if (['no-space', 'read-only', 'corrupt', 'timeout', 'interrupted'].includes(known.kind)) throw known;
    // A git that was killed has left its lock, and that is no fault of the files.
    await rm(`${shadow.indexFile}.lock`, { force: true });
    if (isFirst && known.message.includes('was killed by')) return addFiles(repo, shadow, paths, unreadable, false);
    if (paths.length === 1) {
      unreadable.set(paths[0] as RawPath, known.cause instanceof Error ? known.cause.message : known.message);
      return;
    }
    const middle = paths.length >> 1;
    await addFiles(repo, shadow, paths.slice(0, middle), unreadable);
    await addFiles(repo, shadow, paths.slice(middle), unreadable);
  }
}

/**
 * Those files that are byte for byte what a fresh checkout gives. Git may call
 * even them changed, where a filter does not lead back to what was committed
 * (CRLF in a blob with `text`, say); no person has edited them.
 */
async function findFreshCheckouts(repo: Repo, scratch: string, base: string, paths: readonly RawPath[], shadow: ShadowTree): Promise<Set<RawPath>> {
  const same = new Set<RawPath>();
  if (paths.length === 0) return same;
  const fresh = await shadowOf(repo, `${scratch}/fresh`, base);
  await gitInShadow(repo, fresh, ['checkout-index', '-z', '--stdin', '-q'], { input: joinNul(paths), expect: [0, 1, 128] });
  for (const path of paths) {
    const [there, expected] = await Promise.all([shadow.root, fresh.root].map((root) => rawEntryOf(absoluteOf(root, path), repo.oidLength)));
    if (there !== undefined && there.oid === expected?.oid && there.mode === expected.mode) same.add(path);
  }
  return same;
}
