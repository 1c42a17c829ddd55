/** Runs an update of a work tree as a program of its own that dies, with or without its gits, right before the Nth call by which they change files. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { compilerOf } from '../helpers/requires.ts';
import { tempDir } from '../helpers/repos.ts';

/** A copy of a directory with all that is in it, in a place of its own. */
export function copyOf(root: string): string {
  const copy = join(tempDir('killed'), 'repo');
  execFileSync('cp', ['-a', root, copy]);
  return copy;
}

/** The numbers of the calls to try: all with GITSYNC_KILL_EVERY=1, otherwise every so-manyeth from the first one on. */
export function chooseCalls(count: number, first: number, everyNth: number): number[] {
  const every = Number(process.env['GITSYNC_KILL_EVERY'] ?? everyNth);
  return Array.from({ length: count }, (_, i) => i + 1).filter((number) => (number - first) % every === 0);
}

/** Every call takes hours. */
export const callsTimeoutMs = process.env['GITSYNC_KILL_EVERY'] === undefined ? 300_000 : 4 * 3_600_000;

/** As if ten minutes had gone by: a lock that a killed git has left is taken away only then. */
export function ageLocks(root: string): void {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.lock'));
  const then = new Date(Date.now() - 11 * 60_000);
  for (const name of names) utimesSync(join(root, name), then, then);
}

/** `all`: as when the power goes; `one`: only the process that makes the call, be it ours or one of its gits. */
export type Victims = 'all' | 'one';

export interface Call {
  /** 1 for the first. */
  number: number;
  /** `node`, or `git`. */
  program: string;
  name: string;
  path: string;
}

export interface KilledRun {
  /** The calls in their order; the last is the one that was not made, where one was to be killed. */
  calls: Call[];
  wasKilled: boolean;
}

export interface Killer {
  /** @param at which call is not made any more; 0: all are made. */
  run(args: readonly string[], root: string, at: number, victims: Victims): KilledRun;
}

/** More than the shared memory of the killer needs. */
const stateBytes = 8_192;

const source = (name: string): string => join(import.meta.dirname, name);

/** Bundles apply-child.ts, which is to be started many times, into one file; returns its name. */
export function bundleChild(): string {
  const program = join(tempDir('child'), 'apply-child.mjs');
  buildSync({ entryPoints: [source('apply-child.ts')], outfile: program, bundle: true, platform: 'node', format: 'esm', banner: { js: "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);" } });
  return program;
}

/** Compiles the killer and bundles the program; one for a test file is enough. */
export function makeKiller(): Killer {
  const directory = tempDir('killer');
  const [library, program] = [join(directory, 'kill-at-call.so'), bundleChild()];
  const compiled = spawnSync(compilerOf() ?? 'cc', ['-shared', '-fPIC', '-o', library, source('kill-at-call.c'), '-ldl', '-lpthread'], { encoding: 'utf8' });
  if (compiled.status !== 0) throw new Error(`kill-at-call.c: ${compiled.stderr}`);

  return {
    run(args, root, at, victims) {
      const [state, log] = [join(directory, 'state'), join(directory, 'log')];
      writeFileSync(state, Buffer.alloc(stateBytes));
      writeFileSync(log, '');
      // One thread for its calls, so that they have an order that comes back.
      const env = { ...process.env, UV_THREADPOOL_SIZE: '1', LD_PRELOAD: library, KILL_STATE: state, KILL_LOG: log, KILL_BELOW: root, KILL_AT: String(at), KILL_WHO: victims };
      const { stderr, status, signal } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', env, timeout: 120_000 });
      const calls = readCalls(readFileSync(log, 'utf8'), root);
      const wasKilled = at > 0 && calls.some(({ number }) => number === at);
      if (!wasKilled && status !== 0) throw new Error(`the program ended with ${status ?? signal}: ${stderr}`);
      return { calls: wasKilled && victims === 'all' ? calls.slice(0, at) : calls, wasKilled };
    },
  };
}

function readCalls(log: string, root: string): Call[] {
  return log.split('\n').filter((line) => line !== '').map((line) => {
    const [number = '', program = '', name = '', ...path] = line.split(' ');
    return { number: Number(number), program, name, path: path.join(' ').replace(`${root}/`, '') };
  });
}

/** What was done to whom, for the message of a failure. */
export function nameOf(call: Call | undefined, victims: Victims): string {
  return call === undefined ? '' : `${victims} before ${call.number}: ${call.program} ${call.name} ${call.path}`;
}
