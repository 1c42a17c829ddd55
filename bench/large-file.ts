/** One large file, from its last byte written on A to the same size on B. Run: npm run bench -- large-file [MB] */
import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause, peakMemoryMb, printTable, until } from './measure.ts';
import { allPeers, makeClones, startAgent, waitUntilSafe, type Peer } from './peers.ts';

const sizeMb = Number(process.argv[2] ?? 200);

function writeLarge(file: string): void {
  const descriptor = openSync(file, 'w');
  const block = Buffer.alloc(1_000_000);
  for (let i = 0; i < sizeMb; i += 1) writeSync(descriptor, randomFillSync(block));
  closeSync(descriptor);
}

/** Ours holds back files of this size until they are allowed: here they are. */
const ours: Peer = {
  ...(allPeers[0] as Peer),
  async start(root, fill) {
    const { a, b, envA, envB } = makeClones(root, fill);
    const agents = [startAgent(envA, [a], `max_file_size = ${sizeMb * 2}MB`), startAgent(envB, [b])];
    for (const env of [envA, envB]) await waitUntilSafe(env);
    return { a, b, pids: agents.map(({ pid }) => pid as number), stop: () => Promise.resolve(agents.forEach((agent) => agent.kill())) };
  },
};

async function measure(peer: Peer): Promise<(string | number)[]> {
  const root = mkdtempSync(join(tmpdir(), 'gitsync-bench-'));
  const pair = await peer.start(root, (directory) => writeFileSync(join(directory, 'small.txt'), 'small\n'));
  try {
    await until(() => existsSync(join(pair.b, 'small.txt')), 300_000, 50);
    await pause(2_000);
    writeLarge(join(pair.a, 'large.bin'));
    const startedAt = performance.now();
    const arrived = await until(() => (statSync(join(pair.b, 'large.bin'), { throwIfNoEntry: false })?.size ?? 0) === sizeMb * 1_000_000, 300_000, 20);
    return [peer.name, arrived ? Math.round(performance.now() - startedAt) : 'never', Math.round(Math.max(...pair.pids.map(peakMemoryMb)))];
  } finally {
    await pair.stop();
    rmSync(root, { recursive: true, force: true, maxRetries: 5 });
  }
}

function measureFloor(): (string | number)[] {
  const root = mkdtempSync(join(tmpdir(), 'gitsync-bench-'));
  const { a, b, envA, envB } = makeClones(root, () => undefined);
  writeLarge(join(a, 'large.bin'));
  const startedAt = performance.now();
  for (const args of [['add', '-A'], ['commit', '-q', '-m', 'large'], ['push', '-q']]) execFileSync('git', args, { cwd: a, env: envA, stdio: 'ignore' });
  execFileSync('git', ['pull', '-q', '--ff-only'], { cwd: b, env: envB, stdio: 'ignore' });
  const ms = performance.now() - startedAt;
  rmSync(root, { recursive: true, force: true });
  return ['git add, commit, push, pull by hand', Math.round(ms), ''];
}

const rows: (string | number)[][] = [];
for (const peer of [ours, ...allPeers.slice(1)].filter((each) => each.isInstalled())) rows.push(await measure(peer));
rows.push(measureFloor());
printTable(`A file of ${sizeMb} MB`, ['who', 'on the other side after, ms', 'MB of memory at most'], rows);
process.exit();
