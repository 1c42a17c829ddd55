/** Runs git for one repository: fixed settings, bytes in and out, failures classified. */
import { Readable } from 'node:stream';
import type { Log } from '../log.ts';
import { gitEnvironment } from '../process/env.ts';
import { run } from '../process/run.ts';
import { classifyGitFailure } from './git-errors.ts';

/** A repository that we work on. Paths are absolute and have no trailing slash. */
export interface Repo {
  /** The work tree's root. */
  workTree: string;
  /** This work tree's git directory (`.git`, or `.git/worktrees/NAME`). */
  gitDir: string;
  /** The git directory that all its work trees share (refs, objects). */
  commonDir: string;
  /** Our own folder in gitDir: private index, journal, stage, trash, state. */
  ownDir: string;
  /** Hexadecimal digits of an object id: 40 (SHA-1) or 64 (SHA-256). */
  oidLength: number;
  /** Whether a person's hooks run (config key `hooks`). */
  hooks: boolean;
  log: Log;
}

export interface GitOptions {
  input?: Uint8Array | string | Readable;
  inputFile?: string;
  /** Standard output is appended to this file. */
  outputFile?: string;
  /** Uses another index file than the repository's own. */
  indexFile?: string;
  env?: Record<string, string>;
  /** Exit codes that are answers, not failures. Default [0]. */
  expect?: readonly number[];
  idleTimeoutMs?: number;
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Runs elsewhere than in the work tree. */
  cwd?: string;
  /** Extra `-c key=value` settings. */
  config?: readonly string[];
}

export interface GitResult {
  exitCode: number;
  stdout: Buffer;
  stderr: string;
}

/** User settings that would change what plumbing answers, or run programs that a repository brought with it. */
const pinned = [
  'core.fsmonitor=false', // may name a program of the repository's choice
  'core.quotePath=false',
  'core.splitIndex=false',
  'core.fsync=all,-index', // loose objects too: what we promised to keep must survive a power cut; an index can be built anew
  'core.fsyncMethod=batch',
  'gc.auto=0', // gc is ours, when idle
  'maintenance.auto=false',
  'color.ui=false',
  'advice.detachedHead=false',
  'merge.directoryRenames=false', // guesses
  'merge.renames=true',
  'merge.renameLimit=7000',
  'merge.conflictStyle=merge',
  'diff.renames=true',
  'diff.noPrefix=false',
  'diff.external=',
  'log.showSignature=false',
  'submodule.recurse=false',
  'push.recurseSubmodules=no',
  'push.followTags=false',
  'push.gpgSign=false',
  'fetch.recurseSubmodules=false',
  'fetch.prune=false',
  'protocol.version=2',
];

/** The `-c` words that go before every git command of ours. */
export function pinnedConfig(hooks: boolean): string[] {
  const settings = hooks ? pinned : [...pinned, 'core.hooksPath=/dev/null'];
  return settings.flatMap((setting) => ['-c', setting]);
}

/**
 * Runs one git command in a repository.
 * @param what names the step for people, where the command's own name does not.
 * @throws GitsyncError classified by git-errors.ts when the exit code is not expected.
 */
export async function git(repo: Repo, args: readonly string[], options: GitOptions = {}, what?: string): Promise<GitResult> {
  const extra = { GIT_DIR: repo.gitDir, GIT_WORK_TREE: repo.workTree, ...(options.indexFile === undefined ? {} : { GIT_INDEX_FILE: options.indexFile }), ...options.env };
  const words = [...pinnedConfig(repo.hooks), ...(options.config ?? []).flatMap((setting) => ['-c', setting]), ...args];
  const result = await run('git', words, {
    cwd: options.cwd ?? repo.workTree,
    env: gitEnvironment(extra),
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.inputFile === undefined ? {} : { inputFile: options.inputFile }),
    ...(options.outputFile === undefined ? {} : { outputFile: options.outputFile }),
    ...(options.idleTimeoutMs === undefined ? {} : { idleTimeoutMs: options.idleTimeoutMs }),
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  repo.log.debug(`git ${args[0] ?? ''}`, { args: args.slice(1, 8).join(' '), exit: result.exitCode, ms: Math.round(result.ms) });
  if (!(options.expect ?? [0]).includes(result.exitCode)) throw classifyGitFailure(what ?? args[0] ?? '', result.exitCode, result.stderr);
  return result;
}

/** Input that another program's answer makes: the one that reads it can start meanwhile. */
export function inputLater(text: Promise<string | Buffer>): Readable {
  text.catch(() => undefined); // whoever asked for the answer hears why there is none
  return Readable.from(
    (async function* () {
      const input = await text;
      if (input.length > 0) yield input;
    })(),
  );
}

/** Runs git and returns its output as text without the final newline. */
export async function gitText(repo: Repo, args: readonly string[], options: GitOptions = {}, what?: string): Promise<string> {
  return (await git(repo, args, options, what)).stdout.toString('utf8').replace(/\n$/, '');
}

/** Runs git outside any repository (clone, init, version). */
export async function gitAnywhere(args: readonly string[], cwd: string, options: Omit<GitOptions, 'cwd' | 'indexFile'> = {}): Promise<GitResult> {
  const result = await run('git', [...pinnedConfig(true), ...(options.config ?? []).flatMap((setting) => ['-c', setting]), ...args], {
    cwd,
    env: gitEnvironment(options.env),
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.inputFile === undefined ? {} : { inputFile: options.inputFile }),
    ...(options.outputFile === undefined ? {} : { outputFile: options.outputFile }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.idleTimeoutMs === undefined ? {} : { idleTimeoutMs: options.idleTimeoutMs }),
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
  });
  if (!(options.expect ?? [0]).includes(result.exitCode)) throw classifyGitFailure(args[0] ?? '', result.exitCode, result.stderr);
  return result;
}

