/**
 * From a file written on one side to the same file on the other, in both
 * directions, with more and more files in the folder; and the stock git
 * commands one after another as the floor.
 * Run: npm run bench -- latency [SAMPLES [FILES,FILES...]]
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeTree, pause, percentile, printTable, until } from './measure.ts';
import { allPeers, makeClones, type Peer } from './peers.ts';

const samples = Number(process.argv[2] ?? 20);
const sizes = (process.argv[3] ?? '10,10000,100000').split(',').map(Number);
/** Setting up a peer for many files takes minutes: beyond this only ours is measured. */
const mostFilesForPeers = 10_000;
const slowDeadlineMs = 60_000;

async function measureWay(from: string, to: string, label: string, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const name = `${label}-${i}.txt`;
    const startedAt = performance.now();
    writeFileSync(join(from, name), `${i}\n`);
    const arrived = await until(() => existsSync(join(to, name)), slowDeadlineMs);
    times.push(arrived ? performance.now() - startedAt : Infinity);
    await pause(400 + Math.random() * 600);
  }
  return times;
}

async function measurePeer(peer: Peer, files: number): Promise<(string | number)[]> {
  const root = mkdtempSync(join(tmpdir(), 'gitsync-bench-'));
  let last = '';
  const pair = await peer.start(root, (directory) => (last = makeTree(directory, files).at(-1) ?? ''));
  try {
    if (!(await until(() => existsSync(join(pair.b, last)), 600_000, 100))) return [peer.name, files, 'never in step', '', '', ''];
    await pause(2_000);
    // Those that take ten seconds for each get fewer samples.
    await measureWay(pair.a, pair.b, 'warm', 2);
    const first = await measureWay(pair.a, pair.b, 'first', 1);
    const count = (first[0] ?? 0) > 4_000 ? Math.ceil(samples / 5) : samples;
    const there = await measureWay(pair.a, pair.b, 'there', count);
    const back = await measureWay(pair.b, pair.a, 'back', count);
    return [peer.name, files, ...[there, back].flatMap((times) => [percentile(times, 0.5), percentile(times, 0.99)]).map(Math.round)];
  } finally {
    await pair.stop();
    rmSync(root, { recursive: true, force: true, maxRetries: 5 });
  }
}

function measureFloor(files: number): (string | number)[] {
  const root = mkdtempSync(join(tmpdir(), 'gitsync-bench-'));
  const { a, b, envA, envB } = makeClones(root, (directory) => void makeTree(directory, files));
  const git = (env: NodeJS.ProcessEnv, at: string, ...args: string[]): void => void execFileSync('git', args, { env, cwd: at, stdio: 'ignore' });
  // Its upkeep in the background would still be at work when the clones are removed.
  for (const [env, at] of [[envA, a], [envB, b]] as const) git(env, at, 'config', 'gc.auto', '0');
  const way = (from: string, fromEnv: NodeJS.ProcessEnv, to: string, toEnv: NodeJS.ProcessEnv, label: string): number[] =>
    Array.from({ length: Math.min(samples, 10) }, (_, i) => {
      writeFileSync(join(from, `${label}-${i}.txt`), `${i}\n`);
      const startedAt = performance.now();
      git(fromEnv, from, 'add', '-A');
      git(fromEnv, from, 'commit', '-q', '-m', 'change');
      git(fromEnv, from, 'push', '-q');
      git(toEnv, to, 'pull', '-q', '--ff-only');
      return performance.now() - startedAt;
    });
  const [there, back] = [way(a, envA, b, envB, 'there'), way(b, envB, a, envA, 'back')];
  rmSync(root, { recursive: true, force: true });
  return ['git add, commit, push, pull by hand', files, ...[there, back].flatMap((times) => [percentile(times, 0.5), percentile(times, 0.99)]).map(Math.round)];
}

const rows: (string | number)[][] = [];
for (const files of sizes) {
  for (const peer of allPeers.filter((each) => each.isInstalled() && (files <= mostFilesForPeers || each.name === 'gitsync'))) rows.push(await measurePeer(peer, files));
  rows.push(measureFloor(files));
}
printTable(`Latency, ${samples} samples each way (gitsync's quiet time of 300 ms is part of it)`, ['who', 'files', 'A to B p50, ms', 'p99', 'B to A p50, ms', 'p99'], rows);
process.exit();
