/** Taking a verified PushObject into the store: new, known, older, a fork, or with others missing before it. */
import { checkLinks, linksOf, relate, type Links, type Relation } from './fork.ts';
import { formatAddress } from './address.ts';
import { zeroId, type PushObject } from './push-object.ts';
import { Refusal } from './refusal.ts';
import type { ProjectFiles } from './store-project.ts';

/**
 * - `new`: it is the newest now (a fork that it healed is over).
 * - `known`: it was there.
 * - `older`: what is here follows from it; kept where the list here names it.
 * - `fork`: it and what is here do not follow from each other. Both are kept, HEAD stays where it was.
 * - `gap`: nothing was taken, since the objects `missing` come between.
 */
export interface PutResult {
  outcome: 'new' | 'known' | 'older' | 'fork' | 'gap';
  missing: string[];
}

/** More branches than this of one fork prove nothing more. */
const mostTips = 16;

/** Takes an object; the caller holds the project's lock. */
export async function putInProject(files: ProjectFiles, object: PushObject): Promise<PutResult> {
  const headId = await files.readHead();
  const head = headId === undefined ? undefined : files.lookUp(headId);
  const incoming = linksOf({ ...object, diskPrev: object.chain === undefined ? (headId ?? zeroId) : undefined });
  checkLinks(incoming, files.lookUp);
  if (head === undefined) return putFirst(files, object, incoming);
  const tips = await readTipLinks(files, head);
  const found = tips.map((tip) => ({ tip, ...relate(tip, incoming, files.lookUp) }));
  const has = (relation: Relation): boolean => found.some((each) => each.relation === relation);
  if (has('gap')) return { outcome: 'gap', missing: [...new Set(found.flatMap(({ missing }) => missing))] };
  // That the file is there is not enough: HEAD may not have been moved before a crash.
  if (has('same') || has('older')) return (await files.readObject(object.id)) === undefined ? putOlder(files, object, incoming, has('same')) : { outcome: 'known', missing: [] };
  await checkMoved(files, tips);
  await files.writeObject(object, incoming.prev[0] ?? zeroId);
  if (found.every(({ relation }) => relation === 'descends')) {
    await advance(files, incoming);
    return { outcome: 'new', missing: [] };
  }
  const others = found.filter(({ relation }) => relation === 'fork').map(({ tip }) => tip.id);
  await files.writeTips([...others, incoming.id].slice(0, mostTips));
  await raiseSeen(files, incoming);
  return { outcome: 'fork', missing: [] };
}

async function readTipLinks(files: ProjectFiles, head: Links): Promise<Links[]> {
  const tips = (await files.readTips()).flatMap((id) => files.lookUp(id) ?? []);
  return tips.length === 0 ? [head] : tips;
}

/** HEAD first: after a crash in between, the object is there and put again as known or as the next. */
async function advance(files: ProjectFiles, links: Links): Promise<void> {
  await raiseSeen(files, links);
  await files.writeHead(links.id);
  await files.writeTips([]);
}

async function raiseSeen(files: ProjectFiles, links: Links): Promise<void> {
  const seen = await files.readSeen();
  if (seen === undefined || links.seq > seen.seq) await files.writeSeen(links);
}

/** The first object of a project here; something newer may have been seen before all the same. */
async function putFirst(files: ProjectFiles, object: PushObject, incoming: Links): Promise<PutResult> {
  const seen = await files.readSeen();
  if (seen !== undefined && incoming.seq < seen.seq) {
    throw new Refusal('rollback', `${formatAddress(files.address)} was at number ${seen.seq} before, and is offered as number ${incoming.seq}.`, { hint: 'whoever offers it is behind or lies; another peer may have the newest' });
  }
  await files.writeObject(object, incoming.prev[0] ?? zeroId);
  if (seen !== undefined && incoming.seq === seen.seq && incoming.id !== seen.id) {
    await files.writeTips([seen.id, incoming.id]);
    return { outcome: 'fork', missing: [] };
  }
  await advance(files, incoming);
  return { outcome: 'new', missing: [] };
}

/** Fills the list backwards: what an object here names as its predecessor is kept, and so is HEAD's own file where it was lost. */
async function putOlder(files: ProjectFiles, object: PushObject, incoming: Links, isTip: boolean): Promise<PutResult> {
  if (isTip) {
    await files.writeObject(object, incoming.prev[0] ?? zeroId);
    return { outcome: 'known', missing: [] };
  }
  const isNamed = [...(await files.readLinks()).values()].some(({ prev }) => prev.includes(incoming.id));
  if (isNamed) await files.writeObject(object, incoming.prev[0] ?? zeroId);
  return { outcome: 'older', missing: [] };
}

/** Behind an object that names a successor nothing comes. */
async function checkMoved(files: ProjectFiles, tips: readonly Links[]): Promise<void> {
  for (const { id } of tips) {
    const successor = (await files.readObject(id))?.chain?.successor;
    if (successor !== undefined) throw new Refusal('chain', `${formatAddress(files.address)} has moved to the key ${successor}.`, { hint: `use gidit::${successor}/${files.address.project}` });
  }
}
