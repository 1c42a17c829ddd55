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

async function measureOurs(): Promise<number[]> {
  const repo = await openRepo(a);
  const capturer = createCapturer(repo, openPrivateIndex(repo));
  const request = { overdue: new Set<RawPath>(), allowed: new Set<RawPath>(), keep: new Set<RawPath>(), heldForBatch: new Set<RawPath>(), rootChanged: false, limits: { maxFileSizeBytes: 5e7, maxBatchBytes: 1e9 }, checkSecrets: true, host: 'a', branch: undefined, template: undefined, sign: false } as const;
  await capturer.capture({ ...request, scan: 'all', now: new Date() });
  const times: number[] = [];
  for (let i = 0; i < samples; i += 1) {
    writeFileSync(join(a, path), `ours ${i}\n`);
    const startedAt = performance.now();
    const { outcome } = await capturer.capture({ ...request, scan: new Set([rawFromText(path)]), now: new Date() });
    times.push(performance.now() - startedAt);
    if (outcome.kind !== 'committed') throw new Error(`not committed: ${outcome.kind}`);
  }
  return times;
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

const [ours, floor, usual] = [await measureOurs(), measureHand(plumbing), measureHand(porcelain)].map((times) => percentile(times, 0.5)) as [number, number, number];
const ratio = (ms: number): string => (ms / floor).toFixed(2);
printTable(`One file committed among ${files} (to reach: within 1.3 times the plumbing)`, ['who', 'p50, ms', 'times the plumbing'], [['gitsync capture, with its safety checks', Math.round(ours), ratio(ours)], ['plumbing', Math.round(floor), '1'], ['git add -A, git commit', Math.round(usual), ratio(usual)]]);
rmSync(root, { recursive: true, force: true });
process.exit();
