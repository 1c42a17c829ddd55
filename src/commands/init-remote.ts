/** `gitsync init --remote URL`: whether the URL can be meant, before anything is changed, and how it becomes `origin`. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseRemoteUrl } from '../core/remote-url.ts';
import { shellQuote } from '../core/shell-quote.ts';
import { GitsyncError, toGitsyncError } from '../errors.ts';
import { git, gitAnywhere, gitText, type Repo } from '../git/git.ts';
import { listRemotes } from '../git/remotes.ts';
import { remoteGitOptions } from '../git/ssh-command.ts';
import { makeRepositoryOverSsh } from '../remote/make-repository.ts';
import { shortPath } from './status-lines.ts';
import { realPath } from './target.ts';

export interface PreparedRemote {
  addTo(repo: Repo, say: (line: string) => void): Promise<void>;
}

/**
 * Looks at a URL, and at the repository where it is one on this machine.
 * @param workTree the folder that is to be published there
 */
export async function prepareRemote(workTree: string, url: string): Promise<PreparedRemote> {
  const parsed = parseRemoteUrl(url);
  if (url === '' || url.startsWith('-')) throw new GitsyncError('usage', `"${url}" is no URL of a remote.`, { hint: 'for example --remote SERVER:notes.git, or --remote /mnt/backup/notes.git' });
  // `file://` stays as it was written.
  const place = parsed.kind === 'path' ? resolve(parsed.path) : undefined;
  const wanted = place !== undefined && parsed.kind === 'path' && parsed.path === url ? place : url;
  await refuseOtherOrigin(workTree, wanted);
  const make = place !== undefined && (await refuseUnsuitablePlace(workTree, place));
  return {
    async addTo(repo, say) {
      if (make) {
        // The same branch as here, so that a plain clone checks it out.
        await gitAnywhere(['init', '--quiet', '--bare', `--initial-branch=${await branchOf(repo)}`, place], repo.workTree);
        say(`Made a bare repository in ${shortPath(place)}`);
      }
      if (!(await listRemotes(repo)).some(({ name }) => name === 'origin')) await git(repo, ['remote', 'add', 'origin', wanted]);
      if (parsed.kind === 'ssh' && (await isMissing(repo)) && (await makeRepositoryOverSsh(repo, parsed, await branchOf(repo)))) say(`Made a bare repository in ${wanted}`);
    },
  };
}

function branchOf(repo: Repo): Promise<string> {
  return gitText(repo, ['symbolic-ref', '--short', 'HEAD']);
}

/** Whether the server answers, and has no such repository. */
async function isMissing(repo: Repo): Promise<boolean> {
  const options = { ...(await remoteGitOptions(repo)), idleTimeoutMs: 30_000 };
  return git(repo, ['ls-remote', '--heads', '--', 'origin'], options).then(() => false, (error: unknown) => toGitsyncError(error).kind === 'not-found');
}

async function refuseOtherOrigin(workTree: string, wanted: string): Promise<void> {
  if (!existsSync(`${workTree}/.git`)) return;
  // As it was written: `insteadOf` may change what it means.
  const { stdout } = await gitAnywhere(['config', '--get', 'remote.origin.url'], workTree, { expect: [0, 1, 128] });
  const url = stdout.toString().replace(/\n$/, '');
  if (url === '' || url === wanted) return;
  throw new GitsyncError('usage', `The remote origin is ${url} already.`, { hint: `git -C ${shellQuote(workTree)} remote set-url origin ${shellQuote(wanted)}   (if that is what you want), then gitsync init again` });
}

/** Whether a bare repository has to be made on this machine. */
async function refuseUnsuitablePlace(workTree: string, place: string): Promise<boolean> {
  const real = realPath(place);
  if (real === workTree) throw new GitsyncError('usage', 'A folder cannot be its own remote.', { hint: 'name another place, on another disk if there is one' });
  if (real.startsWith(`${workTree}/`)) throw new GitsyncError('usage', `${shortPath(place)} lies inside the folder that is to be published there.`, { hint: 'name a place outside of it' });
  const parent = dirname(place);
  if (!existsSync(parent)) throw new GitsyncError('usage', `${shortPath(parent)} does not exist, so no repository can be made in it.`, { hint: `is a drive not mounted? else: mkdir -p ${shellQuote(parent)}` });
  if (!existsSync(place)) return true;
  const { stdout, exitCode } = await gitAnywhere(['rev-parse', '--is-bare-repository', '--git-dir'], place, { expect: [0, 128] }).catch(() => ({ stdout: Buffer.alloc(0), exitCode: 128 }));
  const [bare, gitDir] = stdout.toString().split('\n');
  if (exitCode === 0 && bare === 'true') return false;
  if (exitCode === 0 && gitDir === '.git') throw new GitsyncError('usage', `${shortPath(place)} has files checked out, so that git refuses to push to it.`, { hint: `git clone --bare ${shellQuote(place)} ${shellQuote(`${place}.git`)}, and name that one` });
  if (isEmptyDirectory(place)) return true;
  throw new GitsyncError('usage', `${shortPath(place)} exists, but is no git repository.`, { hint: `another name, for example --remote ${shellQuote(`${place}/notes.git`)}` });
}

function isEmptyDirectory(path: string): boolean {
  try {
    return readdirSync(path).length === 0;
  } catch {
    return false;
  }
}
