/** The paths that a config lists, and how they lie to each other. */
import { dirname, normalize } from 'node:path';
import type { Finding } from './config-problem.ts';

/** The absolute path without `~`, `..` and a slash at the end; undefined if the text is no absolute path. */
export function resolvePath(text: string, home: string): string | undefined {
  if (text.includes('\0') || !/^\/|^~(?:\/|$)/.test(text)) return undefined;
  const path = normalize(text.startsWith('~') ? home + text.slice(1) : text);
  return path.length > 1 ? path.replace(/\/+$/, '') : path;
}

/** A path and the line that lists it. */
export interface Listing {
  path: string;
  line: number;
}

/**
 * Leaves out what is listed twice (the first stays) and what lies inside
 * another listed path, since two loops must never work on the same files.
 * @param placeOf where a path really is, so that symbolic links can be seen through
 */
export function separateListings<T extends Listing>(listings: readonly T[], placeOf: (path: string) => string = (path) => path): { kept: T[]; findings: (Finding & { path: string })[] } {
  const byPlace = new Map<string, T>();
  const findings: (Finding & { path: string })[] = [];
  for (const listing of listings) {
    const place = placeOf(listing.path);
    const first = byPlace.get(place);
    if (first === undefined) byPlace.set(place, listing);
    else findings.push({ path: listing.path, line: listing.line, message: describeTwice(listing, first), expected: 'each directory once' });
  }
  const kept: T[] = [];
  for (const [place, listing] of byPlace) {
    const outer = findOuter(place, byPlace);
    if (outer === undefined) kept.push(listing);
    else {
      const message = `${listing.path} lies inside ${outer.path} (line ${outer.line})`;
      findings.push({ path: listing.path, line: listing.line, message, expected: 'directories that do not hold each other', hint: 'list one of the two' });
    }
  }
  return { kept, findings };
}

function describeTwice(listing: Listing, first: Listing): string {
  const same = first.path === listing.path ? 'is listed twice, first on' : `is the same directory as ${first.path} on`;
  return `${listing.path} ${same} line ${first.line}`;
}

function findOuter<T extends Listing>(place: string, byPlace: ReadonlyMap<string, T>): T | undefined {
  for (let above = dirname(place); ; above = dirname(above)) {
    const outer = above === place ? undefined : byPlace.get(above);
    if (outer !== undefined || above === dirname(above)) return outer;
  }
}
