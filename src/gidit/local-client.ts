/** Asks the daemon of a store. */
import { existsSync, realpathSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { errnoOf, GitsyncError, type ErrorKind } from '../errors.ts';
import { runtimePaths } from '../process/runtime-dir.ts';
import { socketChannel } from './streams/channel.ts';
import { readJson, writeJson } from './streams/frames.ts';

/** How long a daemon that lives may be silent before it has answered; it says something while it works. */
const silenceMs = 120_000;
const maxAnswerBytes = 1024 * 1024;

/** The socket of the daemon that works with a store, and its lock. */
export function daemonPaths(baseDir: string, env: NodeJS.ProcessEnv = process.env): { socket: string; lock: string } {
  // The same store under another name has the same daemon.
  return runtimePaths('gidit', existsSync(baseDir) ? realpathSync(baseDir) : baseDir, env);
}

/** What to say where no daemon is running. */
export function notRunning(): GitsyncError {
  return new GitsyncError('not-running', 'The gidit daemon is not running, so no peer can be reached.', { hint: 'git-gidit-daemon & or: systemctl --user enable --now git-gidit-daemon' });
}

async function connect(baseDir: string, env: NodeJS.ProcessEnv | undefined): Promise<Socket> {
  const socket = createConnection({ path: daemonPaths(baseDir, env).socket, allowHalfOpen: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', () => resolve());
    socket.once('error', (error) => reject(['ENOENT', 'ECONNREFUSED'].includes(errnoOf(error) ?? '') ? notRunning() : error));
  });
  return socket;
}

export interface DaemonCall {
  /** Told of what the daemon says before its answer. */
  onPart?(part: Record<string, unknown>): void;
  signal?: AbortSignal;
  /** Whose runtime directory; default: this process's. */
  env?: NodeJS.ProcessEnv;
  /** The connection stays open, and with it the files that the answer names, until this is settled. */
  use?(result: unknown): Promise<void>;
}

/**
 * Sends one request and gives the answer.
 * @throws GitsyncError what the daemon answered; `not-running` where there is none.
 */
export async function askDaemon<T>(baseDir: string, op: string, args: Record<string, unknown> = {}, call: DaemonCall = {}): Promise<T> {
  const socket = await connect(baseDir, call.env);
  const signal = call.signal ?? new AbortController().signal;
  const channel = socketChannel(socket);
  try {
    await writeJson(channel, { op, args }, signal);
    for (;;) {
      const part = await readJson(channel, signal, op === 'watch' ? 2 ** 31 - 1 : silenceMs, maxAnswerBytes);
      if (part['done'] !== true) call.onPart?.(part);
      else if (part['error'] === undefined) {
        await call.use?.(part['result']);
        return part['result'] as T;
      } else {
        const { kind, message, hint } = part['error'] as { kind: ErrorKind; message: string; hint?: string };
        throw new GitsyncError(kind, message, hint === undefined ? {} : { hint });
      }
    }
  } finally {
    socket.destroy();
  }
}
