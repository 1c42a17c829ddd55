/** Arguments to command to exit code. The only place that ends the process and prints errors. */
import { buildProgram } from './commands/program.ts';
import { exitCodeOf, exitCodes } from './errors.ts';
import { describeError, exitWith } from './program-end.ts';

// Whoever reads our answer may stop early (`gitsync log | head`).
process.stdout.on('error', (error: NodeJS.ErrnoException) => (error.code === 'EPIPE' ? process.exit(exitCodes.ok) : undefined));

function fail(error: unknown): void {
  const { code, exitCode } = error as { code?: string; exitCode?: number };
  // The command line parser has printed its own text (help, version, what is wrong with an option).
  if (code?.startsWith('commander.')) return exitWith(exitCode ?? exitCodes.usage);
  process.stderr.write(`${describeError(error)}\n`);
  exitWith(exitCodeOf(error));
}

buildProgram((work) => void work().then(exitWith, fail))
  .parseAsync()
  .catch(fail);
