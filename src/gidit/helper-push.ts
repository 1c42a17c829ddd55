/** `push`: a new PushObject over the refs as they will be, the bundles that lead to it, and a word to the daemon. */
import { setTimeout as sleep } from 'node:timers/promises';
import { GitsyncError } from '../errors.ts';
import { formatAddress } from './address.ts';
import { closureOf } from './chain.ts';
import type { HelperState } from './helper-state.ts';
import { askDaemon } from './local-client.ts';
import { headBranch, mergeRefs, refMap } from './merge-refs.ts';
import { publishObject } from './publish-object.ts';
import { zeroId, type PushObject } from './push-object.ts';
import { isRefName } from './ref-name.ts';
import { gitFor } from './repository.ts';

/** One line of what git wants to be pushed; an empty `src` deletes. */
export interface PushWish {
  src: string;
  dst: string;
  force: boolean;
}

/** A push takes about a second. */
const othersTurnMs = 3_000;

const movedJustNow = (): GitsyncError => new GitsyncError('rejected', 'fetch first: the project moved just now.', { hint: 'git pull' });

interface Published {
  told: number;
  kept: number;
  connected: number;
}

/** Pushes, and returns why single refs were refused. */
export async function pushRefs(state: HelperState, wishes: readonly PushWish[]): Promise<Map<string, string>> {
  const base = await currentRefs(state);
  const refused = new Map<string, string>();
  const refs = new Map(base.refs);
  for (const wish of wishes) {
    const why = await applyWish(state, refs, wish, base.shown);
    if (why !== undefined) refused.set(wish.dst, why);
  }
  const open = base.conflicts.filter((name) => !wishes.some(({ dst }) => dst === name));
  if (open.length > 0) throw new GitsyncError('rejected', `${open.join(', ')} went two ways on two devices: push it too.`, { hint: `git fetch, merge, and: git push ${open.map((name) => name.replace('refs/heads/', '')).join(' ')}` });
  if (state.dryRun || refused.size === wishes.length) return refused;
  const { store, address } = state;
  const object = await publishObject({ store, address, repository: await state.repository() }, withHead(refs, base.tips[0], wishes), base.tips);
  await state.writeLast(object.id);
  await state.writePublished(object.id);
  await tellDaemon(state, base.tips.length === 0);
  return refused;
}

interface BaseRefs {
  /** As they are, or where the project is forked as they were merged. */
  refs: Map<string, string>;
  /** What git was shown, against which it decided what is a fast-forward. */
  shown: Map<string, string>;
  conflicts: string[];
  /** The objects that the next one follows. */
  tips: PushObject[];
}

async function currentRefs(state: HelperState): Promise<BaseRefs> {
  const { store, address, forks } = state;
  const shown = refMap(state.shown?.refs ?? []);
  if (forks.length < 2) {
    const newest = await store.newest(address);
    if (newest?.id !== state.shown?.id) throw movedJustNow();
    return { refs: new Map(shown), shown, conflicts: [], tips: newest === undefined ? [] : [newest] };
  }
  const last = (await state.readPublished()) ?? forks[0];
  const read = async (id: string | undefined): Promise<PushObject | undefined> => (id === undefined ? undefined : store.readObject(address, id));
  const [mine, theirs] = await Promise.all([read(last), read(state.shown?.id)]);
  if (mine === undefined || theirs === undefined || mine.id === theirs.id) throw new GitsyncError('rejected', `${formatAddress(address)} has forked, and this repository made neither end.`, { hint: 'git gidit heal, in the repository that published' });
  await letOtherHeal(state, mine, theirs);
  const common = await commonBase(state, mine, theirs);
  const merged = await mergeRefs(refMap(common?.refs ?? []), refMap(mine.refs), refMap(theirs.refs), (a, b) => isAncestor(state, a, b));
  return { ...merged, shown, tips: [mine, theirs].sort(byId) };
}

const byId = (a: PushObject, b: PushObject): number => (a.id < b.id ? -1 : Number(a.id > b.id));

/**
 * Both devices may be about to end the same fork, with merges that differ: that would be
 * the next fork. So whoever made the end with the higher id lets the other go first.
 */
async function letOtherHeal({ store, address }: HelperState, mine: PushObject, theirs: PushObject): Promise<void> {
  if (byId(mine, theirs) < 0) return;
  for (const until = Date.now() + othersTurnMs; Date.now() < until; await sleep(50)) {
    if ((await store.forks(address)).length < 2) throw movedJustNow();
  }
}

/** The last object that both follow from. */
async function commonBase({ store, address }: HelperState, a: PushObject, b: PushObject): Promise<PushObject | undefined> {
  const links = await store.links(address);
  const ofB = closureOf([b.id], links);
  const common = [...closureOf([a.id], links)].filter((id) => ofB.has(id) && id !== zeroId).sort((x, y) => Number((links.get(y)?.seq ?? 0n) - (links.get(x)?.seq ?? 0n)));
  return common[0] === undefined ? undefined : store.readObject(address, common[0]);
}

async function isAncestor(state: HelperState, ancestor: string, descendant: string): Promise<boolean> {
  const result = await gitFor(await state.repository(), ['merge-base', '--is-ancestor', ancestor, descendant], { expect: [0, 1, 128] });
  return result.exitCode === 0;
}

/** Changes one ref, or says why not. git has checked most of it; another program may not have. */
async function applyWish(state: HelperState, refs: Map<string, string>, { src, dst, force }: PushWish, shown: ReadonlyMap<string, string>): Promise<string | undefined> {
  if (!isRefName(dst) || dst.startsWith('refs/gidit/')) return 'this name is taken by gidit itself';
  if (src === '') {
    refs.delete(dst);
    return undefined;
  }
  const found = await gitFor(await state.repository(), ['rev-parse', '--verify', '--quiet', '--end-of-options', src], { expect: [0, 1, 128] });
  const id = found.stdout.toString().trim();
  if (found.exitCode !== 0 || id === '') return `${src} is not here`;
  const before = shown.get(dst);
  if (!force && before !== undefined && before !== id) {
    if (dst.startsWith('refs/tags/')) return 'already exists';
    if (!(await isAncestor(state, before, id))) return 'non-fast-forward';
  }
  refs.set(dst, id);
  return undefined;
}

/** HEAD stays with the branch that it was at; a first push of several begins with main, master, or the first. */
function withHead(refs: ReadonlyMap<string, string>, before: PushObject | undefined, wishes: readonly PushWish[]): { id: string; name: string }[] {
  const entries = [...refs].map(([name, id]) => ({ id, name }));
  const previous = before === undefined ? undefined : headBranch(before.refs);
  const candidates = [previous, 'refs/heads/main', 'refs/heads/master', wishes.find(({ dst }) => dst.startsWith('refs/heads/'))?.dst, entries.find(({ name }) => name.startsWith('refs/heads/'))?.name];
  const head = candidates.find((name) => name !== undefined && refs.has(name));
  return head === undefined ? entries : [{ id: refs.get(head) as string, name: 'HEAD' }, ...entries];
}

async function tellDaemon(state: HelperState, isFirst: boolean): Promise<void> {
  const name = formatAddress(state.address);
  const { told, kept, connected } = await askDaemon<Published>(state.store.base, 'publish', { address: name });
  if (connected === 0) state.say('kept here; no peer is connected yet, and all is told to the first that comes.');
  else state.say(`signed and published; ${kept} of the peers keep the record, ${told} were told at once.`);
  if (isFirst) state.say(`anybody can clone it with: git clone gidit::${name}`);
}
