/** A stream between two ends, with reads that are bounded in size and time. */
import type { Stream } from '@libp2p/interface';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { GitsyncError } from '../../errors.ts';

export interface Channel {
  /** Exactly so many bytes. @throws when the stream ends before, or the signal fires. */
  read(sizeBytes: number, signal: AbortSignal): Promise<Buffer>;
  write(data: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Nothing more is written from this end. */
  end(): Promise<void>;
  /** Ends it at once, in both directions. */
  abort(): void;
}

/** Frames and chunks are at most this long, so a reader never needs more at a time. */
export const longestFrameBytes = 1024 * 1024 + 64 * 1024;

const endedEarly = (cause?: Error): GitsyncError => new GitsyncError('offline', 'The other end closed the stream early.', cause === undefined ? {} : { cause });

/** More than this is not taken in before it has been read: the sender waits. */
const highWaterBytes = 2 * longestFrameBytes;

/** Waits for the next of some events on an emitter that knows `addEventListener`. */
function nextEvent(target: EventTarget, names: readonly string[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void): void => {
      names.forEach((name) => target.removeEventListener(name, onEvent));
      signal.removeEventListener('abort', onAbort);
      settle();
    };
    const onEvent = (): void => finish(resolve);
    const onAbort = (): void => finish(() => reject(timeoutOr(signal)));
    if (signal.aborted) return reject(timeoutOr(signal));
    names.forEach((name) => target.addEventListener(name, onEvent));
    signal.addEventListener('abort', onAbort);
  });
}

function timeoutOr(signal: AbortSignal): GitsyncError {
  const isLate = (signal.reason as Error | undefined)?.name === 'TimeoutError';
  return new GitsyncError(isLate ? 'timeout' : 'interrupted', isLate ? 'The other end gave no answer in time.' : 'The stream was ended.', { cause: signal.reason });
}

/** A stream of the engine. */
export function engineChannel(stream: Stream): Channel {
  const parts: Buffer[] = [];
  let storedBytes = 0;
  let failure: Error | undefined;
  stream.addEventListener('message', ({ data }) => {
    const part = Buffer.from(data.subarray());
    parts.push(part);
    storedBytes += part.length;
    if (storedBytes > highWaterBytes) stream.pause();
  });
  stream.addEventListener('close', (event) => (failure ??= (event as { error?: Error }).error));
  const isOver = (): boolean => stream.readBufferLength === 0 && stream.remoteWriteStatus !== 'writable';
  const take = (sizeBytes: number): Buffer => {
    const taken: Buffer[] = [];
    for (let missing = sizeBytes; missing > 0; ) {
      const first = parts[0] as Buffer;
      if (first.length <= missing) taken.push(parts.shift() as Buffer);
      else {
        taken.push(first.subarray(0, missing));
        parts[0] = first.subarray(missing);
      }
      missing -= (taken.at(-1) as Buffer).length;
    }
    storedBytes -= sizeBytes;
    if (storedBytes <= highWaterBytes && stream.readStatus === 'paused') stream.resume();
    return taken.length === 1 ? (taken[0] as Buffer) : Buffer.concat(taken, sizeBytes);
  };
  return {
    async read(sizeBytes, signal) {
      while (storedBytes < sizeBytes) {
        if (failure !== undefined || isOver()) throw endedEarly(failure);
        if (stream.readStatus === 'paused') stream.resume();
        await nextEvent(stream, ['message', 'close', 'remoteCloseWrite', 'end'], signal);
      }
      return take(sizeBytes);
    },
    async write(data, signal) {
      if (failure !== undefined || stream.writeStatus !== 'writable') throw endedEarly(failure);
      if (!stream.send(data)) await stream.onDrain({ signal });
    },
    end: () => stream.close().catch(() => undefined),
    abort: () => stream.abort(new Error('ended')),
  };
}

const socketEvents = ['readable', 'end', 'close'];

/** A socket of this machine. */
export function socketChannel(socket: Socket): Channel {
  let failure: Error | undefined;
  socket.on('error', (error) => (failure = error));
  const waitForMore = async (signal: AbortSignal): Promise<void> => {
    if (failure !== undefined) throw failure;
    if (socket.readableEnded || socket.destroyed) throw endedEarly();
    await new Promise<void>((resolve, reject) => {
      const finish = (settle: () => void): void => {
        socketEvents.forEach((name) => socket.off(name, onEvent));
        signal.removeEventListener('abort', onAbort);
        settle();
      };
      const onEvent = (): void => finish(resolve);
      const onAbort = (): void => finish(() => reject(timeoutOr(signal)));
      socketEvents.forEach((name) => socket.on(name, onEvent));
      signal.addEventListener('abort', onAbort);
    });
  };
  return {
    async read(sizeBytes, signal) {
      const parts: Buffer[] = [];
      for (let missing = sizeBytes; missing > 0; ) {
        signal.throwIfAborted();
        const part = socket.read(Math.min(missing, Math.max(socket.readableLength, 1))) as Buffer | null;
        if (part === null) await waitForMore(signal);
        else {
          parts.push(part);
          missing -= part.length;
        }
      }
      return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
    },
    async write(data, signal) {
      if (failure !== undefined || socket.destroyed) throw failure ?? endedEarly();
      if (!socket.write(data)) await once(socket, 'drain', { signal });
    },
    end: () => new Promise((resolve) => socket.end(() => resolve())),
    abort: () => socket.destroy(),
  };
}
