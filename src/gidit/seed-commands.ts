/** The flags of the original `git gidit`, with its standard input and output. */
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { exitCodes, GitsyncError } from '../errors.ts';
import { formatAddress, parseFingerprint, projectId, type Address } from './address.ts';
import { createBundle } from './bundle.ts';
import { readInput, splitInput, writeOut, type CommandContext } from './command-context.ts';
import { linksOf, nextChain } from './fork.ts';
import { signDetached } from './gpg.ts';
import { readKey } from './openpgp.ts';
import { checkProjectName } from './project-name.ts';
import { formatPushObject, formatSigned, parsePushObject, parseSigned, splitPushObjects, type PushObject, type RefEntry } from './push-object.ts';
import { findMissing } from './repository.ts';
import { Refusal } from './refusal.ts';
import { readRefs } from './snapshot.ts';
import type { Store } from './store.ts';
import { verifyObject } from './verify.ts';
import { wireLimits } from './wire.ts';

/** Lists of ten thousand large objects. */
const maxListBytes = 256 * 1024 * 1024;

/** `--init`: makes the store. */
export async function initStore(context: CommandContext): Promise<number> {
  await context.store();
  return exitCodes.ok;
}

/**
 * `--pushobj`: the refs of this repository, signed with `-s` or `-u`. With a
 * project the lines that bind it to that and to its predecessor are in it.
 */
export async function printPushObject(context: CommandContext, options: { sign: boolean; tags: boolean; project: string | undefined }): Promise<number> {
  const refs = await readRefs(await context.repository(), { tags: options.tags });
  const project = options.project ?? context.config.get('project')?.at(-1);
  const key = options.sign || project !== undefined ? await context.ownKey() : undefined;
  const body = await linesOf(context, refs, project === undefined ? undefined : { fingerprint: key as string, project: checkProjectName(project) });
  // Signed before anything is printed: what has no signature must not look like the beginning of something that has.
  const signature = options.sign ? await signDetached(body, [key as string]) : Buffer.alloc(0);
  await writeOut(Buffer.concat([body, signature]));
  return exitCodes.ok;
}

async function linesOf(context: CommandContext, refs: readonly RefEntry[], address: Address | undefined): Promise<Buffer> {
  if (address === undefined) {
    if (refs.length === 0) throw new GitsyncError('failed', 'This repository has no commit yet.', { hint: 'git commit' });
    return formatSigned(refs, undefined);
  }
  const store = await context.store();
  await refuseFork(store, address);
  const newest = await store.newest(address);
  return formatSigned(refs, nextChain(projectId(address), newest === undefined ? [] : [linksOf(newest)]));
}

async function refuseFork(store: Store, address: Address): Promise<void> {
  if ((await store.forks(address)).length > 0) throw new GitsyncError('halted', `${formatAddress(address)} has forked.`, { hint: `git gidit heal ${address.project}` });
}

/** A PushObject on standard input, signed or not. */
async function readPushObject(): Promise<PushObject> {
  const bytes = await readInput(wireLimits.maxMessageBytes + 64);
  return bytes.includes('-----BEGIN PGP SIGNATURE-----') ? parsePushObject(bytes, { maxBytes: bytes.length, maxRefs: 1300 }) : parseSigned(bytes);
}

/** `--verify-pobj`: 0 if everything that a PushObject points to is in this repository, else 1. */
export async function verifyPushObject(context: CommandContext): Promise<number> {
  const object = await readPushObject();
  return reportMissing(await unknownOf(context, object));
}

async function unknownOf(context: CommandContext, object: PushObject): Promise<string[]> {
  return findMissing(await context.repository(), object.refs.map(({ id }) => id));
}

function reportMissing(missing: readonly string[]): number {
  if (missing.length === 0) return exitCodes.ok;
  process.stderr.write(`not in this repository: ${missing.join(' ')}\n`);
  return exitCodes.failed;
}

/** `--create-bundle`: what this repository has beyond a PushObject. */
export async function printBundle(context: CommandContext, options: { tags: boolean }): Promise<number> {
  const before = await readPushObject();
  const unknown = await unknownOf(context, before);
  if (unknown.length > 0) throw new GitsyncError('failed', `This repository does not have ${unknown[0] as string}, which the PushObject points to.`, { hint: 'git fetch first' });
  const repository = await context.repository();
  const file = await (await context.store()).temporaryFile();
  try {
    await createBundle(repository, before, { refs: await readRefs(repository, options) }, file);
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) await writeOut(chunk);
  } finally {
    await rm(file, { force: true });
  }
  return exitCodes.ok;
}

/** `--proj-init`: reads `[projname]\n[PGP key]`. */
export async function initProject(context: CommandContext): Promise<number> {
  const input = await readInput(wireLimits.maxKeyBytes + 200);
  const end = input.indexOf(10);
  const project = checkProjectName(input.subarray(0, Math.max(end, 0)).toString('latin1'));
  const bytes = input.subarray(end + 1);
  await (await context.store()).addKey(await readKey(bytes), bytes, project);
  return exitCodes.ok;
}

/** `[40 hex: SHA-1 of the key, or its fingerprint][projname]\n` at the beginning of the input. */
async function readTarget(store: Store, input: Buffer): Promise<{ address: Address; rest: Buffer }> {
  const end = input.subarray(0, 200).indexOf(10);
  const line = (end < 0 ? input.subarray(0, 200) : input.subarray(0, end)).toString('latin1');
  const name = line.slice(0, 40);
  if (!/^[0-9a-fA-F]{40}$/.test(name)) throw new Refusal('format', 'Standard input does not begin with the SHA-1 of a key.', { hint: '[40 hexadecimal digits][project], a line break, then the PushObject' });
  const fingerprint = (await store.resolveSeedName(name)) ?? parseFingerprint(name);
  const project = checkProjectName(line.slice(40));
  if (fingerprint === undefined || (await store.key(fingerprint)) === undefined) throw new GitsyncError('not-found', `The store has no key ${name}.`, { hint: `(echo ${project}; gpg --export KEY) | git gidit --proj-init` });
  return { address: { fingerprint, project }, rest: end < 0 ? Buffer.alloc(0) : input.subarray(end + 1) };
}

/** `--updatepl`: takes a PushObject into the list of a project, once its signature is verified. */
export async function updateList(context: CommandContext): Promise<number> {
  const store = await context.store();
  const { address, rest } = await readTarget(store, await readInput(wireLimits.maxMessageBytes + 300));
  const key = await store.key(address.fingerprint);
  const object = parsePushObject(rest);
  const verified = await verifyObject(key?.bytes ?? Buffer.alloc(0), address.project, object, { strength: context.strength });
  const { outcome, missing } = await store.putPushObject(verified);
  if (outcome === 'gap') throw new GitsyncError('rejected', `PushObjects between the newest here and this one are missing: ${missing.join(' ')}.`, { hint: 'give those first, oldest first' });
  if (outcome === 'older') throw new Refusal('rollback', `${formatAddress(address)} has moved on from this PushObject.`);
  if (outcome === 'fork') throw new GitsyncError('halted', `${formatAddress(address)} has forked: this PushObject and the newest do not follow from each other. Both are kept.`, { hint: `git gidit heal ${formatAddress(address)}` });
  return exitCodes.ok;
}

/** `--polist`: all PushObjects of a project, newest first, in the form of the wire. */
export async function printList(context: CommandContext): Promise<number> {
  const store = await context.store();
  const { address } = await readTarget(store, await readInput(1000));
  for (const object of await store.list(address)) await writeOut(formatPushObject(object));
  return exitCodes.ok;
}

async function readRange(): Promise<{ start: string; end: string; rest: AsyncGenerator<Buffer> }> {
  const { first, rest } = await splitInput(80);
  const [start, end] = [first.subarray(0, 40).toString('latin1'), first.subarray(40).toString('latin1')];
  if (!/^[0-9a-f]{40}$/.test(start) || !/^[0-9a-f]{40}$/.test(end)) throw new Refusal('format', 'Standard input does not begin with two ids of PushObjects.', { hint: '[start, 40 hexadecimal digits][end, 40][bundle]' });
  return { start, end, rest };
}

/** `--store-bundle`: reads `[start][end][bundle]`. */
export async function storeBundle(context: CommandContext): Promise<number> {
  const store = await context.store();
  const { start, end, rest } = await readRange();
  for (const address of await store.projects()) {
    if ((await store.readObject(address, end)) === undefined) continue;
    await store.putBundle(address, { start, end }, Readable.from(rest));
    return exitCodes.ok;
  }
  throw new GitsyncError('not-found', `The store has no PushObject ${end}.`, { hint: 'git gidit --updatepl comes before --store-bundle' });
}

/** `--get-bundle`: reads `[start][end]`, writes the bundle. */
export async function printStoredBundle(context: CommandContext): Promise<number> {
  const store = await context.store();
  const { start, end } = await readRange();
  const bundle = await store.findBundle({ start, end });
  if (bundle === undefined) throw new GitsyncError('not-found', `The store has no bundle from ${start} to ${end}.`);
  for await (const chunk of createReadStream(bundle.path) as AsyncIterable<Buffer>) await writeOut(chunk);
  return exitCodes.ok;
}

/** `--verify-polist`: 0 if everything that a list points to is in this repository and each object follows from the next. */
export async function verifyList(context: CommandContext): Promise<number> {
  const list = splitPushObjects(await readInput(maxListBytes));
  const named = new Set(list.flatMap(({ chain }) => chain?.prev ?? []));
  const loose = list.slice(1).find(({ id, chain }) => chain !== undefined && !named.has(id));
  if (loose !== undefined) {
    process.stderr.write(`nothing in the list follows from ${loose.id}\n`);
    return exitCodes.failed;
  }
  const missing = await findMissing(await context.repository(), list.flatMap(({ refs }) => refs.map(({ id }) => id)));
  return reportMissing(missing);
}

/** `--list-missing`: of a list, newest first, the ids behind the last one that this repository knows, oldest first. */
export async function printMissing(context: CommandContext): Promise<number> {
  const list = splitPushObjects(await readInput(maxListBytes));
  const missing = new Set(await findMissing(await context.repository(), list.flatMap(({ refs }) => refs.map(({ id }) => id))));
  const known = list.findIndex(({ refs }) => refs.every(({ id }) => !missing.has(id)));
  for (const { id } of (known < 0 ? list : list.slice(0, known)).reverse()) await writeOut(`${id}\n`);
  return exitCodes.ok;
}
