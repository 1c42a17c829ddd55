/** `/gidit/notify/1`: "this project moved", with the new PushObject; "tell me when one of these moves"; and "please hold this one". */
import { GitsyncError } from '../../errors.ts';
import type { StreamHandler } from '../engine.ts';
import { wireLimits } from '../wire.ts';
import type { Channel } from './channel.ts';
import { readFrame, readJson, writeFrame, writeJson } from './frames.ts';
import { streamLimits, type StreamLimits } from './limits.ts';
import { deadline } from './deadline.ts';

export const notifyProtocol = '/gidit/notify/1';

/** Projects that one node may ask us to tell it about. */
export const maxFollowed = 500;

const keyPattern = /^\/gidit\/[0-9a-f]{64}$/;

export interface NotifyHandlers {
  /** A message that is not verified yet. */
  onNotice(message: Buffer, peer: string): Promise<void>;
  /** Whether this node will hold the project of a message, which is not verified yet. */
  onWish(message: Buffer, peer: string): Promise<boolean>;
  /** Replaces what this node asked for before; gives the newest messages of those projects that we hold. */
  onFollow(keys: ReadonlySet<string>, peer: string): Promise<Buffer[]>;
}

/** Takes notices and wishes from other nodes. */
export function serveNotify(handlers: NotifyHandlers, limits: StreamLimits = streamLimits): StreamHandler {
  return async (channel, peer) => {
    const signal = deadline(limits.listMs);
    const request = await readJson(channel, signal, limits.answerMs);
    if (request['type'] === 'notice') {
      const message = await readFrame(channel, signal, limits.answerMs, wireLimits.maxMessageBytes);
      // Taken is all the other end needs to know; checking it is our own affair.
      await writeJson(channel, { ok: true }, signal);
      return handlers.onNotice(message, peer);
    }
    if (request['type'] === 'wish') {
      const message = await readFrame(channel, signal, limits.answerMs, wireLimits.maxMessageBytes);
      return writeJson(channel, { ok: await handlers.onWish(message, peer) }, signal);
    }
    if (request['type'] !== 'follow' || !Array.isArray(request['keys']) || request['keys'].length > maxFollowed) throw new GitsyncError('corrupt', 'The other end asked for something that there is not.');
    const keys = request['keys'].filter((key): key is string => typeof key === 'string' && keyPattern.test(key));
    const newest = await handlers.onFollow(new Set(keys), peer);
    await writeJson(channel, { messages: newest.length }, signal);
    for (const message of newest) await writeFrame(channel, message, signal);
  };
}

/** Tells a node that a project moved. */
export async function sendNotice(channel: Channel, message: Uint8Array, signal: AbortSignal, limits: StreamLimits = streamLimits): Promise<void> {
  await writeJson(channel, { type: 'notice' }, signal);
  await writeFrame(channel, message, signal);
  await readJson(channel, signal, limits.answerMs);
}

/** Asks a node to hold the project of a message; whether it will. */
export async function sendWish(channel: Channel, message: Uint8Array, signal: AbortSignal, limits: StreamLimits = streamLimits): Promise<boolean> {
  await writeJson(channel, { type: 'wish' }, signal);
  await writeFrame(channel, message, signal);
  return (await readJson(channel, signal, limits.answerMs))['ok'] === true;
}

/** Asks a node to tell of moves; gives the newest messages that it holds, unverified. The list may be as long as `maxFollowed`. */
export async function sendFollow(channel: Channel, keys: readonly string[], signal: AbortSignal, limits: StreamLimits = streamLimits): Promise<Buffer[]> {
  await writeJson(channel, { type: 'follow', keys: keys.slice(0, maxFollowed) }, signal);
  const { messages } = await readJson(channel, signal, limits.answerMs);
  if (!Number.isSafeInteger(messages) || (messages as number) < 0 || (messages as number) > keys.length) throw new GitsyncError('corrupt', 'The other end announces more than it was asked for.');
  const newest: Buffer[] = [];
  for (let i = 0; i < (messages as number); i++) newest.push(await readFrame(channel, signal, limits.answerMs, wireLimits.maxMessageBytes));
  return newest;
}
