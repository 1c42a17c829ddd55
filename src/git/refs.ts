/** Refs: read, and move only by compare-and-swap. */
import { GitsyncError } from '../errors.ts';
import { knownStep } from './commit-step.ts';
import { git, inputLater, type Repo } from './git.ts';
import { looseParents } from './loose-commit.ts';

/** Our own refs live below this; what hangs on them is kept from gc. */
export const ownRefs = 'refs/gitsync';

/** An object id of zeros: "this ref must not exist". */
export function zeroOid(repo: Repo): string {
  return '0'.repeat(repo.oidLength);
}

/** The commit that a name means, or undefined where there is none. */
export async function resolveCommit(repo: Repo, name: string): Promise<string | undefined> {
  const result = await git(repo, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`], { expect: [0, 1, 128] });
  return result.exitCode === 0 ? result.stdout.toString().trim() : undefined;
}

/** With an entry in the reflog, which says that it was us and why. */
const updateWords = (why: string): string[] => ['update-ref', '-m', `gitsync: ${why}`, '--create-reflog'];

/**
 * Moves a ref from one value to another, or not at all.
 * @param expected the value it must have now; `null` when it must not exist.
 * @throws GitsyncError `rejected` when someone else moved it.
 */
export async function updateRef(repo: Repo, ref: string, value: string, expected: string | null, why: string): Promise<void> {
  const attempt = git(repo, [...updateWords(why), ref, value, expected ?? zeroOid(repo)], { expect: [0, 1, 128] });
  const result = await attempt.catch((error: unknown) => error as Error);
  if (!(result instanceof Error) && result.exitCode === 0) return;
  const now = await resolveCommit(repo, ref);
  // One that was killed had perhaps moved it before.
  if (now === value) return;
  if (result instanceof Error) throw result;
  if (now !== (expected ?? undefined)) throw new GitsyncError('rejected', `${ref} was moved by someone else.`);
  throw new GitsyncError(/lock/i.test(result.stderr) ? 'locked' : 'failed', `${ref} could not be moved: ${result.stderr.trim()}`);
}

/** Moves a ref from one value to another if it turns out that it shall; git starts meanwhile. False: it could not be moved. */
export async function updateRefIf(repo: Repo, ref: string, value: string, expected: string, why: string, shall: Promise<boolean>): Promise<boolean> {
  const input = inputLater(shall.then((yes) => (yes ? `update ${ref} ${value} ${expected}\n` : '')));
  return (await git(repo, [...updateWords(why), '--stdin'], { input, expect: [0, 1, 128] })).exitCode === 0;
}

/** Sets one of our own refs whatever it was before. */
export async function setOwnRef(repo: Repo, ref: string, value: string, why: string): Promise<void> {
  await git(repo, [...updateWords(why), ref, value]);
}

/** Deletes one of our own refs if it is there. */
export async function deleteOwnRef(repo: Repo, ref: string): Promise<void> {
  await git(repo, ['update-ref', '-d', ref], { expect: [0, 1, 128] });
}

export interface RefLine {
  ref: string;
  oid: string;
}

/** The refs below a prefix, sorted by name. */
export async function listRefs(repo: Repo, prefix: string): Promise<RefLine[]> {
  const { stdout } = await git(repo, ['for-each-ref', '--format=%(objectname) %(refname)', prefix]);
  return stdout
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => ({ oid: line.slice(0, line.indexOf(' ')), ref: line.slice(line.indexOf(' ') + 1) }));
}

/** Whether every commit of `ancestor` is in `descendant`; not so for one that we do not have, where that may be (`mayBeMissing`). */
export async function isAncestor(repo: Repo, ancestor: string, descendant: string, { mayBeMissing = false } = {}): Promise<boolean> {
  if (ancestor === descendant || knownStep(repo, ancestor, descendant) !== undefined || (await looseParents(repo, descendant))?.includes(ancestor)) return true;
  return (await git(repo, ['merge-base', '--is-ancestor', ancestor, descendant], { expect: mayBeMissing ? [0, 1, 128] : [0, 1] })).exitCode === 0;
}
