/**
 * Exported live state is merged by what it means: rows by key, counters by the
 * greater number, a directory's manifest by path. Done here and not by the
 * merge driver that a person's git uses, so that every machine, whether or not
 * gitted-client is registered there, makes the same of the same two commits.
 */
import { writeFile } from 'node:fs/promises';
import { describeTable, filesRule, isFilesManifest, placeOfRows, resolveRows, ruleFor, type RowsResolution, type RowsRule } from '../core/rows-merge.ts';
import type { Side } from '../core/merge-policy.ts';
import { splitRaw, type RawPath } from '../core/raw-path.ts';
import { gitText, git, type Repo } from './git.ts';
import { readBlobs } from './merge-blobs.ts';
import type { MergeCase } from './merge-cases.ts';
import { withScratch } from './merge-scratch.ts';
import type { Entry } from './tree.ts';

/** A conflict that is one of rows. */
export interface RowsCase {
  /** Whether nobody has to give way. */
  isClean: boolean;
  /** The side that stays whatever is newer, where the other one no longer fits. */
  winner?: Side;
  /** The file, and the rows of the other side that gave way. */
  resolve(winner: Side): Promise<{ entry: Entry | null; lost: Entry | undefined }>;
}

/** Files that the attribute merge=gitted-rows may have been given to: git was told not to merge those itself. */
const maybeRows = /\.(copy|tsv|json|jsonl)$/;
const kinds: readonly MergeCase['kind'][] = ['content', 'both-added', 'edit-delete'];

type Texts = { base: string; local: string; remote: string };

const isRegular = ({ mode }: Entry): boolean => mode === '100644' || mode === '100755';

function isCandidate({ path, kind, base, versions, directorySide, otherName }: MergeCase): boolean {
  return maybeRows.test(path) && kinds.includes(kind) && directorySide === undefined && otherName === undefined && [...versions.map(({ entry }) => entry), ...(base === undefined ? [] : [base])].every((entry) => isRegular(entry as Entry)) && versions.every(({ from }) => from === path);
}

/** The three versions of a file as bytes; '' where a side has none. */
async function readTexts(repo: Repo, { base, versions }: MergeCase): Promise<Texts> {
  const oidOf = (side: Side): string | undefined => versions.find((version) => version.side === side)?.entry.oid;
  const oids = [base?.oid, oidOf('local'), oidOf('remote')];
  const blobs = await readBlobs(repo, oids.filter((oid) => oid !== undefined));
  let at = 0;
  const [baseText = '', local = '', remote = ''] = oids.map((oid) => (oid === undefined ? '' : (blobs[at++]?.toString('latin1') ?? '')));
  return { base: baseText, local, remote };
}

/** How the rows of a file are told apart, where both sides agree on it. */
async function findRule(repo: Repo, path: RawPath, texts: Texts, commits: Record<Side, string>): Promise<RowsRule | undefined> {
  const place = placeOfRows(path);
  if (place === undefined) {
    const isManifest = splitRaw(path).name === 'manifest.tsv' && [texts.local, texts.remote].every((text) => text === '' || isFilesManifest(text));
    return isManifest ? filesRule : undefined;
  }
  const manifests = (await readBlobs(repo, [`${commits.local}:${place.manifest}`, `${commits.remote}:${place.manifest}`])).map((blob) => blob?.toString('latin1'));
  const [local, remote] = manifests;
  if (local === undefined || remote === undefined) return undefined;
  // Where one side changed the columns, its rows are others altogether.
  if (place.table !== undefined && describeTable(local, place.table) !== describeTable(remote, place.table)) return undefined;
  return ruleFor(local, place.table);
}

async function store(repo: Repo, text: string): Promise<string> {
  return gitText(repo, ['hash-object', '-w', '--stdin'], { input: Buffer.from(text, 'latin1') });
}

/** Reads conflicts of rows; a file that only git's own line merge was kept from is merged so. */
export async function readRowsCases(repo: Repo, cases: readonly MergeCase[], commits: Record<Side, string>): Promise<Map<RawPath, RowsCase>> {
  const found = new Map<RawPath, RowsCase>();
  for (const conflict of cases.filter(isCandidate)) {
    const texts = await readTexts(repo, conflict);
    const rule = await findRule(repo, conflict.path, texts, commits);
    const rows = rule === undefined ? await mergeLines(repo, conflict, texts) : makeRowsCase(repo, conflict, texts, rule);
    if (rows !== undefined) found.set(conflict.path, rows);
  }
  return found;
}

function makeRowsCase(repo: Repo, { versions, base }: MergeCase, texts: Texts, rule: RowsRule): RowsCase | undefined {
  const mode = (versions[0]?.entry ?? base)?.mode as Entry['mode'];
  const merge = (winner: Side): RowsResolution | undefined => resolveRows(texts.base, texts.local, texts.remote, rule, winner === 'local' ? 'ours' : 'theirs');
  const first = merge('local');
  if (first === undefined) return undefined;
  // Without an order of their own, rows stand in that of one side: which one must not depend on who merges.
  const canonical = texts.local < texts.remote ? 'local' : 'remote';
  const isClean = first.lost === '';
  return {
    isClean,
    async resolve(winner) {
      const { text, lost } = isClean ? orderBy(texts, rule, canonical) : orderBy(texts, rule, canonical, winner);
      const isGone = text === '' && versions.length === 1;
      return {
        entry: isGone ? null : { mode, oid: await store(repo, text) },
        lost: lost === '' ? undefined : { mode: '100644', oid: await store(repo, lost) },
      };
    },
  };
}

/** Merges with `first` in the place of ours, so that both machines ask the same question. */
function orderBy(texts: Texts, rule: RowsRule, first: Side, winner: Side = first): RowsResolution {
  const [ours, theirs] = first === 'local' ? [texts.local, texts.remote] : [texts.remote, texts.local];
  return resolveRows(texts.base, ours, theirs, rule, winner === first ? 'ours' : 'theirs') as RowsResolution;
}

/** What git would have done with lines; undefined where it would not have managed either. */
async function mergeLines(repo: Repo, { kind, versions, base }: MergeCase, texts: Texts): Promise<RowsCase | undefined> {
  if (kind !== 'content' || versions.length !== 2) return undefined;
  const text = await withScratch(repo, async (directory) => {
    const [ours, theirs] = texts.local < texts.remote ? [texts.local, texts.remote] : [texts.remote, texts.local];
    await Promise.all(Object.entries({ ours, base: texts.base, theirs }).map(([name, content]) => writeFile(`${directory}/${name}`, content, 'latin1')));
    const { exitCode, stdout } = await git(repo, ['merge-file', '-p', 'ours', 'base', 'theirs'], { cwd: directory, env: { GIT_WORK_TREE: directory }, config: ['diff.algorithm=myers'], expect: [...Array(129).keys(), 255] });
    return exitCode === 0 ? stdout : undefined;
  });
  if (text === undefined) return undefined;
  const mode = (base?.mode ?? versions[0]?.entry.mode) as Entry['mode'];
  return { isClean: true, resolve: async () => ({ entry: { mode, oid: await store(repo, text.toString('latin1')) }, lost: undefined }) };
}
