/** What every command needs: the config file, the log, where answers go, and the way to a repository. */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { askAgent } from '../agent/control.ts';
import { agentPaths } from '../agent/runtime-dir.ts';
import { defaultRepoConfig, type Config, type RepoConfig } from '../config/config.ts';
import { findConfigFile, userConfigFile } from '../config/find-config.ts';
import { loadConfig } from '../config/load-config.ts';
import { GitsyncError } from '../errors.ts';
import { createLog, type Log, type LogLevel } from '../log.ts';

/** The options that every command takes. */
export interface GlobalOptions {
  config?: string;
  verbose?: boolean;
  debug?: boolean;
  json?: boolean;
}

export interface Context {
  options: GlobalOptions;
  /** The config file in use, or the one that `init` and `add` would make. */
  configFile: string;
  log: Log;
  /** Prints an answer: the object with --json, else the text. */
  answer(text: string, object: unknown): void;
}

export function createContext(options: GlobalOptions, defaultLevel: LogLevel = 'warn'): Context {
  const level = options.debug ? 'debug' : options.verbose ? 'info' : defaultLevel;
  return {
    options,
    configFile: resolve(findConfigFile(process.env, options.config) ?? options.config ?? userConfigFile()),
    log: createLog({ level, json: options.json ?? false }),
    answer(text, object) {
      process.stdout.write(options.json ? `${JSON.stringify(object, jsonReplacer, 2)}\n` : text === '' ? '' : `${text}\n`);
    },
  };
}

/** Sets become lists, and "for ever" a word, in JSON. */
function jsonReplacer(_key: string, value: unknown): unknown {
  if (value instanceof Set) return [...(value as Set<unknown>)];
  return value === Infinity ? 'forever' : value;
}

/** The config file's content; an empty config where there is no file. */
export async function readConfig(context: Context): Promise<Config> {
  if (!existsSync(context.configFile)) return { file: context.configFile, repos: [], logLevel: 'info', notify: false, problems: [] };
  return loadConfig(context.configFile);
}

/** A path of a person's, resolved as far as it exists. */
export function realPath(path: string): string {
  const absolute = resolve(path);
  if (existsSync(absolute)) return realpathSync(absolute);
  const parent = dirname(absolute);
  return parent === absolute ? absolute : `${realPath(parent).replace(/\/$/, '')}/${absolute.slice(parent.length).replace(/^\//, '')}`;
}

export interface Target {
  repo: RepoConfig;
  /** The path inside the work tree; '' for its root. */
  path: string;
}

/** The repository that a path lies in: a configured one, else the work tree around it. */
export async function findTarget(context: Context, path: string): Promise<Target> {
  const real = realPath(path);
  const { repos } = await readConfig(context);
  const inside = (root: string): boolean => real === root || real.startsWith(`${root}/`);
  const configured = repos.filter((repo) => inside(realPath(repo.path))).sort((a, b) => b.path.length - a.path.length)[0];
  if (configured !== undefined) return { repo: configured, path: relative(realPath(configured.path), real) };
  for (let directory = real; ; directory = dirname(directory)) {
    if (existsSync(`${directory}/.git`)) return { repo: defaultRepoConfig(directory), path: relative(directory, real) };
    if (dirname(directory) === directory) throw new GitsyncError('not-a-repository', `${path} is in no git work tree.`, { hint: `gitsync init ${path}` });
  }
}

/** Asks the running agent; undefined when none runs for this config. */
export async function ask<T>(context: Context, op: string, args: Record<string, unknown> = {}): Promise<T | undefined> {
  return (await askAgent(agentPaths(context.configFile).socket, { op, args }))?.result as T | undefined;
}

/** Runs an operation on one repository: by the agent where it watches it, else here. */
export async function operate<T>(context: Context, target: Target, op: string, args: Record<string, unknown> = {}): Promise<T> {
  const paths = (await ask<{ repos: { path: string }[] }>(context, 'status'))?.repos.map(({ path }) => path);
  if (paths?.includes(target.repo.path)) return (await ask<T>(context, op, { paths: [target.repo.path], path: target.path, ...args })) as T;
  const { withRepository } = await import('../agent/once.ts');
  const { runRepoOperation } = await import('../agent/repo-operations.ts');
  return (await withRepository(target.repo, context.log, (session) => runRepoOperation(session, op, { path: target.path, ...args }))) as T;
}
