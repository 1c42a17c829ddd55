/** git LFS keeps the content of large files beside the commits; it has to travel before they do. */
import { existsSync } from 'node:fs';
import { git, type Repo } from './git.ts';
import { explainRemoteFailure, runRemoteStep, type RemoteStepOptions } from './remote-step.ts';
import type { PublishTarget } from './remotes.ts';

/**
 * Uploads what `commit` needs, as LFS's own pre-push hook would (which does not
 * run when hooks are off): a push without it would look safe and not be.
 */
export async function uploadLfsObjects(repo: Repo, target: PublishTarget, commit: string, known: string | undefined, options: RemoteStepOptions): Promise<void> {
  if (repo.hooks || !existsSync(`${repo.commonDir}/lfs/objects`)) return;
  const { stdout } = await git(repo, ['remote', 'get-url', '--push', '--', target.remote], { expect: [0, 2, 128] });
  const input = `refs/heads/${target.branch} ${commit} refs/heads/${target.branch} ${known ?? '0'.repeat(repo.oidLength)}\n`;
  const result = await runRemoteStep(repo, target.remote, ['lfs', 'pre-push', target.remote, stdout.toString().trim()], {
    ...options,
    input,
    env: { GIT_LFS_FORCE_PROGRESS: '1' }, // progress extends the deadline
  });
  if (result.exitCode !== 0) throw await explainRemoteFailure(repo, target.remote, 'lfs', result);
}
