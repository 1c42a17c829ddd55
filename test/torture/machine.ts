/** One machine of a torture run: home, repository, agent, clock and line to the remote, each of which can be troubled. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { appendFileSync, closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentStatus } from '../../src/agent/agent.ts';
import { askAgent } from '../../src/agent/control.ts';
import { runtimePaths } from '../../src/process/runtime-dir.ts';

export interface GitAnswer {
  status: number;
  stdout: string;
  stderr: string;
}

export interface TortureMachine {
  name: string;
  home: string;
  /** The work tree. */
  root: string;
  /** A file system of its own that can be filled up, if there is one. */
  ownDisk: boolean;
  /** Whether its agent's clock can be set. */
  ownClock: boolean;
  logFile: string;
  /** The person's own git. */
  git(...args: string[]): GitAnswer;
  isRunning(): boolean;
  pid(): number | undefined;
  start(): Promise<void>;
  /** Ends the agent; the exit code, or the signal that ended it. */
  stop(signal: NodeJS.Signals): Promise<number | string | null>;
  ask<T>(op: string, args?: Record<string, unknown>): Promise<T | undefined>;
  status(): Promise<AgentStatus['repos'][number] | undefined>;
  setClock(offset: string): void;
  /** Sets how the line to the remote behaves. */
  setLine(state: 'good' | 'cut' | 'slow' | 'breaking'): void;
  /** Process ids of what the agent has started. */
  descendants(): number[];
}

export interface MachineOptions {
  name: string;
  home: string;
  remote: string;
  program: string;
  /** Lines of the [gitsync] section. */
  settings: string;
  /** Works as with very many files, where commits go out before the indexes follow. */
  manyFiles: boolean;
  ownDisk: boolean;
  /** Where libfaketime is, if it is installed. */
  fakeTime: string | undefined;
}

/** Stands between git and the remote's programs: slow, or dying in the middle. */
const lineScript = `#!/bin/sh
state=$(cat "$LINE_STATE" 2>/dev/null)
case $state in
slow) sleep 1 ;;
breaking) exec timeout -s KILL 0.03 "$@" ;;
esac
exec "$@"
`;

export function prepareMachine(options: MachineOptions): TortureMachine {
  const { name, home, remote, settings } = options;
  const root = join(home, 'Notes');
  const side = `${home}.side`;
  for (const directory of [join(home, '.config'), side]) mkdirSync(directory, { recursive: true });
  mkdirSync(join(side, 'run'), { mode: 0o700 });
  const link = join(side, 'remote.git');
  symlinkSync(remote, link);
  const [clockFile, lineFile, lineProgram, logFile] = [join(side, 'clock'), join(side, 'line'), join(side, 'line.sh'), join(side, 'agent.log')];
  writeFileSync(clockFile, '+0\n');
  writeFileSync(lineFile, 'good');
  writeFileSync(lineProgram, lineScript, { mode: 0o755 });
  writeFileSync(join(home, '.gitconfig'), `[user]\n\tname = ${name}\n\temail = ${name}@example.org\n[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n[protocol "file"]\n\tallow = always\n[safe]\n\tdirectory = *\n`);
  const configFile = join(home, '.config/gitsync');
  writeFileSync(configFile, `[gitsync]\nwork_dir = "${root}"\nnotify = no\n${settings}\n`);

  const inherited = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^(GIT_|SSH_|XDG_|NOTIFY_|JOURNAL_)/.test(key)));
  const personEnv: NodeJS.ProcessEnv = { ...inherited, HOME: home, XDG_CONFIG_HOME: join(home, '.config'), GIT_CONFIG_NOSYSTEM: '1', TZ: 'UTC', LC_ALL: 'C.UTF-8', GIT_EDITOR: 'true', LINE_STATE: lineFile };
  const clock = options.fakeTime === undefined ? {} : { LD_PRELOAD: options.fakeTime, FAKETIME_TIMESTAMP_FILE: clockFile, FAKETIME_CACHE_DURATION: '1', NO_FAKE_STAT: '1', DONT_FAKE_MONOTONIC: '1' };
  const agentEnv: NodeJS.ProcessEnv = { ...personEnv, ...clock, XDG_RUNTIME_DIR: join(side, 'run'), GITSYNC_HOST: name, GITSYNC_STALE_LOCK_MS: '5000', ...(options.manyFiles ? { GITSYNC_LARGE_INDEX_BYTES: '0' } : {}) };
  const socket = (): string => runtimePaths('agent', configFile, agentEnv).socket;
  let child: ChildProcess | undefined;

  const git = (...args: string[]): GitAnswer => {
    const { status, stdout, stderr } = spawnSync('git', args, { cwd: root, env: personEnv, encoding: 'utf8', timeout: 120_000, maxBuffer: 1 << 28 });
    return { status: status ?? -1, stdout: stdout ?? '', stderr: stderr ?? '' };
  };
  spawnSync('git', ['clone', '-q', link, root], { env: personEnv });
  git('config', 'remote.origin.uploadpack', `LINE_STATE='${lineFile}' '${lineProgram}' git-upload-pack`);
  git('config', 'remote.origin.receivepack', `LINE_STATE='${lineFile}' '${lineProgram}' git-receive-pack`);

  const isRunning = (): boolean => child !== undefined && child.exitCode === null && child.signalCode === null;
  const ask: TortureMachine['ask'] = async <T>(op: string, args: Record<string, unknown> = {}) => {
    try {
      const answer = askAgent(socket(), { op, args });
      answer.catch(() => undefined);
      const late = new Promise<undefined>((resolve) => setTimeout(resolve, 60_000, undefined).unref());
      return (await Promise.race([answer, late]))?.result as T | undefined;
    } catch {
      return undefined;
    }
  };
  return {
    name,
    home,
    root,
    ownDisk: options.ownDisk,
    ownClock: options.fakeTime !== undefined,
    logFile,
    git,
    isRunning,
    pid: () => (isRunning() ? child?.pid : undefined),
    async start() {
      if (isRunning()) return;
      const log = openSync(logFile, 'a');
      child = spawn(process.execPath, [options.program, '--daemon', '--debug'], { env: agentEnv, cwd: side, stdio: ['ignore', log, log], detached: true });
      closeSync(log);
      await new Promise((resolve) => setTimeout(resolve, 50));
    },
    async stop(signal) {
      const ending = child;
      if (ending === undefined || !isRunning()) return null;
      const ended = new Promise<number | string | null>((resolve) => ending.once('exit', (code, by) => resolve(code ?? by)));
      ending.kill(signal);
      return ended;
    },
    ask,
    status: async () => (await ask<AgentStatus>('status', { paths: [] }))?.repos[0],
    setClock: (offset) => writeFileSync(clockFile, `${offset}\n`),
    setLine(state) {
      rmSync(link, { force: true });
      if (state !== 'cut') symlinkSync(remote, link);
      writeFileSync(lineFile, state);
    },
    descendants: () => (child?.pid === undefined ? [] : descendantsOf(child.pid)),
  };
}

function parentOf(pid: string): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

function descendantsOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const each of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const parent = parentOf(each);
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(each)]);
  }
  const found: number[] = [];
  for (const queue = [pid]; queue.length > 0; ) {
    const next = children.get(queue.shift() as number) ?? [];
    found.push(...next);
    queue.push(...next);
  }
  return found;
}

/** Processes that still run with this home, other than the agent itself. */
export function processesOf(home: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        return existsSync(`/proc/${name}/exe`) && readFileSync(`/proc/${name}/environ`, 'latin1').split('\0').includes(`HOME=${home}`);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** A line into the agent's log, to find one's way in it. */
export function noteInLog(machine: TortureMachine, text: string): void {
  appendFileSync(machine.logFile, `---- ${new Date().toISOString()} ${text}\n`);
}
