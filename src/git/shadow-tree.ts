/**
 * A small work tree beside the real one, for a few files: git writes and
 * hashes them there as it would in the real one. Attributes come from the
 * index in use, so that files of two commits never mix; filters run in the
 * real work tree, where their relative names mean what they always mean.
 */
import { mkdir } from 'node:fs/promises';
import { classifyGitFailure } from './git-errors.ts';
import { git, type GitOptions, type GitResult, type Repo } from './git.ts';

export interface ShadowTree {
  /** Absolute path of its root. */
  root: string;
  /** The index that belongs to it. */
  indexFile: string;
  /** What git needs in its environment there. */
  env: Record<string, string>;
}

const filterHome = 'GITSYNC_WORK_TREE';
const goHome = `cd "$${filterHome}" && GIT_WORK_TREE="$${filterHome}" && `;

/** A filter may have to fetch much, and says nothing while it does. */
const filterDeadlineMs = 30 * 60_000;

/** Every filter program of the configuration, wrapped so that it starts in the real work tree. */
async function filterVariables(repo: Repo): Promise<Record<string, string>> {
  const { stdout } = await git(repo, ['config', '-z', '--get-regexp', '^filter\\..*\\.(clean|smudge|process)$'], { expect: [0, 1] });
  const variables: Record<string, string> = { [filterHome]: repo.workTree };
  const settings = stdout.toString('utf8').split('\0').filter((setting) => /\n./s.test(setting));
  settings.forEach((setting, i) => {
    const newline = setting.indexOf('\n');
    variables[`GIT_CONFIG_KEY_${i}`] = setting.slice(0, newline);
    variables[`GIT_CONFIG_VALUE_${i}`] = goHome + setting.slice(newline + 1);
  });
  return { ...variables, GIT_CONFIG_COUNT: String(settings.length) };
}

/** Makes an empty shadow tree for an index. */
export async function makeShadowTree(repo: Repo, root: string, indexFile: string): Promise<ShadowTree> {
  const [variables] = await Promise.all([filterVariables(repo), mkdir(root)]);
  return { root, indexFile, env: { ...variables, GIT_WORK_TREE: root } };
}

/**
 * Runs git in the shadow tree.
 * @throws GitsyncError classified as by `git` when it fails.
 */
export async function gitInShadow(repo: Repo, shadow: ShadowTree, args: readonly string[], options: Pick<GitOptions, 'input' | 'expect'> = {}): Promise<GitResult> {
  const result = await git(repo, args, { ...options, expect: [0, 1, 128], idleTimeoutMs: filterDeadlineMs, env: shadow.env, indexFile: shadow.indexFile, cwd: shadow.root });
  const stderr = result.stderr.replaceAll(goHome, '');
  if (!(options.expect ?? [0]).includes(result.exitCode)) throw classifyGitFailure(args[0] ?? '', result.exitCode, stderr);
  return { ...result, stderr };
}
