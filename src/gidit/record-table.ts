/**
 * The part of the cloud's table that this node keeps, on disk: a file for each
 * record, bounded in number and bytes. When it is full, the record furthest
 * from this node's id makes room, since others are nearer to that one.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface RecordTable {
  get(name: string): Buffer | undefined;
  has(name: string): boolean;
  put(name: string, stored: Uint8Array): void;
  delete(name: string): void;
  names(): IterableIterator<string>;
  readonly sizeBytes: number;
}

export interface TableLimits {
  maxRecords: number;
  maxBytes: number;
  /** Files that nobody renewed for so long are not read again. */
  maxAgeMs: number;
}

export const tableLimits: TableLimits = { maxRecords: 20_000, maxBytes: 256 * 1024 * 1024, maxAgeMs: 48 * 3_600_000 };

/** The name under which the engine stores a record: base32 of its key. */
const namePattern = /^[a-z2-7]{1,200}$/;

function distance(a: Buffer, name: string): Buffer {
  const b = createHash('sha256').update(name).digest();
  return b.map((byte, index) => byte ^ (a[index] as number)) as Buffer;
}

/** Opens the table in a directory of its own; files that are not records are left alone. */
export function openRecordTable(directory: string, ownId: string, limits: TableLimits = tableLimits): RecordTable {
  const own = createHash('sha256').update(ownId).digest();
  const records = new Map<string, Buffer>();
  let sizeBytes = 0;
  mkdirSync(directory, { recursive: true, mode: 0o700 });

  const forget = (name: string): void => {
    sizeBytes -= records.get(name)?.length ?? 0;
    records.delete(name);
    rmSync(join(directory, name), { force: true });
  };
  const makeRoom = (): void => {
    if (records.size <= limits.maxRecords && sizeBytes <= limits.maxBytes) return;
    // A tenth at once, so that a flood does not sort the table each time.
    const far = [...records.keys()].map((name) => ({ name, distance: distance(own, name) })).sort((a, b) => Buffer.compare(b.distance, a.distance));
    far.slice(0, Math.ceil(records.size / 10)).forEach(({ name }) => forget(name));
  };
  const keep = (name: string, stored: Buffer): void => {
    sizeBytes += stored.length - (records.get(name)?.length ?? 0);
    records.set(name, stored);
    makeRoom();
  };
  for (const name of readdirSync(directory)) {
    const file = join(directory, name);
    if (name.endsWith('.tmp')) rmSync(file, { force: true });
    if (!namePattern.test(name)) continue;
    if (Date.now() - statSync(file).mtimeMs > limits.maxAgeMs) rmSync(file, { force: true });
    else keep(name, readFileSync(file));
  }
  return {
    get: (name) => records.get(name),
    has: (name) => records.has(name),
    put(name, stored) {
      if (!namePattern.test(name)) return;
      // The cloud has it elsewhere too, so no flush: a torn file is found by its missing rename.
      writeFileSync(join(directory, `${name}.tmp`), stored, { mode: 0o600 });
      renameSync(join(directory, `${name}.tmp`), join(directory, name));
      keep(name, Buffer.from(stored));
    },
    delete: forget,
    names: () => records.keys(),
    get sizeBytes() {
      return sizeBytes;
    },
  };
}
