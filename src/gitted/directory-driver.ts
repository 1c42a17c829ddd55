/**
 * Machines that are a directory: one on this machine (`local`, no root needed),
 * or one reached by ssh (`ssh`; without a directory the whole machine).
 */
import { existsSync, mkdirSync } from 'node:fs';
import { GitsyncError } from '../errors.ts';
import { gitEnvironment, sshOptions } from '../process/env.ts';
import { run } from '../process/run.ts';
import type { Driver, ExecOptions, MachineState } from './driver.ts';

/** Quotes a word for a POSIX shell: ssh hands its words to one. */
export function quoteWord(word: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

interface Shell {
  kind: 'local' | 'ssh';
  root: string;
  address(): string;
  command(command: readonly string[], terminal: boolean): { file: string; args: string[]; env?: Record<string, string | undefined> };
  /** What can be told of its state without running anything there. */
  look?(): MachineState;
  /** Why a program could not be run there at all, from its exit code. */
  failure(exitCode: number, stderr: string): GitsyncError | undefined;
}

function directoryDriver(shell: Shell): Driver {
  const { root } = shell;
  const exec = async (command: readonly string[], options: ExecOptions = {}) => {
    const { file, args, env } = shell.command(command, false);
    const result = await run(file, args, { ...(env === undefined ? {} : { env }), ...options, idleTimeoutMs: options.timeoutMs ?? 600_000 });
    const failure = shell.failure(result.exitCode, result.stderr);
    if (failure !== undefined) throw failure;
    return result;
  };
  const script = async (text: string): Promise<string> => {
    const result = await exec(['sh', '-c', text, 'sh', root]);
    if (result.exitCode !== 0) throw new GitsyncError('container', `A step on the machine failed: ${result.stderr.trim()}`);
    return result.stdout.toString('utf8').trim();
  };
  return {
    kind: shell.kind,
    async state(): Promise<MachineState> {
      if (shell.look !== undefined) return shell.look();
      return (await script('if [ ! -d "$1/etc/gitted" ]; then echo absent; elif [ -f "$1/etc/gitted/stopped" ]; then echo stopped; else echo running; fi')) as MachineState;
    },
    create: async () => void (await script('mkdir -p "$1/etc/gitted" "$1/usr/bin"')),
    start: async () => void (await script('rm -f "$1/etc/gitted/stopped"')),
    stop: async () => void (await script(': >"$1/etc/gitted/stopped"')),
    // Of a whole machine only what is ours goes.
    destroy: async () => void (await script('if [ -n "$1" ]; then rm -rf -- "$1"; else rm -rf /etc/gitted /var/lib/gitted /local.repository.git; fi')),
    exec,
    command: (command, options) => shell.command(command, options?.terminal ?? false),
    address: async () => shell.address(),
    rootfs: () => root,
  };
}

const withRoot = (root: string, command: readonly string[]): string[] =>
  root === '' ? [...command] : ['env', `GITTED_ROOT=${root}`, `PATH=${root}/usr/bin:${process.env['PATH'] ?? '/usr/bin:/bin'}`, ...command];

/** A directory of this machine. */
export function localDriver(root: string): Driver {
  if (!root.startsWith('/') || root === '/') throw new GitsyncError('config', `The directory of a local machine is "${root}", expected an absolute path below /.`);
  mkdirSync(root, { recursive: true });
  return directoryDriver({
    kind: 'local',
    root,
    address: () => '127.0.0.1',
    command: (command) => {
      const [file = '', ...args] = withRoot(root, command);
      return { file, args, env: gitEnvironment() };
    },
    look: () => (!existsSync(`${root}/etc/gitted`) ? 'absent' : existsSync(`${root}/etc/gitted/stopped`) ? 'stopped' : 'running'),
    failure: () => undefined,
  });
}

/** A machine that one can log into; `sshWords` come before the host. */
export function sshDriver(host: string, root = '', sshWords: readonly string[] = []): Driver {
  if (host.startsWith('-') || host === '') throw new GitsyncError('config', `"${host}" is not a host.`, { hint: 'gitted-client add NAME --driver ssh --host user@host' });
  const quoted = (command: readonly string[]): string => (root === '' ? command : ['env', `GITTED_ROOT=${root}`, 'sh', '-c', 'PATH=$GITTED_ROOT/usr/bin:$PATH; exec "$@"', 'sh', ...command]).map(quoteWord).join(' ');
  return directoryDriver({
    kind: 'ssh',
    root,
    address: () => host.replace(/^.*@/, ''),
    command: (command, terminal) => ({ file: 'ssh', args: [...sshOptions, ...sshWords, ...(terminal ? ['-t'] : []), '--', host, quoted(command)], env: gitEnvironment() }),
    failure: (exitCode, stderr) => (exitCode === 255 ? new GitsyncError('offline', `${host} cannot be reached: ${stderr.trim().split('\n').pop() ?? ''}`, { hint: `ssh ${host}` }) : undefined),
  });
}
