/** Opening a repository, and what a person is doing in it right now. */
import { mkdir, readFile, realpath, stat } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { GitsyncError } from '../errors.ts';
import { silentLog, type Log } from '../log.ts';
import { shellQuote } from '../core/shell-quote.ts';
import { gitAnywhere, type Repo } from './git.ts';
import { requireGit } from './git-version.ts';
import { readRef } from './ref-file.ts';

/**
 * Opens the work tree at `path`.
 * @throws GitsyncError `not-a-repository` for a missing directory, a plain
 *   directory, a bare repository, or a directory below a work tree's root.
 */
export async function openRepo(path: string, options: { log?: Log; hooks?: boolean } = {}): Promise<Repo> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) throw new GitsyncError('not-a-repository', `${path} does not exist.`, { hint: `is a drive not mounted? else: gitsync rm ${path}` });
  if (!info.isDirectory()) throw new GitsyncError('not-a-repository', `${path} is not a directory.`, { hint: 'name the directory that holds it' });
  const workTree = await realpath(path);
  // git prints the places of a repository one a line.
  if (workTree.includes('\n')) throw new GitsyncError('not-a-repository', `${path} has a line break in its name.`, { hint: 'rename the directory' });
  await requireGit();
  const result = await gitAnywhere(
    ['rev-parse', '--path-format=absolute', '--is-inside-work-tree', '--git-dir', '--git-common-dir', '--show-object-format', '--show-toplevel'],
    workTree,
    { expect: [0, 128] },
  );
  const [inside, gitDir, commonDir, format, top] = result.stdout.toString().split('\n');
  await refuseNewFormats(path, commonDir, result.stderr);
  if (/dubious ownership/.test(result.stderr)) {
    throw new GitsyncError('not-a-repository', `${path} belongs to someone else, and git refuses to work in it.`, { hint: `git config --global --add safe.directory ${path}` });
  }
  if (result.exitCode !== 0 && existsSync(`${workTree}/.git`)) {
    throw new GitsyncError('corrupt', `${path}/.git is there, but git cannot read it: ${result.stderr.trim()}`, { hint: `gitsync doctor ${path}` });
  }
  if (inside !== 'true' || gitDir === undefined || commonDir === undefined || top === undefined) {
    throw new GitsyncError('not-a-repository', `${path} is not a git work tree.`, { hint: `gitsync init ${path}` });
  }
  if (top !== workTree) {
    throw new GitsyncError('not-a-repository', `${path} lies inside the work tree ${top}.`, { hint: `gitsync add ${top}` });
  }
  const ownDir = `${gitDir}/gitsync`;
  await mkdir(ownDir, { recursive: true, mode: 0o700 });
  return { workTree, gitDir, commonDir, ownDir, oidLength: format === 'sha256' ? 64 : 40, hooks: options.hooks ?? false, log: options.log ?? silentLog };
}

/** A format of the repository that this git cannot read, or that we cannot: reftable (git 2.45), where HEAD is a file that says nothing. */
async function refuseNewFormats(path: string, commonDir: string | undefined, stderr: string): Promise<void> {
  // Before git 2.48, reflogs are in the way.
  const toFiles = `git -C ${shellQuote(path)} refs migrate --ref-format=files   (with git 2.48 or newer)`;
  const unknown = /unknown repository extensions? found:\s*(\S+)|Expected git repo version <= \d+, found (\d+)/.exec(stderr);
  if (unknown !== null) {
    const isReftable = unknown[1]?.toLowerCase() === 'refstorage';
    throw new GitsyncError('not-a-repository', `${path} was made by a newer git, in a format that this one does not know (${unknown[1] ?? `version ${unknown[2]}`}).`, { hint: isReftable ? toFiles : 'update git' });
  }
  const head = commonDir === undefined ? '' : await readFile(`${commonDir}/HEAD`, 'utf8').catch(() => '');
  if (head.startsWith('ref: refs/heads/.invalid')) throw new GitsyncError('not-a-repository', `${path} keeps its refs in a reftable, which gitsync cannot watch.`, { hint: toFiles });
}

/** A person's unfinished business, during which no branch moves. */
export type OpenOperation = 'merge' | 'rebase' | 'cherry-pick' | 'revert' | 'bisect' | 'am';

export interface HeadState {
  /** Full ref name (`refs/heads/main`), or undefined when HEAD is detached. */
  ref: string | undefined;
  /** The commit, or undefined on an unborn branch. */
  commit: string | undefined;
  operation: OpenOperation | undefined;
}

const operationFiles: readonly (readonly [string, OpenOperation])[] = [
  ['rebase-merge', 'rebase'],
  ['rebase-apply/applying', 'am'],
  ['rebase-apply', 'rebase'],
  ['MERGE_HEAD', 'merge'],
  ['CHERRY_PICK_HEAD', 'cherry-pick'],
  ['REVERT_HEAD', 'revert'],
  ['sequencer', 'cherry-pick'],
  ['BISECT_LOG', 'bisect'],
];

/** Where HEAD is, read from the files that git keeps (no process). */
export async function readHead(repo: Repo): Promise<HeadState> {
  const text = (await readFile(`${repo.gitDir}/HEAD`, 'utf8')).trim();
  const ref = text.startsWith('ref: ') ? text.slice(5) : undefined;
  const operation = operationFiles.find(([name]) => existsSync(`${repo.gitDir}/${name}`))?.[1];
  return { ref, commit: ref === undefined ? text : await readRef(repo, ref), operation };
}
