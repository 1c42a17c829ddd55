/**
 * One maker of what all containers share (base images, the bridge) at a time for each LXC path. The kernel drops the locks when
 * their holders die, so whoever is killed in the middle blocks nobody for good.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { GitsyncError } from '../errors.ts';
import { startProcess } from '../process/long-lived.ts';
import { run, type RunOptions, type RunResult } from '../process/run.ts';
import { detail } from './report.ts';

const waitSeconds = 1_800;
const sayAfterMs = 1_000;

const makerLock = (path: string): string => join(path, '.gitted-base.lock');
const stepLock = (path: string): string => join(path, '.gitted-base-step.lock');

const stillBusy = (file: string): GitsyncError =>
  new GitsyncError('container', `Another push has been making the base image or the network for ${waitSeconds / 60} minutes.`, { hint: `look who it is (lsof ${file}), end it, and push again` });

/** Runs `work` while nobody else makes base images below `path`, or the bridge. */
export async function withBaseLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  mkdirSync(path, { recursive: true });
  const file = makerLock(path);
  const notice = setTimeout(() => detail('waiting: another push makes the base image or the network'), sayAfterMs);
  let keeper: ReturnType<typeof startProcess> | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      // `cat` ends with its input, which ends with us: that is what frees the lock, whatever ends us.
      keeper = startProcess('flock', ['-w', String(waitSeconds), file, 'sh', '-c', 'echo locked; exec cat >/dev/null'], { onLine: () => resolve() });
      void keeper.ended.then(({ exitCode, stderr }) => reject(exitCode === 1 ? stillBusy(file) : new GitsyncError('container', `The lock ${file} could not be taken: ${stderr.trim()}`, { hint: 'flock comes with util-linux' })));
    });
    clearTimeout(notice);
    // What a killed maker had started may still be writing where we are going to.
    await runStep(path, 'true', [], { idleTimeoutMs: waitSeconds * 1_000 });
    return await work();
  } finally {
    clearTimeout(notice);
    await keeper?.close();
  }
}

/** Runs one program of the making; it and all that it starts hold a lock of their own, which the next maker waits for. */
export function runStep(path: string, file: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return run('flock', [stepLock(path), file, ...args], options);
}
