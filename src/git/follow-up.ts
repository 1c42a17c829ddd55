/**
 * What has to follow a step that cannot be taken back (the branch has moved,
 * the indexes have not): tried until it is done, by itself and by whoever
 * waits for it.
 */
export interface FollowUp {
  /** Begins `work`; rejects when the first try fails, and goes on trying. Nothing else may be open. */
  begin(work: () => Promise<void>): Promise<void>;
  /** Resolves when nothing is open. Joins the try under way, or makes one at once, and throws what it fails with. */
  finish(): Promise<void>;
  /** No further tries. */
  stop(): void;
}

const retryMs = { first: 1_000, longest: 60_000 };

/** @param onFailure is told of each try that failed. */
export function createFollowUp(onFailure: (error: unknown) => void): FollowUp {
  let open: (() => Promise<void>) | undefined;
  let trying: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let waitMs = retryMs.first;

  const attempt = (): Promise<void> => {
    clearTimeout(timer);
    trying ??= (open as () => Promise<void>)()
      .then(
        () => {
          open = undefined;
        },
        (error: unknown) => {
          onFailure(error);
          timer = setTimeout(() => void attempt().catch(() => undefined), waitMs).unref();
          waitMs = Math.min(waitMs * 2, retryMs.longest);
          throw error;
        },
      )
      .finally(() => (trying = undefined));
    return trying;
  };

  return {
    begin(work) {
      open = work;
      waitMs = retryMs.first;
      return attempt();
    },
    async finish() {
      if (open !== undefined) await attempt();
    },
    stop: () => clearTimeout(timer),
  };
}
