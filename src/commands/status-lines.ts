/** How repositories and their status are shown. */
import { homedir } from 'node:os';
import type { AgentStatus } from '../agent/agent.ts';
import { formatProblem } from '../config/config-problem.ts';
import type { ContainerLine } from '../core/container-status.ts';
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

/** One line for each repository and, indented, for each of its containers, in columns, after the mistakes in the config. */
export function statusLines({ repos, problems }: Status): string[] {
  const paths = repos.map(({ path }) => printable(shortPath(path)));
  const pathWidth = Math.max(0, ...paths.map(({ length }) => length));
  const stateWidth = Math.max(0, ...repos.map(({ state }) => state.length));
  const lines = repos.flatMap(({ state, why, commands, containers }, i) => [
    `${(paths[i] as string).padEnd(pathWidth)}  ${state.padEnd(stateWidth)}  ${why}${helpOf(commands)}`,
    ...containerLines(containers),
  ]);
  return [...problems.map((problem) => `config: ${formatProblem(problem)}`), ...lines];
}

const helpOf = (commands: readonly string[]): string => (commands.length === 0 ? '' : `   -> ${commands.join(' | ')}`);

/** One indented line for each container, below its repository. */
export function containerLines(containers: readonly ContainerLine[]): string[] {
  const width = (pick: (line: ContainerLine) => string): number => Math.max(0, ...containers.map((line) => pick(line).length));
  const [nameWidth, machineWidth, stateWidth] = [width(({ name }) => name), width(({ machine }) => machine), width(({ state }) => state)];
  return containers.map(({ name, machine, state, why, commands }) => `  ${name.padEnd(nameWidth)}  ${machine.padEnd(machineWidth)}  ${state.padEnd(stateWidth)}  ${why}${helpOf(commands)}`);
}

/** Colours the states in the lines of `statusLines`, on a terminal. */
export function paintStatus({ repos, problems }: Status): (line: string, index: number) => string {
  const rows: { level: SafetyLevel; state: string; from: number }[] = repos.flatMap((repo) => [
    { level: repo.level, state: repo.state, from: printable(shortPath(repo.path)).length },
    ...repo.containers.map(({ level, state, name, machine }) => ({ level, state, from: 2 + name.length + machine.length })),
  ]);
  return (line, index) => {
    const row = rows[index - problems.length];
    if (row === undefined || !process.stdout.isTTY || process.env['NO_COLOR']) return line;
    const start = line.indexOf(`  ${row.state}`, row.from) + 2;
    return `${line.slice(0, start)}${colours[row.level]}${row.state}\x1b[0m${line.slice(start + row.state.length)}`;
  };
}

/** 0 all safe, 1 attention, 2 not safe. */
export function exitCodeOfStatus({ repos, problems }: Status): number {
  return Math.max(problems.length > 0 ? 1 : 0, ...repos.flatMap(({ level, containers }) => [level, ...containers.map((container) => container.level)]).map((level) => exitByLevel[level]));
}
