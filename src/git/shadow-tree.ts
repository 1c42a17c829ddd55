/**
 * A small work tree beside the real one, for a few files: git writes and
 * hashes them there as it would in the real one. Attributes come from the
 * index in use, so that files of two commits never mix; filters run in the
 * real work tree, where their relative names mean what they always mean.
 */
import { classifyGitFailure } from './git-errors.ts';
import { git, type GitOptions, type GitResult, type Repo } from './git.ts';

export interface ShadowTree {
  /** Absolute path of its root. */
  root: string;
  /** The index that belongs to it. */
  indexFile: string;
}

const filterHome = 'GITSYNC_WORK_TREE';
const goHome = `cd "$${filterHome}" && GIT_WORK_TREE="$${filterHome}" && `;

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

/**
 * Runs git in the shadow tree.
 * @throws GitsyncError classified as by `git` when it fails.
 */
export async function gitInShadow(repo: Repo, shadow: ShadowTree, args: readonly string[], options: Pick<GitOptions, 'input' | 'expect'> = {}): Promise<GitResult> {
  const env = { ...(await filterVariables(repo)), GIT_WORK_TREE: shadow.root };
  const result = await git(repo, args, { ...options, expect: [0, 1, 128], env, indexFile: shadow.indexFile, cwd: shadow.root });
  const stderr = result.stderr.replaceAll(goHome, '');
  if (!(options.expect ?? [0]).includes(result.exitCode)) throw classifyGitFailure(args[0] ?? '', result.exitCode, stderr);
  return { ...result, stderr };
}
