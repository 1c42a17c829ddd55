/** Whether this machine's git can do what we ask of it. */
import { GitsyncError } from '../errors.ts';
import { gitAnywhere } from './git.ts';

/** The oldest git that has `merge-tree --write-tree`. */
const oldestGit = [2, 38] as const;

export const neededGit = `git ${oldestGit.join('.')} or newer`;

export interface GitVersion {
  /** As git says it. */
  text: string;
  isNewEnough: boolean;
}

/** @throws GitsyncError `failed` where there is no git. */
export async function readGitVersion(): Promise<GitVersion> {
  const text = (await gitAnywhere(['version'], '/')).stdout.toString().trim();
  const [major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number);
  return { text, isNewEnough: major > oldestGit[0] || (major === oldestGit[0] && minor >= oldestGit[1]) };
}

let isChecked = false;

/** Asked once, as long as the answer is good. @throws GitsyncError `failed` where git is missing or too old. */
export async function requireGit(): Promise<void> {
  if (isChecked) return;
  const { text, isNewEnough } = await readGitVersion();
  if (!isNewEnough) throw new GitsyncError('failed', `This machine has ${text}, which is too old.`, { hint: `install ${neededGit}` });
  isChecked = true;
}
