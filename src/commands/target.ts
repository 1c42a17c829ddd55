/** From a path that a person typed to the repository that it lies in, and to work done there. */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import type { Config, RepoConfig } from '../config/config.ts';
import { shellQuote } from '../core/shell-quote.ts';
import { GitsyncError } from '../errors.ts';
import { ask, readConfig, watchedPaths, type Context } from './context.ts';
import { shortPath, statusLines } from './status-lines.ts';

export interface Target {
  repo: RepoConfig;
  /** The path inside the work tree; '' for its root. */
  path: string;
}

/** A path of a person's, resolved as far as it exists. */
export function realPath(path: string): string {
  const absolute = resolve(path);
  if (existsSync(absolute)) return realpathSync(absolute);
  const parent = dirname(absolute);
  return parent === absolute ? absolute : resolve(realPath(parent), relative(parent, absolute));
}

const isInside = (path: string, root: string): boolean => path === root || path.startsWith(`${root}/`);

/**
 * The repository that a path lies in: a configured one, else the work tree around it.
 * @throws GitsyncError when it lies in none, or in one that cannot be used now
 */
export async function findTarget(context: Context, text: string): Promise<Target> {
  const path = realPath(text);
  const config = await readConfig(context);
  const configured = config.repos.filter((repo) => isInside(path, realPath(repo.path))).sort((a, b) => b.path.length - a.path.length)[0];
  if (configured !== undefined) return { repo: configured, path: relative(realPath(configured.path), path) };
  refuseUnusable(config, path);
  for (let directory = path; ; directory = dirname(directory)) {
    if (existsSync(`${directory}/.git`)) return { repo: await unlisted(directory), path: relative(directory, path) };
    if (dirname(directory) === directory) throw notFound(config, path);
  }
}

async function unlisted(path: string): Promise<RepoConfig> {
  const { defaultRepoConfig } = await import('../config/config.ts');
  return defaultRepoConfig(path);
}

/** A listed directory that is away or has a mistake in its section is not taken for one that nobody listed. */
export function refuseUnusable(config: Config, path: string): void {
  const trouble = config.problems.find(({ scope }) => scope !== undefined && isInside(path, realPath(scope)));
  if (trouble !== undefined) throw new GitsyncError('config', `${trouble.message} (listed in ${shortPath(config.file)}:${trouble.line}).`, { hint: trouble.hint ?? 'gitsync config --check' });
}

function notFound({ repos }: Config, path: string): GitsyncError {
  const hint = repos.length > 0 ? `name one of: ${repos.map((repo) => shellQuote(repo.path)).join(' ')}` : 'gitsync init PATH makes a folder a synced repository';
  return new GitsyncError('not-a-repository', existsSync(path) ? `${shortPath(path)} is in no git work tree.` : `${shortPath(path)} does not exist.`, { hint });
}

/** The repositories that these paths lie in; without paths, all that are listed, and what is wrong with the list. */
export async function findRepos(context: Context, paths: readonly string[]): Promise<Pick<Config, 'repos' | 'problems'>> {
  if (paths.length === 0) return readConfig(context);
  const targets = await Promise.all(paths.map((path) => findTarget(context, path)));
  return { repos: [...new Map(targets.map(({ repo }) => [repo.path, repo])).values()], problems: [] };
}

/** What an operation answered, and what a person should know besides. */
export interface Done<T> {
  result: T;
  notes: string[];
}

/** Runs an operation on one repository: by the agent where it watches it, else here, followed by a sync. */
export async function operate<T>(context: Context, { repo, path }: Target, op: string, args: Record<string, unknown> = {}): Promise<Done<T>> {
  if ((await watchedPaths(context))?.has(repo.path)) return { result: (await ask<T>(context, op, { paths: [repo.path], path, ...args })) as T, notes: [] };
  const [{ syncOnce, withRepository }, { runRepoOperation }] = await Promise.all([import('../agent/once.ts'), import('../agent/repo-operations.ts')]);
  await refuseStranger(repo);
  const result = (await withRepository(repo, context.log, (session) => runRepoOperation(session, op, { path, ...args }))) as T;
  const repos = await syncOnce([repo], context.log);
  return { result, notes: repos.some(({ level }) => level === 'unsafe') ? statusLines({ repos, problems: [] }) : [] };
}

/** Commands that commit and publish do nothing in a work tree that nobody ever asked us to sync. */
export async function refuseStranger(repo: RepoConfig): Promise<void> {
  const [{ openRepo }, { hasOwnState }] = await Promise.all([import('../git/repository.ts'), import('../agent/own-state.ts')]);
  if (repo.line > 0 || hasOwnState(await openRepo(repo.path))) return;
  throw new GitsyncError('usage', `${shortPath(repo.path)} is a git work tree, but not one that gitsync looks after.`, { hint: `gitsync add ${shellQuote(repo.path)}` });
}
