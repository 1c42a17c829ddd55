/** One project on disk: its objects, HEAD, the tips of a fork, and the highest number ever seen. */
import { lstatSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Address } from './address.ts';
import { linksOf, type Links } from './fork.ts';
import { appendLinks, readLinks, rewriteLinks } from './links-file.ts';
import { formatPushObject, formatSeq, parsePushObject, pushObjectLimits, zeroId, type PushObject } from './push-object.ts';
import { listStored, readStored, writeStored } from './store-files.ts';

/** Room for the line PREV. */
const diskLimits = { ...pushObjectLimits, maxBytes: pushObjectLimits.maxBytes + 64 };
const idPattern = /^[0-9a-f]{40}$/;

export interface ProjectFiles {
  readonly address: Address;
  readObject(id: string): Promise<PushObject | undefined>;
  /** The links of an object, from memory or disk; reads synchronously, a small file. */
  lookUp(id: string): Links | undefined;
  /** @param prev what the line PREV says. */
  writeObject(object: PushObject, prev: string): Promise<void>;
  listIds(): Promise<string[]>;
  /** The links of all objects that are here. */
  readLinks(): Promise<Map<string, Links>>;
  readHead(): Promise<string | undefined>;
  writeHead(id: string): Promise<void>;
  /** The ids of all tips while there is a fork, else none. */
  readTips(): Promise<string[]>;
  writeTips(ids: readonly string[]): Promise<void>;
  readSeen(): Promise<Links | undefined>;
  writeSeen(links: Links): Promise<void>;
}

/** Links never change under an id, so they are remembered. */
const knownLinks = new Map<string, Links>();
const mostKnown = 200_000;

/** More lines than this that mean nothing any more are a reason to write the index anew. */
const mostStaleLines = 1_000;

/** The files of a project below `base`. */
export function projectFiles(base: string, address: Address): ProjectFiles {
  const directory = join(base, 'pushobjects', address.fingerprint, address.project);
  // Outside of the project, since it outlives it: also whoever stopped holding a project cannot be rolled back.
  const seenFile = join(base, 'seen', address.fingerprint, address.project);
  const remember = (object: PushObject): PushObject => {
    if (knownLinks.size > mostKnown) knownLinks.clear();
    knownLinks.set(`${directory}/${object.id}`, linksOf(object));
    return object;
  };
  const parse = (bytes: Buffer, id: string): PushObject | undefined => {
    const object = parsePushObject(bytes, diskLimits);
    return object.id === id ? remember(object) : undefined;
  };
  const readLines = async (name: string): Promise<string[]> => {
    const text = (await readStored(base, join(directory, name), 4096))?.toString('latin1') ?? '';
    return text.split('\n').filter((line) => idPattern.test(line));
  };
  const linksFile = join(directory, '.links');
  const listIds = async (): Promise<string[]> => (await listStored(base, directory)).filter((name) => idPattern.test(name));
  const lookUp = (id: string): Links | undefined => {
    const known = knownLinks.get(`${directory}/${id}`);
    if (known !== undefined || !idPattern.test(id)) return known;
    const info = lstatSync(join(directory, id), { throwIfNoEntry: false });
    if (info === undefined || !info.isFile() || info.size > diskLimits.maxBytes) return undefined;
    const object = parse(readFileSync(join(directory, id)), id);
    return object === undefined ? undefined : linksOf(object);
  };
  const collectLinks = async (): Promise<Map<string, Links>> => {
    const ids = await listIds();
    // Which objects there are is asked of the directory each time; other programs add some.
    const indexed = ids.every((id) => knownLinks.has(`${directory}/${id}`)) ? undefined : await readLinks(base, linksFile);
    const missing: Links[] = [];
    const all = new Map<string, Links>();
    for (const id of ids) {
      const links = knownLinks.get(`${directory}/${id}`) ?? indexed?.get(id) ?? lookUp(id);
      if (links === undefined) continue;
      if (indexed?.has(id) === false) missing.push(links);
      all.set(id, links);
      if (knownLinks.size < mostKnown) knownLinks.set(`${directory}/${id}`, links);
    }
    if (indexed !== undefined && indexed.size > all.size + mostStaleLines) await rewriteLinks(base, linksFile, all.values());
    else await appendLinks(base, linksFile, missing);
    return all;
  };
  return {
    address,
    async readObject(id) {
      const bytes = idPattern.test(id) ? await readStored(base, join(directory, id), diskLimits.maxBytes) : undefined;
      return bytes === undefined ? undefined : parse(bytes, id);
    },
    lookUp,
    listIds,
    readLinks: collectLinks,
    async writeObject(object, prev) {
      await writeStored(base, join(directory, object.id), formatPushObject(object, prev));
      const written = { ...object, diskPrev: prev };
      remember(written);
      await appendLinks(base, linksFile, [linksOf(written)]);
    },
    // HEAD of an empty project is zeros in stores of 2009.
    readHead: async () => (await readLines('HEAD')).find((id) => id !== zeroId),
    writeHead: (id) => writeStored(base, join(directory, 'HEAD'), `${id}\n`),
    readTips: () => readLines('.forks'),
    writeTips: async (ids) => (ids.length > 0 ? writeStored(base, join(directory, '.forks'), `${ids.join('\n')}\n`) : rm(join(directory, '.forks'), { force: true })),
    async readSeen() {
      const match = /^([0-9a-f]{40}) ([0-9a-f]{40})\n$/.exec((await readStored(base, seenFile, 4096))?.toString('latin1') ?? '');
      return match === null ? undefined : { seq: BigInt(`0x${match[1] as string}`), id: match[2] as string, prev: [] };
    },
    writeSeen: ({ seq, id }) => writeStored(base, seenFile, `${formatSeq(seq)} ${id}\n`),
  };
}
