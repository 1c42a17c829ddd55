/** What git runs for files with the attribute merge=gitted-rows: `merge-rows BASE OURS THEIRS PATH`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { GitsyncError } from '../errors.ts';
import { gitAnywhere } from '../git/git.ts';
import { runAttached } from '../process/run.ts';
import { mergeRows, placeOfRows, ruleFor, type RowsRule } from '../core/rows-merge.ts';

/** The manifest of our side, which is what the work tree had before the merge. */
async function findRule(path: string): Promise<RowsRule | undefined> {
  const place = placeOfRows(path);
  if (place === undefined) return undefined;
  const { exitCode, stdout } = await gitAnywhere(['cat-file', 'blob', `HEAD:${place.manifest}`], process.cwd(), { expect: [0, 128] });
  return exitCode === 0 ? ruleFor(stdout.toString('latin1'), place.table) : undefined;
}

/** Merges THEIRS into OURS: rows by their key, anything else as lines. The exit code is 0, or 1 with conflicts. */
export async function runMergeDriver(words: readonly string[]): Promise<number> {
  const [base, ours, theirs, path] = words;
  if (base === undefined || ours === undefined || theirs === undefined || path === undefined) throw new GitsyncError('usage', 'merge-rows needs BASE OURS THEIRS PATH.');
  const rule = await findRule(path);
  const read = (file: string): string => readFileSync(file, 'latin1');
  const merged = rule === undefined ? undefined : mergeRows(read(base), read(ours), read(theirs), rule);
  if (merged === undefined) return (await runAttached('git', ['merge-file', '-L', 'ours', '-L', 'base', '-L', 'theirs', '--', ours, base, theirs])) === 0 ? 0 : 1;
  writeFileSync(ours, merged.text, 'latin1');
  return merged.conflicts === 0 ? 0 : 1;
}
