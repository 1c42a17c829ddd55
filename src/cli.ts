/** Arguments to command to exit code. The only place that ends the process and prints errors. */
import { buildProgram } from './commands/program.ts';
import { exitCodeOf, exitCodes, toGitsyncError } from './errors.ts';
import { flushLogs, maskCredentials, printable } from './log.ts';

/** `Error:`, `Caused by:`, `Hint:`; our own bugs with their stack. */
function describe(error: unknown): string {
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
function exit(code: number): void {
  void flushLogs().finally(() => process.stdout.write('', () => process.stderr.write('', () => process.exit(code))));
}

// Whoever reads our answer may stop early (`gitsync log | head`).
process.stdout.on('error', (error: NodeJS.ErrnoException) => (error.code === 'EPIPE' ? process.exit(exitCodes.ok) : undefined));

function fail(error: unknown): void {
  const { code, exitCode } = error as { code?: string; exitCode?: number };
  // The command line parser has printed its own text (help, version, what is wrong with an option).
  if (code?.startsWith('commander.')) return exit(exitCode ?? exitCodes.usage);
  process.stderr.write(`${describe(error)}\n`);
  exit(exitCodeOf(error));
}

buildProgram((work) => void work().then(exit, fail))
  .parseAsync()
  .catch(fail);
