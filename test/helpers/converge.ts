/** Deadlines are given for a quiet machine; a busy one (another test beside this) gets this many times as long. */
const patience = 4;

/** Waits for a condition by polling, never by sleeping for a guessed time. */
export async function converge(what: string, condition: () => boolean | Promise<boolean>, deadlineMs = 15_000): Promise<void> {
  const until = Date.now() + patience * deadlineMs;
  let last: unknown;
  for (;;) {
    try {
      if (await condition()) return;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > until) throw new Error(`did not happen within ${patience * deadlineMs} ms: ${what}${last === undefined ? '' : ` (${String(last)})`}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
