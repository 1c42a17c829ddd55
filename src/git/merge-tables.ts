/**
 * Tables that the two sides cut into files in different places are merged as
 * wholes (core/table-merge.ts), whatever git made of their files: also where it
 * saw no conflict, the same row may have come to two of them.
 */
import { readFile } from 'node:fs/promises';
import { cutOf, describeTable, linesOf, placeOfRows, ruleFor, textOf, type RowsRule } from '../core/rows-merge.ts';
import type { Side } from '../core/merge-policy.ts';
import { rawToDisplay, type RawPath } from '../core/raw-path.ts';
import { GitsyncError } from '../errors.ts';
import { mergeTable, putTableRows, type Chunks, type MergedChunk } from '../core/table-merge.ts';
import { gitText, type Repo } from './git.ts';
import { readBlobs } from './merge-blobs.ts';
import type { MergeCase, UndatedVersion } from './merge-cases.ts';
import type { RowsCase } from './merge-rows.ts';
import type { MergeOutcome } from './merge-tree.ts';
import { diffTrees, emptyTree, listTree, type Entry, type TreeChange } from './tree.ts';

export interface TablesMerge {
  /** Files of these tables as they become. */
  settled: ReadonlyMap<RawPath, Entry | null>;
  /** Files with rows that both sides changed differently. */
  cases: readonly MergeCase[];
  rows: ReadonlyMap<RawPath, RowsCase>;
  /** Whether a path is of such a table: whatever else is known of it does not count. */
  owns(path: RawPath): boolean;
}

/** What a merge without such tables has of them. */
export const noTables: TablesMerge = { settled: new Map(), cases: [], rows: new Map(), owns: () => false };

export interface TablesRequest {
  base: string | undefined;
  commits: Record<Side, string>;
  /** The sides in an order that is the same on every machine. */
  order: readonly [Side, Side];
  listResult: () => Promise<ReadonlyMap<RawPath, Entry>>;
}

/** What one table's files are on the three sides; files that neither side touched are left out. */
interface TouchedTable {
  directory: string;
  extension: string;
  table: string;
  manifest: string;
  paths: Set<RawPath>;
  entries: Record<Side | 'base', Map<RawPath, Entry>>;
  changesShape: boolean;
}

/** More files than this (about 256 MiB) are not read at once; they are merged one by one. */
const maxFiles = 1_000;
const pathspecs = [':(glob)**/data/*/*.copy', ':(glob)**/data/*/*.tsv', ':(glob)**/data/*/*.json'];

function tableAt(path: RawPath): Pick<TouchedTable, 'directory' | 'extension' | 'table' | 'manifest'> | undefined {
  const place = placeOfRows(path);
  if (place?.table === undefined) return undefined;
  return { directory: path.slice(0, path.lastIndexOf('/') + 1), extension: path.slice(path.lastIndexOf('.')), table: place.table, manifest: place.manifest };
}

/** The tables that both sides touched. */
function groupChanges(changes: Record<Side, readonly TreeChange[]>): TouchedTable[] {
  const tables = new Map<string, TouchedTable & { sides: Set<Side> }>();
  for (const side of ['local', 'remote'] as const) {
    for (const { path, old, new: now } of changes[side]) {
      const at = tableAt(path);
      if (at === undefined) continue;
      const table = tables.get(at.directory) ?? { ...at, paths: new Set(), entries: { base: new Map(), local: new Map(), remote: new Map() }, changesShape: false, sides: new Set() };
      tables.set(at.directory, table);
      table.sides.add(side);
      table.paths.add(path);
      if (old === null || now === null) table.changesShape = true;
      if (old !== null) table.entries.base.set(path, old);
      if (now !== null) table.entries[side].set(path, now);
    }
  }
  const both = [...tables.values()].filter(({ sides }) => sides.size === 2);
  const isTouched = { local: new Set(changes.local.map(({ path }) => path)), remote: new Set(changes.remote.map(({ path }) => path)) };
  for (const { entries } of both) {
    // What one side did not touch, it has as it was.
    for (const side of ['local', 'remote'] as const) for (const [path, entry] of entries.base) if (!isTouched[side].has(path)) entries[side].set(path, entry);
  }
  return both;
}

/** How the table is merged; undefined where its files can be merged one by one, or not by rows at all. */
function findRule({ table, changesShape }: TouchedTable, base: string, local: string, remote: string): { rule: RowsRule; cut: string } | undefined {
  const description = describeTable(local, table);
  const rule = ruleFor(local, table);
  const [was, mine, theirs] = [base, local, remote].map((manifest) => cutOf(manifest, table));
  if (description === undefined || description !== describeTable(remote, table) || rule === undefined || mine === undefined || theirs === undefined) return undefined;
  const isSameCut = mine === theirs && (was === undefined || was === mine);
  // By numbers or uuids, a row's file depends on its key alone; by hashes, on which rows there are.
  if (isSameCut && !(changesShape && mine.startsWith('hash:'))) return undefined;
  const cut = theirs === was ? mine : mine === was ? theirs : [mine, theirs].sort()[1];
  return { rule, cut: cut as string };
}

/** The side that changed the columns, where only one did: rows of the other side no longer fit. */
function findReshaper({ table }: TouchedTable, base: string, local: string, remote: string): Side | undefined {
  const [was, mine, theirs] = [base, local, remote].map((manifest) => describeTable(manifest, table));
  if (was === undefined || mine === undefined || theirs === undefined || mine === theirs) return undefined;
  return mine === was ? 'remote' : theirs === was ? 'local' : undefined;
}

/** Takes the whole table of the side that changed its columns: files of both would make a table that no import takes. Rows that the other side wrote meanwhile are kept beside it. */
async function takeReshaped(repo: Repo, { entries, paths }: TouchedTable, winner: Side): Promise<Omit<TablesMerge, 'owns'>> {
  const other: Side = winner === 'local' ? 'remote' : 'local';
  const settled = new Map<RawPath, Entry | null>([...paths].map((path) => [path, entries[winner].get(path) ?? null]));
  const touched = [...entries[other]].filter(([path, { oid }]) => entries.base.get(path)?.oid !== oid);
  const [path, entry] = [...entries[winner]].sort(([a], [b]) => (a < b ? -1 : 1))[0] ?? [];
  const [first] = touched;
  if (path === undefined || entry === undefined || first === undefined) return { settled, cases: [], rows: new Map() };
  const before = new Set([...(await readChunks(repo, entries.base, String)).values()].flatMap(linesOf));
  const written = [...(await readChunks(repo, new Map(touched), String)).values()].flatMap(linesOf).filter((line) => !before.has(line));
  if (written.length === 0) return { settled, cases: [], rows: new Map() };
  settled.delete(path);
  const versions = ([{ side: winner, entry, timeSeconds: 0, from: path }, { side: other, entry: first[1], timeSeconds: 0, from: first[0] }] satisfies UndatedVersion[]).sort((a, b) => (a.side < b.side ? -1 : 1));
  const lost: Entry = { mode: '100644', oid: await writeText(repo, textOf(written)) };
  return {
    settled,
    cases: [{ path, kind: 'content', base: entries.base.get(path), versions, binary: false }],
    rows: new Map([[path, { isClean: false, winner, resolve: () => Promise.resolve({ entry, lost }) }]]),
  };
}

/** Whether it is worth looking for such tables: two git processes, where an ordinary merge takes four in all. */
export async function mayHoldTables(repo: Repo, { stages, messages }: MergeOutcome): Promise<boolean> {
  const isTable = (path: RawPath): boolean => placeOfRows(path)?.table !== undefined;
  // A file that both sides touched is mentioned. Without one there is still the table that one side has cut anew.
  if (stages.some(({ path }) => isTable(path)) || messages.some(({ paths }) => paths.some(isTable))) return true;
  return (await readFile(`${repo.workTree}/.gitattributes`, 'utf8').catch(() => '')).includes('merge=gitted-rows');
}

/** Finds and merges such tables. Only objects are written. */
export async function mergeTables(repo: Repo, request: TablesRequest): Promise<TablesMerge> {
  const { commits } = request;
  const base = request.base ?? (await emptyTree(repo));
  const [local, remote] = await Promise.all([diffTrees(repo, base, commits.local, pathspecs), diffTrees(repo, base, commits.remote, pathspecs)]);
  const settled = new Map<RawPath, Entry | null>();
  const cases: MergeCase[] = [];
  const rows = new Map<RawPath, RowsCase>();
  const owned: string[] = [];
  for (const table of groupChanges({ local, remote })) {
    const manifests = await readBlobs(repo, [base, commits.local, commits.remote].map((commit) => `${commit}:${table.manifest}`));
    const [was = '', mine = '', theirs = ''] = manifests.map((blob) => blob?.toString('latin1'));
    const how = findRule(table, was, mine, theirs);
    const reshaper = how === undefined ? findReshaper(table, was, mine, theirs) : undefined;
    if (how === undefined && reshaper === undefined) continue;
    if (table.paths.size > maxFiles) {
      repo.log.warn('A table is too large to be merged as a whole', { table: table.directory, files: table.paths.size });
      continue;
    }
    const merged = how === undefined ? await takeReshaped(repo, table, reshaper as Side) : await mergeOne(repo, table, how, request);
    if (merged === undefined) continue;
    owned.push(table.directory);
    for (const [path, entry] of merged.settled) settled.set(path, entry);
    cases.push(...merged.cases);
    for (const [path, one] of merged.rows) rows.set(path, one);
  }
  return { settled, cases, rows, owns: (path) => owned.some((directory) => path.startsWith(directory)) };
}

async function mergeOne(repo: Repo, table: TouchedTable, how: { rule: RowsRule; cut: string }, { order, listResult }: TablesRequest): Promise<Omit<TablesMerge, 'owns'> | undefined> {
  const { directory, extension, entries, paths } = table;
  const nameOf = (path: string): string => path.slice(directory.length, -extension.length);
  const pathOf = (name: string): RawPath => `${directory}${name}${extension}` as RawPath;
  const [base, ours, theirs] = await Promise.all([entries.base, entries[order[0]], entries[order[1]]].map((side) => readChunks(repo, side, nameOf)));
  const taken = new Set([...(await listResult()).keys()].filter((path) => path.startsWith(directory) && !paths.has(path)).map(nameOf));
  const chunks = mergeTable(base as Chunks, ours as Chunks, theirs as Chunks, { ...how, taken });
  if (chunks === undefined) return undefined;
  const store = makeStore(repo, [[ours as Chunks, entries[order[0]]], [theirs as Chunks, entries[order[1]]]], pathOf);
  const settled = new Map<RawPath, Entry | null>([...paths].map((path) => [path, null]));
  const cases: MergeCase[] = [];
  const rows = new Map<RawPath, RowsCase>();
  for (const [name, chunk] of chunks) {
    const path = pathOf(name);
    if (chunk.contested === undefined) {
      settled.set(path, await store(name, chunk.resolve('ours').text));
      continue;
    }
    settled.delete(path);
    const versions = [chunk.contested.ours, chunk.contested.theirs].map((from, i): UndatedVersion => {
      const side = order[i] as Side;
      return { side, entry: entries[side].get(pathOf(from)) as Entry, timeSeconds: 0, from: pathOf(from) };
    });
    cases.push({ path, kind: 'content', base: entries.base.get(path), versions: versions.sort((a, b) => (a.side < b.side ? -1 : 1)), binary: false });
    rows.set(path, makeCase(repo, name, chunk, order, store));
  }
  return { settled, cases, rows };
}

function makeCase(repo: Repo, name: string, chunk: MergedChunk, order: readonly [Side, Side], store: (name: string, text: string) => Promise<Entry>): RowsCase {
  return {
    isClean: false,
    async resolve(winner) {
      const { text, lost } = chunk.resolve(winner === order[0] ? 'ours' : 'theirs');
      return { entry: await store(name, text), lost: { mode: '100644', oid: await writeText(repo, lost) } };
    },
  };
}

const writeText = (repo: Repo, text: string): Promise<string> => gitText(repo, ['hash-object', '-w', '--stdin'], { input: Buffer.from(text, 'latin1') });

/** Writes the text of a file, where no side has just that. */
function makeStore(repo: Repo, sides: readonly (readonly [Chunks, ReadonlyMap<RawPath, Entry>])[], pathOf: (name: string) => RawPath): (name: string, text: string) => Promise<Entry> {
  return async (name, text) => {
    const same = sides.find(([chunks]) => chunks.get(name) === text)?.[1].get(pathOf(name));
    return same ?? { mode: '100644', oid: await writeText(repo, text) };
  };
}

async function readChunks(repo: Repo, entries: ReadonlyMap<RawPath, Entry>, nameOf: (path: string) => string): Promise<Chunks> {
  const list = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  const blobs = await readBlobs(repo, list.map(([, { oid }]) => oid));
  return new Map(list.map(([path], i) => [nameOf(path), blobs[i]?.toString('latin1') ?? '']));
}

/**
 * The files of a table, changed so that they hold the given rows in the place of those with the same keys.
 * @param path the file that the rows were in when they gave way; by now they may be in another
 * @returns undefined when it is no table of the commit
 * @throws GitsyncError `failed` when the table has other columns by now
 */
export async function putRowsIntoTable(repo: Repo, commit: string, path: RawPath, rows: string): Promise<Map<RawPath, Entry> | undefined> {
  const at = tableAt(path);
  if (at === undefined) return undefined;
  const { directory, extension, table } = at;
  const [manifest] = await readBlobs(repo, [`${commit}:${at.manifest}`]);
  const text = manifest?.toString('latin1') ?? '';
  const rule = ruleFor(text, table);
  if (rule === undefined) return undefined;
  const columns = describeTable(text, table)?.split('\t')[1]?.split(',') ?? [];
  if (linesOf(rows).some((line) => line.split('\t').length !== columns.length)) {
    throw new GitsyncError('failed', `The table ${table} has other columns now (${columns.join(', ')}) than those rows.`, { hint: `put them into ${rawToDisplay(path)} by hand, then --keep current` });
  }
  const nameOf = (file: string): string => file.slice(directory.length, -extension.length);
  const entries = new Map([...(await listTree(repo, commit))].filter(([file]) => file.startsWith(directory) && file.endsWith(extension)));
  const changed = putTableRows(await readChunks(repo, entries, nameOf), rows, rule, nameOf(path));
  if (changed === undefined) return undefined;
  const written = await Promise.all([...changed].map(async ([name, text]): Promise<[RawPath, Entry]> => [`${directory}${name}${extension}` as RawPath, { mode: '100644', oid: await writeText(repo, text) }]));
  return new Map(written);
}
