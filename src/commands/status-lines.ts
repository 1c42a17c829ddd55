/** How repositories and their status are shown. */
import { homedir } from 'node:os';
import type { AgentStatus } from '../agent/agent.ts';
import { formatProblem } from '../config/config-problem.ts';
import type { SafetyLevel } from '../core/status.ts';
import { printable } from '../log.ts';

type Status = Pick<AgentStatus, 'repos' | 'problems'>;

const exitByLevel: Record<SafetyLevel, number> = { safe: 0, attention: 1, unsafe: 2 };
const colours: Record<SafetyLevel, string> = { safe: '\x1b[32m', attention: '\x1b[33m', unsafe: '\x1b[31m' };

/** `~/Notes` for a path below the home directory. */
export function shortPath(path: string): string {
  const home = homedir();
  return path === home || path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}

/** One line for each repository, in columns, after the mistakes in the config. */
export function statusLines({ repos, problems }: Status): string[] {
  const paths = repos.map(({ path }) => printable(shortPath(path)));
  const pathWidth = Math.max(0, ...paths.map(({ length }) => length));
  const stateWidth = Math.max(0, ...repos.map(({ state }) => state.length));
  const lines = repos.map(({ state, why, commands }, i) => {
    const helps = commands.length === 0 ? '' : `   -> ${commands.join(' | ')}`;
    return `${(paths[i] as string).padEnd(pathWidth)}  ${state.padEnd(stateWidth)}  ${why}${helps}`;
  });
  return [...problems.map((problem) => `config: ${formatProblem(problem)}`), ...lines];
}

/** Colours the states in the lines of `statusLines`, on a terminal. */
export function paintStatus({ repos, problems }: Status): (line: string, index: number) => string {
  return (line, index) => {
    const repo = repos[index - problems.length];
    if (repo === undefined || !process.stdout.isTTY || process.env['NO_COLOR']) return line;
    const start = line.indexOf(`  ${repo.state}`, printable(shortPath(repo.path)).length) + 2;
    return `${line.slice(0, start)}${colours[repo.level]}${repo.state}\x1b[0m${line.slice(start + repo.state.length)}`;
  };
}

/** 0 all safe, 1 attention, 2 not safe. */
export function exitCodeOfStatus({ repos, problems }: Status): number {
  return Math.max(problems.length > 0 ? 1 : 0, ...repos.map(({ level }) => exitByLevel[level]));
}
