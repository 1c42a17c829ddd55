/**
 * Several packs as one (gitformat-pack(5)): their entries one after another
 * behind one header and before one checksum. Deltas point to offsets relative to
 * themselves, or to ids, so entries mean the same in the longer pack.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Refusal } from './refusal.ts';

export interface PackPlace {
  file: string;
  /** Where the pack begins in the file. */
  packOffset: number;
  /** Of the whole file; the pack is its last part. */
  sizeBytes: number;
}

const headerBytes = 12;
const version = 2;

/** The bytes of the joined pack. @throws Refusal `format` for what is no pack of version 2. */
export async function* joinPacks(packs: readonly PackPlace[], oidLength: 40 | 64): AsyncGenerator<Buffer> {
  const trailerBytes = oidLength / 2;
  const counts = await Promise.all(packs.map((pack) => readCount(pack, trailerBytes)));
  const header = Buffer.alloc(headerBytes);
  header.write('PACK', 'latin1');
  header.writeUInt32BE(version, 4);
  header.writeUInt32BE(sumCounts(counts), 8);
  const hash = createHash(oidLength === 64 ? 'sha256' : 'sha1').update(header);
  yield header;
  for (const { file, packOffset, sizeBytes } of packs) {
    const [start, end] = [packOffset + headerBytes, sizeBytes - trailerBytes - 1];
    if (start > end) continue;
    for await (const chunk of createReadStream(file, { start, end, highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      yield chunk;
    }
  }
  yield hash.digest();
}

function sumCounts(counts: readonly number[]): number {
  const sum = counts.reduce((all, each) => all + each, 0);
  if (sum > 0xffffffff) throw new Refusal('size', 'Bundles with more objects than one pack can have.');
  return sum;
}

async function readCount({ file, packOffset, sizeBytes }: PackPlace, trailerBytes: number): Promise<number> {
  if (sizeBytes < packOffset + headerBytes + trailerBytes) throw new Refusal('format', 'A bundle whose pack is cut off.');
  const handle = await open(file);
  try {
    const { buffer } = await handle.read(Buffer.alloc(headerBytes), 0, headerBytes, packOffset);
    if (buffer.toString('latin1', 0, 4) !== 'PACK' || buffer.readUInt32BE(4) !== version) throw new Refusal('format', 'A bundle with a pack that cannot be read.');
    return buffer.readUInt32BE(8);
  } finally {
    await handle.close();
  }
}
