/** The command line: one row for each command, and the options that all share. */
import { Command, Option } from 'commander';
import { exitCodes, GitsyncError } from '../errors.ts';
import { version } from '../version.ts';
import { createContext, type Context, type GlobalOptions } from './context.ts';

/** Starts a command's work, whose result is the exit code. */
export type Start = (work: () => Promise<number>) => void;

type Words = Record<string, string | boolean | undefined>;

interface Row {
  usage: string;
  summary: string;
  options?: readonly (readonly [flags: string, text: string])[];
  /** Loaded when the command is used, so that the others start quickly. */
  run(context: Context, args: (string | string[] | undefined)[], options: Words): Promise<number>;
}

const rows: readonly Row[] = [
  { usage: 'init <path>', summary: 'make a folder a synced repository, and prove that a change arrives', options: [['--remote <url>', 'where it is published']], run: async (context, [path], { remote }) => (await import('./init.ts')).runInit(context, path as string, remote as string | undefined) },
  { usage: 'add <path...>', summary: 'watch these repositories too', run: async (context, [paths]) => (await import('./config-file.ts')).runAdd(context, paths as string[]) },
  { usage: 'rm <path...>', summary: 'watch them no longer (nothing is deleted)', run: async (context, [paths]) => (await import('./config-file.ts')).runRemove(context, paths as string[]) },
  { usage: 'list', summary: 'the watched repositories', run: async (context) => (await import('./config-file.ts')).runList(context) },
  { usage: 'status [path...]', summary: 'safe or not, why, and the command that helps (exit code 0 safe, 1 attention, 2 not safe)', run: async (context, [paths]) => (await import('./status.ts')).runStatus(context, paths as string[]) },
  { usage: 'sync [path...]', summary: 'sync now, and say how it went', run: async (context, [paths]) => (await import('./sync.ts')).runSync(context, paths as string[]) },
  { usage: 'pause [duration] [path...]', summary: 'stop for a while (30m, 2h, 1d), or until resumed', run: async (context, [duration, paths]) => (await import('./pause.ts')).runPause(context, duration as string | undefined, paths as string[]) },
  { usage: 'resume [path...]', summary: 'go on', run: async (context, [paths]) => (await import('./pause.ts')).runResume(context, paths as string[]) },
  { usage: 'conflicts [path...]', summary: 'conflict copies, each with its file', run: async (context, [paths]) => (await import('./conflicts.ts')).runConflicts(context, paths as string[]) },
  { usage: 'resolve <path>', summary: 'end a conflict', options: [['--keep <which>', 'current, copy or both']], run: async (context, [path], { keep }) => (await import('./conflicts.ts')).runResolve(context, path as string, keep as string | undefined) },
  { usage: 'log [path]', summary: 'what happened, newest first', options: [['-n, --number <count>', 'how many (20)']], run: async (context, [path], { number }) => (await import('./history.ts')).runLog(context, path as string | undefined, number as string | undefined) },
  { usage: 'restore <path>', summary: 'bring a file or directory back as it was', options: [['--at <time>', '"2 hours ago", "2026-11-20 10:15", or a commit']], run: async (context, [path], { at }) => (await import('./history.ts')).runRestore(context, path as string, at as string | undefined) },
  { usage: 'undo [path]', summary: 'go back to the state before the last change (again: forward)', run: async (context, [path]) => (await import('./history.ts')).runUndo(context, path as string | undefined) },
  { usage: 'allow <path>', summary: 'let a held file, or held deletions, through', run: async (context, [path]) => (await import('./held.ts')).runAllow(context, path as string) },
  { usage: 'ignore <path>', summary: 'put a path into .gitignore', run: async (context, [path]) => (await import('./held.ts')).runIgnore(context, path as string) },
  { usage: 'adopt [path]', summary: 'join a remote whose history has nothing in common with ours', options: [['--remote <name>', 'which remote']], run: async (context, [path], { remote }) => (await import('./history.ts')).runAdopt(context, path as string | undefined, remote as string | undefined) },
  { usage: 'doctor [path...]', summary: 'look for trouble, and with --fix mend what can be mended without loss', options: [['--fix', 'mend it']], run: async (context, [paths], { fix }) => (await import('./doctor.ts')).runDoctor(context, paths as string[], fix === true) },
  { usage: 'config', summary: 'the config file: its keys, or with --check its mistakes', options: [['--check', 'check the file']], run: async (context, _args, { check }) => (await import('./config-file.ts')).runConfig(context, check === true) },
  { usage: 'demo', summary: 'two machines in a temporary place follow each other, and the story is told', run: async (context) => (await import('./demo.ts')).runDemo(context) },
];

/** Builds the program; `start` takes each command's work. */
export function buildProgram(start: Start): Command {
  const program = new Command('gitsync')
    .description('Keeps git work directories in step by itself: what changes is committed, travels, and can always be got back.')
    .version(version)
    .addOption(new Option('--config <file>', 'another config file than ~/.config/gitsync'))
    .option('--verbose', 'say what happens')
    .option('--debug', 'say everything')
    .option('--json', 'answers for programs')
    .option('--daemon', 'watch the configured repositories until stopped')
    .option('--once', 'sync the configured repositories, or the given ones, once (for cron)')
    .argument('[path...]', 'with --once: only these')
    .showSuggestionAfterError()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'Error: ')) })
    .exitOverride((error) => {
      throw Object.assign(error, { exitCode: error.exitCode === 0 ? 0 : exitCodes.usage });
    });
  program.action((paths: string[], options: GlobalOptions & { daemon?: boolean; once?: boolean }) => start(() => runBare(paths, options)));
  for (const row of rows) {
    const command = program.command(row.usage).description(row.summary);
    // Shared options may stand after the command's name as well.
    for (const flags of ['--config <file>', '--verbose', '--debug', '--json']) command.addOption(new Option(flags).hideHelp());
    for (const [flags, text] of row.options ?? []) command.option(flags, text);
    command.action((...words: unknown[]) => {
      const args = words.slice(0, -2) as (string | string[] | undefined)[];
      const options = words.at(-2) as Words;
      start(() => row.run(createContext({ ...program.opts<GlobalOptions>(), ...options }), args, options));
    });
  }
  return program;
}

async function runBare(paths: string[], options: GlobalOptions & { daemon?: boolean; once?: boolean }): Promise<number> {
  if (options.daemon) return (await import('./daemon.ts')).runDaemon(createContext(options, 'info'));
  if (options.once) return (await import('./sync.ts')).runOnce(createContext(options), paths);
  if (paths[0] !== undefined) throw new GitsyncError('usage', `There is no command "${paths[0]}".`, { hint: 'gitsync --help' });
  return (await import('./status.ts')).runStatus(createContext(options), []);
}
