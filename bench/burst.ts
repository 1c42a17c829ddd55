/**
 * Many new files at once, until both sides agree; then what is missing.
 * Run: npm run bench -- burst [FILES]
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuMs, makeTree, pause, peakMemoryMb, printTable, until } from './measure.ts';
import { allPeers, makeClones, type Peer } from './peers.ts';

const files = Number(process.argv[2] ?? 20_000);
const deadlineMs = 600_000;

async function measure(peer: Peer): Promise<(string | number)[]> {
  const root = mkdtempSync(join(tmpdir(), 'gitsync-bench-'));
  const pair = await peer.start(root, (directory) => void makeTree(directory, 10));
  try {
    await until(() => existsSync(join(pair.b, 'file-0/0/9.txt')), deadlineMs, 50);
    await pause(3_000);
    const startedAt = performance.now();
    const paths = makeTree(pair.a, files, 'burst');
    const writtenMs = performance.now() - startedAt;
    // What is there stays there: only those that were missing are looked for again.
    let missing = paths;
    await until(() => (missing = missing.filter((path) => !existsSync(join(pair.b, path)))).length === 0, deadlineMs, 50);
    const agreedMs = performance.now() - startedAt;
    return [peer.name, Math.round(writtenMs), Math.round(agreedMs), missing.length, Math.round(pair.pids.reduce((sum, pid) => sum + cpuMs(pid), 0)), Math.round(Math.max(...pair.pids.map(peakMemoryMb)))];
  } finally {
    await pair.stop();
    rmSync(root, { recursive: true, force: true, maxRetries: 5 });
  }
}

function measureFloor(): (string | number)[] {
  const root = mkdtempSync(join(tmpdir(), 'gitsync-bench-'));
  const { a, b, envA, envB } = makeClones(root, () => undefined);
  const startedAt = performance.now();
  makeTree(a, files, 'burst');
  const writtenMs = performance.now() - startedAt;
  for (const args of [['add', '-A'], ['commit', '-q', '-m', 'burst'], ['push', '-q']]) execFileSync('git', args, { cwd: a, env: envA, stdio: 'ignore' });
  execFileSync('git', ['pull', '-q', '--ff-only'], { cwd: b, env: envB, stdio: 'ignore' });
  const agreedMs = performance.now() - startedAt;
  rmSync(root, { recursive: true, force: true });
  return ['git add, commit, push, pull by hand', Math.round(writtenMs), Math.round(agreedMs), 0, '', ''];
}

const rows: (string | number)[][] = [];
for (const peer of allPeers.filter((each) => each.isInstalled())) rows.push(await measure(peer));
rows.push(measureFloor());
printTable(`A burst of ${files} new files (to reach: nothing missed)`, ['who', 'written after, ms', 'both sides agree after, ms', 'missed', 'processor of both, ms', 'MB at most'], rows);
process.exit();
