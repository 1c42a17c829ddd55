/** What every kind of remote gives: a word when its branch has moved. */

export interface NotifierEvents {
  /** The branch may have moved; `tip` where the notifier knows it. */
  onMoved(tip?: string): void;
  /** Whether moves are told at once from now on; `why` they are not. */
  onState(live: boolean, why?: string): void;
}

export interface Notifier {
  readonly kind: 'local-path' | 'ssh' | 'peer' | 'container' | 'none';
  /** True while it would tell of a move at once; otherwise the remote has to be polled. */
  readonly live: boolean;
  /** Tries again now, where it waits to do so (the network came up, say). */
  wake(): void;
  close(): Promise<void>;
}

/** For remotes that tell nothing. */
export const noNotifier: Notifier = { kind: 'none', live: false, wake: () => undefined, close: () => Promise.resolve() };
