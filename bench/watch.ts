/**
 * Watching a big tree, beside the peers: `npx tsx bench/watch.ts [FILES]` (default 100 000, 91 in a directory).
 * chokidar comes with the project; @parcel/watcher is measured where it is installed (`npm install --no-save @parcel/watcher`).
 * Each watcher runs in a process of its own.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLog } from '../src/log.ts';
import { startDirectoryWatcher } from '../src/watch/directory-watcher.ts';

interface Result { readyMs: number; memoryMb: number; watches: number; delayMs: number; missed: number; idleCpuMs: number }
/** Starts watching; tells of each path (relative to the root) or of everything; resolved when ready. */
type Start = (root: string, onPath: (path: string) => void) => Promise<void>;

const filesPerDirectory = 91;
const burst = { directories: 200, filesEach: 20 };

const starters: Record<string, Start> = {
  async gitsync(root, onPath) {
    const onChange = (paths: ReadonlySet<string> | 'all'): void => (paths === 'all' ? onPath('') : paths.forEach(onPath));
    await startDirectoryWatcher({ root, ignoredDirectories: () => Promise.resolve(new Set()), onChange, onProblem: console.error, log: silentLog }).ready;
  },
  async chokidar(root, onPath) {
    const { default: chokidar } = await import('chokidar');
    const watcher = chokidar.watch(root, { ignoreInitial: true }).on('all', (_, path) => onPath(path.slice(root.length + 1)));
    await once(watcher, 'ready');
  },
  async '@parcel/watcher'(root, onPath) {
    const { default: parcel } = await import('@parcel/watcher' as string) as { default: { subscribe(root: string, call: (error: unknown, events: { path: string }[]) => void): Promise<unknown> } };
    await parcel.subscribe(root, (_, events) => events.forEach(({ path }) => onPath(path.slice(root.length + 1))));
  },
};

function makeTree(root: string, files: number): void {
  for (let i = 0; i < files; i += filesPerDirectory) {
    const directory = join(root, `d${(i / filesPerDirectory) % 10}`, `e${i}`);
    mkdirSync(directory, { recursive: true });
    for (let k = i; k < Math.min(i + filesPerDirectory, files); k += 1) writeFileSync(join(directory, `f${k}.txt`), `${k}`);
  }
}

function countKernelWatches(): number {
  const texts = readdirSync('/proc/self/fdinfo').map((fd) => {
    try {
      return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
    } catch {
      return '';
    }
  });
  return texts.join('').split('inotify wd:').length - 1;
}

async function until(condition: () => boolean, deadlineMs: number): Promise<void> {
  for (const end = performance.now() + deadlineMs; !condition() && performance.now() < end; ) await sleep(5);
}

async function measureDelay(root: string, waiting: Map<string, (at: number) => void>): Promise<number> {
  const delays: number[] = [];
  for (let i = 0; i < 40; i += 1) {
    const path = `d0/e0/f${i}.txt`;
    const seen = new Promise<number>((resolve) => waiting.set(path, resolve));
    const from = performance.now();
    writeFileSync(join(root, path), `${from}`);
    delays.push(await Promise.race([seen, sleep(2_000).then(() => Infinity)]) - from);
    await sleep(20);
  }
  return delays.sort((a, b) => a - b)[20] as number;
}

/** New directories with files, made while the watcher runs; how many of the files it says nothing of, itself or a directory above. */
async function measureBurst(root: string, seen: Set<string>): Promise<number> {
  const paths: string[] = [];
  for (let i = 0; i < burst.directories; i += 1) {
    const directory = `new/n${i % 20}/m${i}`;
    mkdirSync(join(root, directory), { recursive: true });
    for (let k = 0; k < burst.filesEach; k += 1) {
      writeFileSync(join(root, directory, `${k}`), 'x');
      paths.push(`${directory}/${k}`);
    }
    if (i % 5 === 0) await sleep(0);
  }
  // Only what watches below makes sure of: edit all of them once more, when the watcher has had its time.
  await sleep(2_000);
  seen.clear();
  for (const path of paths) writeFileSync(join(root, path), 'y');
  const missed = (): string[] => (seen.has('') ? [] : paths.filter((path) => !seen.has(path)));
  await until(() => missed().length === 0, 5_000);
  return missed().length;
}

async function measure(name: string, root: string): Promise<Result> {
  const seen = new Set<string>();
  const waiting = new Map<string, (at: number) => void>();
  // Loading the module is not watching.
  if (name !== 'gitsync') await import(name);
  const memory = process.memoryUsage().rss;
  const from = performance.now();
  await (starters[name] as Start)(root, (path) => {
    seen.add(path);
    waiting.get(path)?.(performance.now());
  });
  const readyMs = performance.now() - from;
  const memoryMb = (process.memoryUsage().rss - memory) / 1e6;
  const watches = countKernelWatches();
  const delayMs = await measureDelay(root, waiting);
  const cpu = process.cpuUsage();
  await sleep(5_000);
  const { user, system } = process.cpuUsage(cpu);
  return { readyMs, memoryMb, watches, delayMs, idleCpuMs: (user + system) / 1_000, missed: await measureBurst(root, seen) };
}

async function compare(files: number): Promise<void> {
  console.log(`${files} files in ${Math.ceil(files / filesPerDirectory)} directories; then ${burst.directories * burst.filesEach} files in ${burst.directories} new directories`);
  console.log('| watcher | ready ms | memory MB | kernel watches | delay p50 ms | CPU in 5 s idle ms | missed in new directories |\n|---|---|---|---|---|---|---|');
  for (const name of Object.keys(starters)) {
    const root = mkdtempSync(join(tmpdir(), 'gitsync-bench-'));
    try {
      makeTree(root, files);
      const child = fork(new URL(import.meta.url).pathname, ['--measure', name, root], { execArgv: process.execArgv, stdio: ['ignore', 'inherit', 'ignore', 'ipc'] });
      const [message] = await Promise.race([once(child, 'message'), once(child, 'exit').then(() => [undefined])]) as [Result | undefined];
      if (message === undefined) console.log(`| ${name} | not installed, or failed | | | | | |`);
      else console.log(`| ${name} | ${message.readyMs.toFixed(0)} | ${message.memoryMb.toFixed(0)} | ${message.watches} | ${message.delayMs.toFixed(1)} | ${message.idleCpuMs.toFixed(0)} | ${message.missed} |`);
    } finally {
      rmSync(root, { recursive: true });
    }
  }
}

if (process.argv[2] === '--measure') {
  const result = await measure(process.argv[3] as string, process.argv[4] as string);
  process.send?.(result, () => process.exit());
} else {
  await compare(Number(process.argv[2] ?? 100_000));
}
