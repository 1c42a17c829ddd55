/**
 * Reads git's report of a merge as conflicts of single paths, each with the
 * whole files that want its name.
 *
 * Git already merges contents across renames, and where that fails it lists
 * files with conflict markers as if they were a side's own. Those never leave
 * this file: the side's real file takes their place.
 */
import { otherSide, typeOf, type ConflictCase, type ConflictKind, type Side, type Version } from '../core/merge-policy.ts';
import type { RawPath } from '../core/raw-path.ts';
import { pathsWithMessage, type MergeOutcome } from './merge-tree.ts';
import type { Entry } from './tree.ts';

/** A version before anyone asked when it was made. */
export interface UndatedVersion extends Version {
  /** Its path on its side, which differs from the conflict's after a rename. */
  from: RawPath;
}

export interface MergeCase extends ConflictCase<UndatedVersion> {
  /** The other name that the other side gave to the same file (renamed two ways). */
  otherName?: RawPath;
}

export interface MergeCases {
  /** Sorted by path. */
  cases: MergeCase[];
  /** Entries of git's tree that must change whatever is decided: made-up names go, modes of equal files are merged. */
  settled: Map<RawPath, Entry | null>;
}

/** What the two sides have, for the few kinds of conflicts where git's report does not tell. */
export type SideEntries = Record<Side, ReadonlyMap<RawPath, Entry>>;

/** What git reported for one path, gathered from its made-up names (`path~COMMIT`) too. */
interface Slots {
  base: Entry | undefined;
  sides: Partial<Record<Side, Entry>>;
  extra: UndatedVersion[];
  /** Where git's tree has it. */
  places: Set<RawPath>;
  directorySide?: Side;
  otherName?: RawPath;
  isRename: boolean;
}

const messageTypes = {
  fileDirectory: 'CONFLICT (file/directory)',
  distinctTypes: 'CONFLICT (distinct modes)',
  renamedTwoWays: 'CONFLICT (rename/rename)',
  renamedDeleted: 'CONFLICT (rename/delete)',
  renameCollides: 'CONFLICT (rename involved in collision)',
  contents: 'CONFLICT (contents)',
  binary: 'CONFLICT (binary)',
  submoduleForwarded: 'Fast forwarding submodule',
} as const;

const needSideTrees: ReadonlySet<string> = new Set([messageTypes.renamedTwoWays, messageTypes.renameCollides, messageTypes.submoduleForwarded]);

/** Whether `readCases` needs the entries of both sides. */
export function needsSideEntries(outcome: MergeOutcome): boolean {
  return outcome.messages.some(({ type }) => needSideTrees.has(type));
}

function makeSlots(): Slots {
  return { base: undefined, sides: {}, extra: [], places: new Set(), isRename: false };
}

/** The paths that git's made-up names stand for, and whose directory made it necessary. */
function readAliases(outcome: MergeOutcome, commits: readonly [string, string], order: readonly [Side, Side]): { realName: Map<RawPath, RawPath>; directories: Map<RawPath, Side> } {
  const realName = new Map<RawPath, RawPath>();
  const directories = new Map<RawPath, Side>();
  for (const { type, paths } of outcome.messages) {
    if (type === messageTypes.fileDirectory) {
      const [alias, path] = paths as [RawPath, RawPath];
      realName.set(alias, path);
      directories.set(path, alias.startsWith(`${path}~${commits[0]}`) ? order[1] : order[0]);
    } else if (type === messageTypes.distinctTypes) {
      for (const alias of paths.slice(1)) realName.set(alias, paths[0] as RawPath);
    }
  }
  return { realName, directories };
}

/** Puts the sides' own files in the place of merged ones after a rename that two sides made differently, or onto a name in use. */
function restoreOriginals(outcome: MergeOutcome, order: readonly [Side, Side], own: SideEntries, slotsOf: (path: RawPath) => Slots): void {
  for (const { type, paths } of outcome.messages) {
    const [first, second, third] = paths as [RawPath, RawPath, RawPath];
    if (type === messageTypes.renamedTwoWays) {
      for (const [side, name, otherName] of [[order[0], second, third], [order[1], third, second]] as const) {
        const slots = slotsOf(name);
        slots.sides[side] = own[side].get(name);
        Object.assign(slots, { otherName, isRename: true });
      }
    } else if (type === messageTypes.renameCollides) {
      // One side renamed `second` to `first`, the other edited it in the same place.
      const slots = slotsOf(first);
      for (const side of order) {
        const edited = own[side].get(second);
        if (edited === undefined) slots.sides[side] = own[side].get(first);
        else slots.extra.push({ side, entry: edited, timeSeconds: 0, from: second, isGuest: true });
      }
    }
  }
}

/**
 * Git looks into a submodule's own repository where that is checked out, so one
 * machine may move it forward while another cannot: take both sides' commits.
 */
function restoreSubmodules(outcome: MergeOutcome, own: SideEntries, slotsOf: (path: RawPath) => Slots): void {
  for (const path of pathsWithMessage(outcome, messageTypes.submoduleForwarded)) {
    const local = own.local.get(path);
    const remote = own.remote.get(path);
    if (local !== undefined && remote !== undefined) slotsOf(path).sides = { local, remote };
  }
}

function kindOf(slots: Slots, versions: readonly Version[]): ConflictKind {
  if (slots.directorySide !== undefined) return 'file-directory';
  if (versions.length === 1) return slots.isRename ? 'rename' : 'edit-delete';
  const types = new Set(versions.map(({ entry }) => typeOf(entry)));
  if (types.size > 1) return 'type';
  if (types.has('submodule')) return 'submodule';
  return slots.base === undefined ? 'both-added' : 'content';
}

/** The different files that want the name. */
function versionsOf(path: RawPath, slots: Slots): UndatedVersion[] {
  const all = (['local', 'remote'] as const).flatMap((side): UndatedVersion[] => {
    const entry = slots.sides[side];
    return entry === undefined ? [] : [{ side, entry, timeSeconds: 0, from: path }];
  });
  all.push(...slots.extra);
  return all.filter((version, i) => all.findIndex(({ entry }) => entry.oid === version.entry.oid && typeOf(entry) === typeOf(version.entry)) === i);
}

/**
 * @param commits the two commits as git was given them, and `order` their sides
 * @param result the entries of git's tree
 * @param own empty maps unless `needsSideEntries`
 */
export function readCases(outcome: MergeOutcome, commits: readonly [string, string], order: readonly [Side, Side], result: ReadonlyMap<RawPath, Entry>, own: SideEntries): MergeCases {
  const { realName, directories } = readAliases(outcome, commits, order);
  const bySlot = new Map<RawPath, Slots>();
  const slotsOf = (path: RawPath): Slots => {
    const slots = bySlot.get(path) ?? makeSlots();
    bySlot.set(path, slots);
    return slots;
  };
  for (const { path, stage, mode, oid } of outcome.stages) {
    const slots = slotsOf(realName.get(path) ?? path);
    slots.places.add(path);
    if (stage === 1) slots.base = { mode, oid };
    else slots.sides[order[stage === 2 ? 0 : 1]] = { mode, oid };
  }
  for (const path of pathsWithMessage(outcome, messageTypes.renamedDeleted)) slotsOf(realName.get(path) ?? path).isRename = true;
  restoreOriginals(outcome, order, own, slotsOf);
  restoreSubmodules(outcome, own, slotsOf);
  for (const [path, side] of directories) slotsOf(path).directorySide = side;
  return toCases(outcome, bySlot, result);
}

/** The content that git merged although a directory has the file's name; undefined where it did not merge any. */
function mergedAside(slots: Slots, contents: ReadonlySet<RawPath>, result: ReadonlyMap<RawPath, Entry>): Entry | undefined {
  const place = [...slots.places][0];
  const isMerged = slots.sides.local !== undefined && slots.sides.remote !== undefined && slots.extra.length === 0 && slots.otherName === undefined;
  return isMerged && place !== undefined && !contents.has(place) ? result.get(place) : undefined;
}

function toCases(outcome: MergeOutcome, bySlot: ReadonlyMap<RawPath, Slots>, result: ReadonlyMap<RawPath, Entry>): MergeCases {
  const contents = pathsWithMessage(outcome, messageTypes.contents);
  const binary = pathsWithMessage(outcome, messageTypes.binary);
  const settled = new Map<RawPath, Entry | null>();
  const cases: MergeCase[] = [];
  for (const path of [...bySlot.keys()].sort()) {
    const slots = bySlot.get(path) as Slots;
    const { local, remote } = slots.sides;
    const { directorySide, otherName } = slots;
    let versions = versionsOf(path, slots);
    const merged = directorySide === undefined ? undefined : mergedAside(slots, contents, result);
    if (merged !== undefined) versions = [{ side: otherSide(directorySide as Side), entry: merged, timeSeconds: 0, from: path }];
    for (const place of slots.places) if (place !== path) settled.set(place, null);
    if (versions.length === 1 && directorySide === undefined && local !== undefined && remote !== undefined) {
      settled.set(path, { oid: local.oid, mode: [local.mode, remote.mode].includes('100755') ? '100755' : local.mode });
    } else if (versions.length > 0) {
      const isBinary = [...slots.places].some((place) => binary.has(place));
      cases.push({ path, kind: kindOf(slots, versions), base: slots.base, versions, binary: isBinary, ...(directorySide === undefined ? {} : { directorySide }), ...(otherName === undefined ? {} : { otherName }) });
    }
  }
  return { cases, settled };
}
