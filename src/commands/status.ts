/** `gitsync status`: one line for each repository, and an exit code for scripts. */
import type { AgentStatus } from '../agent/agent.ts';
import { statusWithoutAgent } from '../agent/offline-status.ts';
import type { RepoStatus } from '../agent/repo-status.ts';
import { formatProblem } from '../config/config-problem.ts';
import type { SafetyLevel } from '../core/status.ts';
import { printable } from '../log.ts';
import { homedir } from 'node:os';
import { ask, findTarget, readConfig, type Context } from './context.ts';

const exitByLevel: Record<SafetyLevel, number> = { safe: 0, attention: 1, unsafe: 2 };
const colours: Record<SafetyLevel, string> = { safe: '\x1b[32m', attention: '\x1b[33m', unsafe: '\x1b[31m' };

/** `~/Notes` for a path below the home directory. */
export function shortPath(path: string): string {
  const home = homedir();
  return path === home || path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}

function formatLine(status: RepoStatus, widths: { path: number; state: number }): string {
  const colour = process.stdout.isTTY ? colours[status.level] : '';
  const state = `${colour}${status.state.padEnd(widths.state)}${colour === '' ? '' : '\x1b[0m'}`;
  const commands = status.commands.length === 0 ? '' : `   -> ${status.commands.join(' | ')}`;
  return `${printable(shortPath(status.path)).padEnd(widths.path)}  ${state}  ${printable(status.why)}${commands}`;
}

/** The lines of a status answer, aligned. */
export function formatStatus({ repos, problems }: Pick<AgentStatus, 'repos' | 'problems'>): string {
  const widths = { path: Math.max(0, ...repos.map(({ path }) => shortPath(path).length)), state: Math.max(0, ...repos.map(({ state }) => state.length)) };
  return [...problems.map((problem) => `config: ${formatProblem(problem)}`), ...repos.map((repo) => formatLine(repo, widths))].join('\n');
}

/** 0 all safe, 1 attention, 2 not safe. */
export function exitCodeOfStatus({ repos, problems }: Pick<AgentStatus, 'repos' | 'problems'>): number {
  return Math.max(problems.length > 0 ? 1 : 0, ...repos.map(({ level }) => exitByLevel[level]));
}

const beginning = `gitsync keeps git folders in step by itself. To begin with one of yours:

  gitsync init ~/Notes --remote SERVER:notes.git    makes it a synced repository, and proves it
  gitsync --daemon                                  watches it
  gitsync status                                    says whether everything is safe

or watch two machines follow each other first: gitsync demo`;

/** The status of these repositories: from the agent where it runs, else from the disk. */
export async function readStatus(context: Context, paths: readonly string[]): Promise<AgentStatus> {
  const targets = await Promise.all(paths.map(async (path) => (await findTarget(context, path)).repo));
  const fromAgent = await ask<AgentStatus>(context, 'status');
  if (fromAgent !== undefined) {
    const watched = fromAgent.repos.filter(({ path }) => targets.length === 0 || targets.some((repo) => repo.path === path));
    const others = targets.filter((repo) => !fromAgent.repos.some(({ path }) => path === repo.path));
    return { ...fromAgent, repos: [...watched, ...(await Promise.all(others.map((repo) => statusWithoutAgent(repo, context.log))))] };
  }
  const config = await readConfig(context);
  const repos = targets.length > 0 ? targets : config.repos;
  return { config: context.configFile, problems: config.problems, repos: await Promise.all(repos.map((repo) => statusWithoutAgent(repo, context.log))) };
}

export async function runStatus(context: Context, paths: readonly string[]): Promise<number> {
  const status = await readStatus(context, paths);
  const nothing = status.repos.length === 0 && status.problems.length === 0;
  context.answer(nothing ? beginning : formatStatus(status), status);
  return exitCodeOfStatus(status);
}
