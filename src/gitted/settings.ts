/** The remotes that are containers: sections `[gitted "NAME"]` of the repository's own config. */
import { randomUUID } from 'node:crypto';
import { GitsyncError } from '../errors.ts';
import { gitAnywhere } from '../git/git.ts';
import { checkName } from './name.ts';
import type { Project } from './project.ts';

export const driverKinds = ['lxc', 'local', 'ssh'] as const;

export interface Settings {
  name: string;
  driver: (typeof driverKinds)[number];
  /** Tells this container from another one of the same name. */
  id: string;
  /** ssh: `user@host`, or a host of ~/.ssh/config. */
  host: string | undefined;
  /** ssh: another command than `ssh`, such as `ssh -F FILE`. */
  sshCommand: string | undefined;
  /** local and ssh: the directory that is the machine; lxc: the LXC path, where it is not the default one. */
  path: string | undefined;
  /** lxc: the container's name, where it is not the remote's. */
  container: string;
  /** Whether gitted was put inside. */
  ready: boolean;
}

async function config(project: Project, args: readonly string[], expect: readonly number[] = [0]): Promise<string> {
  const result = await gitAnywhere(['config', '--local', ...args], project.gitDir, { env: { GIT_DIR: project.gitDir }, expect });
  return result.stdout.toString('utf8');
}

/** Names of the repository's containers. */
export async function listNames(project: Project): Promise<string[]> {
  const text = await config(project, ['-z', '--get-regexp', '^gitted\\..*\\.driver$'], [0, 1]);
  return text.split('\0').filter((entry) => entry !== '').map((entry) => (entry.split('\n')[0] as string).slice('gitted.'.length, -'.driver'.length));
}

/** Settings of one container. @throws GitsyncError `config` when it is not registered. */
export async function readSettings(project: Project, name: string): Promise<Settings> {
  checkName(name);
  const text = await config(project, ['-z', '--get-regexp', `^gitted\\.${name}\\.`], [0, 1]);
  const values = new Map(
    text.split('\0').filter((entry) => entry !== '').map((entry) => {
      const end = entry.indexOf('\n');
      return [entry.slice(`gitted.${name}.`.length, end), entry.slice(end + 1)] as const;
    }),
  );
  const driver = driverKinds.find((kind) => kind === values.get('driver'));
  if (driver === undefined) throw new GitsyncError('config', `There is no container remote "${name}" in this repository.`, { hint: `gitted-client init ${name}` });
  return {
    name,
    driver,
    id: values.get('id') ?? '',
    host: values.get('host'),
    sshCommand: values.get('sshcommand'),
    path: values.get('path'),
    container: checkName(values.get('container') ?? name),
    ready: values.get('ready') === 'true',
  };
}

/** Writes one setting. */
export async function writeSetting(project: Project, name: string, key: string, value: string): Promise<void> {
  await config(project, [`gitted.${name}.${key}`, value]);
}

/** Forgets a container's settings. */
export async function forgetSettings(project: Project, name: string): Promise<void> {
  await config(project, ['--remove-section', `gitted.${name}`], [0, 128]);
}

/** An id for a new container. */
export const newId = (): string => randomUUID();
