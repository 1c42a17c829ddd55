/**
 * Programs that run to their end: argument arrays, no shell, own process
 * group, a deadline that output extends, TERM then KILL to the whole group.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { Readable } from 'node:stream';
import { errnoOf, GitsyncError } from '../errors.ts';

export interface RunOptions {
  cwd?: string;
  /** The complete environment; nothing is inherited beside it. Default: this process's. */
  env?: Record<string, string | undefined>;
  /** Bytes for standard input; without it standard input is closed. */
  input?: Uint8Array | string | Readable;
  /** Ends the program when it has been silent on both outputs for this long. Default 120 000. */
  idleTimeoutMs?: number;
  /** Ends the program after this long whatever it says. Default: none. */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** A file whose content becomes standard input, instead of `input`. */
  inputFile?: string;
  /** A file that standard output is appended to; `stdout` of the result is empty then. */
  outputFile?: string;
}

export interface RunResult {
  exitCode: number;
  stdout: Buffer;
  stderr: string;
  ms: number;
}

/** From the polite request to end until the end. */
export const killDelayMs = 3_000;

export function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    // The child leads its own group, so its helpers (ssh, remote-ext, hooks) go too.
    process.kill(-pid, signal);
  } catch {
    // Already gone.
  }
}

type Ending = { exitCode: number | null; signal: NodeJS.Signals | null; stdout: Buffer[]; stderr: Buffer[] };

/** Half of an input must not be taken for the whole: where reading it fails, the program ends too. */
function feed(input: Readable, child: ChildProcess): void {
  input.once('error', (error) => {
    signalGroup(child.pid, 'SIGTERM');
    child.emit('error', new GitsyncError('failed', 'What a program reads could not be given to it as a whole.', { cause: error }));
  });
  child.once('close', () => input.destroy());
  if (child.stdin !== null) input.pipe(child.stdin);
}

/**
 * Starts a program; `onOutput` hears that it says something.
 * (Not by execa, which takes as long again as the kernel does: one change of one file is some twenty runs of git.)
 */
function startProgram(file: string, args: readonly string[], options: RunOptions, onOutput: () => void): { pid: number | undefined; ending: Promise<Ending> } {
  const inputFile = options.inputFile === undefined ? undefined : openSync(options.inputFile, 'r');
  const outputFile = options.outputFile === undefined ? undefined : openSync(options.outputFile, 'a');
  try {
    const child = spawn(file, args, {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: options.env }),
      stdio: [inputFile ?? (options.input === undefined ? 'ignore' : 'pipe'), outputFile ?? 'pipe', 'pipe'],
      detached: true,
    });
    const collect = (stream: Readable | null): Buffer[] => {
      const chunks: Buffer[] = [];
      stream?.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        onOutput();
      });
      return chunks;
    };
    const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
    const ending = new Promise<Ending>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (exitCode, signal) => resolve({ exitCode, signal, stdout, stderr }));
    });
    // It may end before it has read everything: its exit code says why.
    child.stdin?.on('error', () => undefined);
    if (options.input instanceof Readable) feed(options.input, child);
    else child.stdin?.end(options.input);
    return { pid: child.pid, ending };
  } catch (error) {
    return { pid: undefined, ending: Promise.reject(error as Error) };
  } finally {
    for (const file of [inputFile, outputFile]) if (file !== undefined) closeSync(file);
  }
}

const killedWords = 'it was killed by';

/** Whether a program was ended by a signal that was not ours: by somebody, or because the memory was full. */
export function wasKilled(error: unknown): boolean {
  return error instanceof GitsyncError && error.kind === 'failed' && error.message.includes(killedWords);
}

/**
 * Runs a program to its end and returns its exit code, whatever it is.
 * @throws GitsyncError `timeout` when a deadline passed, `interrupted` when the
 *   signal was aborted, `failed` when it could not be started or was killed.
 */
export async function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const startedAt = performance.now();
  if (options.signal?.aborted) throw new GitsyncError('interrupted', `${file} was not started: interrupted.`);
  const { pid, ending } = startProgram(file, args, options, () => idle?.refresh());
  let why: 'timeout' | 'interrupted' | undefined;
  let killer: NodeJS.Timeout | undefined;
  const end = (reason: 'timeout' | 'interrupted'): void => {
    if (why !== undefined) return;
    why = reason;
    signalGroup(pid, 'SIGTERM');
    killer = setTimeout(() => signalGroup(pid, 'SIGKILL'), killDelayMs);
  };
  const idle: NodeJS.Timeout | undefined = setTimeout(() => end('timeout'), options.idleTimeoutMs ?? 120_000);
  const total = options.timeoutMs === undefined ? undefined : setTimeout(() => end('timeout'), options.timeoutMs);
  const onAbort = (): void => end('interrupted');
  options.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const result = await ending.catch((error: unknown) => Promise.reject(error instanceof GitsyncError ? error : explainNotStarted(file, options.cwd, error)));
    const stderr = Buffer.concat(result.stderr).toString('utf8');
    if (why === 'timeout') {
      throw new GitsyncError('timeout', `${file} ${args[0] ?? ''} gave no answer in time and was ended.`, { cause: stderr });
    }
    if (why === 'interrupted') throw new GitsyncError('interrupted', `${file} ${args[0] ?? ''} was interrupted.`);
    if (result.exitCode === null) throw new GitsyncError('failed', `${file} did not finish: ${killedWords} ${result.signal}`, { cause: stderr });
    return { exitCode: result.exitCode, stdout: Buffer.concat(result.stdout), stderr, ms: performance.now() - startedAt };
  } finally {
    clearTimeout(idle);
    if (total !== undefined) clearTimeout(total);
    if (killer !== undefined) clearTimeout(killer);
    // Whatever the program left behind in its group (a hook's child) goes with it.
    if (why !== undefined) signalGroup(pid, 'SIGKILL');
    options.signal?.removeEventListener('abort', onAbort);
  }
}

function explainNotStarted(file: string, cwd: string | undefined, cause: unknown): GitsyncError {
  // The kernel has one answer for a missing program and for a missing directory to start it in.
  if (errnoOf(cause) === 'ENOENT' && (cwd === undefined || existsSync(cwd))) return new GitsyncError('failed', `${file} is not installed, or not in PATH.`, { cause, hint: `install ${file}` });
  return new GitsyncError('failed', `${file} could not be started${cwd === undefined ? '' : ` in ${cwd}`}.`, { cause });
}

export interface AttachOptions {
  cwd?: string;
  /** The complete environment; nothing is inherited beside it. Default: this process's. */
  env?: Record<string, string | undefined>;
  /** Feeds standard input, and may keep it open until `ended`. Without it our own standard input is handed on. */
  feed?(input: NodeJS.WritableStream, ended: Promise<unknown>): void;
}

/**
 * Runs a program on our own standard output and error, in our own process group
 * (so that Ctrl-C reaches it), and returns its exit code.
 * @throws GitsyncError `failed` when it could not be started or was killed.
 */
export async function runAttached(file: string, args: readonly string[], options: AttachOptions = {}): Promise<number> {
  const { execa } = await import('execa');
  const child = execa(file, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env, extendEnv: false }),
    stdin: options.feed === undefined ? 'inherit' : 'pipe',
    stdout: 'inherit',
    stderr: 'inherit',
    buffer: false,
    reject: false,
  });
  // Where it ends before it has read everything, its exit code says why.
  child.stdin?.on('error', () => undefined);
  if (child.stdin) options.feed?.(child.stdin, child);
  const { exitCode, signal, shortMessage } = await child;
  if (exitCode === undefined) throw new GitsyncError('failed', `${file} did not finish: ${signal === undefined ? (shortMessage ?? 'it could not be started') : `${killedWords} ${signal}`}`);
  return exitCode;
}
