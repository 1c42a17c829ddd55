/** Stats for what looks around regularly: with a hundred repositories, hundreds in ten seconds. */
import { statSync, type BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { networkFileSystemOf } from './mounts.ts';

/**
 * Makes a stat for a path and what is below it. On a local disk it is made at
 * once, in some microseconds instead of some dozens; a server may not answer,
 * so there it is left to the background. Throws the system's errors.
 */
export function createQuickStat(path: string): (path: string) => Promise<BigIntStats> {
  let isLocal = networkFileSystemOf(path) === undefined;
  let device: bigint | undefined;
  return async (at) => {
    const info = isLocal ? statSync(at, { bigint: true }) : await stat(at, { bigint: true });
    // Something else was mounted there.
    if (device !== undefined && device !== info.dev) isLocal = networkFileSystemOf(path) === undefined;
    device = info.dev;
    return info;
  };
}
