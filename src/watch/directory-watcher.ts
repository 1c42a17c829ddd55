/** Watching on a local disk under Linux: one kernel watch for each directory. */
import { absoluteOf, type RawPath } from '../core/raw-path.ts';
import { createChangeBatch } from './change-batch.ts';
import { countKernelEvent, onKernelQueueOverflow } from './kernel-queue.ts';
import { openKernelWatch } from './kernel-watch.ts';
import { startTreeWatcher } from './tree-watcher.ts';
import { describeWatchLimit, readMaxQueuedEvents, readWatchLimits } from './watch-limit.ts';
import type { Watcher, WatchOptions } from './watcher.ts';

const rootPath = '' as RawPath;
const tryAgainMs = 10 * 60_000;

/** A scan of 1 000 directories takes git some 150 ms; this keeps scanning below about 3 % of one core. */
function scanIntervalMs(directoryCount: number): number {
  return Math.max(10_000, directoryCount * 5);
}

/**
 * Watches a local disk. Where the kernel gives no more watches it holds none
 * (so that other programs get some), reports 'all' on an interval, and tries
 * again when the limits change or after some minutes.
 */
export function startDirectoryWatcher(options: WatchOptions): Watcher {
  const { root, log } = options;
  const batch = createChangeBatch((paths) => options.onChange(paths));
  let scanTimer: NodeJS.Timeout | undefined;
  let isSaid = false;
  let isClosed = false;

  const scanInstead = (error: unknown, directoryCount: number): void => {
    if (isClosed) return;
    tree.clear();
    if (!isSaid) options.onProblem(describeWatchLimit(error, root, directoryCount));
    isSaid = true;
    const limits = readWatchLimits();
    const refusedAt = performance.now();
    clearInterval(scanTimer);
    scanTimer = setInterval(() => {
      if (readWatchLimits() !== limits || performance.now() - refusedAt > tryAgainMs) void watchAgain();
      else batch.addAll();
    }, scanIntervalMs(directoryCount)).unref();
    batch.addAll();
  };
  const watchAgain = async (): Promise<void> => {
    clearInterval(scanTimer);
    scanTimer = undefined;
    await tree.watchAll();
    batch.addAll();
    // Refused again: scanInstead has begun anew.
    if (scanTimer !== undefined || isClosed) return;
    isSaid = false;
    log.info('Watching again: the kernel gives watches', { root, directories: tree.watchCount });
  };
  const { ready, tree, close } = startTreeWatcher(options, {
    batch,
    source: {
      open: (directory, onEvent) => openKernelWatch(absoluteOf(root, directory), onEvent),
      onDrop: countKernelEvent,
    },
    onRefused: scanInstead,
    isWatching: () => scanTimer === undefined,
  });
  const stopCounting = onKernelQueueOverflow(options.maxQueuedEvents ?? readMaxQueuedEvents(), () => {
    log.debug('Events may have been lost, looking at everything', { root });
    batch.addAll();
    // Directories among the lost ones are not watched yet, and watched ones may be others by now.
    if (scanTimer === undefined) tree.refresh(rootPath);
  });
  return {
    ready,
    get watchCount() {
      return tree.watchCount;
    },
    get kind() {
      return scanTimer === undefined ? 'directories' as const : 'scan-only' as const;
    },
    close() {
      isClosed = true;
      batch.close();
      stopCounting();
      clearInterval(scanTimer);
      return close();
    },
  };
}
