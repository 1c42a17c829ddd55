/** Files that git merged line by line and that are no longer valid JSON, YAML or TOML. */
import { structuredFormatOf, type Side, type StructuredFormat } from '../core/merge-policy.ts';
import { splitNul, type RawPath } from '../core/raw-path.ts';
import { git, type Repo } from './git.ts';
import { readBlobs } from './merge-blobs.ts';
import type { MergeCase, SideEntries } from './merge-cases.ts';
import { pathsWithMessage, type MergeOutcome } from './merge-tree.ts';
import { listTree, withoutIndex, type Entry } from './tree.ts';

/** Larger files are taken as git merged them: parsing would hold everything up. */
const maxParsedBytes = 4 * 1024 * 1024;

/** Throws where the text does not parse. The parsers are loaded only when a merge needs them. */
const parsers: Record<StructuredFormat, (text: string) => unknown> = {
  json: (text) => JSON.parse(text) as unknown,
  toml: async (text) => (await import('smol-toml')).parse(text),
  yaml: async (text) => {
    const { parseAllDocuments } = await import('yaml');
    const [error] = parseAllDocuments(text).flatMap((document) => document.errors);
    if (error !== undefined) throw error;
  },
};

async function parses(format: StructuredFormat, content: Buffer): Promise<boolean> {
  try {
    await parsers[format](content.toString('utf8').replace(/^\uFEFF/, ''));
    return true;
  } catch {
    return false;
  }
}

/** Which file became which, between two trees: new path -> old path. */
async function readRenames(repo: Repo, from: string, to: string): Promise<Map<RawPath, RawPath>> {
  const { stdout } = await git(repo, ['diff-tree', '-r', '-z', '--raw', '-M', '-l7000', '--diff-filter=R', from, to], withoutIndex(repo));
  const fields = splitNul(stdout);
  const renames = new Map<RawPath, RawPath>();
  for (let at = 0; at + 2 < fields.length; at += 3) renames.set(fields[at + 2] as RawPath, fields[at + 1] as RawPath);
  return renames;
}

/** What each side had of a merged path, which one of them may have under its name before a rename. */
async function findSources(repo: Repo, paths: readonly RawPath[], tips: Record<Side, string>, base: string | undefined): Promise<(path: RawPath, side: Side) => Entry | undefined> {
  const [local, remote] = await Promise.all([listTree(repo, tips.local), listTree(repo, tips.remote)]);
  const own: SideEntries = { local, remote };
  const isRenamed = base !== undefined && paths.some((path) => !local.has(path) || !remote.has(path));
  const [renamedLocally, renamedRemotely] = isRenamed ? await Promise.all([readRenames(repo, base, tips.local), readRenames(repo, base, tips.remote)]) : [];
  return (path, side) => {
    const before = (side === 'local' ? renamedRemotely : renamedLocally)?.get(path);
    return own[side].get(path) ?? (before === undefined ? undefined : own[side].get(before));
  };
}

/**
 * The conflicts that line merging did not see: both sides' files were valid and
 * the merged one is not.
 * @param base where renames are looked for
 */
export async function findInvalidResults(repo: Repo, outcome: MergeOutcome, result: () => Promise<ReadonlyMap<RawPath, Entry>>, tips: Record<Side, string>, base: string | undefined): Promise<MergeCase[]> {
  const inConflict = new Set(outcome.stages.map(({ path }) => path));
  const paths = [...pathsWithMessage(outcome, 'Auto-merging')].filter((path) => structuredFormatOf(path) !== undefined && !inConflict.has(path)).sort();
  if (paths.length === 0) return [];
  const merged = await result();
  const sourceOf = await findSources(repo, paths, tips, base);
  const cases: MergeCase[] = [];
  for (const path of paths) {
    const entries = { merged: merged.get(path), local: sourceOf(path, 'local'), remote: sourceOf(path, 'remote') };
    if (entries.merged === undefined || entries.local === undefined || entries.remote === undefined) continue;
    if (!(await becameInvalid(repo, structuredFormatOf(path) as StructuredFormat, entries.merged, [entries.local, entries.remote]))) continue;
    const { mode } = entries.merged;
    const versions = (['local', 'remote'] as const).map((side) => ({ side, entry: { oid: (entries[side] as Entry).oid, mode }, timeSeconds: 0, from: path }));
    cases.push({ path, kind: 'invalid-result', base: undefined, versions, binary: true });
  }
  return cases;
}

async function becameInvalid(repo: Repo, format: StructuredFormat, merged: Entry, sides: readonly Entry[]): Promise<boolean> {
  if (sides.some(({ oid }) => oid === merged.oid)) return false;
  const contents = await readBlobs(repo, [merged.oid, ...sides.map(({ oid }) => oid)]);
  if (contents.some((content) => content === undefined || content.length > maxParsedBytes)) return false;
  const [ofMerged, ...ofSides] = contents as Buffer[];
  if (await parses(format, ofMerged as Buffer)) return false;
  for (const content of ofSides) if (!(await parses(format, content))) return false;
  return true;
}
