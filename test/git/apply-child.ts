/**
 * Brings a commit into a work tree, or recovers an update, and prints the
 * outcome. Arguments: apply|recover|start|once ROOT FROM TO [N [WAITING]]; with N
 * it kills itself at the Nth step, naming it first; WAITING is a path that was
 * blocked. `start` does all that the agent does when it opens a repository,
 * `once` all that it does to bring it in step.
 */
import { syncOnce } from '../../src/agent/once.ts';
import { openSession } from '../../src/agent/repo-session.ts';
import { defaultRepoConfig } from '../../src/config/config.ts';
import { rawFromText } from '../../src/core/raw-path.ts';
import { applyCommit, recoverApply } from '../../src/git/apply.ts';
import { openPrivateIndex } from '../../src/git/private-index.ts';
import { openRepo } from '../../src/git/repository.ts';
import { silentLog } from '../../src/log.ts';

const [what, root = '', from = '', to = '', killAt = '0', waiting] = process.argv.slice(2);
if (what === 'start') {
  await (await openSession(defaultRepoConfig(root), silentLog)).close();
  process.exit();
}
if (what === 'once') {
  const [status] = await syncOnce([{ ...defaultRepoConfig(root), quietMs: 10 }], silentLog);
  process.stdout.write(JSON.stringify(status));
  process.exit();
}
const repo = await openRepo(root);
const index = openPrivateIndex(repo);
let steps = 0;
const onStep = (step: string): void => {
  steps += 1;
  if (steps !== Number(killAt)) return;
  process.stdout.write(`${step}\n`);
  process.kill(process.pid, 'SIGKILL');
};
const outcome =
  what === 'recover'
    ? await recoverApply(repo, index, [], { onStep })
    : await applyCommit(repo, index, { ref: 'refs/heads/main', from, to, keep: new Set([rawFromText('kept.txt')]), waiting: new Set(waiting === undefined ? [] : [rawFromText(waiting)]), rules: [], onStep });
process.stdout.write(JSON.stringify(outcome));
