/** Connecting a repository with its containers: the program in .git, git's settings, the remote. */
import { chmodSync, copyFileSync, mkdirSync, realpathSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { GitsyncError } from '../errors.ts';
import { gitAnywhere } from '../git/git.ts';
import { checkName } from './name.ts';
import type { Project } from './project.ts';
import { forgetSettings, newId, writeSetting, type Settings } from './settings.ts';

const git = (project: Project, args: readonly string[], expect: readonly number[] = [0]) => gitAnywhere(args, project.gitDir, { env: { GIT_DIR: project.gitDir }, expect });

/** Where the program lies in a repository. */
export const programIn = (project: Project): string => join(project.gitDir, 'gitted-client');

/** What is an ordinary word in an `ext::` URL: there, a space parts words and % begins an escape. */
const extWord = (word: string): string => word.replaceAll('%', '%%').replaceAll(' ', '% ');

/** The remote's URL. */
export const remoteUrl = (project: Project, name: string): string => `ext::${extWord(programIn(project))} handle-remote-protocol ${name} %S`;

/** Copies the program into .git and makes the settings that git needs. Repeatable. */
export async function register(project: Project, program: string): Promise<void> {
  const target = programIn(project);
  if (realpathSync(program) !== target) {
    mkdirSync(project.gitDir, { recursive: true });
    copyFileSync(program, `${target}.new`);
    chmodSync(`${target}.new`, 0o755);
    renameSync(`${target}.new`, target);
  }
  // git refuses ext:: otherwise; `user` lets a person's own commands through and keeps submodules out.
  await git(project, ['config', '--local', 'protocol.ext.allow', 'user']);
  await git(project, ['config', '--local', 'protocol.gitted.allow', 'user']);
  await git(project, ['config', '--local', 'merge.gitted-rows.name', 'rows of a table, by key']);
  await git(project, ['config', '--local', 'merge.gitted-rows.driver', `${quote(target)} merge-rows %O %A %B %P`]);
}

const quote = (path: string): string => `'${path.replaceAll("'", `'\\''`)}'`;

export type NewRemote = Pick<Settings, 'driver' | 'host' | 'path' | 'sshCommand'> & { container: string | undefined; id?: string };

/** Adds the remote and its settings; one that is ours already is brought up to date. */
export async function addRemote(project: Project, name: string, remote: NewRemote): Promise<void> {
  checkName(name);
  const url = remoteUrl(project, name);
  const known = await git(project, ['config', '--local', '--get', `remote.${name}.url`], [0, 1]);
  const current = known.stdout.toString('utf8').trim();
  if (current !== '' && !/handle-remote-protocol|^gitted::/.test(current)) {
    throw new GitsyncError('usage', `There is a remote "${name}" already, and it is not a container: ${current}`, { hint: 'take another name' });
  }
  if (current === '') await git(project, ['remote', 'add', name, url]);
  else await git(project, ['remote', 'set-url', name, url]);
  const values = { driver: remote.driver, host: remote.host, path: remote.path, container: remote.container, sshCommand: remote.sshCommand };
  for (const [key, value] of Object.entries(values)) if (value !== undefined) await writeSetting(project, name, key, value);
  const id = await git(project, ['config', '--local', '--get', `gitted.${name}.id`], [0, 1]);
  if (remote.id !== undefined) await writeSetting(project, name, 'id', remote.id);
  else if (id.exitCode !== 0) await writeSetting(project, name, 'id', newId());
}

/** Forgets a remote and its settings. */
export async function removeRemote(project: Project, name: string): Promise<void> {
  await git(project, ['remote', 'remove', name], [0, 2, 128]);
  await forgetSettings(project, name);
}
