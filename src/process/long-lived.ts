/** Programs that run for as long as we want them to, and whose lines are read as they come. */
import { execa } from 'execa';
import { killDelayMs, signalGroup } from './run.ts';

export interface StartOptions {
  cwd?: string;
  /** The complete environment; nothing is inherited beside it. Default: this process's. */
  env?: Record<string, string | undefined>;
  /** Written to standard input at once; standard input stays open until `close`. */
  input?: string;
  /** Called with every line of standard output, without its newline. */
  onLine(line: string): void;
}

/** A program that runs for as long as we want it to. */
export interface StartedProcess {
  /** Undefined when it could not be started. */
  readonly pid: number | undefined;
  /** Settles when the program has ended, however it did; never rejects. No exit code: killed, or not started. */
  readonly ended: Promise<{ exitCode: number | undefined; stderr: string }>;
  /** Ends it and its group: end of input first, then TERM, then KILL. */
  close(): Promise<void>;
}

const keptStderrSize = 8_192;
const longestLine = 65_536;
const closeDelayMs = 1_000;

/** Starts a program whose lines are read as they come. It sees the end of its input when this process dies. */
export function startProcess(file: string, args: readonly string[], options: StartOptions): StartedProcess {
  const child = execa(file, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env, extendEnv: false }),
    stdin: 'pipe',
    buffer: false,
    reject: false,
    detached: true,
  });
  let stderr = '';
  let rest = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-keptStderrSize)));
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    // A line without an end must not fill our memory.
    rest = (lines.pop() ?? '').slice(0, longestLine);
    lines.forEach((line) => options.onLine(line));
  });
  child.stdin?.on('error', () => undefined); // it may end before it has read everything
  if (options.input !== undefined) child.stdin?.write(options.input);
  const ended = child.then(({ exitCode, shortMessage }) => ({ exitCode, stderr: child.pid === undefined ? (shortMessage ?? '') : stderr }));
  return {
    pid: child.pid,
    ended,
    async close() {
      child.stdin?.end();
      const timers = [
        setTimeout(() => signalGroup(child.pid, 'SIGTERM'), closeDelayMs),
        setTimeout(() => signalGroup(child.pid, 'SIGKILL'), closeDelayMs + killDelayMs),
      ];
      await ended;
      timers.forEach(clearTimeout);
    },
  };
}
