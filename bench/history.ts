/** Many small changes, one commit for each: how long they take, and what the repository weighs then. Run: npm run bench -- history [COMMITS] */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCapturer } from '../src/git/capture.ts';
import { openPrivateIndex } from '../src/git/private-index.ts';
import { openRepo } from '../src/git/repository.ts';
import { packObjects } from '../src/git/upkeep.ts';
import { rawFromText, type RawPath } from '../src/core/raw-path.ts';
import { makeTree, printTable } from './measure.ts';
import { makeClones } from './peers.ts';

const commits = Number(process.argv[2] ?? 1_000);
const root = mkdtempSync(join(tmpdir(), 'gitsync-bench-'));
const { a, b, envA } = makeClones(root, (directory) => void makeTree(directory, 100));
Object.assign(process.env, envA);
const text = (i: number): string => Array.from({ length: 40 }, (_, line) => `line ${line}${line === i % 40 ? ` ${i}` : ''}\n`).join('');
const weightKb = (at: string): number => Number(execFileSync('du', ['-sk', join(at, '.git')], { encoding: 'utf8' }).split('\t')[0]);

async function measureOurs(): Promise<(string | number)[]> {
  const repo = await openRepo(a);
  const capturer = createCapturer(repo, openPrivateIndex(repo));
  const request = { overdue: new Set<RawPath>(), allowed: new Set<RawPath>(), keep: new Set<RawPath>(), heldBefore: [], rootChanged: false, limits: { maxFileSizeBytes: 5e7, maxBatchBytes: 1e9 }, checkSecrets: true, host: 'a', branch: undefined, template: undefined, sign: false } as const;
  const startedAt = performance.now();
  for (let i = 0; i < commits; i += 1) {
    const name = `file-0/0/${i % 100}.txt`;
    writeFileSync(join(a, name), text(i));
    await capturer.capture({ ...request, scan: new Set([rawFromText(name)]), now: new Date() });
  }
  const ms = performance.now() - startedAt;
  const before = weightKb(a);
  await packObjects(repo);
  return ['gitsync', Math.round(ms / commits), before, weightKb(a)];
}

function measureHand(): (string | number)[] {
  const startedAt = performance.now();
  const git = (...args: string[]): void => void execFileSync('git', args, { cwd: b, stdio: 'ignore' });
  for (let i = 0; i < commits; i += 1) {
    writeFileSync(join(b, `file-0/0/${i % 100}.txt`), text(i));
    git('add', '-A');
    git('-c', 'gc.auto=0', 'commit', '-q', '-m', `change ${i}`);
  }
  const ms = performance.now() - startedAt;
  const before = weightKb(b);
  git('gc', '-q');
  return ['git add, commit; git gc', Math.round(ms / commits), before, weightKb(b)];
}

printTable(`${commits} small commits`, ['who', 'ms for each', 'kB in .git', 'kB after the upkeep'], [await measureOurs(), measureHand()]);
rmSync(root, { recursive: true, force: true });
process.exit();
