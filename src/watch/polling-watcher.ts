/** Watching where the kernel does not see what other machines change (NFS, SMB, sshfs, 9p, ...): by looking, with chokidar. */
import chokidar from 'chokidar';
import { basename } from 'node:path';
import { isUtf8, rawFromText, rawToText, type RawPath } from '../core/raw-path.ts';
import { createChangeBatch } from './change-batch.ts';
import type { OnEvent, OpenWatch } from './kernel-watch.ts';
import { startTreeWatcher } from './tree-watcher.ts';
import type { Watcher, WatchOptions } from './watcher.ts';

/** Network file systems themselves keep what they know for 1 to 60 s. */
const defaultIntervalMs = 2_000;

/** Measured: 10 000 files in 110 directories every 2 s take 3 % of a core. Bigger trees are looked at less often, not at more cost. */
const intervalPerDirectoryMs = 20;

/**
 * Polls one directory and its files. Only that one: which directories are
 * watched is the tree's business, who asks git about ignored ones in batches
 * (chokidar's own filter cannot wait for an answer).
 */
async function openPolledDirectory(root: string, directory: RawPath, intervalMs: number, onEvent: OnEvent): Promise<OpenWatch> {
  if (!isUtf8(directory)) throw new Error('its name is not UTF-8; what changes in it is found by the next full scan');
  const path = directory === '' ? root : `${root}/${rawToText(directory)}`;
  const watcher = chokidar.watch(path, {
    usePolling: true, interval: intervalMs, binaryInterval: intervalMs,
    depth: 0, ignoreInitial: true, followSymlinks: false, ignorePermissionErrors: true, persistent: false,
  });
  watcher.on('all', (event, changed) => onEvent(event === 'change' ? 'change' : 'rename', rawFromText(basename(changed))));
  watcher.on('error', () => onEvent('rename', undefined));
  await new Promise<void>((resolve) => watcher.once('ready', () => resolve()));
  return { close: () => void watcher.close() };
}

/** Watches by polling every file's and directory's times. */
export function startPollingWatcher(options: WatchOptions, intervalMs = defaultIntervalMs): Watcher {
  const batch = createChangeBatch((paths) => options.onChange(paths));
  const { ready, tree, close } = startTreeWatcher(options, {
    batch,
    source: {
      open: (directory, onEvent) => openPolledDirectory(options.root, directory, Math.max(intervalMs, tree.watchCount * intervalPerDirectoryMs), onEvent),
    },
    onRefused: () => batch.addAll(),
    isWatching: () => true,
  });
  return {
    ready,
    kind: 'polling',
    get watchCount() {
      return tree.watchCount;
    },
    close() {
      batch.close();
      return close();
    },
  };
}
