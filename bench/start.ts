/** What it costs to start the programs. Run: npm run bench -- start [SAMPLES] */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { percentile, printTable } from './measure.ts';

const samples = Number(process.argv[2] ?? 20);
const dist = new URL('../dist/', import.meta.url).pathname;

function measure(args: readonly string[]): { wallMs: number; cpuMs: number } {
  const runs = Array.from({ length: samples }, () => {
    const startedAt = performance.now();
    const { stdout } = spawnSync('sh', ['-c', '"$@" >/dev/null; cut -d" " -f16,17 /proc/$$/stat', 'sh', process.execPath, ...args], { encoding: 'utf8' });
    return { wallMs: performance.now() - startedAt, cpuMs: stdout.trim().split(' ').reduce((sum, ticks) => sum + Number(ticks) * 10, 0) };
  });
  return { wallMs: percentile(runs.map(({ wallMs }) => wallMs), 0.5), cpuMs: runs.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / samples };
}

const programs = ['gitsync.js', 'gitted-client.js', 'git-gidit.js', 'git-remote-gidit.js'].filter((name) => existsSync(dist + name));
const rows = [['node, an empty program', measure(['-e', '0'])] as const, ...programs.map((name) => [`${name} --version`, measure([dist + name, '--version'])] as const)];
printTable('Starting a program (to reach: well under 100 ms of processor time)', ['program', 'p50, ms', 'processor, ms (mean)'], rows.map(([name, { wallMs, cpuMs }]) => [name, Math.round(wallMs), Math.round(cpuMs)]));
