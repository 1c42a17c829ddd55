/** A ref's value read straight from the files of a git directory, without starting git. */
import { readFile } from 'node:fs/promises';
import { errnoOf } from '../errors.ts';
import { resolveCommit } from './refs.ts';
import type { Repo } from './git.ts';

/** Where the branch `a/b` is, `a` is a directory. */
const isNotThere: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'EISDIR']);
/** Refs of one work tree alone (git-worktree(1), REFS). */
const isOfOneWorkTree = /^refs\/(worktree|bisect|rewritten)\//;
const oidPattern = /^([0-9a-f]{64}|[0-9a-f]{40})$/;

/** The content of a file; `null` where there is none, undefined where it cannot be read. */
async function readIfThere(file: string): Promise<string | null | undefined> {
  // latin1, since a ref's name is bytes.
  return readFile(file, 'latin1').catch((error: unknown) => (isNotThere.has(errnoOf(error) ?? '') ? null : undefined));
}

const oidOrUndefined = (text: string | undefined): string | undefined => (text !== undefined && oidPattern.test(text) ? text : undefined);

/** The value of `ref` (bytes as latin1) in the text of a `packed-refs` file (gitrepository-layout(5)). */
function findPacked(packed: string, ref: string): string | undefined {
  const at = packed.indexOf(` ${ref}\n`);
  if (at < 0) return undefined;
  return packed.slice(packed.lastIndexOf('\n', at) + 1, at);
}

/**
 * The object id that a full ref name has in a (common) git directory: `null`
 * when there is no such ref, undefined when its files do not say (reftable, a
 * symbolic ref, an unreadable directory) and git has to be asked.
 */
export async function peekRef(gitDirectory: string, ref: string): Promise<string | null | undefined> {
  const loose = await readIfThere(`${gitDirectory}/${ref}`);
  // One that a power cut has left empty is there all the same: a packed value would be an old one.
  if (loose !== null) return oidOrUndefined(loose?.trim());
  const packedRefs = await readIfThere(`${gitDirectory}/packed-refs`);
  if (packedRefs === undefined) return undefined;
  const packed = findPacked(packedRefs ?? '', Buffer.from(ref, 'utf8').toString('latin1'));
  if (packed !== undefined) return oidOrUndefined(packed);
  // With reftable (git 2.45 and newer), HEAD is a stub that says so.
  const head = await readIfThere(`${gitDirectory}/HEAD`);
  return typeof head !== 'string' || head.startsWith('ref: refs/heads/.invalid') ? undefined : null;
}

/** The commit of a full ref name in our repository, from its files where they say it. */
export async function readRef(repo: Repo, ref: string): Promise<string | undefined> {
  const value = isOfOneWorkTree.test(ref) ? undefined : await peekRef(repo.commonDir, ref);
  return value === undefined ? resolveCommit(repo, ref) : (value ?? undefined);
}
