/** How git reaches a remote: the person's own ssh command and credential helpers, made to fail instead of asking. */
import { stat } from 'node:fs/promises';
import { splitNul } from '../core/raw-path.ts';
import { sshOptions } from '../process/env.ts';
import { git, type GitOptions, type Repo } from './git.ts';

interface SshSettings {
  command: string | undefined;
  variant: string | undefined;
}

/** Settings are read again after this time, since they may also come from files that the repository's config includes. */
const keptMs = 60_000;

const kept = new WeakMap<Repo, { stamp: string; readAtMs: number; settings: SshSettings }>();

async function readSettings(repo: Repo): Promise<SshSettings> {
  const info = await stat(`${repo.commonDir}/config`).catch(() => undefined);
  const stamp = `${info?.mtimeMs} ${info?.ino} ${info?.size}`;
  const known = kept.get(repo);
  if (known !== undefined && known.stamp === stamp && performance.now() - known.readAtMs < keptMs) return known.settings;
  const { stdout } = await git(repo, ['config', '-z', '--get-regexp', '^(core\\.sshcommand|ssh\\.variant)$'], { expect: [0, 1] });
  const values = new Map(splitNul(stdout).map((entry) => Buffer.from(entry, 'latin1').toString('utf8').split('\n', 2) as [string, string]));
  const settings = { command: values.get('core.sshcommand'), variant: values.get('ssh.variant') };
  kept.set(repo, { stamp, readAtMs: performance.now(), settings });
  return settings;
}

/** Whether a command for ssh (words for a shell) starts OpenSSH, told by its program's name as git does. */
export function isOpenSsh(command: string, variant: string | undefined): boolean {
  if (variant !== undefined && variant !== 'auto') return variant === 'ssh';
  const [, double, single, bare] = /^\s*(?:\w+=\S*\s+)*(?:"([^"]+)"|'([^']+)'|(\S+))/.exec(command) ?? [];
  const program = double ?? single ?? bare ?? '';
  return /(^|[/\\])ssh(\.exe)?$/i.test(program);
}

/**
 * The person's ssh command as git would use it (GIT_SSH_COMMAND, else
 * core.sshCommand, else `ssh`), with our options after theirs, so that theirs
 * win. Undefined where it is another program, whose options we do not know.
 */
export async function sshCommandOf(repo: Repo, env: NodeJS.ProcessEnv = process.env): Promise<string | undefined> {
  const settings = await readSettings(repo);
  const own = env['GIT_SSH_COMMAND'] ?? settings.command;
  // GIT_SSH names a program without arguments and counts only where there is no command.
  if (own === undefined && env['GIT_SSH'] !== undefined) return undefined;
  const command = own ?? 'ssh';
  return isOpenSsh(command, env['GIT_SSH_VARIANT'] ?? settings.variant) ? [command, ...sshOptions].join(' ') : undefined;
}

/** What every git command that talks to a remote gets: ssh and credential helpers as the person has them, but never a question. */
export async function remoteGitOptions(repo: Repo): Promise<Pick<GitOptions, 'env' | 'config'>> {
  const command = await sshCommandOf(repo);
  return {
    env: command === undefined ? {} : { GIT_SSH_COMMAND: command },
    // An empty value switches the prompt program off; helpers still answer.
    config: ['core.askPass=', 'credential.interactive=false'],
  };
}
