/** A new project's sysconf/: the chosen profiles, a root profile, bindings, and this program. */
import { chmodSync, copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { GitsyncError } from '../errors.ts';
import { gitAnywhere } from '../git/git.ts';
import { filesOfProfile, listEngines } from './profiles.ts';
import type { Project } from './project.ts';
import { detail } from './report.ts';

function writeNew(file: string, content: Buffer | string, mode = 0o644): boolean {
  if (existsSync(file)) return false;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content, { mode });
  chmodSync(file, mode);
  return true;
}

function writeProfile(root: string, profile: string, replace: boolean): void {
  for (const { path, mode, content } of filesOfProfile(profile)) {
    const file = join(root, profile, path);
    if (!replace && existsSync(file)) continue;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    chmodSync(file, mode);
  }
  detail(`sysconf/${profile}`);
}

/** The profile and those that it depends on, dependencies first. */
function withDependencies(profile: string, done: string[] = []): string[] {
  if (done.includes(profile)) return done;
  const deps = filesOfProfile(profile).find(({ path }) => path === 'deps');
  for (const name of deps?.content.toString('utf8').split(/\s+/).filter((word) => word !== '') ?? []) withDependencies(name, done);
  done.push(profile);
  return done;
}

/** The branch that is checked out, `master` before the first commit of an old git. */
async function currentBranch(project: Project): Promise<string> {
  const { stdout, exitCode } = await gitAnywhere(['symbolic-ref', '--short', 'HEAD'], project.workTree, { expect: [0, 1, 128] });
  return exitCode === 0 ? stdout.toString('utf8').trim() : 'master';
}

/** Writes what is not there yet; profiles that come with the program are brought up to date. */
export async function scaffold(project: Project, engines: readonly string[], program: string): Promise<void> {
  if (project.workTree === '') throw new GitsyncError('usage', 'This repository has no work tree.');
  const unknown = engines.filter((engine) => !listEngines().includes(engine));
  if (unknown.length > 0) throw new GitsyncError('usage', `There is no profile for ${unknown.join(', ')}.`, { hint: `gitted-client scaffold --with ${listEngines().join(',')}` });
  const root = join(project.workTree, project.sysconf);
  const branch = (await currentBranch(project)).replaceAll('/', '%2f');
  const profiles = engines.reduce<string[]>((done, engine) => withDependencies(`sysconf.gitted.${engine}`, done), withDependencies('sysconf.gitted'));
  for (const profile of profiles) writeProfile(root, profile, true);
  writeNew(join(root, 'actual/deps'), [...(engines.length === 0 ? ['sysconf.gitted'] : engines.map((engine) => `sysconf.gitted.${engine}`)), ''].join('\n'));
  writeNew(join(root, 'type'), 'debian bookworm\n');
  for (const engine of engines) {
    const binding = filesOfProfile(`sysconf.gitted.${engine}`).find(({ path }) => path === 'binding.conf');
    const file = `actual/tree/etc/gitted/sync/${branch}.${engine}.conf`;
    if (binding !== undefined && writeNew(join(root, file), binding.content)) detail(`sysconf/${file}`);
  }
  const client = join(root, 'gitted-client');
  if (program !== client) copyFileSync(program, client);
  chmodSync(client, 0o755);
  writeNew(join(project.workTree, '.gitattributes'), '*.copy merge=gitted-rows\n*.tsv merge=gitted-rows\n');
}
