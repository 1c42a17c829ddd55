/**
 * From a file written on A to the same file on B, through a bare repository on
 * the same disk: two real agents, and the stock git commands one after another
 * as the floor. Run: npm run build && npx tsx bench/latency.ts [samples]
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const samples = Number(process.argv[2] ?? 20);
const program = new URL('../dist/gitsync.js', import.meta.url).pathname;
const root = mkdtempSync(join(tmpdir(), 'gitsync-bench-'));

interface Machine {
  notes: string;
  env: NodeJS.ProcessEnv;
}

function makeMachine(name: string): Machine {
  const home = join(root, name);
  mkdirSync(join(home, '.config'), { recursive: true });
  mkdirSync(join(home, 'run'), { mode: 0o700 });
  writeFileSync(join(home, '.gitconfig'), `[user]\n\tname = ${name}\n\temail = ${name}@example.org\n[init]\n\tdefaultBranch = main\n`);
  return { notes: join(home, 'Notes'), env: { PATH: process.env['PATH'], HOME: home, XDG_CONFIG_HOME: join(home, '.config'), XDG_RUNTIME_DIR: join(home, 'run'), GITSYNC_HOST: name, GIT_CONFIG_NOSYSTEM: '1' } };
}

function run(machine: Machine, file: string, ...args: string[]): string {
  return execFileSync(file, args, { env: machine.env, cwd: existsSync(machine.notes) ? machine.notes : root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(1);
}

function percentile(times: number[], part: number): string {
  return `${Math.round([...times].sort((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * part))] ?? NaN)} ms`;
}

async function measureAgents(from: Machine, to: Machine, label: string): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < samples; i++) {
    const startedAt = performance.now();
    writeFileSync(join(from.notes, `${label}-${i}.txt`), `${i}\n`);
    await until(() => existsSync(join(to.notes, `${label}-${i}.txt`)));
    times.push(performance.now() - startedAt);
    await pause(700);
  }
  return times;
}

function measureFloor(a: Machine, b: Machine): number[] {
  return Array.from({ length: samples }, (_, i) => {
    writeFileSync(join(a.notes, `floor-${i}.txt`), `${i}\n`);
    const startedAt = performance.now();
    run(a, 'git', 'add', '-A');
    run(a, 'git', 'commit', '-q', '-m', 'x');
    run(a, 'git', 'push', '-q');
    run(b, 'git', 'pull', '-q', '--ff-only');
    return performance.now() - startedAt;
  });
}

const [a, b] = [makeMachine('a'), makeMachine('b')];
mkdirSync(a.notes);
writeFileSync(join(a.notes, 'first.txt'), 'first\n');
run(a, process.execPath, program, 'init', a.notes, '--remote', join(root, 'server.git'));
run(b, 'git', 'clone', '-q', join(root, 'server.git'), b.notes);
run(b, process.execPath, program, 'add', b.notes);
const floor = measureFloor(a, b);
const agents = [a, b].map((machine) => spawn(process.execPath, [program, '--daemon'], { env: machine.env, stdio: 'ignore' }));
try {
  await pause(3_000);
  const there = await measureAgents(a, b, 'there');
  const back = await measureAgents(b, a, 'back');
  console.log('| what | p50 | p99 |\n|---|---|---|');
  for (const [what, times] of [['stock git, one command after another, no waiting', floor], ['gitsync, A to B (0.3 s of it is the quiet period)', there], ['gitsync, B to A', back]] as const) {
    console.log(`| ${what} | ${percentile(times, 0.5)} | ${percentile(times, 0.99)} |`);
  }
} finally {
  for (const agent of agents) agent.kill();
  await Promise.all(agents.map((agent) => new Promise((resolve) => agent.once('exit', resolve))));
  rmSync(root, { recursive: true, force: true });
}
