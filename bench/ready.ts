/**
 * From the start of the agent until it is ready, its memory and its kernel
 * watches, with more and more files. Ready: it answers, and everything is known
 * to be in step. Run: npm run bench -- ready [FILES,FILES...]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askAgent } from '../src/agent/control.ts';
import type { AgentStatus } from '../src/agent/agent.ts';
import { runtimePaths } from '../src/process/runtime-dir.ts';
import { countWatches, cpuMs, makeTree, memoryMb, pause, peakMemoryMb, printTable, until } from './measure.ts';
import { makeClones, startAgent } from './peers.ts';

const sizes = (process.argv[2] ?? '10,10000,100000').split(',').map(Number);

async function isSafe(env: NodeJS.ProcessEnv): Promise<boolean> {
  try {
    const { socket } = runtimePaths('agent', join(env['XDG_CONFIG_HOME'] as string, 'gitsync'), env);
    const answer = (await askAgent(socket, { op: 'status', args: {} }))?.result as AgentStatus | undefined;
    return answer?.repos[0]?.level === 'safe';
  } catch {
    return false;
  }
}

async function measure(files: number): Promise<number[]> {
  const root = mkdtempSync(join(tmpdir(), 'gitsync-bench-'));
  const { a, envA } = makeClones(root, (directory) => void makeTree(directory, files));
  try {
    const startedAt = performance.now();
    const agent = startAgent(envA, [a]);
    const pid = agent.pid as number;
    await until(() => isSafe(envA), 120_000, 5);
    const readyMs = performance.now() - startedAt;
    const usedMs = cpuMs(pid);
    await pause(3_000);
    const result = [files, readyMs, usedMs, memoryMb(pid), peakMemoryMb(pid), countWatches(pid)].map(Math.round);
    const ended = new Promise((resolve) => agent.once('exit', resolve));
    agent.kill();
    await ended;
    return result;
  } finally {
    rmSync(root, { recursive: true, force: true, maxRetries: 5 });
  }
}

const rows: number[][] = [];
for (const files of sizes) rows.push(await measure(files));
printTable('Starting (to reach: ready at 100 000 files under 1 s and under 130 MB)', ['files', 'ready, ms', 'of it processor, ms', 'MB', 'MB at most', 'kernel watches'], rows);
process.exit();
