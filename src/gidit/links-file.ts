/**
 * `.links` beside the objects of a project: a line for each with its number and
 * predecessors, so that a program need not read thousands of small files to know
 * the chain. The objects are the truth: what is missing here is read from them,
 * what is too much is ignored, and each line has a checksum, so a torn one counts as missing.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from '../errors.ts';
import type { Links } from './fork.ts';
import { formatSeq } from './push-object.ts';
import { checkDirectory, readStored, writeStored } from './store-files.ts';

const linePattern = /^([0-9a-f]{40}) ([0-9a-f]{40}) ([0-9a-f]{40}(?: [0-9a-f]{40})?) ([0-9a-f]{8})$/;
const maxBytes = 64 * 1024 ** 2;

const sumOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8);

function formatLine({ id, seq, prev }: Links): string {
  const text = `${id} ${formatSeq(seq)} ${prev.join(' ')}`;
  return `${text} ${sumOf(text)}\n`;
}

function parseLine(line: string): Links[] {
  const [, id = '', seq = '', prev = '', sum] = linePattern.exec(line) ?? [];
  if (sum === undefined || sum !== sumOf(`${id} ${seq} ${prev}`)) return [];
  return [{ id, seq: BigInt(`0x${seq}`), prev: prev.split(' ') }];
}

/** What the file says; nothing where there is none. */
export async function readLinks(base: string, file: string): Promise<Map<string, Links>> {
  const text = (await readStored(base, file, maxBytes).catch(() => undefined))?.toString('latin1') ?? '';
  return new Map(text.split('\n').flatMap(parseLine).map((links) => [links.id, links]));
}

/** Adds lines; what a crash leaves unwritten is found missing. */
export async function appendLinks(base: string, file: string, links: readonly Links[]): Promise<void> {
  if (links.length === 0 || !(await checkDirectory(base, dirname(file), false))) return;
  try {
    const handle = await open(file, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o666);
    try {
      // A new line first: one that was torn does not take this one with it.
      if ((await handle.stat()).isFile()) await handle.write(`\n${links.map(formatLine).join('')}`);
    } finally {
      await handle.close();
    }
  } catch (error) {
    // Only an index: a store that may not be written to is read all the same.
    if (!['EACCES', 'EROFS', 'EPERM', 'ELOOP', 'ENOSPC', 'ENXIO', 'EISDIR'].includes(errnoOf(error) ?? '')) throw error;
  }
}

/** Writes it anew, where much of it is about objects that are not there any more. */
export async function rewriteLinks(base: string, file: string, links: Iterable<Links>): Promise<void> {
  await writeStored(base, file, [...links].map(formatLine).join(''));
}
