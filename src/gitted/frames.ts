/** Framing of git's input on its way into a container. */
import { Transform } from 'node:stream';

const longestFrame = 65_000;

/** Four hexadecimal digits (the length of the whole frame), then data. */
export function frame(data: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < data.length; at += longestFrame) {
    const part = data.subarray(at, at + longestFrame);
    parts.push(Buffer.from((part.length + 4).toString(16).padStart(4, '0')), part);
  }
  return Buffer.concat(parts);
}

/** The frame that ends git's input. */
export const endFrame = Buffer.from('0000');

/** Frames what flows through, and ends it with the end frame. */
export function framing(): Transform {
  return new Transform({
    transform(data: Buffer, _encoding, done) {
      done(null, frame(data));
    },
    flush(done) {
      done(null, endFrame);
    },
  });
}
