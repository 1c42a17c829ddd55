/** A short slice of the torture: `npm run torture -- --help` is the long one. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const seconds = Number(process.env['GITSYNC_TORTURE_SECONDS'] ?? 45);

test('agents that are killed, suspended, cut off and out of disk lose nothing, and agree in the end', () => {
  // One seed, so that two runs of the tests do the same; other seeds are for `npm run torture`.
  const seed = Number(process.env['GITSYNC_TORTURE_SEED'] ?? 20_261);
  const args = ['--import', 'tsx', join(import.meta.dirname, 'main.ts'), '--seconds', String(seconds), '--agents', '3', '--seed', String(seed)];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 560_000 });
  expect({ seed, status, said: status === 0 ? '' : `${stdout}${stderr}` }).toEqual({ seed, status: 0, said: '' });
}, 600_000);
