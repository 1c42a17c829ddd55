/** Two minutes of the torture: `npm run torture` is the long one. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

/** Of each run; the healing comes after it. */
const seconds = Number(process.env['GITSYNC_TORTURE_SECONDS'] ?? 60);

/** The same in every run of the tests, so that what is new in one is the change's doing. */
const secondSeed = Number(process.env['GITSYNC_TORTURE_SEED'] ?? 20_262);

const runs = [
  { seed: 20_261, agents: 3 },
  { seed: secondSeed, agents: 2 + (secondSeed % 3) },
];

test.each(runs)('agents that are killed, suspended, cut off and out of disk lose nothing, and agree in the end (seed $seed, $agents agents)', ({ seed, agents }) => {
  const words = ['--seconds', String(seconds), '--agents', String(agents), '--seed', String(seed)];
  process.stderr.write(`torture: npm run torture -- ${words.join(' ')}\n`);
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', join(import.meta.dirname, 'main.ts'), ...words], { encoding: 'utf8', timeout: 560_000 });
  expect({ seed, status, said: status === 0 ? '' : `${stdout}${stderr}` }).toEqual({ seed, status: 0, said: '' });
}, 600_000);
