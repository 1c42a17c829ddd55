/**
 * Brings a commit into a work tree, or recovers an update, and prints the
 * outcome. Arguments: apply|recover ROOT FROM TO [N [WAITING]]; with N it kills
 * itself at the Nth step, naming it first; WAITING is a path that was blocked.
 */
import { rawFromText } from '../../src/core/raw-path.ts';
import { applyCommit, recoverApply } from '../../src/git/apply.ts';
import { openPrivateIndex } from '../../src/git/private-index.ts';
import { openRepo } from '../../src/git/repository.ts';

const [what, root = '', from = '', to = '', killAt = '0', waiting] = process.argv.slice(2);
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
