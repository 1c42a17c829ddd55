/** `gitsync status`: one line for each repository, and an exit code for scripts. */
import type { AgentStatus } from '../agent/agent.ts';
import type { RepoStatus } from '../agent/repo-status.ts';
import type { RepoConfig } from '../config/config.ts';
import { ask, readConfig, type Context } from './context.ts';
import { exitCodeOfStatus, paintStatus, statusLines } from './status-lines.ts';
import { findRepos } from './target.ts';

const beginning = [
  'gitsync keeps git folders in step by itself. To begin with one of yours:',
  '',
  '  gitsync init ~/Notes --remote SERVER:notes.git    makes it a synced repository, and proves it',
  '  gitsync --daemon                                  watches it',
  '  gitsync status                                    says whether everything is safe',
  '',
  'or watch two machines follow each other first: gitsync demo',
];

/** The status of these repositories: from the agent where it watches them, else from the disk. */
async function readStatus(context: Context, paths: readonly string[]): Promise<AgentStatus> {
  const wanted = paths.length === 0 ? undefined : (await findRepos(context, paths)).repos;
  const fromAgent = await ask<AgentStatus>(context, 'status');
  if (fromAgent !== undefined && wanted === undefined) return fromAgent;
  const { repos, problems } = wanted === undefined ? await readConfig(context) : { repos: wanted, problems: [] };
  const known = new Map(fromAgent?.repos.map((status) => [status.path, status]));
  const statusOf = async (repo: RepoConfig): Promise<RepoStatus> => known.get(repo.path) ?? readFromDisk(context, repo);
  return { config: context.configFile, problems, repos: await Promise.all(repos.map(statusOf)) };
}

async function readFromDisk(context: Context, repo: RepoConfig): Promise<RepoStatus> {
  const { statusWithoutAgent } = await import('../agent/offline-status.ts');
  return statusWithoutAgent(repo, context.log);
}

export async function runStatus(context: Context, paths: readonly string[]): Promise<number> {
  const status = await readStatus(context, paths);
  const nothing = status.repos.length === 0 && status.problems.length === 0;
  context.answer(nothing ? beginning : statusLines(status), status, paintStatus(status));
  return exitCodeOfStatus(status);
}
