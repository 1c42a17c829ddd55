/** Ending a fork: one object that follows from two, with everything that either had. */
import { GitsyncError } from '../errors.ts';
import { formatAddress } from './address.ts';
import { closureOf, planBundles } from './chain.ts';
import { importBundle, isComplete } from './import-bundle.ts';
import { headBranch, mergeRefs, refMap } from './merge-refs.ts';
import { publishObject, type Publication } from './publish-object.ts';
import { zeroId, type PushObject, type RefEntry } from './push-object.ts';
import { gitFor, type GiditRepository } from './repository.ts';
import { readRefs } from './snapshot.ts';

export interface Healed {
  object: PushObject;
  /** Refs that both sides had changed: where the second one's value is now. */
  renamed: { name: string; kept: string }[];
}

/**
 * Publishes an object that names two tips of the fork. What only one side
 * changed is taken from there; where both changed a branch, one keeps the name
 * and the other gets `NAME-<id>`. Every machine comes to the same object.
 * @returns undefined where there is no fork.
 */
export async function healFork(publication: Publication): Promise<Healed | undefined> {
  const { store, address } = publication;
  const ids = (await store.forks(address)).sort().slice(0, 2);
  const [mine, theirs] = await Promise.all(ids.map((id) => store.readObject(address, id)));
  if (ids.length < 2) return undefined;
  if (mine === undefined || theirs === undefined) throw new GitsyncError('not-found', `One end of the fork of ${formatAddress(address)} is not in the store.`, { hint: 'git gidit status shows who may have it' });
  for (const object of [mine, theirs]) await bringObjects(publication, object);
  const { refs, renamed } = await mergeTips(publication, mine, theirs);
  return { object: await publishObject(publication, refs, [mine, theirs]), renamed };
}

/** Imports bundles of the store until everything that the object points to is here. */
async function bringObjects({ store, address, repository }: Publication, object: PushObject): Promise<void> {
  if (await isComplete(repository, object)) return;
  const links = await store.links(address);
  const have = await findComplete({ store, address, repository }, object);
  const plan = planBundles(have === undefined ? [] : [have.id], object.id, links, await store.listBundles(address));
  if (plan === undefined) throw new GitsyncError('not-found', `The bundles that lead to ${object.id} are not in the store.`, { hint: 'git fetch from the remote gidit::..., then heal again' });
  for (const { start, end } of plan) {
    const [bundle, signed] = await Promise.all([store.findBundle({ start, end }), store.readObject(address, end)]);
    if (bundle !== undefined && signed !== undefined) await importBundle(repository, bundle.path, signed);
  }
}

/** The newest object behind this one whose objects are all here. */
async function findComplete({ store, address, repository }: Publication, object: PushObject): Promise<PushObject | undefined> {
  const links = await store.links(address);
  const behind = [...closureOf([object.id], links)].filter((id) => id !== object.id && id !== zeroId).sort((a, b) => ((links.get(a)?.seq ?? 0n) > (links.get(b)?.seq ?? 0n) ? -1 : 1));
  for (const id of behind) {
    const before = await store.readObject(address, id);
    if (before !== undefined && (await isComplete(repository, before))) return before;
  }
  return undefined;
}

async function mergeTips({ store, address, repository }: Publication, mine: PushObject, theirs: PushObject): Promise<{ refs: RefEntry[]; renamed: Healed['renamed'] }> {
  const links = await store.links(address);
  const ofTheirs = closureOf([theirs.id], links);
  const common = [...closureOf([mine.id], links)].filter((id) => ofTheirs.has(id) && id !== zeroId).sort((a, b) => ((links.get(a)?.seq ?? 0n) > (links.get(b)?.seq ?? 0n) ? -1 : 1))[0];
  const base = common === undefined ? undefined : await store.readObject(address, common);
  const { refs, conflicts } = await mergeRefs(refMap(base?.refs ?? []), refMap(mine.refs), refMap(theirs.refs), (a, b) => isAncestor(repository, a, b));
  const own = await readRefs(repository, { tags: true });
  const renamed = await Promise.all(conflicts.map(async (name) => settle({ repository, refs, name, theirs, own })));
  const head = headBranch(mine.refs) ?? headBranch(theirs.refs);
  const entries = [...refs].map(([name, id]) => ({ id, name }));
  const headId = head === undefined ? undefined : refs.get(head);
  return { refs: headId === undefined ? entries : [{ id: headId, name: 'HEAD' }, ...entries], renamed: renamed.flatMap((each) => each ?? []) };
}

/** A branch that went two ways: a merge of both that is in this repository already ends it, else both are kept. */
async function settle(parts: { repository: GiditRepository; refs: Map<string, string>; name: string; theirs: PushObject; own: readonly RefEntry[] }): Promise<Healed['renamed'][number] | undefined> {
  const { repository, refs, name, theirs, own } = parts;
  const [mineId, theirId] = [refs.get(name) as string, refMap(theirs.refs).get(name) as string];
  const merged = own.find((ref) => ref.name === name)?.id;
  if (merged !== undefined && (await isAncestor(repository, mineId, merged)) && (await isAncestor(repository, theirId, merged))) {
    refs.set(name, merged);
    return undefined;
  }
  const kept = `${name}-${theirs.id.slice(0, 8)}`;
  refs.set(kept, theirId);
  return { name, kept };
}

async function isAncestor(repository: GiditRepository, ancestor: string, descendant: string): Promise<boolean> {
  return (await gitFor(repository, ['merge-base', '--is-ancestor', ancestor, descendant], { expect: [0, 1, 128] })).exitCode === 0;
}
