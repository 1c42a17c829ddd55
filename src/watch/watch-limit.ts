/** The kernel's limits for watching, and what to tell a person who has reached them. */
import { readFileSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import type { WatchProblem } from './watcher.ts';

/** The same limit by its two names: for the user, and for the user namespace (a container) that we may be in. */
const watchLimits = ['fs.inotify.max_user_watches', 'user.max_inotify_watches'];
const instanceLimits = ['fs.inotify.max_user_instances', 'user.max_inotify_instances'];

function readSetting(name: string): number | undefined {
  try {
    const value = Number(readFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8'));
    return Number.isInteger(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** How many events inotify's queue holds; what comes beyond is lost. */
export function readMaxQueuedEvents(): number {
  return readSetting('fs.inotify.max_queued_events') || 16_384;
}

/** The limits as they are now, to see later whether they were changed. */
export function readWatchLimits(): string {
  return [...watchLimits, ...instanceLimits].map(readSetting).join(' ');
}

/** The next power of two: limits are usually given so, and it leaves room for other programs. */
function roundUp(count: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(count, 512)));
}

/** The problem for a refused watch, with the setting that would allow `directoryCount` more of them. */
export function describeWatchLimit(error: unknown, root: string, directoryCount: number): WatchProblem {
  const isInstances = errnoOf(error) !== 'ENOSPC';
  const settings = (isInstances ? instanceLimits : watchLimits).map((name) => ({ name, value: readSetting(name) ?? Infinity }));
  const tightest = settings.reduce((a, b) => (b.value < a.value ? b : a));
  const current = Number.isFinite(tightest.value) ? tightest.value : 0;
  const wanted = `${tightest.name}=${roundUp(isInstances ? current + 1 : current + directoryCount)}`;
  const refused = isInstances ? 'no further program of this user watch files' : 'this user watch no further directories';
  return {
    kind: 'watch-limit',
    message: `The kernel lets ${refused} (${tightest.name}=${current}), and ${root} has ${directoryCount}. Its changes are found by scanning from time to time instead.`,
    hint: `sudo sysctl ${wanted}; to keep it: echo ${wanted} | sudo tee /etc/sysctl.d/60-gitsync.conf`,
  };
}
