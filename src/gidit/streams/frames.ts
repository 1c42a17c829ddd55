/** Frames on a channel: four bytes of length, then so many bytes. Lengths are checked before anything is kept. */
import { GitsyncError } from '../../errors.ts';
import { longestFrameBytes, type Channel } from './channel.ts';
import { within } from './deadline.ts';

/** Writes one frame. */
export async function writeFrame(channel: Channel, body: Uint8Array, signal: AbortSignal): Promise<void> {
  const frame = Buffer.allocUnsafe(4 + body.length);
  frame.writeUInt32BE(body.length);
  frame.set(body, 4);
  await channel.write(frame, signal);
}

/** Writes one JSON value as a frame. */
export function writeJson(channel: Channel, value: unknown, signal: AbortSignal): Promise<void> {
  return writeFrame(channel, Buffer.from(JSON.stringify(value)), signal);
}

/**
 * Reads one frame, all of it within the time: a sender of a byte a second is a
 * sender that stalls.
 * @param head the first bytes of the length, where somebody has read them already.
 */
export async function readFrame(channel: Channel, signal: AbortSignal, withinMs: number, maxBytes = longestFrameBytes, head: Buffer = Buffer.alloc(0)): Promise<Buffer> {
  return within(withinMs, signal, async (both) => {
    const sizeBytes = Buffer.concat([head, await channel.read(4 - head.length, both)]).readUInt32BE();
    if (sizeBytes > maxBytes) throw new GitsyncError('too-large', `A frame of ${sizeBytes} bytes is longer than the ${maxBytes} that may come here.`);
    return sizeBytes === 0 ? Buffer.alloc(0) : channel.read(sizeBytes, both);
  });
}

/** Reads one frame that must be a JSON object. */
export async function readJson(channel: Channel, signal: AbortSignal, withinMs: number, maxBytes = 64 * 1024, head?: Buffer): Promise<Record<string, unknown>> {
  const text = (await readFrame(channel, signal, withinMs, maxBytes, head)).toString('utf8');
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new GitsyncError('corrupt', 'The other end sent something that is not one of our messages.');
}
