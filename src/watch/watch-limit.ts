/** What to tell a person when the kernel gives no more watches. */
import { errnoOf } from '../errors.ts';
import { readInotifyLimit } from './kernel-queue.ts';
import type { WatchProblem } from './watcher.ts';

/** The next power of two: limits are usually given so, and it leaves room for other programs. */
function roundUp(count: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(count, 512)));
}

/** The problem for a refused watch, with the setting that would allow `directoryCount` more of them. */
export function describeWatchLimit(error: unknown, root: string, directoryCount: number): WatchProblem {
  const isInstances = errnoOf(error) !== 'ENOSPC';
  const name = isInstances ? 'max_user_instances' : 'max_user_watches';
  const current = readInotifyLimit(name) ?? 0;
  const wanted = `fs.inotify.${name}=${roundUp(isInstances ? current + 1 : current + directoryCount)}`;
  const what = isInstances ? 'no further program of this user watch files' : 'this user watch no further directories';
  return {
    kind: 'watch-limit',
    message: `The kernel lets ${what} (fs.inotify.${name}=${current}), and ${root} has ${directoryCount}. Its changes are found by scanning from time to time instead.`,
    hint: `sudo sysctl ${wanted}; to keep it: echo ${wanted} | sudo tee /etc/sysctl.d/60-gitsync.conf`,
  };
}
