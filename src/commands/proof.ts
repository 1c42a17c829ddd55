/** The proof that a folder is synced: what was published is cloned, and compared. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RepoConfig } from '../config/config.ts';
import { parseRemoteUrl } from '../core/remote-url.ts';
import { shellQuote } from '../core/shell-quote.ts';
import { plural } from '../core/status.ts';
import { toGitsyncError } from '../errors.ts';
import { gitAnywhere, gitText, type Repo } from '../git/git.ts';
import { listRemotes, publishTargets } from '../git/remotes.ts';
import { resolveCommit } from '../git/refs.ts';
import { remoteGitOptions } from '../git/ssh-command.ts';
import { shortPath } from './status-lines.ts';

export interface Proof {
  proven: boolean;
  text: string;
}

/** Clones the branch from where it is published. */
export async function prove(repo: Repo, config: RepoConfig): Promise<Proof> {
  const head = (await resolveCommit(repo, 'HEAD')) ?? '(no commit yet)';
  const branch = await gitText(repo, ['symbolic-ref', '--short', 'HEAD']);
  const [target] = await publishTargets(repo, branch, config.remotes);
  const remote = (await listRemotes(repo)).find(({ name }) => name === target?.remote);
  if (target === undefined || remote === undefined) {
    const count = countFiles(await gitText(repo, ['ls-tree', '-r', '-z', '--name-only', '--full-tree', head]));
    return { proven: true, text: `Proof: commit ${head.slice(0, 10)} holds ${count}, on this machine only. To publish it: gitsync init ${shellQuote(repo.workTree)} --remote URL` };
  }
  const shownUrl = parseRemoteUrl(remote.url).kind === 'path' ? shortPath(remote.url) : remote.url;
  try {
    const { tip, files, isDefault } = await cloneTip(repo, remote.url, target.branch);
    // A bare repository made elsewhere may have another default branch than ours, or one that does not exist.
    const other = isDefault ? '' : ` It is not the default branch there, so for another machine: git clone --branch ${target.branch} ${shellQuote(remote.url)}`;
    if (tip === head) return { proven: true, text: `Proof: a fresh clone of ${shownUrl} has the same commit ${head.slice(0, 10)} with ${files}.${other}` };
    return { proven: false, text: `Not proven: ${shownUrl} is at ${tip.slice(0, 10)}, this folder at ${head.slice(0, 10)}.` };
  } catch (error) {
    return { proven: false, text: `Not proven: ${shownUrl} cannot be cloned. ${toGitsyncError(error).message} What waits is published as soon as that is over.` };
  }
}

async function cloneTip(repo: Repo, url: string, branch: string): Promise<{ tip: string; files: string; isDefault: boolean }> {
  const directory = await mkdtemp(join(tmpdir(), 'gitsync-proof-'));
  try {
    // A path is cloned with links, which proves nothing; as a URL it goes the way of any other.
    const source = url.startsWith('/') ? `file://${url}` : url;
    const options = { ...(await remoteGitOptions(repo)), idleTimeoutMs: 60_000 };
    await gitAnywhere(['clone', '--quiet', '--depth=1', '--no-checkout', '--branch', branch, '--', source, 'clone'], directory, options);
    const symref = (await gitAnywhere(['ls-remote', '--symref', '--', source, 'HEAD'], directory, options)).stdout.toString();
    const clone = join(directory, 'clone');
    const tip = (await gitAnywhere(['rev-parse', 'HEAD'], clone)).stdout.toString().trim();
    const isDefault = symref.startsWith(`ref: refs/heads/${branch}\t`);
    return { tip, isDefault, files: countFiles((await gitAnywhere(['ls-tree', '-r', '-z', '--name-only', 'HEAD'], clone)).stdout.toString('latin1')) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** `3 files`, of names that each end in NUL. */
function countFiles(names: string): string {
  return plural(names.split('\0').length - 1, 'file');
}
