/** A FerretDB server of one test file: own data, own port on the loopback. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { converge } from './converge.ts';
import { children } from './hermetic-env.ts';
import { tempDir } from './repos.ts';
import { freePort, isListening } from './sshd.ts';

const script = new URL('../../scripts/ferretdb.mjs', import.meta.url).pathname;

export interface TestFerretdb {
  port: number;
  stop(): Promise<void>;
}

/** Whether this machine has FerretDB, or Go and its module proxy to build it with. */
export function canHaveFerretdb(): boolean {
  return spawnSync(process.execPath, [script, '--can'], { stdio: 'ignore' }).status === 0;
}

/** The program's path; it is built first where that was not done yet. */
export async function ferretdbProgram(): Promise<string> {
  return (await promisify(execFile)(process.execPath, [script])).stdout.trim();
}

/** Starts a server; it ends with the test process at the latest. */
export async function startFerretdb(): Promise<TestFerretdb> {
  const program = await ferretdbProgram();
  const port = await freePort();
  const home = tempDir('ferretdb');
  mkdirSync(join(home, 'data'));
  const log = openSync(join(home, 'log'), 'a');
  const server = spawn(program, ['--handler=sqlite', `--sqlite-url=file:${home}/data/`, `--listen-addr=127.0.0.1:${port}`, '--debug-addr=-', '--telemetry=disable', `--state-dir=${home}`], { stdio: ['ignore', log, log] });
  const ended = new Promise((resolve) => server.on('exit', resolve));
  children.add(server);
  await converge(`FerretDB listens (see ${home}/log)`, () => server.exitCode === null && isListening(port), 60_000);
  return {
    port,
    async stop() {
      server.kill('SIGKILL');
      await ended;
    },
  };
}
