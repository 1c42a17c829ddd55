/** Runs a handler's verbs from the source tree, as gitted does inside a container. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { tempDir } from './repos.ts';

const root = new URL('../..', import.meta.url).pathname;

export interface VerbResult {
  status: number;
  stdout: string;
  stderr: string;
}

export interface Handler {
  state: string;
  /** Runs one verb and returns what came of it. */
  run(verb: string, dir?: string, env?: Record<string, string>): VerbResult;
  /** Runs one verb that must succeed. */
  must(verb: string, dir?: string, env?: Record<string, string>): string;
  /** Exports into a new directory, or the one given; returns it. */
  export(dir?: string): string;
  /** stage, verify, recheck, commit and rollback, as for a push; the first that fails ends it with a rollback. */
  push(dir: string, old?: string, env?: Record<string, string>): VerbResult;
  /** The token that the last export or commit wrote. */
  token(): string;
}

/** A handler bound to one database; its programs are the ones of the source tree. */
export function handlerFor(engine: string, env: Record<string, string>): Handler {
  const state = tempDir('state');
  const share = join(root, 'sysconf', `sysconf.gitted.${engine}`, 'tree/usr/share/gitted');
  const common = join(root, 'sysconf/sysconf.gitted/tree/usr/share/gitted/lib');
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(GITTED_|PG|MYSQL)/.test(name)));
  const full = { ...inherited, GITTED_STATE: state, GITTED_LIB: common, [`GITTED_${engine.toUpperCase()}_LIB`]: `${share}/lib/${engine}`, ...env };
  const run: Handler['run'] = (verb, dir, more = {}) => {
    const result = spawnSync(join(share, 'handlers', engine), dir === undefined ? [verb] : [verb, dir], {
      env: { ...full, ...more },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 1 << 28,
    });
    return { status: result.status ?? -1, stdout: result.stdout, stderr: result.stderr };
  };
  const must: Handler['must'] = (verb, dir, more) => {
    const { status, stdout, stderr } = run(verb, dir, more);
    if (status !== 0) throw new Error(`${engine} ${verb} ended with ${status}: ${stderr}`);
    return stdout.trimEnd();
  };
  const token = (): string => readFileSync(join(state, 'token.new'), 'utf8').trimEnd();
  return {
    state,
    run,
    must,
    token,
    export(dir = tempDir('export')) {
      mkdirSync(dir, { recursive: true });
      must('export', dir);
      return dir;
    },
    push(dir, old, more = {}) {
      const env = { ...more, ...(old === undefined ? {} : { GITTED_OLD_DIR: old }) };
      for (const verb of ['stage', 'verify', 'recheck', 'commit']) {
        const result = run(verb, dir, env);
        if (result.status !== 0) {
          must('rollback');
          return result;
        }
      }
      must('rollback');
      return { status: 0, stdout: '', stderr: '' };
    },
  };
}

/** Every file below a directory: path and content. */
export function treeOf(dir: string, inside = ''): Record<string, string> {
  const found: Record<string, string> = {};
  if (!existsSync(dir)) return found;
  for (const entry of readdirSync(join(dir, inside), { withFileTypes: true })) {
    const path = inside === '' ? entry.name : `${inside}/${entry.name}`;
    if (entry.isDirectory()) Object.assign(found, treeOf(dir, path));
    else found[path] = readFileSync(join(dir, path), 'latin1');
  }
  return found;
}
