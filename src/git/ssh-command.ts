/** How git reaches a remote: the person's own ssh command and credential helpers, made to fail instead of asking. */
import { sshOptions } from '../process/env.ts';
import type { GitOptions, Repo } from './git.ts';
import { readRemoteSettings } from './remote-settings.ts';

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
  const settings = await readRemoteSettings(repo);
  const own = env['GIT_SSH_COMMAND'] ?? settings.get('core.sshcommand');
  // GIT_SSH names a program without arguments and counts only where there is no command.
  if (own === undefined && env['GIT_SSH'] !== undefined) return undefined;
  const command = own ?? 'ssh';
  return isOpenSsh(command, env['GIT_SSH_VARIANT'] ?? settings.get('ssh.variant')) ? [command, ...sshOptions].join(' ') : undefined;
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
