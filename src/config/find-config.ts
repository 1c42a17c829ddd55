/** Where the config file is. Imports nothing heavy: every command needs this first. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

/** The config of the whole system, for machines whose user has none of their own. */
export const systemConfigFile = '/etc/gitsync.cfg';

/** Where a person's own config is, or would be. */
export function userConfigFile(env: NodeJS.ProcessEnv = process.env): string {
  const xdg = env['XDG_CONFIG_HOME'];
  // The XDG specification says that relative paths are to be ignored.
  const directory = xdg !== undefined && isAbsolute(xdg) ? xdg : join(env['HOME'] || homedir(), '.config');
  return join(directory, 'gitsync');
}

/** The config to use: the one asked for, else the user's, else the system's; undefined if there is none. */
export function findConfigFile(env: NodeJS.ProcessEnv = process.env, explicit?: string, systemFile = systemConfigFile): string | undefined {
  if (explicit !== undefined) return resolve(explicit);
  return [userConfigFile(env), systemFile].find((file) => existsSync(file));
}
