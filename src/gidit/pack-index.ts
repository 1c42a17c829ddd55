/** The ids in a pack's index (gitformat-pack(5), version 2), which git has just written itself. */
import { readFile } from 'node:fs/promises';
import { Refusal } from './refusal.ts';

const magic = 0xff744f63;
const fanoutOffset = 8;
const namesOffset = fanoutOffset + 256 * 4;

/** Reads them all; @throws Refusal `format` where it is none. */
export async function readPackIds(indexFile: string, oidLength: 40 | 64): Promise<string[]> {
  const bytes = await readFile(indexFile);
  const idBytes = oidLength / 2;
  const count = bytes.length >= namesOffset ? bytes.readUInt32BE(namesOffset - 4) : 0;
  if (bytes.length < namesOffset + count * idBytes || bytes.readUInt32BE(0) !== magic || bytes.readUInt32BE(4) !== 2) throw new Refusal('format', `${indexFile} is no index of a pack.`);
  const names = bytes.toString('hex', namesOffset, namesOffset + count * idBytes);
  return Array.from({ length: count }, (_, i) => names.slice(i * oidLength, (i + 1) * oidLength));
}
