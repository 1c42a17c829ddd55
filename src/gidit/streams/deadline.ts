/**
 * Signals with a deadline. `AbortSignal.any([..., AbortSignal.timeout(ms)])`
 * would do, but in Node 20 a timeout that only a composite signal refers to can
 * be collected as garbage, and then never fires.
 */
import { setMaxListeners } from 'node:events';

const lateError = (): DOMException => new DOMException('The time is over.', 'TimeoutError');

/** A signal that fires after a time, or with any of the others. */
export function deadline(ms: number, ...signals: readonly AbortSignal[]): AbortSignal {
  const controller = new AbortController();
  const end = (reason: unknown): void => {
    clearTimeout(timer);
    signals.forEach((signal) => signal.removeEventListener('abort', onAbort));
    controller.abort(reason);
  };
  const onAbort = (event: Event): void => end((event.target as AbortSignal).reason);
  const timer = setTimeout(() => end(lateError()), ms).unref();
  // Many short deadlines hang on one long signal.
  setMaxListeners(0, controller.signal, ...signals);
  for (const signal of signals) signal.addEventListener('abort', onAbort);
  const fired = signals.find((signal) => signal.aborted);
  if (fired !== undefined) end(fired.reason);
  return controller.signal;
}

/** Runs something with a deadline of its own, of which nothing is left afterwards. */
export async function within<T>(ms: number, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const done = new AbortController();
  try {
    return await work(deadline(ms, signal, done.signal));
  } finally {
    done.abort();
  }
}
