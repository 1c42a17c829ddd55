/**
 * Brings a commit into a work tree and prints the outcome.
 * Arguments: ROOT FROM TO [N]; with N it kills itself at the Nth step.
 */
import { rawFromText } from '../../src/core/raw-path.ts';
import { applyCommit } from '../../src/git/apply.ts';
import { openPrivateIndex } from '../../src/git/private-index.ts';
import { openRepo } from '../../src/git/repository.ts';

const [root = '', from = '', to = '', killAt = '0'] = process.argv.slice(2);
const repo = await openRepo(root);
let steps = 0;
const outcome = await applyCommit(repo, openPrivateIndex(repo), {
  ref: 'refs/heads/main',
  from: from === '' ? undefined : from,
  to,
  keep: new Set([rawFromText('kept.txt')]),
  rules: [],
  onStep: (step) => {
    steps += 1;
    if (steps !== Number(killAt)) return;
    process.stdout.write(`${step}\n`);
    process.kill(process.pid, 'SIGKILL');
  },
});
process.stdout.write(JSON.stringify(outcome));
