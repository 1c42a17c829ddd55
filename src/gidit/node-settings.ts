/** Where the store is and how the daemon takes part: options first, then git's own configuration (`git config --global gidit.peer ...`). */
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { gitAnywhere } from '../git/git.ts';
import type { RecruitSettings } from './recruit.ts';

/**
 * All values of `gidit.*`, by lower-case name without the prefix; the last of several is the one that counts.
 * @param directory within a repository that repository's own settings count too.
 */
export async function readGiditConfig(directory = homedir()): Promise<Map<string, string[]>> {
  const { stdout } = await gitAnywhere(['config', '--null', '--get-regexp', '^gidit\\.'], directory, { expect: [0, 1] });
  const values = new Map<string, string[]>();
  for (const entry of stdout.toString('utf8').split('\0').filter((text) => text !== '')) {
    const end = entry.indexOf('\n');
    const name = (end < 0 ? entry : entry.slice(0, end)).slice('gidit.'.length).toLowerCase();
    values.set(name, [...(values.get(name) ?? []), end < 0 ? 'true' : entry.slice(end + 1)]);
  }
  return values;
}

/** The store's directory: what was asked for, `gidit.base`, or `$XDG_DATA_HOME/gidit`. Absolute. */
export function baseDirectory(asked: string | undefined, config: ReadonlyMap<string, string[]>, env: NodeJS.ProcessEnv = process.env): string {
  const configured = asked ?? config.get('base')?.at(-1);
  if (configured !== undefined) return resolve(configured.replace(/^~(?=\/)/, homedir()));
  const data = env['XDG_DATA_HOME'];
  return resolve(data === undefined || data === '' ? `${homedir()}/.local/share` : data, 'gidit');
}

export interface NodeSettings {
  listen: string[];
  /** The port was chosen by us, so another one serves as well where it is taken. */
  isDefaultPort: boolean;
  peers: string[];
  lan: boolean;
  localPort: number | undefined;
  joinsPerSecond: number;
  recruiting: RecruitSettings;
}

const defaultCopies = 3;

export const defaultPort = 4119;

export interface NodeOptions {
  listen?: string[] | undefined;
  peer?: string[] | undefined;
  noLan?: boolean | undefined;
  localPort?: string | undefined;
  joinsPerSecond?: string | undefined;
}

/** Puts options and configuration together. */
export function nodeSettings(options: NodeOptions, config: ReadonlyMap<string, string[]>): NodeSettings {
  const listen = options.listen ?? config.get('listen');
  const localPort = options.localPort ?? config.get('localport')?.at(-1);
  const lan = config.get('lan')?.at(-1) ?? 'true';
  return {
    listen: listen ?? [`/ip4/0.0.0.0/tcp/${defaultPort}`],
    isDefaultPort: listen === undefined,
    peers: [...(config.get('peer') ?? []), ...(options.peer ?? [])],
    lan: options.noLan !== true && !/^(false|no|off|0)$/i.test(lan),
    localPort: localPort === undefined ? undefined : Number(localPort),
    joinsPerSecond: Number(options.joinsPerSecond ?? config.get('joinspersecond')?.at(-1) ?? 5),
    recruiting: { copies: Number(config.get('copies')?.at(-1) ?? defaultCopies), mirrorFor: new Set((config.get('mirrorfor') ?? []).map((fingerprint) => fingerprint.replaceAll(' ', '').toUpperCase())) },
  };
}
