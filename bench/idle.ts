/** Processor time and memory over a minute in which nothing happens. Run: npm run bench -- idle [SECONDS [REPOSITORIES,...]] */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuMs, makeTree, memoryMb, pause, printTable } from './measure.ts';
import { allPeers, makeClones, startAgent, waitUntilSafe } from './peers.ts';

const seconds = Number(process.argv[2] ?? 60);
const counts = (process.argv[3] ?? '1,50,200').split(',').map(Number);
const files = 50;

async function observe(who: string, repositories: number, pids: readonly number[]): Promise<(string | number)[]> {
  // What a start leaves to be done later is over by then: the upkeep, and the engine's collection of its garbage.
  await pause(45_000);
  const before = pids.map(cpuMs);
  await pause(seconds * 1_000);
  const used = pids.map((pid, i) => cpuMs(pid) - (before[i] ?? 0)).reduce((sum, ms) => sum + ms, 0) / pids.length;
  const memory = pids.map(memoryMb).reduce((sum, mb) => sum + mb, 0) / pids.length;
  return [who, repositories, Math.round(used), (used / seconds / 10).toFixed(2), Math.round(memory)];
}

async function measureOurs(repositories: number): Promise<(string | number)[]> {
  const root = mkdtempSync(join(tmpdir(), 'gitsync-bench-'));
  const { a, envA, remote } = makeClones(root, (directory) => void makeTree(directory, files));
  const all = Array.from({ length: repositories }, (_, i) => {
    const [copy, hub] = [join(root, 'many', String(i)), join(root, 'hubs', `${i}.git`)];
    cpSync(a, copy, { recursive: true });
    cpSync(remote, hub, { recursive: true });
    execFileSync('git', ['-C', copy, 'remote', 'set-url', 'origin', hub]);
    return copy;
  });
  const agent = startAgent(envA, all);
  try {
    await waitUntilSafe(envA);
    return await observe('gitsync', repositories, [agent.pid as number]);
  } finally {
    agent.kill();
    await pause(1_000);
    rmSync(root, { recursive: true, force: true, maxRetries: 5 });
  }
}

const rows: (string | number)[][] = [];
for (const repositories of counts) rows.push(await measureOurs(repositories));
for (const peer of allPeers.slice(1).filter((each) => each.isInstalled())) {
  const root = mkdtempSync(join(tmpdir(), 'gitsync-bench-'));
  const pair = await peer.start(root, (directory) => void makeTree(directory, files));
  rows.push(await observe(peer.name, 1, pair.pids));
  await pair.stop();
  rmSync(root, { recursive: true, force: true, maxRetries: 5 });
}
printTable(`Idle for ${seconds} s, ${files} files in each (to reach: below 0.5 % of a core)`, ['who', 'repositories', 'processor, ms', '% of a core', 'MB'], rows);
process.exit();
