/** What one call of the remote helper knows: the repository, the project, and which PushObjects are in the repository already. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { GitsyncError } from '../errors.ts';
import { formatAddress, type Address } from './address.ts';
import { markFork } from './fork-mark.ts';
import { isComplete } from './import-bundle.ts';
import { askDaemon } from './local-client.ts';
import type { PushObject } from './push-object.ts';
import { openRepository, type GiditRepository } from './repository.ts';
import type { Store } from './store.ts';

export interface HelperState {
  readonly address: Address;
  readonly store: Store;
  /** @throws GitsyncError `not-a-repository` where git was called outside of one. */
  repository(): Promise<GiditRepository>;
  readonly ownKey: string | undefined;
  /** The object that git was shown. */
  shown: PushObject | undefined;
  /** It is the end of a fork that another device of ours has made. */
  shownIsOtherEnd: boolean;
  /** Ids of all tips, where the project is forked. */
  forks: string[];
  verbosity: number;
  progress: boolean;
  dryRun: boolean;
  /** git takes our word that everything is there, where all of it came in one pack. */
  provesConnectivity: boolean;
  /** Asks the cloud, and chooses the object whose refs git is shown. Undefined: the project does not exist yet. */
  look(isForPush: boolean): Promise<PushObject | undefined>;
  objectFormat(): Promise<'sha1' | 'sha256'>;
  /** The last PushObject that was brought, where all of its objects are still here. */
  lastComplete(): Promise<PushObject | undefined>;
  /** Notes the last PushObject whose objects were all brought into, or came from, this repository. */
  writeLast(id: string): Promise<void>;
  /** The last PushObject that was published from this repository: its own end, where the project is forked. */
  readPublished(): Promise<string | undefined>;
  writePublished(id: string): Promise<void>;
  /** A line for the person at the terminal. */
  say(line: string): void;
}

/** Opens the state for a project and the repository that git named. */
export async function openHelperState(parts: { address: Address; gitDir: string | undefined; store: Store; ownKey: string | undefined }): Promise<HelperState> {
  const { address, store } = parts;
  let opened: Promise<GiditRepository> | undefined;
  // `git ls-remote URL` works outside of any repository too.
  const repository = (): Promise<GiditRepository> => {
    if (parts.gitDir === undefined) throw new GitsyncError('not-a-repository', 'This needs a repository.', { hint: 'cd into one, or git clone' });
    return (opened ??= openRepository(process.cwd(), resolve(parts.gitDir)));
  };
  const lastFile = async (): Promise<string> => join((await repository()).gitDir, 'gidit', `${address.fingerprint}-${address.project}`);
  const readId = async (suffix: string): Promise<string | undefined> => {
    if (parts.gitDir === undefined) return undefined;
    return /^[0-9a-f]{40}/.exec(await readFile(`${await lastFile()}${suffix}`, 'latin1').catch(() => ''))?.[0];
  };
  const writeId = async (suffix: string, id: string): Promise<void> => {
    const file = `${await lastFile()}${suffix}`;
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(`${file}.tmp`, `${id}\n`);
    await rename(`${file}.tmp`, file);
  };
  let completing: Promise<PushObject | undefined> | undefined;
  const findComplete = async (): Promise<PushObject | undefined> => {
    const last = await readId('');
    const object = last === undefined ? undefined : await store.readObject(address, last);
    return object !== undefined && (await isComplete(await repository(), object)) ? object : undefined;
  };
  const state: HelperState = {
    address,
    store,
    repository,
    ownKey: parts.ownKey,
    shown: undefined,
    shownIsOtherEnd: false,
    forks: [],
    verbosity: 1,
    progress: process.stderr.isTTY === true,
    dryRun: false,
    provesConnectivity: false,
    async look(isForPush) {
      if (isForPush && parts.ownKey !== address.fingerprint) throw new GitsyncError('signing', `${formatAddress(address)} belongs to another key than yours, so you cannot publish there.`, { hint: `publish your own version: git push gidit::${address.project}` });
      // Git walks while the cloud is asked.
      if (!isForPush) void state.lastComplete().catch(() => undefined);
      const { keyTrouble } = await askDaemon<{ keyTrouble?: string | null }>(store.base, 'look-up', { address: formatAddress(address), mayBeNew: parts.ownKey === address.fingerprint });
      state.forks = await store.forks(address);
      state.shown = await chooseShown(state);
      // The mark is for those who fetch by themselves; without a repository there is nobody to tell.
      if (parts.gitDir !== undefined) await markFork(await lastFile(), state.shownIsOtherEnd ? state.shown?.refs.map(({ id }) => id) : undefined);
      const successor = state.shown?.chain?.successor;
      // A project that has moved says where to, which is more than what became of the old key.
      if (successor === undefined && typeof keyTrouble === 'string') process.stderr.write(`gidit: ${keyTrouble}\n`);
      if (successor !== undefined) process.stderr.write(`gidit: ${formatAddress(address)} has moved to another key, and nothing new comes here: gidit::${successor}/${address.project}\n`);
      // After the list, git makes a clone anew with the hash that the remote uses.
      const oidLength = state.shown?.refs[0]?.id.length;
      if (oidLength !== undefined && oidLength !== (await opened?.catch(() => undefined))?.oidLength) opened = undefined;
      return state.shown;
    },
    async objectFormat() {
      if (parts.gitDir === undefined) return 'sha1';
      return (await repository()).oidLength === 64 ? 'sha256' : 'sha1';
    },
    lastComplete: () => (completing ??= findComplete()),
    writeLast: (id) => writeId('', id),
    readPublished: () => readId('.published'),
    writePublished: (id) => writeId('.published', id),
    say: (line) => void (state.verbosity > 0 && process.stderr.write(`gidit: ${line}\n`)),
  };
  return state;
}

/**
 * While a project is forked, git is shown the other end: then an ordinary merge
 * and push of whoever made one end heals it. Everybody else stays with what was
 * there first, and is told.
 */
async function chooseShown(state: HelperState): Promise<PushObject | undefined> {
  const { store, address, forks } = state;
  const newest = await store.newest(address);
  state.shownIsOtherEnd = false;
  if (forks.length < 2) return newest;
  // Not the last one that was fetched: git would then see the remote jump between the two ends.
  const last = await state.readPublished();
  const others = forks.filter((id) => id !== last);
  if (last !== undefined && others.length < forks.length && state.ownKey === address.fingerprint) {
    state.say(`${formatAddress(address)} has forked: another device of yours has published too. Merge what comes from there and push, and it is one again.`);
    const other = await store.readObject(address, others[0] as string);
    state.shownIsOtherEnd = other !== undefined;
    return other ?? newest;
  }
  process.stderr.write(`gidit: WARNING: ${formatAddress(address)} has forked: ${forks.join(' and ')} do not follow from each other. You get ${newest?.id ?? 'none'}, which was here first.\n`);
  return newest;
}
