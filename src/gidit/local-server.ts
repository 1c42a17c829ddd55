/**
 * The daemon's door for programs of this machine: a unix socket in a directory
 * that only its owner may enter, and 127.0.0.1 on request, where a token from a
 * file of the owner is asked for. One request for each connection: a frame of
 * JSON, or the message of 2009, which begins with four hexadecimal digits.
 */
import { timingSafeEqual } from 'node:crypto';
import { chmod, unlink } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { GitsyncError, toGitsyncError } from '../errors.ts';
import type { Log } from '../log.ts';
import { socketChannel, type Channel } from './streams/channel.ts';
import { readJson, writeJson } from './streams/frames.ts';
import { wireLimits } from './wire.ts';
import { deadline } from './streams/deadline.ts';

export interface LocalRequest {
  op: string;
  args: Record<string, unknown>;
  /** Sends something before the answer: progress, news. */
  say(part: Record<string, unknown>): Promise<void>;
  /** Fires when the client has gone. */
  gone: AbortSignal;
}

export interface LocalHandlers {
  /** The answer to a request. */
  handle(request: LocalRequest): Promise<unknown>;
  /** The message of 2009; gives the id of the PushObject. `trusted`: over the socket that only the owner can reach. */
  takeMessage(message: Buffer, trusted: boolean): Promise<string>;
}

export interface LocalServer {
  /** Where 127.0.0.1 was asked for. */
  port: number | undefined;
  close(): Promise<void>;
}

const requestMs = 10_000;
const answerMs = 60_000;
/** Frames are shorter than 16 MiB, so their first byte is no digit. */
const isHexDigit = (byte: number): boolean => (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66);

/** Serves until closed. */
export async function startLocalServer(options: { socketFile: string; port: number | undefined; token: string; handlers: LocalHandlers; log: Log }): Promise<LocalServer> {
  const { socketFile, handlers, log } = options;
  const sockets = new Set<Socket>();
  const serve = (trusted: boolean): Server =>
    createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      void answerOne(socket, trusted, options.token, handlers, log);
    });
  // Left by a crash; the daemon's lock says that nobody listens on it.
  await unlink(socketFile).catch(() => undefined);
  const servers = [serve(true)];
  await listen(servers[0] as Server, { path: socketFile });
  await chmod(socketFile, 0o600);
  let port: number | undefined;
  if (options.port !== undefined) {
    const server = serve(false);
    await listen(server, { host: '127.0.0.1', port: options.port });
    servers.push(server);
    port = (server.address() as AddressInfo).port;
  }
  return {
    port,
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

function listen(server: Server, where: { path: string } | { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new GitsyncError('config', `The daemon cannot listen at ${'path' in where ? where.path : `127.0.0.1:${where.port}`}.`, { cause: error })));
    server.listen(where, () => resolve());
  });
}

async function answerOne(socket: Socket, trusted: boolean, token: string, handlers: LocalHandlers, log: Log): Promise<void> {
  const channel = socketChannel(socket);
  const gone = new AbortController();
  socket.on('close', () => gone.abort(new GitsyncError('interrupted', 'The client has gone.')));
  try {
    const head = await channel.read(1, deadline(requestMs));
    if (isHexDigit(head[0] as number)) return await answerMessage(channel, head, trusted, handlers);
    const request = await readJson(channel, gone.signal, requestMs, undefined, head);
    const say = (part: Record<string, unknown>): Promise<void> => writeJson(channel, part, deadline(answerMs, gone.signal));
    await say(await answerRequest(request, trusted || isToken(request['token'], token), { handlers, say, gone: gone.signal, log }));
    await channel.end();
  } catch (error) {
    log.debug('A local client went away or sent nonsense', { error: String(error) });
    channel.abort();
  }
}

function isToken(given: unknown, token: string): boolean {
  if (typeof given !== 'string') return false;
  const [a, b] = [Buffer.from(given), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}

async function answerRequest(request: Record<string, unknown>, isAllowed: boolean, context: Pick<LocalRequest, 'say' | 'gone'> & { handlers: LocalHandlers; log: Log }): Promise<Record<string, unknown>> {
  try {
    if (!isAllowed) throw new GitsyncError('auth', 'The daemon answers its owner only.', { hint: 'over 127.0.0.1, send what is in the file daemon/token of the store' });
    if (typeof request['op'] !== 'string') throw new GitsyncError('usage', 'A request needs an "op".');
    const args = typeof request['args'] === 'object' && request['args'] !== null ? (request['args'] as Record<string, unknown>) : {};
    return { done: true, result: (await context.handlers.handle({ op: request['op'], args, say: context.say, gone: context.gone })) ?? null };
  } catch (error) {
    const { kind, message, hint } = toGitsyncError(error);
    if (kind === 'bug') context.log.error('A request failed', { error: (error as Error).stack ?? String(error) });
    return { done: true, error: { kind, message, hint } };
  }
}

/** `[4 hex digits][pgpkey][projname]\n[pushobject]` up to the end of input; the answer is a line. */
async function answerMessage(channel: Channel, head: Buffer, trusted: boolean, handlers: LocalHandlers): Promise<void> {
  const parts = [head];
  const signal = deadline(requestMs);
  try {
    for (let size = 1; size <= wireLimits.maxMessageBytes; size++) parts.push(await channel.read(1, signal));
  } catch (error) {
    if (signal.aborted) throw error;
  }
  const line = await handlers.takeMessage(Buffer.concat(parts), trusted).then(
    (id) => `ok ${id}\n`,
    (error: unknown) => `error ${toGitsyncError(error).message}\n`,
  );
  await channel.write(Buffer.from(line), deadline(answerMs));
  await channel.end();
}
