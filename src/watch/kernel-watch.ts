/** One `fs.watch` of one directory. */
import { watch } from 'node:fs';
import { countKernelEvent } from './kernel-queue.ts';

/** `rename`: the name came, went or was replaced; `change`: its content or attributes did. */
export type EventType = 'rename' | 'change';

/** Names are bytes as latin1; undefined when the system did not say which. */
export type OnEvent = (type: EventType, name: string | undefined) => void;

export interface OpenWatch {
  close(): void;
}

/**
 * Watches one directory, not what is below. An event about the directory itself
 * (deleted, moved away, unmounted) carries the directory's own last name.
 * Throws the system's errors, among them ENOSPC and EMFILE at the kernel's limits.
 */
export function openKernelWatch(directory: Buffer, onEvent: OnEvent): OpenWatch {
  const watcher = watch(directory, { persistent: false, encoding: 'buffer' }, (type, name) => {
    countKernelEvent();
    onEvent(type, name?.toString('latin1'));
  });
  watcher.on('error', () => onEvent('rename', undefined));
  return watcher;
}
