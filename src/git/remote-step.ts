/** One step that talks to a remote: the person's credentials, a deadline, and failures that name the server. */
import { GitsyncError, toGitsyncError } from '../errors.ts';
import { parseRemoteUrl, sshWords } from '../core/remote-url.ts';
import { classifyGitFailure } from './git-errors.ts';
import { git, gitText, type GitResult, type Repo } from './git.ts';
import { remoteGitOptions } from './ssh-command.ts';

export interface RemoteStepOptions {
  signal?: AbortSignal;
  /** Ends the step when the remote has been silent for this long. Default 60 000. */
  idleTimeoutMs?: number;
  env?: Record<string, string>;
  /** Reads a failure that the remote explains in words of its own; undefined: as git's. */
  explain?: (stderr: string) => GitsyncError | undefined;
}

const defaultIdleTimeoutMs = 60_000;

/** Runs a git command that talks to `remote`; exit codes 1 and 128 are handed back for the caller to read. */
export async function runRemoteStep(
  repo: Repo,
  remote: string,
  args: readonly string[],
  options: RemoteStepOptions & { config?: readonly string[]; input?: string; timeoutHint?: string } = {},
): Promise<GitResult> {
  const toRemote = await remoteGitOptions(repo);
  const idleTimeoutMs = options.idleTimeoutMs ?? defaultIdleTimeoutMs;
  try {
    return await git(repo, args, {
      env: { ...toRemote.env, ...options.env },
      config: [...(toRemote.config ?? []), ...(options.config ?? [])],
      expect: [0, 1, 128],
      idleTimeoutMs,
      ...(options.input === undefined ? {} : { input: options.input }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  } catch (error) {
    const { kind, cause } = toGitsyncError(error);
    if (kind !== 'timeout') throw error;
    throw new GitsyncError('timeout', `${remote} gave no answer for ${Math.round(idleTimeoutMs / 1000)} s.`, {
      cause,
      ...(options.timeoutHint === undefined ? {} : { hint: options.timeoutHint }),
    });
  }
}

/** The words after `ssh` that reach a remote, or undefined where it is not reached over ssh. */
async function sshWordsOf(repo: Repo, remote: string): Promise<string | undefined> {
  const url = await gitText(repo, ['remote', 'get-url', '--', remote], { expect: [0, 2, 128] });
  const parsed = parseRemoteUrl(url);
  return parsed.kind === 'ssh' ? sshWords(parsed).join(' ') : undefined;
}

/** The failure of a step, with a hint that can be typed as it is. */
export async function explainRemoteFailure(repo: Repo, remote: string, step: 'fetch' | 'ls-remote' | 'push' | 'lfs', result: GitResult): Promise<GitsyncError> {
  const error = classifyGitFailure(`${step} ${remote}`, result.exitCode, result.stderr);
  if (error.hint === undefined) return error;
  const words = error.hint.includes('SERVER') ? await sshWordsOf(repo, remote) : undefined;
  const hint = error.hint.replaceAll('REMOTE', remote).replaceAll('SERVER', words ?? 'SERVER');
  return new GitsyncError(error.kind, error.message, { hint, cause: error.cause });
}
