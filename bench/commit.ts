/**
 * One changed file until it is committed, among many: our capture beside the bare
 * plumbing (update-index, write-tree, commit-tree, update-ref) and beside add and
 * commit. Run: npm run bench -- commit [FILES]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCapturer } from '../src/git/capture.ts';
import { openPrivateIndex } from '../src/git/private-index.ts';
import { openRepo } from '../src/git/repository.ts';
import { rawFromText, type RawPath } from '../src/core/raw-path.ts';
import { makeTree, percentile, printTable } from './measure.ts';
import { makeClones } from './peers.ts';

const files = Number(process.argv[2] ?? 100_000);
const samples = 15;
const root = mkdtempSync(join(tmpdir(), 'gitsync-bench-'));
const { a, b, envA } = makeClones(root, (directory) => void makeTree(directory, files));
Object.assign(process.env, envA);
const path = 'file-0/0/7.txt';
const git = (cwd: string, args: readonly string[], input?: string): string => execFileSync('git', args, { cwd, encoding: 'utf8', ...(input === undefined ? {} : { input }) }).trim();

/** Until the commit is there, and until the indexes stand at it too: the next capture waits for that, a push does not. */
async function measureOurs(): Promise<{ committed: number[]; settled: number[] }> {
  const repo = await openRepo(a);
  const index = openPrivateIndex(repo);
  const capturer = createCapturer(repo, index);
  const request = { overdue: new Set<RawPath>(), allowed: new Set<RawPath>(), keep: new Set<RawPath>(), heldBefore: [], rootChanged: false, limits: { maxFileSizeBytes: 5e7, maxBatchBytes: 1e9 }, checkSecrets: true, host: 'a', branch: undefined, template: undefined, sign: false } as const;
  await capturer.capture({ ...request, scan: 'all', now: new Date() });
  const [committed, settled]: [number[], number[]] = [[], []];
  for (let i = 0; i < samples; i += 1) {
    writeFileSync(join(a, path), `ours ${i}\n`);
    const startedAt = performance.now();
    const { outcome } = await capturer.capture({ ...request, scan: new Set([rawFromText(path)]), now: new Date() });
    committed.push(performance.now() - startedAt);
    await index.ready();
    settled.push(performance.now() - startedAt);
    if (outcome.kind !== 'committed') throw new Error(`not committed: ${outcome.kind}`);
  }
  return { committed, settled };
}

function measureHand(change: (i: number) => void): number[] {
  return Array.from({ length: samples }, (_, i) => {
    writeFileSync(join(b, path), `by hand ${i} ${change.name}\n`);
    const startedAt = performance.now();
    change(i);
    return performance.now() - startedAt;
  });
}

function plumbing(): void {
  git(b, ['update-index', '-z', '--add', '--remove', '--stdin'], `${path}\0`);
  const commit = git(b, ['commit-tree', git(b, ['write-tree']), '-p', 'HEAD', '-m', 'plumbing']);
  git(b, ['update-ref', 'HEAD', commit]);
}

function porcelain(): void {
  git(b, ['add', '-A']);
  git(b, ['commit', '-q', '-m', 'porcelain']);
}

const ours = await measureOurs();
const [committed, settled, floor, usual] = [ours.committed, ours.settled, measureHand(plumbing), measureHand(porcelain)].map((times) => percentile(times, 0.5)) as [number, number, number, number];
const row = (who: string, ms: number): (string | number)[] => [who, Math.round(ms), (ms / floor).toFixed(2)];
printTable(`One file committed among ${files} (to reach: within 1.3 times the plumbing)`, ['who', 'p50, ms', 'times the plumbing'], [
  row('gitsync capture, with its safety checks', committed),
  row('the same, until the indexes stand at it', settled),
  row('plumbing', floor),
  row('git add -A, git commit', usual),
]);
rmSync(root, { recursive: true, force: true });
process.exit();
