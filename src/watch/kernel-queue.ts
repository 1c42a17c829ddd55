/**
 * The one inotify queue that all watchers of this process share (libuv keeps a
 * single inotify instance for each event loop), and when it may have overflowed.
 */
import { createBurstCounter, type BurstCounter } from '../core/burst.ts';

interface Listener {
  counter: BurstCounter;
  onOverflow: () => void;
}

const listeners = new Set<Listener>();
let eventsThisTurn = 0;
let isChecking = false;

/** A turn of the event loop without an event means that libuv has read the queue until it was empty. */
function checkQuiet(): void {
  if (eventsThisTurn > 0) {
    eventsThisTurn = 0;
    setImmediate(checkQuiet);
    return;
  }
  isChecking = false;
  for (const { counter, onOverflow } of listeners) if (counter.quiet()) onOverflow();
}

/**
 * Counts an event that took a place in the queue. Closing a live watch takes
 * one too (IN_IGNORED), which Node does not show.
 */
export function countKernelEvent(): void {
  eventsThisTurn += 1;
  if (!isChecking) {
    isChecking = true;
    setImmediate(checkQuiet);
  }
  for (const { counter, onOverflow } of listeners) if (counter.add()) onOverflow();
}

/**
 * Calls back when events may have been lost: when the burst has filled the
 * queue, and again when it is over, since the loss may be anywhere in it.
 * Returns how to stop.
 */
export function onKernelQueueOverflow(limit: number, onOverflow: () => void): () => void {
  const listener = { counter: createBurstCounter(limit), onOverflow };
  listeners.add(listener);
  return () => void listeners.delete(listener);
}
