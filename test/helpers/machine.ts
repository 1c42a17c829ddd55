/** A machine of its own: home, config, runtime directory, and the built program as an agent or for one command. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentStatus } from '../../src/agent/agent.ts';
import { converge } from './converge.ts';
import { children } from './hermetic-env.ts';
import { sh, tempDir } from './repos.ts';

export const program = new URL('../../dist/gitsync.js', import.meta.url).pathname;

export interface CommandResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export interface Machine {
  name: string;
  home: string;
  env: NodeJS.ProcessEnv;
  configFile: string;
  /** Everything that its agents wrote. */
  log(): string;
  /** Writes the config file: lines of the [gitsync] section (work_dir is added), then anything else. */
  configure(workDirs: readonly string[], settings?: string, sections?: string): void;
  /** Starts the agent, with `--debug` where nothing else is said; `ready` once it answers. */
  start(options?: readonly string[]): Promise<void>;
  /** Ends the agent and waits for it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  /** Process id of the agent. */
  pid(): number;
  run(...args: string[]): CommandResult;
  /** The same in another directory than the home. */
  runIn(directory: string, ...args: string[]): CommandResult;
  status(): AgentStatus;
}

/** Quick enough for tests: small quiet period, short polls. */
export const quickSettings = 'quiet = 100ms\npoll = 1s\nmax_delay = 2s';

export function makeMachine(name: string): Machine {
  const home = tempDir(`machine-${name}`);
  mkdirSync(join(home, '.config'));
  mkdirSync(join(home, 'run'), { mode: 0o700 });
  writeFileSync(join(home, '.gitconfig'), `[user]\n\tname = ${name}\n\temail = ${name}@example.org\n[init]\n\tdefaultBranch = main\n[protocol "file"]\n\tallow = always\n`);
  const env: NodeJS.ProcessEnv = { ...process.env, HOME: home, XDG_CONFIG_HOME: join(home, '.config'), XDG_RUNTIME_DIR: join(home, 'run'), GITSYNC_HOST: name };
  const configFile = join(home, '.config/gitsync');
  const logFile = join(home, 'agent.log');
  writeFileSync(logFile, '');
  let child: ChildProcess | undefined;

  const runIn: Machine['runIn'] = (directory, ...args) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { env, cwd: directory, encoding: 'utf8', timeout: 60_000 });
    return { exitCode: status ?? -1, stdout, stderr };
  };
  const run: Machine['run'] = (...args) => runIn(home, ...args);

  return {
    name,
    home,
    env,
    configFile,
    log: () => readFileSync(logFile, 'utf8'),
    configure(workDirs, settings = quickSettings, sections = '') {
      writeFileSync(configFile, `[gitsync]\nwork_dir = ${workDirs.map((path) => JSON.stringify(path)).join(', ')}\n${settings}\n${sections}`);
    },
    async start(options = ['--debug']) {
      child = spawn('/bin/sh', ['-c', 'exec "$0" "$@" 2>>"$LOG"', process.execPath, program, '--daemon', ...options], { env: { ...env, LOG: logFile }, cwd: home, stdio: 'ignore' });
      children.add(child);
      const mine = child;
      child.on('exit', () => children.delete(mine));
      await converge(`the agent of ${name} answers`, () => run('status', '--json').stdout.includes('"agentRuns": true') || run('status', '--json').stdout.includes('"repos": []'));
    },
    async stop(signal = 'SIGTERM') {
      const ending = child;
      child = undefined;
      if (ending === undefined || ending.exitCode !== null) return ending?.exitCode ?? null;
      const ended = new Promise<number | null>((resolve) => ending.once('exit', resolve));
      ending.kill(signal);
      return ended;
    },
    pid: () => child?.pid as number,
    run,
    runIn,
    status: () => JSON.parse(run('status', '--json').stdout) as AgentStatus,
  };
}

/** Whether two repositories (and a bare one) stand at the same commit with clean work trees. */
export function inStep(...repos: string[]): boolean {
  const heads = new Set(repos.map((repo) => sh(repo, 'rev-parse', 'refs/heads/main')));
  return heads.size === 1;
}
