/** What the commands of git-gidit have in common: the store, the person's key, the repository, standard input. */
import { once } from 'node:events';
import { GitsyncError } from '../errors.ts';
import { parseAddress, type Address } from './address.ts';
import { listSecretKeys } from './gpg.ts';
import { openConfiguredStore } from './limit-settings.ts';
import { baseDirectory, readGiditConfig } from './node-settings.ts';
import type { Strength } from './openpgp.ts';
import { openRepository, type GiditRepository } from './repository.ts';
import type { Store } from './store.ts';

export interface CommandContext {
  base: string;
  /** `-b` was given. */
  isBaseAsked: boolean;
  config: ReadonlyMap<string, string[]>;
  strength: Strength;
  store(): Promise<Store>;
  repository(): Promise<GiditRepository>;
  /** The fingerprint to sign with. @throws GitsyncError `signing` where none was chosen. */
  ownKey(): Promise<string>;
  address(text: string | undefined): Promise<Address>;
}

/** Puts the context together from `-b BASE` and git's configuration. */
export async function openContext(options: { base?: string | undefined; key?: string | undefined }): Promise<CommandContext> {
  const config = await readGiditConfig(process.cwd());
  const base = baseDirectory(options.base, config);
  const setting = (name: string): string | undefined => config.get(name)?.at(-1);
  const configured = setting('key');
  let store: Promise<Store> | undefined;
  const context: CommandContext = {
    base,
    isBaseAsked: options.base !== undefined,
    config,
    strength: setting('minsignature') === 'legacy' ? 'legacy' : 'chain',
    store: () => (store ??= openConfiguredStore(base, config)),
    repository: () => openRepository(process.cwd()),
    ownKey: () => chooseKey(options.key ?? configured),
    async address(text) {
      if (text === undefined) return onlyAddress(await context.store());
      return parseAddress(text, text.includes('/') ? undefined : await context.ownKey());
    },
  };
  return context;
}

/** The key that was named, or the only one that can sign. */
async function chooseKey(wanted: string | undefined): Promise<string> {
  const keys = await listSecretKeys({}, wanted);
  if (keys.length === 1) return (keys[0] as { fingerprint: string }).fingerprint;
  if (wanted !== undefined) throw new GitsyncError('signing', `No secret key here fits ${JSON.stringify(wanted)}, or several do.`, { hint: 'gpg --list-secret-keys; then: git config --global gidit.key FINGERPRINT' });
  throw new GitsyncError('signing', keys.length === 0 ? 'There is no key to sign with.' : 'There are several keys that can sign.', { hint: keys.length === 0 ? 'git gidit init' : `git gidit init --key ${keys[0]?.fingerprint ?? 'FINGERPRINT'}` });
}

async function onlyAddress(store: Store): Promise<Address> {
  const all = await store.projects();
  if (all.length === 1) return all[0] as Address;
  throw new GitsyncError('usage', all.length === 0 ? 'There is no project in the store yet.' : 'Which project?', { hint: all.length === 0 ? 'git remote add cloud gidit::PROJECT && git push cloud main' : `one of: ${all.map(({ fingerprint, project }) => `${fingerprint}/${project}`).slice(0, 5).join(', ')}` });
}

/** All of standard input, bounded. @throws GitsyncError `too-large` */
export async function readInput(maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBytes) throw new GitsyncError('too-large', `More than ${maxBytes} bytes on standard input.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The first bytes of standard input, and the rest as it comes. */
export async function splitInput(firstBytes: number): Promise<{ first: Buffer; rest: AsyncGenerator<Buffer> }> {
  const chunks = (process.stdin as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  let first = Buffer.alloc(0);
  while (first.length < firstBytes) {
    const { value, done } = await chunks.next();
    if (done === true) break;
    first = Buffer.concat([first, value]);
  }
  const left = first.subarray(firstBytes);
  async function* follow(): AsyncGenerator<Buffer> {
    if (left.length > 0) yield left;
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
  }
  return { first: first.subarray(0, firstBytes), rest: follow() };
}

/** Writes to standard output and waits for a slow reader. */
export async function writeOut(bytes: Uint8Array | string): Promise<void> {
  if (!process.stdout.write(bytes)) await once(process.stdout, 'drain');
}
