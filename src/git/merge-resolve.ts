/** Merges two sides to one tree without conflict: what git cannot merge is decided by the conflict table. */
import type { ConflictRule } from '../core/conflict-rule.ts';
import { conflictCopyPath } from '../core/conflict-name.ts';
import {
  decide, looksMachineWritten, machineConflictsWithCopies, machineConflictWindowSeconds, policyFor,
  type Conflict, type Decision, type Side,
} from '../core/merge-policy.ts';
import { rawToDisplay, type RawPath } from '../core/raw-path.ts';
import type { Repo } from './git.ts';
import { needsSideEntries, readCases, type MergeCase, type MergeCases, type UndatedVersion } from './merge-cases.ts';
import { countRecentConflicts, readSideHistory, type Tip, type Touch } from './merge-history.ts';
import { findDataDirectories } from './data-directories.ts';
import { mendManifests } from './files-manifest.ts';
import { mergeHunks } from './merge-hunks.ts';
import { readRowsCases, type RowsCase } from './merge-rows.ts';
import { findInvalidResults } from './merge-structured.ts';
import { mayHoldTables, mergeTables, noTables } from './merge-tables.ts';
import { mergeTrees, type MergeOutcome } from './merge-tree.ts';
import { treeWith } from './tree-with.ts';
import { listTree, sameEntry, type Entry } from './tree.ts';

/** One side of a merge. */
export interface MergeSide {
  tip: Tip;
  /** The commit that git merges: the tip, or one made for this with the tip's tree. */
  commit: string;
  /** Commits in here are not this side's own doing. */
  excluding: string;
}

export interface MergeRequest {
  sides: Record<Side, MergeSide>;
  /** Where renames start from, if there is one common ancestor. */
  base: string | undefined;
  rules: readonly ConflictRule[];
  allowUnrelated: boolean;
}

export type MergeResult = { kind: 'merged'; tree: string; conflicts: Conflict[] } | { kind: 'stopped'; policy: 'branch' | 'pause'; paths: RawPath[] };

/** A version with the commit that made it. */
interface DatedVersion extends UndatedVersion {
  touch: Touch;
}

/** A conflict and what becomes of it. */
interface Decided {
  conflict: MergeCase;
  decision: Decision<DatedVersion>;
  machineWritten: boolean;
}

const emptyBlobs: Record<number, string> = {
  40: 'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391',
  64: '473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813',
};

/** Merges two sides. Only objects are written. */
export async function mergeSides(repo: Repo, request: MergeRequest): Promise<MergeResult> {
  const { sides } = request;
  // Ordered by object id, so that every machine asks git the same question.
  const order: [Side, Side] = sides.local.tip.commit < sides.remote.tip.commit ? ['local', 'remote'] : ['remote', 'local'];
  const commits: [string, string] = [sides[order[0]].commit, sides[order[1]].commit];
  const outcome = await mergeTrees(repo, commits, request.allowUnrelated);
  let listing: Promise<Map<RawPath, Entry>> | undefined;
  const listResult = (): Promise<Map<RawPath, Entry>> => (listing ??= listTree(repo, outcome.tree));
  const found = await findCases(repo, request, outcome, commits, order, listResult);
  const tables = (await mayHoldTables(repo, outcome)) ? await mergeTables(repo, { base: request.base, commits: { local: sides.local.commit, remote: sides.remote.commit }, order, listResult }) : noTables;
  const all = [...found.cases.filter(({ path }) => !tables.owns(path)), ...tables.cases].sort((a, b) => (a.path < b.path ? -1 : 1));
  const settled = new Map([...[...found.settled].filter(([path]) => !tables.owns(path)), ...tables.settled]);
  if (all.length === 0 && settled.size === 0) return { kind: 'merged', tree: outcome.tree, conflicts: [] };
  const files = all.filter(({ path }) => !tables.owns(path));
  const rows = new Map([...(await readRowsCases(repo, files, { local: sides.local.commit, remote: sides.remote.commit })), ...tables.rows]);
  for (const [path, { isClean, resolve }] of rows) if (isClean) settled.set(path, (await resolve('local')).entry);
  const cases = all.filter(({ path }) => rows.get(path)?.isClean !== true);
  const stopped = findStop(request.rules, cases);
  if (stopped !== undefined) return stopped;
  const decided = await putRowsInPlace(await decideAll(repo, request, cases, rows), rows);
  const result = await listResult();
  const isData = decided.length === 0 ? () => false : await findDataDirectories(repo, result);
  const resolved = resolveAll(repo, decided, { prose: await mergeProse(repo, decided), result, settled, isData });
  const changes = await mendManifests(repo, { sides: [sides.local.commit, sides.remote.commit], result, changes: resolved.changes });
  return { kind: 'merged', tree: await treeWith(repo, outcome.tree, changes), conflicts: resolved.conflicts };
}

/** Of a conflict of rows, only the rows that both sides changed give way: the file holds all others, and the copy just those. */
async function putRowsInPlace(decided: readonly Decided[], rows: ReadonlyMap<RawPath, RowsCase>): Promise<Decided[]> {
  return Promise.all(
    decided.map(async (one): Promise<Decided> => {
      const { conflict, decision } = one;
      const { entry, lost } = (await rows.get(conflict.path)?.resolve(decision.winner)) ?? { entry: undefined, lost: undefined };
      if (entry === undefined || entry === null || decision.at === undefined) return one;
      const beside = lost === undefined ? [] : decision.beside.map((version) => ({ ...version, entry: lost }));
      return { ...one, decision: { ...decision, at: { version: { ...decision.at.version, entry }, mode: entry.mode }, beside, hunks: false } };
    }),
  );
}

async function findCases(repo: Repo, request: MergeRequest, outcome: MergeOutcome, commits: readonly [string, string], order: readonly [Side, Side], listResult: () => Promise<Map<RawPath, Entry>>): Promise<MergeCases> {
  const { local, remote } = request.sides;
  const invalid = await findInvalidResults(repo, outcome, listResult, { local: local.commit, remote: remote.commit }, request.base);
  const needsEntries = needsSideEntries(outcome);
  if (outcome.stages.length === 0 && !needsEntries) return { cases: invalid, settled: new Map() };
  const none = new Map<RawPath, Entry>();
  const [localEntries, remoteEntries] = needsEntries ? await Promise.all([listTree(repo, local.commit), listTree(repo, remote.commit)]) : [none, none];
  const reported = readCases(outcome, commits, order, await listResult(), { local: localEntries, remote: remoteEntries });
  return { cases: [...reported.cases, ...invalid].sort((a, b) => (a.path < b.path ? -1 : 1)), settled: reported.settled };
}

/** The first policy that wants a person, and its paths. `pause` stands before `branch`, since it asks for more. */
function findStop(rules: readonly ConflictRule[], cases: readonly MergeCase[]): MergeResult | undefined {
  for (const policy of ['pause', 'branch'] as const) {
    const paths = cases.map(({ path }) => path).filter((path) => policyFor(rules, path) === policy);
    if (paths.length > 0) return { kind: 'stopped', policy, paths };
  }
  return undefined;
}

/** Paths that a program writes and that conflict so often that copies are noise. */
async function findNoise(repo: Repo, request: MergeRequest, cases: readonly MergeCase[]): Promise<(path: RawPath) => boolean> {
  if (!cases.some(({ path }) => looksMachineWritten(path))) return () => false;
  const tips = [request.sides.local.tip, request.sides.remote.tip];
  const now = Math.max(...tips.map(({ committerSeconds }) => committerSeconds));
  const counts = await countRecentConflicts(repo, tips.map(({ commit }) => commit), now - machineConflictWindowSeconds);
  return (path) => looksMachineWritten(path) && (counts.get(path) ?? 0) >= machineConflictsWithCopies;
}

async function decideAll(repo: Repo, request: MergeRequest, cases: readonly MergeCase[], rows: ReadonlyMap<RawPath, RowsCase>): Promise<Decided[]> {
  const { local, remote } = request.sides;
  const [isNoise, localHistory, remoteHistory] = await Promise.all([
    findNoise(repo, request, cases),
    readSideHistory(repo, local.tip, local.excluding),
    readSideHistory(repo, remote.tip, remote.excluding),
  ]);
  const histories = { local: localHistory, remote: remoteHistory };
  return cases.map((conflict) => {
    const policy = policyFor(request.rules, conflict.path);
    const prefer = policy === 'ours' ? 'local' : policy === 'theirs' ? 'remote' : undefined;
    const forced = rows.get(conflict.path)?.winner;
    // A row that somebody typed is no noise, however the file is called.
    const machineWritten = prefer === undefined && !rows.has(conflict.path) && isNoise(conflict.path);
    const versions = conflict.versions.map((version): DatedVersion => {
      const touch = histories[version.side].touchOf(version.from, version.entry.oid);
      return { ...version, timeSeconds: version.side === forced ? Infinity : touch.timeSeconds, touch };
    });
    const decision = decide({ ...conflict, versions }, { prefer, copies: !machineWritten, emptyOid: emptyBlobs[repo.oidLength] ?? '' });
    return { conflict, decision, machineWritten };
  });
}

/** The contents of prose that takes hunks from both sides, by path. */
async function mergeProse(repo: Repo, decided: readonly Decided[]): Promise<Map<RawPath, string>> {
  const prose = decided.filter(({ decision }) => decision.hunks);
  const oids = await mergeHunks(
    repo,
    prose.map(({ conflict, decision }) => ({
      base: (conflict.base as Entry).oid,
      preferred: (decision.at?.version as DatedVersion).entry.oid,
      other: (conflict.versions.find(({ side }) => side !== decision.winner) as UndatedVersion).entry.oid,
    })),
  );
  return new Map(prose.flatMap(({ conflict }, i) => (oids[i] === undefined ? [] : [[conflict.path, oids[i]] as const])));
}

/** Finds names for copies in a tree: a name is free, or holds the same content already, or is not ours to take. */
function copyNames(result: ReadonlyMap<RawPath, Entry>, changes: ReadonlyMap<RawPath, Entry | null>, isData: (path: RawPath) => boolean): (path: RawPath, version: DatedVersion) => RawPath {
  const directories = new Set<string>();
  for (const path of result.keys()) for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) directories.add(path.slice(0, slash));
  return (path, { entry, touch }) => {
    for (let attempt = 0; ; attempt += 1) {
      const name = conflictCopyPath({ path, timeSeconds: touch.timeSeconds, host: touch.host, oid: entry.oid }, attempt, isData(path));
      const there = changes.get(name) ?? result.get(name);
      if (!directories.has(name) && (there === undefined || sameEntry(there, entry))) return name;
    }
  };
}

interface Surroundings {
  prose: ReadonlyMap<RawPath, string>;
  result: ReadonlyMap<RawPath, Entry>;
  settled: ReadonlyMap<RawPath, Entry | null>;
  /** Whether a path lies in exported live state, beside which no copy may be put. */
  isData(path: RawPath): boolean;
}

/** Turns decisions into entries of the result, in order of paths, so that every machine gives the same names. */
function resolveAll(repo: Repo, decided: readonly Decided[], { prose, result, settled, isData }: Surroundings): { changes: Map<RawPath, Entry | null>; conflicts: Conflict[] } {
  const changes = new Map(settled);
  // Copies must not take a path that another conflict is about to be decided for.
  for (const { conflict, decision } of decided) {
    if (conflict.directorySide !== undefined) continue;
    const { at } = decision;
    changes.set(conflict.path, at === undefined ? null : { mode: at.mode, oid: prose.get(conflict.path) ?? at.version.entry.oid });
  }
  const nameFor = copyNames(result, changes, isData);
  const conflicts = decided.flatMap(({ conflict, decision, machineWritten }): Conflict[] => {
    const copies = decision.beside.map((version) => {
      const name = nameFor(conflict.path, version);
      changes.set(name, version.entry);
      return name;
    });
    const { path, kind } = conflict;
    repo.log.debug('Resolved a conflict', { path: rawToDisplay(path), kind, winner: decision.winner, copies: copies.length });
    // Renames onto one name can leave more than one file beside it: each is a conflict of its own to a person.
    return (copies.length === 0 ? [undefined] : copies).map((copy) => ({ path, copy, kind, winner: decision.winner, ...(machineWritten ? { machineWritten } : {}) }));
  });
  return { changes, conflicts: joinRenames(decided, conflicts) };
}

/** A file renamed two ways is one conflict: at the newer name, with the other name in the place of the copy. */
function joinRenames(decided: readonly Decided[], conflicts: readonly Conflict[]): Conflict[] {
  const renamed = new Map(decided.filter(({ conflict }) => conflict.kind === 'rename' && conflict.otherName !== undefined).map((one) => [one.conflict.path, one]));
  return conflicts.flatMap((conflict): Conflict[] => {
    const here = renamed.get(conflict.path);
    const there = renamed.get(here?.conflict.otherName as RawPath);
    if (here === undefined || there === undefined) return [conflict];
    if (here.decision.at === undefined) return [];
    if (there.decision.at === undefined) return [conflict];
    const [first, second] = [here.decision.at.version, there.decision.at.version];
    const isNewer = first.timeSeconds === second.timeSeconds ? conflict.path > there.conflict.path : first.timeSeconds > second.timeSeconds;
    return isNewer ? [{ ...conflict, copy: there.conflict.path }] : [];
  });
}
