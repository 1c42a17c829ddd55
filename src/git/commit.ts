/** Making commits with plumbing: the person's identity, their hooks and signature only where asked. */
import { rm, writeFile, readFile } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import { GitsyncError } from '../errors.ts';
import { git, gitText, type Repo } from './git.ts';

export interface CommitOptions {
  tree: string;
  parents: readonly string[];
  message: string;
  /** Sign with the person's key (config key `sign`); `commit-tree` never does by itself. */
  sign?: boolean;
  /** Fixed author and committer with a date (`@SECONDS +0000`), for commits that every machine must make alike. */
  fixed?: { name: string; email: string; date: string };
}

/** How long a hook or a signature may take before it is ended. */
const helperDeadlineMs = Number(process.env['GITSYNC_HOOK_DEADLINE_MS'] ?? 60_000);

function identityVariables(name: string, email: string): Record<string, string> {
  return { GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email, GIT_COMMITTER_NAME: name, GIT_COMMITTER_EMAIL: email };
}

/** Writes a commit object; moves nothing. Without a configured identity, `user@host` signs it off. */
export async function commitTree(repo: Repo, options: CommitOptions): Promise<string> {
  const { fixed } = options;
  const args = ['commit-tree', ...(options.sign ? ['-S'] : []), options.tree, ...options.parents.flatMap((parent) => ['-p', parent])];
  const attempt = (env: Record<string, string>): Promise<string> =>
    gitText(repo, args, { input: options.message, env, timeoutMs: helperDeadlineMs }, options.sign ? 'commit-tree -S' : 'commit-tree');
  if (fixed !== undefined) {
    return attempt({ ...identityVariables(fixed.name, fixed.email), GIT_AUTHOR_DATE: fixed.date, GIT_COMMITTER_DATE: fixed.date });
  }
  try {
    return await attempt({});
  } catch (error) {
    if (!/tell me who you are|empty ident|auto-detect|no email was given|no name was given/i.test(messageWithCause(error))) throw error;
    const { username } = userInfo();
    return attempt(identityVariables(username, `${username}@${hostname()}`));
  }
}

function messageWithCause(error: unknown): string {
  return error instanceof Error ? `${error.message} ${error.cause instanceof Error ? error.cause.message : ''}` : String(error);
}

/** Runs one of the person's commit hooks, if it exists. @throws GitsyncError `hook` when it refuses or hangs. */
async function runHook(repo: Repo, name: string, args: readonly string[], indexFile: string): Promise<void> {
  try {
    const result = await git(repo, ['hook', 'run', '--ignore-missing', name, ...(args.length === 0 ? [] : ['--', ...args])], {
      indexFile,
      expect: [0, 1, ...Array.from({ length: 254 }, (_, i) => i + 2)],
      timeoutMs: helperDeadlineMs,
      env: { GIT_EDITOR: ':' },
    });
    if (result.exitCode !== 0) {
      throw new GitsyncError('hook', `The ${name} hook refused the commit: ${result.stderr.trim().split('\n').slice(-3).join('; ')}`, { hint: `fix what the hook complains about, or set hooks = no` });
    }
  } catch (error) {
    if (error instanceof GitsyncError && error.kind === 'timeout') {
      throw new GitsyncError('hook', `The ${name} hook did not finish within ${helperDeadlineMs / 1000} s and was ended.`, { hint: 'make the hook quicker, or set hooks = no', cause: error });
    }
    throw error;
  }
}

/** What the person's `pre-commit` and `commit-msg` hooks make of a commit: they may change the index and the message. */
export async function runCommitHooks(repo: Repo, indexFile: string, message: string): Promise<string> {
  if (!repo.hooks) return message;
  await runHook(repo, 'pre-commit', [], indexFile);
  const file = `${repo.ownDir}/COMMIT_EDITMSG`;
  try {
    await writeFile(file, message);
    await runHook(repo, 'commit-msg', [file], indexFile);
    return await readFile(file, 'utf8');
  } finally {
    await rm(file, { force: true });
  }
}

/** Tells the person's `post-commit` hook; what it answers changes nothing. */
export async function runPostCommitHook(repo: Repo, indexFile: string): Promise<void> {
  if (!repo.hooks) return;
  await runHook(repo, 'post-commit', [], indexFile).catch((error: unknown) => repo.log.warn('The post-commit hook failed', { error: String(error) }));
}
