/** Which bundles lead from what one has to what one wants, and which bundles a publisher makes so that few are needed. */
import type { Links } from './fork.ts';
import { zeroId } from './push-object.ts';

/** A bundle leads from one PushObject (zeros: from nothing) to a later one. */
export interface BundleKey {
  start: string;
  end: string;
}

export interface OfferedBundle extends BundleKey {
  sizeBytes: number;
}

/** The ids behind an object, itself among them, as far as they are known. */
export function closureOf(ids: Iterable<string>, objects: ReadonlyMap<string, Links>): Set<string> {
  const closure = new Set([zeroId]);
  const rest = [...ids];
  for (let id = rest.pop(); id !== undefined; id = rest.pop()) {
    if (closure.has(id)) continue;
    closure.add(id);
    rest.push(...(objects.get(id)?.prev ?? []));
  }
  return closure;
}

/**
 * The bundles to import, in order, or undefined where they do not lead there.
 * A bundle can be used by whoever has its start or anything after it. Where
 * something is there already, the way goes by the fewest bundles; from nothing
 * it is one bundle if there is one.
 * @param have PushObjects whose objects are all there.
 * @param objects the project's objects by id.
 */
export function planBundles(have: Iterable<string>, want: string, objects: ReadonlyMap<string, Links>, offered: readonly OfferedBundle[]): OfferedBundle[] | undefined {
  const onTheWay = closureOf([want], objects);
  const has = closureOf(have, objects);
  const seqOf = (id: string): bigint => objects.get(id)?.seq ?? 0n;
  const plan: OfferedBundle[] = [];
  while (!has.has(want)) {
    const usable = offered.filter(({ start, end }) => has.has(start) && onTheWay.has(end) && !has.has(end));
    // The furthest is never worse in number; of those that end there, the one that begins last has the least twice.
    const best = usable.sort((a, b) => compare(seqOf(b.end), seqOf(a.end)) || compare(seqOf(b.start), seqOf(a.start)) || a.sizeBytes - b.sizeBytes)[0];
    if (best === undefined) return undefined;
    plan.push(best);
    for (const id of closureOf([best.end], objects)) has.add(id);
  }
  return plan;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b);
}

/**
 * How far back the bundles reach that a publisher makes for object number
 * `seq`: always 1, and every power of four that divides it. From nothing to
 * number n this gives at most three bundles for each power, and every object is
 * stored once for each power.
 */
export function rollUpDistances(seq: bigint): bigint[] {
  const distances: bigint[] = [];
  for (let distance = 1n; distance <= seq && seq % distance === 0n; distance *= 4n) distances.push(distance);
  return distances;
}

/** The object `distance` steps before `id` along first predecessors, or undefined where the list ends earlier; zeros count as a step. */
export function ancestorAt(id: string, distance: bigint, objects: ReadonlyMap<string, Links>): string | undefined {
  const target = (objects.get(id)?.seq ?? 0n) - distance;
  let at = id;
  while (at !== zeroId && (objects.get(at)?.seq ?? -1n) > target) at = highestPrev(objects.get(at) as Links, objects);
  return at === zeroId ? (target === 0n ? zeroId : undefined) : objects.has(at) && objects.get(at)?.seq === target ? at : undefined;
}

/** Of two predecessors the one with the higher number, so that numbers go down by one a step. */
function highestPrev(links: Links, objects: ReadonlyMap<string, Links>): string {
  return links.prev.reduce((best, id) => ((objects.get(id)?.seq ?? -1n) > (objects.get(best)?.seq ?? -1n) ? id : best));
}

/**
 * Bundles that are no longer needed: those that lie within a longer one and end
 * at least `keepRecent` objects before the newest. Whoever is somewhere in
 * between uses the longer one.
 */
export function supersededBundles(newest: string, objects: ReadonlyMap<string, Links>, offered: readonly OfferedBundle[], keepRecent = 64n): OfferedBundle[] {
  const seqOf = (id: string): bigint => objects.get(id)?.seq ?? 0n;
  const before = seqOf(newest) - keepRecent;
  const behind = closureOf([newest], objects);
  const known = offered.filter(({ start, end }) => behind.has(start) && behind.has(end));
  return known.filter((small) => seqOf(small.end) <= before && known.some((large) => large !== small && contains(large, small, objects, seqOf)));
}

function contains(large: BundleKey, small: BundleKey, objects: ReadonlyMap<string, Links>, seqOf: (id: string) => bigint): boolean {
  const longer = seqOf(large.end) - seqOf(large.start) > seqOf(small.end) - seqOf(small.start);
  const inside = seqOf(large.start) <= seqOf(small.start) && seqOf(large.end) >= seqOf(small.end);
  if (!longer || !inside) return false;
  const closure = closureOf([large.end], objects);
  // With branches in the list, numbers alone do not say that one lies within the other.
  return closure.has(small.end) && closureOf([small.start], objects).has(large.start);
}
