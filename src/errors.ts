/**
 * Typed errors. A kind decides the exit code and whether trying again helps;
 * the sentence says what happened, the hint says what to type next.
 */

export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  config: 10,
  locked: 11,
  halted: 12,
  container: 13,
  credentials: 14,
  bug: 70,
  interrupted: 130,
} as const;

/**
 * How to go on after a failure: `backoff` waits longer each time, `soon` is a
 * race that a second try wins, `on-change` waits for a person or a new state.
 */
export type Retry = 'soon' | 'backoff' | 'on-change' | 'never';

const table = {
  usage: { exitCode: exitCodes.usage, retry: 'never' },
  config: { exitCode: exitCodes.config, retry: 'on-change' },
  failed: { exitCode: exitCodes.failed, retry: 'backoff' },
  bug: { exitCode: exitCodes.bug, retry: 'never' },
  interrupted: { exitCode: exitCodes.interrupted, retry: 'never' },
  'not-running': { exitCode: exitCodes.failed, retry: 'on-change' },
  'not-a-repository': { exitCode: exitCodes.config, retry: 'on-change' },
  locked: { exitCode: exitCodes.locked, retry: 'soon' },
  halted: { exitCode: exitCodes.halted, retry: 'on-change' },
  offline: { exitCode: exitCodes.failed, retry: 'backoff' },
  'host-unknown': { exitCode: exitCodes.credentials, retry: 'on-change' },
  'host-key-changed': { exitCode: exitCodes.credentials, retry: 'on-change' },
  auth: { exitCode: exitCodes.credentials, retry: 'on-change' },
  'not-found': { exitCode: exitCodes.failed, retry: 'backoff' },
  rejected: { exitCode: exitCodes.failed, retry: 'soon' },
  // What a peer sent breaks a rule; nothing of it was taken.
  refused: { exitCode: exitCodes.failed, retry: 'on-change' },
  protected: { exitCode: exitCodes.failed, retry: 'on-change' },
  'too-large': { exitCode: exitCodes.failed, retry: 'on-change' },
  'no-space': { exitCode: exitCodes.failed, retry: 'backoff' },
  'read-only': { exitCode: exitCodes.failed, retry: 'backoff' },
  corrupt: { exitCode: exitCodes.failed, retry: 'backoff' },
  timeout: { exitCode: exitCodes.failed, retry: 'backoff' },
  hook: { exitCode: exitCodes.failed, retry: 'on-change' },
  signing: { exitCode: exitCodes.failed, retry: 'on-change' },
  container: { exitCode: exitCodes.container, retry: 'backoff' },
} as const satisfies Record<string, { exitCode: number; retry: Retry }>;

/** What went wrong, in terms that decide what happens next. */
export type ErrorKind = keyof typeof table;

/** An error that a person can act on. Only `cli.ts` prints these. */
export class GitsyncError extends Error {
  readonly kind: ErrorKind;
  /** The exact command or step that helps, if there is one. */
  readonly hint: string | undefined;

  constructor(kind: ErrorKind, sentence: string, options: { hint?: string; cause?: unknown } = {}) {
    super(sentence, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'GitsyncError';
    this.kind = kind;
    this.hint = options.hint;
  }
}

/** The documented exit code for an error; anything we did not foresee is our bug. */
export function exitCodeOf(error: unknown): number {
  return error instanceof GitsyncError ? table[error.kind].exitCode : exitCodes.bug;
}

/** How to go on after an error. */
export function retryOf(kind: ErrorKind): Retry {
  return table[kind].retry;
}

/** The error as a GitsyncError; one that we did not foresee becomes kind `bug`. */
export function toGitsyncError(error: unknown): GitsyncError {
  if (error instanceof GitsyncError) return error;
  const code = errnoOf(error);
  const message = error instanceof Error ? error.message : String(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new GitsyncError('no-space', 'The disk is full.', { cause: error, hint: 'free some space; gitsync goes on by itself' });
  }
  if (code === 'EROFS') return new GitsyncError('read-only', 'The file system is read-only.', { cause: error });
  if (code === 'EACCES' || code === 'EPERM' || code === 'EIO') return new GitsyncError('failed', message, { cause: error });
  return new GitsyncError('bug', message, { cause: error });
}

/** The `code` of a system error (`ENOENT`, ...), if the value carries one. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
