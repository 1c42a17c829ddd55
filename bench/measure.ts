/** What the benchmarks measure with: times, processor time, memory, kernel watches; and their tables. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { dirname, join } from 'node:path';

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Polls until it holds; false when the deadline passed before. */
export async function until(condition: () => boolean | Promise<boolean>, deadlineMs: number, everyMs = 2): Promise<boolean> {
  const end = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > end) return false;
    await pause(everyMs);
  }
  return true;
}

export function percentile(values: readonly number[], part: number): number {
  return [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))] ?? NaN;
}

/** Writes text files into folders of 100; returns their paths. */
export function makeTree(root: string, count: number, prefix = 'file'): string[] {
  const paths = Array.from({ length: count }, (_, i) => `${prefix}-${Math.floor(i / 10_000)}/${Math.floor(i / 100) % 100}/${i}.txt`);
  for (const path of paths) {
    const file = join(root, path);
    if (/00\.txt$|\/0\.txt$/.test(path)) mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${path}\n`);
  }
  return paths;
}

/** Processor time that a process and the children it has waited for have used. */
export function cpuMs(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return [11, 12, 13, 14].reduce((sum, i) => sum + Number(fields[i]), 0) * 10;
  } catch {
    return 0;
  }
}

function statusField(pid: number, name: string): number {
  try {
    return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** What it holds now. */
export const memoryMb = (pid: number): number => statusField(pid, 'VmRSS') / 1024;
/** The most that it ever held. */
export const peakMemoryMb = (pid: number): number => statusField(pid, 'VmHWM') / 1024;

export function countWatches(pid: number): number {
  let count = 0;
  for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
    try {
      if (!readlinkSync(`/proc/${pid}/fd/${descriptor}`).includes('inotify')) continue;
      count += readFileSync(`/proc/${pid}/fdinfo/${descriptor}`, 'utf8').split('\n').filter((line) => line.startsWith('inotify')).length;
    } catch {
      // Closed again.
    }
  }
  return count;
}

/** A Markdown table. */
export function printTable(title: string, header: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  console.log(`\n${title}\n\n| ${header.join(' | ')} |\n|${header.map(() => '---').join('|')}|`);
  for (const row of rows) console.log(`| ${row.join(' | ')} |`);
}

/** One line about this machine, and how busy it was. */
export function describeMachine(): string {
  const git = execFileSync('git', ['--version'], { encoding: 'utf8' }).trim().replace('git version', 'git');
  const [load = 0] = loadavg();
  return `${new Date().toISOString().slice(0, 16)}Z, ${cpus().length} cores (${cpus()[0]?.model.trim() ?? '?'}), Linux ${release()}, Node ${process.version}, ${git}, load ${load.toFixed(1)}`;
}
