/** The command line: one row for each command, and the options that all share. */
import { existsSync } from 'node:fs';
import { Command, Option } from 'commander';
import { suggest } from '../config/config-problem.ts';
import { shellQuote } from '../core/shell-quote.ts';
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
  /** The words that an argument or option may be, for the completion of shells; the command itself says what is wrong. */
  words?: Record<string, readonly string[]>;
  /** Loaded when the command is used, so that the others start quickly. */
  run(context: Context, args: (string | string[] | undefined)[], options: Words): Promise<number>;
}

/** The commands, under the headings of the help. */
const groups: Record<string, readonly Row[]> = {
  'Set up': [
    { usage: 'init <path>', summary: 'make a folder a synced repository, and prove that a change arrives', options: [['--remote <url>', 'where it is published']], run: async (context, [path], { remote }) => (await import('./init.ts')).runInit(context, path as string, remote as string | undefined) },
    { usage: 'add <path...>', summary: 'watch these repositories too', run: async (context, [paths]) => (await import('./listing.ts')).runAdd(context, paths as string[]) },
    { usage: 'rm <path...>', summary: 'watch them no longer (nothing is deleted)', run: async (context, [paths]) => (await import('./listing.ts')).runRemove(context, paths as string[]) },
    { usage: 'list', summary: 'the watched repositories', run: async (context) => (await import('./listing.ts')).runList(context) },
    { usage: 'config', summary: 'the config file: its keys, or with --check its mistakes', options: [['--check', 'check the file'], ['-h, --help', 'the keys']], run: async (context, _args, { check }) => (await import('./config.ts')).runConfig(context, check === true) },
    { usage: 'service <action>', words: { action: ['install', 'uninstall', 'status'] }, summary: 'install, uninstall or status: the agent as a service of your systemd, and the proof that it runs', options: [['--linger', 'start it with the machine, also without a login'], ['--peers', 'the daemon of the peers too, for remotes gidit::'], ['--once-timer', 'a timer that syncs every 15 minutes, in place of the agent']], run: async (context, [action], { linger, onceTimer, peers }) => (await import('./service.ts')).runService(context, action as string, { linger: linger === true, onceTimer: onceTimer === true, peers: peers === true }) },
    { usage: 'demo', summary: 'two machines in a temporary place follow each other, and the story is told', run: async (context) => (await import('./demo.ts')).runDemo(context) },
  ],
  'Every day': [
    { usage: 'status [path...]', summary: 'safe or not, why, and the command that helps (exit code 0 safe, 1 attention, 2 not safe)', run: async (context, [paths]) => (await import('./status.ts')).runStatus(context, paths as string[]) },
    { usage: 'sync [path...]', summary: 'sync now, and say how it went', run: async (context, [paths]) => (await import('./sync.ts')).runSync(context, paths as string[]) },
    { usage: 'pause [duration] [path...]', summary: 'stop for a while (30m, 2h, 1d), or until resumed', run: async (context, [duration, paths]) => (await import('./pause.ts')).runPause(context, duration as string | undefined, paths as string[]) },
    { usage: 'container [verb] [name]', summary: 'containers: list, status, push, pull, logs, shell, undo, start, stop', options: [['--in <path>', 'of this repository']], run: async (context, [verb, name], options) => (await import('./container.ts')).runContainer(context, verb as string | undefined, name as string | undefined, options['in'] as string | undefined) },
    { usage: 'resume [path...]', summary: 'go on', run: async (context, [paths]) => (await import('./pause.ts')).runResume(context, paths as string[]) },
  ],
  'When something waits for you': [
    { usage: 'conflicts [path...]', summary: 'files with another version beside them', run: async (context, [paths]) => (await import('./conflicts.ts')).runConflicts(context, paths as string[]) },
    { usage: 'resolve <path>', words: { keep: ['current', 'copy', 'both'] }, summary: 'end a conflict', options: [['--keep <which>', 'current, copy or both']], run: async (context, [path], { keep }) => (await import('./conflicts.ts')).runResolve(context, path as string, keep as string | undefined) },
    { usage: 'allow <path>', summary: 'let a held file, or held deletions, through', run: async (context, [path]) => (await import('./held.ts')).runAllow(context, path as string) },
    { usage: 'ignore <path>', summary: 'put a path into .gitignore', run: async (context, [path]) => (await import('./held.ts')).runIgnore(context, path as string) },
    { usage: 'adopt [path]', summary: 'join a remote whose history has nothing in common with ours', options: [['--remote <name>', 'which remote']], run: async (context, [path], { remote }) => (await import('./history.ts')).runAdopt(context, path as string | undefined, remote as string | undefined) },
    { usage: 'doctor [path...]', summary: 'look for trouble, and with --fix mend what can be mended without loss', options: [['--fix', 'mend it']], run: async (context, [paths], { fix }) => (await import('./doctor.ts')).runDoctor(context, paths as string[], fix === true) },
  ],
  'Back in time': [
    { usage: 'log [path]', summary: 'what happened, newest first', options: [['-n, --number <count>', 'how many (20)']], run: async (context, [path], { number }) => (await import('./history.ts')).runLog(context, path as string | undefined, number as string | undefined) },
    { usage: 'restore <path>', summary: 'bring a file or directory back as it was', options: [['--at <time>', '"2 hours ago", 30m, "2026-11-20 10:15", or a commit']], run: async (context, [path], { at }) => (await import('./history.ts')).runRestore(context, path as string, at as string | undefined) },
    { usage: 'undo [path]', summary: 'go back to the state before the last change (again: forward)', run: async (context, [path]) => (await import('./history.ts')).runUndo(context, path as string | undefined) },
  ],
};

const sharedOptions = [
  ['--config <file>', 'another config file than ~/.config/gitsync'],
  ['-v, --verbose', 'say what happens'],
  ['--debug', 'say everything'],
  ['--json', 'answers for programs'],
] as const;

/** Builds the program; `start` takes each command's work. */
export function buildProgram(start: Start): Command {
  const usages = new Map(Object.values(groups).flatMap((rows) => rows.map(({ usage }) => [usage.split(' ')[0], usage])));
  const program = new Command('gitsync')
    .description('Keeps git work directories in step by itself: what changes is committed, travels, and can always be got back.')
    .usage('COMMAND [options], or gitsync --daemon, or gitsync --once [path...]')
    .version(version)
    .option('--daemon', 'watch the listed repositories until stopped')
    .option('--once', 'sync the listed repositories, or the given ones, once (for cron)')
    .argument('[path...]')
    .helpOption('-h, --help', 'this text, or that of a command')
    .configureHelp({ subcommandTerm: (command) => usages.get(command.name()) ?? command.name(), visibleArguments: () => [] })
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'Error: ').replace(/\n\(Did you mean (.*)\?\)/, ' Did you mean $1?')) })
    .showHelpAfterError('Hint: gitsync --help')
    .exitOverride((error) => {
      throw Object.assign(error, { exitCode: error.exitCode === 0 ? exitCodes.ok : exitCodes.usage });
    });
  for (const [flags, text] of sharedOptions) program.option(flags, text);
  program.action((paths: string[], options: BareOptions) => start(() => runBare(paths, options, [...usages.keys()] as string[])));
  for (const [heading, rows] of Object.entries(groups)) for (const row of rows) addCommand(program, heading, row, start);
  program.command('help [command]', { hidden: true }).action((name) => (program.commands.find((command) => command.name() === name) ?? program).help());
  return program;
}

function addCommand(program: Command, heading: string, row: Row, start: Start): void {
  const command = program.command(row.usage).description(row.summary).helpGroup(`${heading}:`).showHelpAfterError(`Hint: gitsync ${row.usage}`);
  // Shared options may stand after the command's name as well.
  for (const [flags] of sharedOptions) command.addOption(new Option(flags).hideHelp());
  for (const [flags, text] of row.options ?? []) {
    if (flags.includes('--help')) command.helpOption(false);
    command.option(flags, text);
  }
  for (const each of [...command.registeredArguments, ...command.options]) {
    const known = row.words?.[each instanceof Option ? each.attributeName() : each.name()];
    if (known !== undefined) each.argChoices = [...known];
  }
  command.action((...words: unknown[]) => {
    const args = words.slice(0, -2) as (string | string[] | undefined)[];
    const options = words.at(-2) as Words;
    start(() => row.run(createContext({ ...program.opts<GlobalOptions>(), ...options }), args, options));
  });
}

type BareOptions = GlobalOptions & { daemon?: boolean; once?: boolean };

/** `gitsync` without a command. */
async function runBare(paths: string[], options: BareOptions, commands: readonly string[]): Promise<number> {
  const [first] = paths;
  if (options.daemon && options.once) throw new GitsyncError('usage', '--daemon and --once exclude each other.', { hint: 'gitsync --daemon watches until stopped, gitsync --once syncs and ends' });
  if (options.daemon && first !== undefined) throw new GitsyncError('usage', 'The daemon watches what the config file lists.', { hint: `gitsync add ${shellQuote(first)}` });
  if (options.daemon) return (await import('./daemon.ts')).runDaemon(createContext(options));
  if (options.once) return (await import('./sync.ts')).runOnce(createContext(options), paths);
  if (first === undefined) return (await import('./status.ts')).runStatus(createContext(options), []);
  if (existsSync(first)) throw new GitsyncError('usage', `${first} is a path, and not a command.`, { hint: `gitsync status ${shellQuote(first)}, or gitsync sync ${shellQuote(first)}` });
  const meant = suggest(first, commands);
  throw new GitsyncError('usage', `There is no command "${first}"${meant === undefined ? '.' : `; ${meant}`}`, { hint: 'gitsync --help' });
}
