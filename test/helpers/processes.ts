/** What runs on this machine, as the kernel tells it. */
import { readdirSync, readFileSync } from 'node:fs';

/** State and process group of a process; undefined when it is gone. */
function statOf(pid: number): { state: string; group: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state = '', , group] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state, group: Number(group) };
  } catch {
    return undefined;
  }
}

/** Whether a process runs; a zombie, which only its parent can clear away, does not. */
export function isRunning(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== undefined && stat.state !== 'Z';
}

/** Ids of all processes that run. */
export function runningPids(): number[] {
  return readdirSync('/proc').map(Number).filter((pid) => pid > 0 && isRunning(pid));
}

/** Ids of the running processes of a process group. */
export function groupOf(group: number): number[] {
  return runningPids().filter((pid) => statOf(pid)?.group === group);
}

/** Ids of the running processes whose environment holds this setting (`NAME=VALUE`). */
export function pidsWithEnvironment(setting: string): number[] {
  const has = (pid: number): boolean => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(setting);
    } catch {
      return false;
    }
  };
  return runningPids().filter(has);
}

/** Kills processes, of which some may have ended by themselves meanwhile. */
export function endAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone already.
    }
  }
}
