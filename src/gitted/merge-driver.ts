/** What git runs for files with the attribute merge=gitted-rows: `merge-rows BASE OURS THEIRS PATH`. */
import { GitsyncError } from '../errors.ts';
import { runAttached } from '../process/run.ts';

/** Merges THEIRS into OURS as git's own line merge does; the exit code is the number of conflicts. */
export async function runMergeDriver(words: readonly string[]): Promise<number> {
  const [base, ours, theirs] = words;
  if (base === undefined || ours === undefined || theirs === undefined) throw new GitsyncError('usage', 'merge-rows needs BASE OURS THEIRS PATH.');
  const conflicts = await runAttached('git', ['merge-file', '-L', 'ours', '-L', 'base', '-L', 'theirs', '--', ours, base, theirs]);
  // Above 127 git takes the exit code for a failure of the driver.
  return Math.min(conflicts, 127);
}
