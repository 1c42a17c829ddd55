/** A project's sysconf/: the profiles that were chosen or that it depends on, a root profile, bindings, and this program. */
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
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

const wordsOf = (text: string): string[] => text.split('\n').flatMap((line) => line.replace(/#.*/, '').split(/\s+/)).filter((word) => word !== '');

/** The names in a profile's `deps`: the program's own profiles as they come with it, others as they are in the tree. */
function dependenciesOf(root: string, profile: string): string[] {
  const own = filesOfProfile(profile);
  if (own.length > 0) return wordsOf(own.find(({ path }) => path === 'deps')?.content.toString('utf8') ?? '');
  if (profile !== 'actual' && !existsSync(join(root, profile))) {
    throw new GitsyncError('config', `${root} names the profile ${profile}, which is neither there nor one that comes with this program.`, { hint: `make ${join(root, profile)}, or mend the deps that name it` });
  }
  const file = join(root, profile, 'deps');
  return existsSync(file) ? wordsOf(readFileSync(file, 'utf8')) : [];
}

/** The profile and those that it depends on, dependencies first. */
function withDependencies(root: string, profile: string, done: string[] = [], way: string[] = []): string[] {
  if (done.includes(profile) || way.includes(profile)) return done;
  for (const name of dependenciesOf(root, profile)) withDependencies(root, name, done, [...way, profile]);
  done.push(profile);
  return done;
}

function appendLines(file: string, lines: readonly string[]): void {
  mkdirSync(dirname(file), { recursive: true });
  const text = existsSync(file) ? readFileSync(file, 'utf8').replace(/(?<=.)\n?$/, '\n') : '';
  writeFileSync(file, `${text}${lines.join('\n')}\n`);
}

/** Names in the root profile what it does not depend on yet. */
function addToActual(root: string, engines: readonly string[]): void {
  const wanted = engines.length === 0 ? ['sysconf.gitted'] : engines.map((engine) => `sysconf.gitted.${engine}`);
  const known = withDependencies(root, 'actual');
  const missing = wanted.filter((profile) => !known.includes(profile));
  if (missing.length === 0) return;
  appendLines(join(root, 'actual/deps'), missing);
}

/** Files of exported state that git is to merge by rows. */
const rowPatterns = ['*.copy', '*.tsv', '**/data/*/*.json'];

/** Has such files merged by rows; a pattern of which a person has said how it is merged stays as it is. */
function addAttributes(file: string): void {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').map((line) => line.split(/\s+/)) : [];
  const known = new Set(lines.filter((words) => words.some((word) => /^[!-]?merge\b|^binary$/.test(word))).map(([pattern]) => pattern));
  const missing = rowPatterns.filter((pattern) => !known.has(pattern));
  if (missing.length > 0) appendLines(file, missing.map((pattern) => `${pattern} merge=gitted-rows`));
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
  addToActual(root, engines);
  for (const profile of withDependencies(root, 'actual')) if (filesOfProfile(profile).length > 0) writeProfile(root, profile, true);
  writeNew(join(root, 'type'), 'debian bookworm\n');
  for (const engine of engines) {
    const binding = filesOfProfile(`sysconf.gitted.${engine}`).find(({ path }) => path === 'binding.conf');
    const file = `actual/tree/etc/gitted/sync/${branch}.${engine}.conf`;
    if (binding !== undefined && writeNew(join(root, file), binding.content)) detail(`sysconf/${file}`);
  }
  const client = join(root, 'gitted-client');
  if (program !== client) copyFileSync(program, client);
  chmodSync(client, 0o755);
  addAttributes(join(project.workTree, '.gitattributes'));
}
