/**
 * The agent with containers, all of kind `local` with SQLite: from a row committed
 * in A to the row in B, and what an idle hour costs (extrapolated from a minute).
 * Run: npm run bench -- agent-containers [SAMPLES [CONTAINERS [IDLE SECONDS]]]
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [samples, containers, idleSeconds] = [Number(process.argv[2] ?? 5), Number(process.argv[3] ?? 10), Number(process.argv[4] ?? 60)];
const dist = new URL('../dist/', import.meta.url).pathname;
const home = mkdtempSync(join(tmpdir(), 'gitsync-bench-'));
const root = join(home, 'app');
const env = { PATH: process.env['PATH'], HOME: home, XDG_CONFIG_HOME: join(home, '.config'), XDG_RUNTIME_DIR: join(home, 'run'), GIT_CONFIG_NOSYSTEM: '1', GITSYNC_HOST: 'bench' };
const run = (file: string, ...args: string[]): string => execFileSync(file, args, { cwd: root, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const names = Array.from({ length: containers }, (_, i) => `c${i}`);
const fileOf = (name: string): string => join(root, '.git/gitted-machines', name, 'var/lib/app/app.db');

function sql(name: string, text: string): string {
  mkdirSync(join(fileOf(name), '..'), { recursive: true });
  return execFileSync('sqlite3', [fileOf(name), text], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}

async function until(what: string, condition: () => boolean): Promise<number> {
  const startedAt = performance.now();
  for (;;) {
    try {
      if (condition()) return performance.now() - startedAt;
    } catch {
      // Not there yet.
    }
    if (performance.now() - startedAt > 600_000) throw new Error(`in vain: ${what}`);
    await pause(20);
  }
}

function configure(pull: string, exportPoints: string): void {
  const sections = names.map((name) => `[container ${name}]\nrepo = ${root}\npush = debounce 1s\npull = ${pull}\nstart = yes\n${exportPoints}`);
  writeFileSync(join(home, '.config/gitsync'), `[gitsync]\nwork_dir = ${root}\n${sections.join('')}`);
}

/** Processor seconds of the agent and of everything that it ran and waited for. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(11, 15).map(Number).reduce((total, ticks) => total + ticks, 0) / 100;
}

const inStep = (): boolean => (run(process.execPath, `${dist}gitsync.js`, 'container', 'list').match(/ in step /g) ?? []).length === containers;

mkdirSync(join(home, '.config'));
mkdirSync(join(home, 'run'), { mode: 0o700 });
mkdirSync(root);
writeFileSync(join(home, '.gitconfig'), '[user]\n\tname = bench\n\temail = bench@example.org\n');
run('git', 'init', '-q', '-b', 'main');
run(`${dist}gitted-client.js`, 'scaffold', '--with', 'sqlite');
run('git', 'add', '-A');
run('git', 'commit', '-q', '-m', 'start');
for (const name of names) run(`${dist}gitted-client.js`, 'init', name, '--driver', 'local');
configure('every 5m', 'export_points = /var/lib/app\n');
const agent = spawn(process.execPath, [`${dist}gitsync.js`, '--daemon'], { cwd: home, env, stdio: 'ignore' });
try {
  await until('all made', inStep);
  sql('c0', 'CREATE TABLE page (id INTEGER PRIMARY KEY, title TEXT)');
  await until('the table', () => sql('c1', 'SELECT count(*) FROM page') === '0');
  const times: number[] = [];
  for (let i = 1; i <= samples; i += 1) {
    sql('c0', `INSERT INTO page VALUES (${i}, 'row ${i}')`);
    times.push(await until('the row', () => sql('c1', `SELECT count(*) FROM page WHERE id = ${i}`) === '1'));
    await until('rest', inStep);
  }
  times.sort((x, y) => x - y);
  console.log(`row in A to row in B: ${Math.round(times[0] as number)} ms at best, ${Math.round(times[times.length >> 1] as number)} ms in the middle of ${samples} (of these 1 s quiet time of the export point and 1 s of the push)`);
  await until('rest', inStep);
  // What is put off for a while, such as the second look at replaced files, is over by then.
  await pause(15_000);
  const before = cpuSeconds(agent.pid as number);
  await pause(idleSeconds * 1000);
  const still = cpuSeconds(agent.pid as number) - before;
  const perPull = await measurePull(agent.pid as number);
  const hour = (still * 3600) / idleSeconds + perPull * containers * 12;
  console.log(`idle, ${containers} containers: ${still.toFixed(2)} s of processor in ${idleSeconds} s without a pull; ${perPull.toFixed(2)} s for a pull that finds nothing`);
  console.log(`an hour, extrapolated (every 5m: ${containers * 12} pulls, as many queries for a token): ${hour.toFixed(0)} s of processor, ${((hour / 3600) * 100).toFixed(1)} % of one core`);
} finally {
  agent.kill('SIGTERM');
  await new Promise((resolve) => agent.once('exit', resolve));
  rmSync(home, { recursive: true, force: true });
}

/** Processor seconds of one fetch that finds the token as it was, everything that it starts included. */
async function measurePull(pid: number): Promise<number> {
  const before = cpuSeconds(pid);
  for (let i = 0; i < 5; i += 1) run(process.execPath, `${dist}gitsync.js`, 'container', 'pull', 'c0');
  await pause(200);
  return (cpuSeconds(pid) - before) / 5;
}
