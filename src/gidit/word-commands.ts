/** The words of `git gidit`: init, key, log, verify, heal, status, mirror, release. */
import { homedir } from 'node:os';
import { exitCodes, GitsyncError, toGitsyncError } from '../errors.ts';
import { gitAnywhere } from '../git/git.ts';
import { formatByteSize, parseByteSize } from '../core/byte-size.ts';
import { printable } from '../log.ts';
import { formatAddress, type Address } from './address.ts';
import { writeOut, type CommandContext } from './command-context.ts';
import { checkLinks, linksOf } from './fork.ts';
import { exportKey, generateKey, listSecretKeys } from './gpg.ts';
import { healFork } from './heal.ts';
import { askDaemon } from './local-client.ts';
import { formatNodeStatus, type NodeStatus } from './node-status.ts';
import { readKey } from './openpgp.ts';
import { publishObject } from './publish-object.ts';
import type { PushObject } from './push-object.ts';
import type { Store } from './store.ts';
import { verifyMessage } from './verify.ts';

export interface WordOptions {
  key: string | undefined;
  name: string | undefined;
  noPassphrase: boolean;
  json: boolean;
  maxSize: string | undefined;
}

/** `init`: which key, where the store is; both are kept in git's configuration. */
export async function initPerson(context: CommandContext, options: WordOptions): Promise<number> {
  const keys = await listSecretKeys({}, options.key);
  if (options.key !== undefined && keys.length !== 1) throw new GitsyncError('signing', `No secret key here fits ${JSON.stringify(options.key)}, or several do.`, { hint: 'gpg --list-secret-keys' });
  if (options.key === undefined && keys.length > 1) throw new GitsyncError('signing', 'There are several keys that can sign.', { hint: keys.map(({ fingerprint, userId }) => `git gidit init --key ${fingerprint}  # ${printable(userId)}`).join('\n      ') });
  const fingerprint = keys[0]?.fingerprint ?? (await makeKey(options));
  await gitAnywhere(['config', '--global', 'gidit.key', fingerprint], homedir());
  if (context.isBaseAsked) await gitAnywhere(['config', '--global', 'gidit.base', context.base], homedir());
  const key = await exportKey(fingerprint);
  await (await context.store()).addKey(await readKey(key), key);
  await writeOut(`key    ${fingerprint}\nstore  ${context.base}\n\nPublish a repository:  git remote add cloud gidit::PROJECT && git push cloud main\nAnybody clones it:     git clone gidit::${fingerprint}/PROJECT\n`);
  return exitCodes.ok;
}

async function makeKey({ name, noPassphrase }: WordOptions): Promise<string> {
  const ask = async (setting: string): Promise<string> => (await gitAnywhere(['config', '--get', setting], homedir(), { expect: [0, 1] })).stdout.toString('utf8').trim();
  const userId = name ?? `${await ask('user.name')} <${await ask('user.email')}>`;
  if (userId.startsWith(' ')) throw new GitsyncError('usage', 'The new key needs a name.', { hint: "git gidit init --name 'Your Name <you@example.org>'" });
  process.stderr.write(`Making a key for ${printable(userId)}${noPassphrase ? ', without a passphrase' : ''}.\n`);
  return generateKey(userId, noPassphrase ? 'none' : 'ask');
}

/** `key`: what peers know of a key; `key successor NEW PROJECT`: another key takes over. */
export async function showOrMoveKey(context: CommandContext, words: readonly string[]): Promise<number> {
  if (words[0] === 'successor') return nameSuccessor(context, words[1], words[2]);
  if (words[0] !== undefined && words.length > 1) throw new GitsyncError('usage', `There is no "key ${words[0]}".`, { hint: 'git gidit key, git gidit key FINGERPRINT, git gidit key successor NEW-FINGERPRINT PROJECT' });
  const fingerprint = words[0] ?? (await context.ownKey());
  const key = (await (await context.store()).key(fingerprint.toUpperCase())) ?? (await readKey(await exportKey(fingerprint)));
  const state = key.revoked !== 'no' ? `revoked ${key.revokedAt?.toISOString().slice(0, 10) ?? ''}` : key.expires === undefined ? 'never expires' : `${key.expires < new Date() ? 'EXPIRED' : 'expires'} ${key.expires.toISOString().slice(0, 10)}`;
  await writeOut(`${key.fingerprint}\n${key.userIds.map((userId) => `  ${printable(userId)}\n`).join('')}  ${state}\n  key packet sha256 ${key.packetSha256}\n`);
  return exitCodes.ok;
}

async function nameSuccessor(context: CommandContext, newKey: string | undefined, project: string | undefined): Promise<number> {
  if (newKey === undefined || project === undefined) throw new GitsyncError('usage', 'Which key takes over which project?', { hint: 'git gidit key successor NEW-FINGERPRINT PROJECT' });
  const address = await context.address(project);
  const [found] = await listSecretKeys({}, newKey);
  if (found === undefined || found.fingerprint === address.fingerprint) throw new GitsyncError('signing', `${newKey} is not another key of yours that can sign.`, { hint: 'both keys sign, so both are needed here: gpg --list-secret-keys' });
  const store = await context.store();
  const newest = await store.newest(address);
  if (newest === undefined) throw new GitsyncError('not-found', `${formatAddress(address)} is not in the store.`, { hint: `git push gidit::${project}` });
  if ((await store.forks(address)).length > 0) throw new GitsyncError('halted', `${formatAddress(address)} has forked.`, { hint: `git gidit heal ${project}` });
  await publishObject({ store, address, repository: await context.repository() }, newest.refs, [newest], found.fingerprint);
  await tell(context, address);
  await writeOut(`${formatAddress(address)} has moved to gidit::${found.fingerprint}/${project}\nNow:  git config --global gidit.key ${found.fingerprint}  and push there.\n`);
  return exitCodes.ok;
}

/** `log`: the PushObjects of a project, newest first, with what each changed. */
export async function showLog(context: CommandContext, words: readonly string[], options: WordOptions): Promise<number> {
  const store = await context.store();
  const address = await context.address(words[0]);
  const list = await store.list(address);
  if (list.length === 0) throw new GitsyncError('not-found', `${formatAddress(address)} is not in the store.`, { hint: `git fetch gidit::${formatAddress(address)}, or git gidit mirror ${formatAddress(address)}` });
  const byId = new Map(list.map((object) => [object.id, object]));
  for (const object of list) await writeOut(options.json ? `${JSON.stringify({ ...linksOf(object), seq: Number(linksOf(object).seq), refs: object.refs })}\n` : describeObject(object, byId));
  const tips = await store.forks(address);
  if (tips.length === 0) return exitCodes.ok;
  await writeOut(options.json ? '' : `FORKED: ${tips.join(' and ')} do not follow from each other  -> git gidit heal ${formatAddress(address)}\n`);
  return exitCodes.failed;
}

function describeObject(object: PushObject, byId: ReadonlyMap<string, PushObject>): string {
  const { seq, prev } = linksOf(object);
  const before = new Map((byId.get(prev[0] as string)?.refs ?? []).map(({ id, name }) => [name, id]));
  const changed = object.refs.filter(({ id, name }) => name !== 'HEAD' && before.get(name) !== id).map(({ id, name }) => `  ${before.has(name) ? 'moved  ' : 'new    '} ${printable(name)} ${id.slice(0, 12)}\n`);
  const gone = [...before.keys()].filter((name) => name !== 'HEAD' && !object.refs.some((ref) => ref.name === name)).map((name) => `  deleted ${printable(name)}\n`);
  const notes = [prev.length > 1 ? 'heals a fork' : '', object.chain?.successor === undefined ? '' : `moved to the key ${object.chain.successor}`].filter((note) => note !== '');
  return `${seq} ${object.id}${notes.length > 0 ? `  (${notes.join(', ')})` : ''}\n${changed.join('')}${gone.join('')}`;
}

/** `verify`: every signature, every link and every bundle of a project (or of all) in the store. */
export async function verifyStored(context: CommandContext, words: readonly string[]): Promise<number> {
  const store = await context.store();
  const addresses = words[0] === undefined ? await store.projects() : [await context.address(words[0])];
  let bad = 0;
  for (const address of addresses) bad += await verifyProject(context, store, address);
  return bad === 0 ? exitCodes.ok : exitCodes.failed;
}

async function verifyProject(context: CommandContext, store: Store, address: Address): Promise<number> {
  const links = await store.links(address);
  let bad = 0;
  const complain = (what: string, error: unknown): void => {
    bad++;
    process.stdout.write(`BAD  ${formatAddress(address)}  ${what}: ${printable(toGitsyncError(error).message)}\n`);
  };
  for (const [id, object] of links) {
    try {
      const message = await store.message(address, id);
      if (message === undefined) throw new GitsyncError('not-found', 'the object or its key is gone');
      await verifyMessage(message, { strength: context.strength });
      checkLinks(object, (each) => links.get(each));
    } catch (error) {
      complain(id, error);
    }
  }
  const bundles = await store.listBundles(address);
  const tips = await store.forks(address);
  if (tips.length > 0) complain(tips.join(' and '), new GitsyncError('halted', 'do not follow from each other'));
  await writeOut(`${bad === 0 ? 'good' : 'BAD '}  ${formatAddress(address)}  ${links.size} PushObject${links.size === 1 ? '' : 's'}, ${bundles.length} bundle${bundles.length === 1 ? '' : 's'}\n`);
  return bad;
}

/** `heal`: ends a fork of one's own project. */
export async function heal(context: CommandContext, words: readonly string[]): Promise<number> {
  const address = await context.address(words[0]);
  if ((await context.ownKey()) !== address.fingerprint) throw new GitsyncError('signing', `Only the owner of ${address.fingerprint} can heal this fork.`, { hint: `git gidit log ${formatAddress(address)} shows both ends` });
  const healed = await healFork({ store: await context.store(), address, repository: await context.repository() });
  if (healed === undefined) {
    await writeOut(`${formatAddress(address)} has not forked.\n`);
    return exitCodes.ok;
  }
  await tell(context, address);
  await writeOut(`${formatAddress(address)} is one again, at ${healed.object.id}.\n`);
  for (const { name, kept } of healed.renamed) await writeOut(`  ${name} had gone two ways; the other one is ${kept} now: merge it and delete it\n`);
  return exitCodes.ok;
}

/** Tells the daemon that the store has something new; where none runs, the next one finds it. */
async function tell(context: CommandContext, address: Address): Promise<void> {
  await askDaemon(context.base, 'publish', { address: formatAddress(address) }).catch((error: unknown) => {
    if (toGitsyncError(error).kind !== 'not-running') throw error;
    process.stderr.write('No daemon is running: peers will hear of it once one does (git-gidit-daemon &).\n');
  });
}

/** `status`: who holds what, how fresh, who disagrees. Without a daemon what the store says. */
export async function showStatus(context: CommandContext, options: WordOptions): Promise<number> {
  const status = await askDaemon<NodeStatus>(context.base, 'status').catch((error: unknown) => {
    if (toGitsyncError(error).kind !== 'not-running') throw error;
    return undefined;
  });
  if (status !== undefined) {
    await writeOut(options.json ? `${JSON.stringify(status, null, 1)}\n` : formatNodeStatus(status));
    return status.projects.some(({ tips, trouble }) => tips.length > 1 || trouble !== undefined) ? exitCodes.failed : exitCodes.ok;
  }
  return showStoreStatus(context, options);
}

async function showStoreStatus(context: CommandContext, options: WordOptions): Promise<number> {
  const store = await context.store();
  const projects = await Promise.all(
    (await store.projects()).map(async (address) => {
      const [newest, tips, bundles] = await Promise.all([store.newest(address), store.forks(address), store.listBundles(address)]);
      return { address: formatAddress(address), seq: Number(newest?.chain?.seq ?? 0n), id: newest?.id ?? '', tips, bundles: bundles.length, sizeBytes: bundles.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
    }),
  );
  if (options.json) await writeOut(`${JSON.stringify({ running: false, projects }, null, 1)}\n`);
  else {
    await writeOut('no daemon is running, so nobody hears of this store  -> git-gidit-daemon &\n');
    for (const { address, seq, tips, bundles, sizeBytes } of projects) await writeOut(`gidit::${address}  number ${seq}  ${tips.length > 0 ? `FORKED  -> git gidit heal ${address}` : `${bundles} bundles, ${formatByteSize(sizeBytes)}`}\n`);
  }
  return exitCodes.failed;
}

/** `mirror ADDRESS`: holds somebody's project, without their key. */
export async function mirror(context: CommandContext, words: readonly string[], options: WordOptions): Promise<number> {
  if (words[0] === undefined) throw new GitsyncError('usage', 'Which project?', { hint: 'git gidit mirror FINGERPRINT/PROJECT' });
  const maxBytes = options.maxSize === undefined ? undefined : parseByteSize(options.maxSize);
  if (options.maxSize !== undefined && maxBytes === undefined) throw new GitsyncError('usage', `${JSON.stringify(options.maxSize)} is no amount of bytes.`, { hint: '--max-size 500MB' });
  const address = formatAddress(await context.address(words[0]));
  const { whole, trouble, holders } = await askDaemon<{ whole: boolean; trouble?: string; holders: number }>(context.base, 'mirror', { address, ...(maxBytes === undefined ? {} : { maxBytes }) });
  if (!whole) throw new GitsyncError('failed', `${address} is held, but not whole yet: ${trouble ?? ''}`, { hint: 'it goes on by itself; git gidit status shows how far it is' });
  await writeOut(`${address} is held whole, beside ${holders} other${holders === 1 ? '' : 's'}\n`);
  return exitCodes.ok;
}

/** `release ADDRESS`: does not hold it any more. */
export async function release(context: CommandContext, words: readonly string[]): Promise<number> {
  if (words[0] === undefined) throw new GitsyncError('usage', 'Which project?', { hint: 'git gidit release FINGERPRINT/PROJECT' });
  const address = formatAddress(await context.address(words[0]));
  const { released } = await askDaemon<{ released: boolean }>(context.base, 'release', { address });
  await writeOut(released ? `${address} is not held any more\n` : `${address} was not held\n`);
  return exitCodes.ok;
}
