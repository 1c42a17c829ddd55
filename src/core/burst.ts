/**
 * Knows when the kernel may have dropped events. When inotify's queue is full
 * the rest is lost, and Node says nothing: measured, 16 384 of 30 001 events
 * arrived and no error. A queue that was empty needs at least `limit` events to
 * fill up, so a burst of that many since the last quiet moment means "assume a loss".
 */

/** Counts the raw events of one burst. */
export interface BurstCounter {
  /** Counts events; true when another `limit` of them has come since the last quiet moment. */
  add(events?: number): boolean;
  /** Ends the burst: the queue was seen empty. True when this burst may have lost events. */
  quiet(): boolean;
}

/** Starts counting; `limit` is the queue's size in events. */
export function createBurstCounter(limit: number): BurstCounter {
  let count = 0;
  let losses = 0;
  return {
    add(events = 1) {
      count += events;
      const reached = Math.floor(count / limit);
      if (reached === losses) return false;
      losses = reached;
      return true;
    },
    quiet() {
      const lost = losses > 0;
      count = 0;
      losses = 0;
      return lost;
    },
  };
}
