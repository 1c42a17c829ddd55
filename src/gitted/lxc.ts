/** Running the LXC tools. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { GitsyncError } from '../errors.ts';
import { gitEnvironment } from '../process/env.ts';
import { run, type RunResult } from '../process/run.ts';

export const isRoot = (): boolean => process.getuid?.() === 0;

/** The tools live in /usr/bin, what they need often in /sbin, which normal users do not have in their PATH. */
export function lxcEnvironment(): Record<string, string | undefined> {
  return { ...gitEnvironment(), PATH: `${process.env['PATH'] ?? '/usr/bin:/bin'}:/usr/local/sbin:/usr/sbin:/sbin` };
}

export interface LxcOptions {
  input?: Uint8Array | string;
  timeoutMs?: number;
  expect?: readonly number[];
}

const noise = /^(?:lxc-[a-z]+: )?[\w-]*: ?(?:\.\.\/)*src\/lxc\/[\w/.-]+: \w+: \d+ /;

/** What a tool said, without the places in its source. */
export function wordsOf(stderr: string): string {
  return stderr.split('\n').map((line) => line.replace(noise, '').trim()).filter((line) => line !== '').slice(-4).join('; ');
}

/** Runs one tool. @throws GitsyncError `container` when its exit code is not expected. */
export async function lxc(tool: string, args: readonly string[], options: LxcOptions = {}): Promise<RunResult> {
  const result = await run(`lxc-${tool}`, args, {
    env: lxcEnvironment(),
    ...(options.input === undefined ? {} : { input: options.input }),
    idleTimeoutMs: options.timeoutMs ?? 300_000,
  }).catch((error: unknown) => {
    if (error instanceof GitsyncError && /ENOENT/.test(error.message)) throw new GitsyncError('container', 'LXC is not installed.', { hint: 'as root: apt-get install lxc', cause: error });
    throw error;
  });
  if (!(options.expect ?? [0]).includes(result.exitCode)) {
    throw new GitsyncError('container', `lxc-${tool} failed: ${wordsOf(`${result.stdout.toString('utf8')}\n${result.stderr}`)}`, { hint: 'gitted-client doctor' });
  }
  return result;
}

let knownPath: Promise<string> | undefined;

/** The directory that the tools keep containers in. */
export function lxcPath(): Promise<string> {
  knownPath ??= lxc('config', ['lxc.lxcpath']).then(({ stdout }) => stdout.toString('utf8').trim());
  // LXC may be installed later on.
  knownPath.catch(() => (knownPath = undefined));
  return knownPath;
}

/** Marks a container whose making has begun, so that a partial one is known to be ours. */
export const markerOf = (path: string, container: string): string => join(path, `.${container}.gitted-creating`);

/** Removes a container's files; those of a normal user's container belong to other ids. */
export async function removeFiles(directory: string): Promise<void> {
  if (isRoot()) rmSync(directory, { recursive: true, force: true });
  else await run('lxc-usernsexec', ['--', 'rm', '-rf', '--', directory], { env: lxcEnvironment() });
}
