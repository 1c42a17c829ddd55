/** How a program beside `gitsync` ends: errors printed, everything written, then the exit code. */
import { exitCodeOf, toGitsyncError } from './errors.ts';
import { flushLogs, maskCredentials, printable } from './log.ts';

/** `Error:`, `Caused by:`, `Hint:`; our own bugs with their stack. */
export function describeError(error: unknown): string {
  const known = toGitsyncError(error);
  const lines = [`Error: ${printable(maskCredentials(known.message))}`];
  for (let cause = known.cause, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    if (cause.message !== known.message) lines.push(`Caused by: ${printable(maskCredentials(cause.message))}`);
  }
  if (known.hint !== undefined) lines.push(`Hint: ${printable(maskCredentials(known.hint))}`);
  if (known.kind === 'bug' && error instanceof Error) lines.push(`This is a bug in gitsync; please report it with these lines:\n${error.stack ?? ''}`);
  return lines.join('\n');
}

/** Ends the process once everything printed has left it. */
export function exitWith(code: number): void {
  void flushLogs().finally(() => process.stdout.write('', () => process.stderr.write('', () => process.exit(code))));
}

/** Ends the process with what `work` returns, or with the code of its error. */
export function endWith(work: Promise<number>): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => (error.code === 'EPIPE' ? process.exit(0) : undefined));
  work.then(exitWith, (error: unknown) => {
    process.stderr.write(`${describeError(error)}\n`);
    exitWith(exitCodeOf(error));
  });
}
