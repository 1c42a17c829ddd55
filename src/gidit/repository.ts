/** The repository that a command or a remote helper works for, bare or not. */
import { GitsyncError } from '../errors.ts';
import { gitAnywhere, type GitOptions, type GitResult } from '../git/git.ts';

export interface GiditRepository {
  /** Absolute; what all work trees share: refs and objects. */
  gitDir: string;
  /** Where new packs go. */
  objectDir: string;
  /** Hexadecimal digits of an object id. */
  oidLength: 40 | 64;
}

/**
 * Opens the repository at `cwd`, or the one that `GIT_DIR` names (in a remote helper).
 * @throws GitsyncError `not-a-repository`
 */
export async function openRepository(cwd: string, gitDir = process.env['GIT_DIR']): Promise<GiditRepository> {
  const env: Record<string, string> = gitDir === undefined ? {} : { GIT_DIR: gitDir };
  const words = ['rev-parse', '--path-format=absolute', '--git-common-dir', '--git-path', 'objects', '--show-object-format'];
  const result = await gitAnywhere(words, cwd, { env, expect: [0, 128] });
  const [common, objectDir, format] = result.stdout.toString('utf8').split('\n');
  if (result.exitCode !== 0 || !common || !objectDir) throw new GitsyncError('not-a-repository', `${cwd} is not in a git repository.`, { hint: 'git init' });
  return { gitDir: common, objectDir, oidLength: format === 'sha256' ? 64 : 40 };
}

/** Runs git for that repository; it needs no work tree. */
export function gitFor(repository: GiditRepository, args: readonly string[], options: Omit<GitOptions, 'cwd' | 'indexFile'> = {}): Promise<GitResult> {
  return gitAnywhere(args, repository.gitDir, { ...options, env: { GIT_DIR: repository.gitDir, ...options.env } });
}

/** The commits that the ids lead to (through tags), without those that are not here. */
export async function findCommits(repository: GiditRepository, ids: Iterable<string>): Promise<string[]> {
  const { found } = await lookAtObjects(repository, [...new Set(ids)].map((id) => `${id}^{commit}`));
  return [...new Set(found)];
}

/** Which of the ids are not here. */
export async function findMissing(repository: GiditRepository, ids: Iterable<string>, env: Record<string, string> = {}): Promise<string[]> {
  return (await lookAtObjects(repository, [...new Set(ids)], env)).missing;
}

async function lookAtObjects(repository: GiditRepository, names: readonly string[], env: Record<string, string> = {}): Promise<{ found: string[]; missing: string[] }> {
  if (names.length === 0) return { found: [], missing: [] };
  const { stdout } = await gitFor(repository, ['cat-file', '--batch-check=%(objectname)'], { input: `${names.join('\n')}\n`, env });
  const found: string[] = [];
  const missing: string[] = [];
  for (const line of stdout.toString('latin1').split('\n')) {
    if (/^[0-9a-f]+$/.test(line)) found.push(line);
    else if (line.endsWith(' missing')) missing.push(line.slice(0, -' missing'.length));
  }
  return { found, missing };
}
