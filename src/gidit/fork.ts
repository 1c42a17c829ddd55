/** How two PushObjects of one project stand to each other, decided from sequence numbers and predecessors alone. */
import { zeroId, type Chain, type PushObject } from './push-object.ts';
import { Refusal } from './refusal.ts';

/** What of an object counts here. Objects of 2009 have number 0. */
export interface Links {
  id: string;
  prev: readonly string[];
  seq: bigint;
}

/** The links of an object; an object of 2009 knows its predecessor only on disk. */
export function linksOf(object: Pick<PushObject, 'id' | 'chain' | 'diskPrev'>): Links {
  return { id: object.id, prev: object.chain?.prev ?? [object.diskPrev ?? zeroId], seq: object.chain?.seq ?? 0n };
}

/**
 * - `same`: the same content.
 * - `descends`: the incoming object follows from the known one.
 * - `older`: the known one follows from the incoming one (or nobody can tell any more, since our own list was cut).
 * - `fork`: neither follows from the other; two devices of one owner, or a lie.
 * - `gap`: objects between the two are missing; fetch those and ask again.
 */
export type Relation = 'same' | 'descends' | 'older' | 'fork' | 'gap';

/** Compares an incoming object with the newest known one. `lookUp` finds the links of other objects at hand. */
export function relate(known: Links, incoming: Links, lookUp: (id: string) => Links | undefined): { relation: Relation; missing: string[] } {
  if (known.id === incoming.id) return { relation: 'same', missing: [] };
  if (incoming.seq <= known.seq) {
    const { found, missing } = search(known, incoming, lookUp);
    return { relation: found || missing.length > 0 ? 'older' : 'fork', missing: [] };
  }
  const { found, missing } = search(incoming, known, lookUp);
  if (found) return { relation: 'descends', missing: [] };
  return missing.length > 0 ? { relation: 'gap', missing } : { relation: 'fork', missing: [] };
}

/** Looks for `ancestor` behind `from`, never further back than its number. */
function search(from: Links, ancestor: Links, lookUp: (id: string) => Links | undefined): { found: boolean; missing: string[] } {
  const seen = new Set<string>();
  const missing: string[] = [];
  const rest = [from];
  for (let at = rest.pop(); at !== undefined; at = rest.pop()) {
    for (const id of at.prev) {
      if (id === ancestor.id) return { found: true, missing: [] };
      if (id === zeroId || seen.has(id)) continue;
      seen.add(id);
      const next = lookUp(id);
      // What came before number n has at most n - 1; at or below the ancestor's number it is something else.
      if (next === undefined) {
        if (at.seq - 1n > ancestor.seq) missing.push(id);
      } else if (next.seq > ancestor.seq && next.seq < at.seq) rest.push(next);
    }
  }
  return { found: false, missing };
}

/**
 * Checks an object's number against its predecessors, as far as they are at hand.
 * @throws Refusal `chain`
 */
export function checkLinks(object: Links, lookUp: (id: string) => Links | undefined): void {
  const before = object.prev.map((id) => (id === zeroId ? { id, prev: [], seq: 0n } : lookUp(id)));
  if (before.some((links) => links === undefined)) return;
  const highest = before.reduce((most, links) => ((links as Links).seq > most ? (links as Links).seq : most), 0n);
  if (object.seq !== highest + 1n && object.seq !== 0n) throw new Refusal('chain', `A PushObject has number ${object.seq}; after its predecessor comes ${highest + 1n}.`);
}

/** The chain lines of an object that follows all of `tips`: one to go on, two to heal a fork, none to begin. */
export function nextChain(project: string, tips: readonly Links[]): Chain {
  if (tips.length === 0) return { project, prev: [zeroId], seq: 1n };
  const prev = [...new Set(tips.map(({ id }) => id))].sort();
  if (prev.length > 2) throw new Refusal('chain', 'A PushObject names at most two predecessors.', { hint: 'heal two branches of the fork at a time' });
  return { project, prev, seq: tips.reduce((most, { seq }) => (seq > most ? seq : most), 0n) + 1n };
}
