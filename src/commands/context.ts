/** What every command needs: its options, the config file, the log, and where answers go. */
import { existsSync } from 'node:fs';
import { runtimePaths } from '../process/runtime-dir.ts';
import type { Config } from '../config/config.ts';
import { findConfigFile, userConfigFile } from '../config/find-config.ts';
import { createLog, maskCredentials, printable, type Log } from '../log.ts';

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
  /** Prints lines, made safe for a terminal; nothing with --json. */
  say(...lines: string[]): void;
  /** Prints an answer: the object with --json, else the lines (after which `paint` may colour them). */
  answer(lines: readonly string[], object: unknown, paint?: (line: string, index: number) => string): void;
}

/** By default only errors are logged: what wants attention is in the answers. */
export function createContext(options: GlobalOptions): Context {
  const level = options.debug ? 'debug' : options.verbose ? 'info' : 'error';
  const json = options.json ?? false;
  const print = (lines: readonly string[], paint: (line: string, index: number) => string): void => {
    for (const [index, line] of lines.entries()) process.stdout.write(`${paint(printable(maskCredentials(line)), index)}\n`);
  };
  return {
    options,
    configFile: findConfigFile(process.env, options.config) ?? userConfigFile(),
    log: createLog({ level, json }),
    say(...lines) {
      if (!json) print(lines, (line) => line);
    },
    answer(lines, object, paint = (line) => line) {
      if (json) process.stdout.write(`${JSON.stringify(object, jsonReplacer, 2)}\n`);
      else print(lines, paint);
    },
  };
}

/** Sets become lists, and "for ever" a word, in JSON. */
function jsonReplacer(_key: string, value: unknown): unknown {
  if (value instanceof Set) return [...(value as Set<unknown>)];
  return value === Infinity ? 'forever' : value;
}

/**
 * The config file's content; an empty config where there is none.
 * @throws GitsyncError `config` when the file cannot be read, or was asked for by name and is not there
 */
export async function readConfig(context: Context): Promise<Config> {
  if (context.options.config === undefined && !existsSync(context.configFile)) return { file: context.configFile, repos: [], logLevel: 'info', notify: false, problems: [] };
  const { loadConfig } = await import('../config/load-config.ts');
  return loadConfig(context.configFile);
}

/** Asks the running agent; undefined when none runs for this config. */
export async function ask<T>(context: Context, op: string, args: Record<string, unknown> = {}): Promise<T | undefined> {
  const { askAgent } = await import('../agent/control.ts');
  return (await askAgent(runtimePaths('agent', context.configFile).socket, { op, args }))?.result as T | undefined;
}

/** The repositories that the running agent looks after, by path; undefined when none runs. */
export async function watchedPaths(context: Context): Promise<Set<string> | undefined> {
  const answer = await ask<{ repos: string[] }>(context, 'ping');
  return answer === undefined ? undefined : new Set(answer.repos);
}
