/** What the benchmarks of the handlers share: times, a table, and the framework's own pull and push of a local machine. */
import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';

export const root = new URL('../..', import.meta.url).pathname;

export interface Bench {
  /** Seconds of a shell command: the best of several runs, each after `before`. */
  seconds(command: string, times?: number, more?: Record<string, string>, before?: string): number;
  /** Notes a row: ours against theirs. */
  row(what: string, ours: number, whose: string, theirs: number, budget: string): void;
  print(): void;
}

export function makeBench(title: string, env: NodeJS.ProcessEnv): Bench {
  const rows: string[] = [];
  return {
    seconds(command, times = 3, more = {}, before = '') {
      let best = Infinity;
      for (let i = 0; i < times; i++) {
        if (before !== '') execFileSync('sh', ['-ec', before], { env: { ...env, ...more }, stdio: ['ignore', 'ignore', 'inherit'] });
        const start = process.hrtime.bigint();
        const { status, stderr } = spawnSync('sh', ['-ec', command], { env: { ...env, ...more }, encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'], maxBuffer: 1 << 26 });
        if (status !== 0) throw new Error(`${command}: ${stderr}`);
        best = Math.min(best, Number(process.hrtime.bigint() - start) / 1e9);
      }
      return best;
    },
    row(what, ours, whose, theirs, budget) {
      rows.push(`| ${what} | ${ours.toFixed(2)} | ${whose} ${theirs.toFixed(2)} | ${(ours / theirs).toFixed(1)} | ${budget} |`);
      console.error(rows.at(-1));
    },
    print() {
      console.log(`${title}; load of the machine ${loadavg()[0]?.toFixed(1)}\n\n| step | ours, s | theirs, s | ratio | budget |\n|---|---|---|---|---|\n${rows.join('\n')}`);
    },
  };
}

export interface HandlerPaths {
  handler: string;
  env: Record<string, string>;
}

/** The handler of the source tree, and the variables that it needs to run from there. */
export function handlerPaths(engine: string): HandlerPaths {
  const share = join(root, `sysconf/sysconf.gitted.${engine}/tree/usr/share/gitted`);
  return {
    handler: join(share, 'handlers', engine),
    env: { GITTED_LIB: join(root, 'sysconf/sysconf.gitted/tree/usr/share/gitted/lib'), [`GITTED_${engine.toUpperCase()}_LIB`]: join(share, 'lib', engine) },
  };
}

/** The verbs of a push, one after the other, as a shell command. */
export function pushOf(handler: string, dir: string): string {
  return ['stage', 'verify', 'recheck', 'commit', 'rollback'].map((verb) => `${handler} ${verb} ${dir}`).join(' && ');
}

/** A copy of an exported tree in which the first row of ten files is another; returns the list of the changed files. */
export function editTen(tree: string, next: string, table: string, edit: (text: string) => string): string[] {
  cpSync(tree, next, { recursive: true, preserveTimestamps: true });
  const changed = readdirSync(join(next, 'data', table)).slice(0, 10).map((name) => `data/${table}/${name}`);
  for (const path of changed) writeFileSync(join(next, path), edit(readFileSync(join(next, path), 'utf8')));
  return changed;
}

/** The whole way: git on a repository whose remote is a local machine with this binding; pull of nothing, pull and push of ten rows. */
export function benchFramework(bench: Bench, home: string, engine: string, binding: Record<string, string>, table: string, update: string, edit: (text: string) => string, query: string): void {
  const repository = join(home, 'repository');
  mkdirSync(repository);
  const run = (file: string, ...args: string[]): void => void execFileSync(file, args, { cwd: repository, stdio: ['ignore', 'ignore', 'pipe'] });
  run('git', 'init', '-q', '-b', 'master');
  for (const [key, value] of [['user.name', 'Bench'], ['user.email', 'bench@example.org'], ['gc.auto', '0'], ['maintenance.auto', 'false']]) run('git', 'config', key as string, value as string);
  run('node', join(root, 'dist/gitted-client.js'), 'scaffold', '--with', engine);
  appendFileSync(join(repository, `sysconf/actual/tree/etc/gitted/sync/master.${engine}.conf`), Object.entries(binding).map(([name, value]) => `${name}=${value}\n`).join(''));
  run('git', 'add', '-A');
  run('git', 'commit', '-qm', 'first');
  run('sysconf/gitted-client', 'init', 'box', '--driver', 'local');
  run('git', 'push', '-q', 'box', 'master');
  const inRepository = `cd ${repository} && `;
  const machine = join(repository, '.git/gitted-machines/box');
  const copy = `cp -r ${repository}/.git/gitted-machines/box/var/lib/gitted/bindings/*/live ${home}/copy-of-files && sync ${home}/copy-of-files`;
  bench.row('first export and commit', bench.seconds(`GITTED_ROOT=${machine} ${machine}/usr/bin/gitted export`, 1), 'copying the files', bench.seconds(copy, 1), '4.5 s');
  bench.row('its first pull: transfer and checkout', bench.seconds(`${inRepository}git pull -q box master`, 1), 'git clone', bench.seconds(`rm -rf ${home}/clone && git clone -q file://${machine}/local.repository.git ${home}/clone`, 1), '');
  bench.row('pull, nothing changed', bench.seconds(`${inRepository}git pull -q box master`, 7), 'query', bench.seconds(query, 7), '0.3 s');
  bench.row('pull, 10 rows changed', bench.seconds(`${inRepository}git pull -q box master`, 3, {}, update), 'query', bench.seconds(query), '');
  const data = join(repository, engine, 'app/data', table);
  const editAndCommit = (): void => {
    for (const name of readdirSync(data).slice(0, 10)) writeFileSync(join(data, name), edit(readFileSync(join(data, name), 'utf8')));
    run('git', 'commit', '-qam', 'ten rows');
  };
  let best = Infinity;
  for (let i = 0; i < 5; i++) {
    editAndCommit();
    best = Math.min(best, bench.seconds(`${inRepository}git push -q box master`, 1));
  }
  bench.row('push, 10 rows changed', best, 'query', bench.seconds(query), '0.6 s');
}
