/** Which refs an object has that follows from two: what only one side changed is taken from there. Pure. */
import type { RefEntry } from './push-object.ts';

export interface MergedRefs {
  refs: Map<string, string>;
  /** Changed differently on both sides; the value of `a` stands for now. */
  conflicts: string[];
}

/** A ref's value by name. */
export function refMap(refs: readonly RefEntry[]): Map<string, string> {
  return new Map(refs.filter(({ name }) => name !== 'HEAD').map(({ id, name }) => [name, id]));
}

/**
 * Merges the refs of two objects of a fork.
 * @param base the refs of the object that both follow from.
 * @param isAncestor whether the first commit is behind the second, so that the second has it all.
 */
export async function mergeRefs(base: ReadonlyMap<string, string>, a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>, isAncestor: (ancestor: string, descendant: string) => Promise<boolean>): Promise<MergedRefs> {
  const refs = new Map<string, string>();
  const conflicts: string[] = [];
  for (const name of [...new Set([...a.keys(), ...b.keys()])].sort()) {
    const [before, mine, theirs] = [base.get(name), a.get(name), b.get(name)];
    let merged = mine;
    if (mine === before) merged = theirs;
    else if (mine !== theirs && theirs !== before) {
      if (mine === undefined || (theirs !== undefined && (await isAncestor(mine, theirs)))) merged = theirs;
      else if (theirs !== undefined && !(await isAncestor(theirs, mine))) conflicts.push(name);
    }
    if (merged !== undefined) refs.set(name, merged);
  }
  return { refs, conflicts };
}

/** The branch that HEAD most likely means: the one that it points to, by the names that people give it; without HEAD undefined. */
export function headBranch(refs: readonly RefEntry[]): string | undefined {
  const head = refs.find(({ name }) => name === 'HEAD')?.id;
  const at = refs.filter(({ id, name }) => id === head && name.startsWith('refs/heads/')).map(({ name }) => name);
  return ['refs/heads/main', 'refs/heads/master'].find((name) => at.includes(name)) ?? at[0];
}
