/**
 * The agent's control socket: one JSON object a line in, one out. Only the
 * owner may connect, since the directory and the socket are theirs alone.
 */
import { chmod, unlink } from 'node:fs/promises';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { errnoOf, GitsyncError, toGitsyncError, type ErrorKind } from '../errors.ts';
import type { Log } from '../log.ts';

export interface ControlRequest {
  op: string;
  /** Absolute paths or words, as the operation takes them. */
  args: Record<string, unknown>;
}

type ControlResponse = { ok: true; result: unknown } | { ok: false; error: { kind: ErrorKind; message: string; hint?: string } };

/** A request longer than this is not one of ours. */
const maxRequestBytes = 1024 * 1024;

/** Serves requests until closed. */
export async function serveControl(socketFile: string, handle: (request: ControlRequest) => Promise<unknown>, log: Log): Promise<{ close(): Promise<void> }> {
  const connections = new Set<Socket>();
  const server: Server = createServer((connection) => {
    connections.add(connection);
    connection.on('close', () => connections.delete(connection));
    connection.on('error', () => connection.destroy());
    let received = '';
    connection.setEncoding('utf8');
    connection.on('data', (part: string) => {
      received += part;
      if (received.length > maxRequestBytes) connection.destroy();
      for (let end = received.indexOf('\n'); end >= 0; end = received.indexOf('\n')) {
        const line = received.slice(0, end);
        received = received.slice(end + 1);
        void answer(line, handle, log).then((response) => connection.write(`${JSON.stringify(response)}\n`));
      }
    });
  });
  // Left by a crash; the agent's lock says that nobody listens on it.
  await unlink(socketFile).catch(() => undefined);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(socketFile, resolve));
  await chmod(socketFile, 0o600);
  return {
    async close() {
      for (const connection of connections) connection.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(line: string, handle: (request: ControlRequest) => Promise<unknown>, log: Log): Promise<ControlResponse> {
  try {
    const request = JSON.parse(line) as Partial<ControlRequest>;
    if (typeof request.op !== 'string') throw new GitsyncError('usage', 'A request needs an "op".');
    return { ok: true, result: (await handle({ op: request.op, args: request.args ?? {} })) ?? null };
  } catch (error) {
    const { kind, message, hint } = error instanceof SyntaxError ? new GitsyncError('usage', 'A request is one JSON object on a line.') : toGitsyncError(error);
    if (kind === 'bug') log.error('A request failed', { error: (error as Error).stack ?? String(error) });
    return { ok: false, error: { kind, message, ...(hint === undefined ? {} : { hint }) } };
  }
}

/**
 * Asks the running agent.
 * @returns its answer, or undefined when no agent is running.
 * @throws GitsyncError what the agent answered.
 */
export async function askAgent(socketFile: string, request: ControlRequest): Promise<{ result: unknown } | undefined> {
  const connection = createConnection(socketFile);
  try {
    const connected = await new Promise<boolean>((resolve, reject) => {
      connection.once('connect', () => resolve(true));
      connection.once('error', (error) => (['ENOENT', 'ECONNREFUSED'].includes(errnoOf(error) ?? '') ? resolve(false) : reject(error)));
    });
    if (!connected) return undefined;
    connection.write(`${JSON.stringify(request)}\n`);
    let received = '';
    for await (const part of connection.setEncoding('utf8')) {
      received += String(part);
      if (received.includes('\n')) break;
    }
    if (!received.includes('\n')) throw new GitsyncError('not-running', 'The agent stopped while it was answering.', { hint: 'gitsync status' });
    const response = JSON.parse(received) as ControlResponse;
    if (response.ok) return { result: response.result };
    const { kind, message, hint } = response.error;
    throw new GitsyncError(kind, message, hint === undefined ? {} : { hint });
  } finally {
    connection.destroy();
  }
}
