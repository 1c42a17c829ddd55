/** Containers of LXC, of root or of a normal user. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GitsyncError } from '../errors.ts';
import { gitEnvironment } from '../process/env.ts';
import { run } from '../process/run.ts';
import { bridgeTrouble, ensureBridge } from './bridge.ts';
import type { Driver, ExecOptions, MachineState } from './driver.ts';
import { isRoot, lxc, lxcEnvironment, lxcPath, markerOf, removeFiles, wordsOf } from './lxc.ts';
import { waitUntilReady } from './ready.ts';
import { detail, secondsSince } from './report.ts';

const insideEnvironment = ['-v', 'HOME=/root', '-v', 'USER=root', '-v', 'LANG=C.UTF-8', '-v', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'];

async function clearPartial(path: string, container: string): Promise<void> {
  if (!existsSync(markerOf(path, container))) {
    throw new GitsyncError('container', `The container ${container} is left over from a lxc-create that was cut off, and not ours.`, { hint: `rm -r ${join(path, container)}` });
  }
  detail(`${container} was left half made; clearing it away`);
  await removeFiles(join(path, container));
}

/** An overlay over the base, else a copy of it, else its archive once more. */
async function makeFromBase(container: string, distribution: string, release: string): Promise<string> {
  const { createFromArchive, ensureBase } = await import('./base-image.ts');
  const base = await ensureBase(distribution, release);
  const overlay = await lxc('copy', ['-n', base.container, '-N', container, '-B', 'overlay', '-s'], { expect: [0, 1] });
  if (overlay.exitCode === 0) return 'an overlay';
  const copy = await lxc('copy', ['-n', base.container, '-N', container], { expect: [0, 1], timeoutMs: 900_000 });
  if (copy.exitCode === 0) return 'a copy';
  await lxc('destroy', ['-n', container, '-f'], { expect: [0, 1] });
  await createFromArchive(container, release);
  return 'unpacked';
}

/** A container of this name. */
export function lxcDriver(container: string, type: { distribution: string; release: string }): Driver {
  const attach = (command: readonly string[]): string[] => ['-n', container, '--clear-env', ...insideEnvironment, '--', ...command];
  const exec = (command: readonly string[], options: ExecOptions = {}) =>
    run('lxc-attach', attach(command), { env: lxcEnvironment(), ...(options.input === undefined ? {} : { input: options.input }), ...(options.signal === undefined ? {} : { signal: options.signal }), idleTimeoutMs: options.timeoutMs ?? 600_000 });
  const state = async (): Promise<MachineState> => {
    const { exitCode, stdout } = await lxc('info', ['-n', container, '-s', '-H'], { expect: [0, 1] });
    const path = await lxcPath();
    if (existsSync(join(path, container, 'partial')) || (exitCode !== 0 && existsSync(join(path, container)))) return 'partial';
    if (exitCode !== 0) return 'absent';
    return ['RUNNING', 'FROZEN'].includes(stdout.toString('utf8').trim()) ? 'running' : 'stopped';
  };
  const address = async (): Promise<string | undefined> => {
    const { stdout } = await lxc('info', ['-n', container, '-i', '-H'], { expect: [0, 1] });
    return stdout.toString('utf8').split('\n').find((line) => /^\d+\.\d+\.\d+\.\d+$/.test(line) && !line.startsWith('127.'));
  };
  const driver: Driver = {
    kind: 'lxc',
    state,
    async create() {
      const startedMs = performance.now();
      const path = await lxcPath();
      if ((await state()) === 'partial') await clearPartial(path, container);
      mkdirSync(path, { recursive: true });
      writeFileSync(markerOf(path, container), '');
      const way = await makeFromBase(container, type.distribution, type.release);
      rmSync(markerOf(path, container), { force: true });
      detail(`${container} is made (${way} of ${type.distribution} ${type.release}, ${secondsSince(startedMs)})`);
    },
    async start() {
      if ((await state()) === 'running') return;
      // Two at once would take each other's bridge down again.
      if (isRoot() && bridgeTrouble() !== undefined) await (await import('./base-lock.ts')).withBaseLock(await lxcPath(), ensureBridge);
      const result = await lxc('start', ['-n', container, '-d'], { expect: [0, 1], timeoutMs: 60_000 });
      if (result.exitCode !== 0) {
        const loud = await lxc('start', ['-n', container, '-F', '-l', 'ERROR', '-o', '/dev/stderr'], { expect: [0, 1], timeoutMs: 20_000 }).catch(() => result);
        throw new GitsyncError('container', `The container ${container} does not start: ${wordsOf(loud.stderr) || wordsOf(result.stderr)}`, { hint: 'gitted-client doctor' });
      }
      await waitUntilReady(container, { exec, address });
    },
    async stop() {
      if ((await state()) === 'running') await lxc('stop', ['-n', container, '-t', '30'], { timeoutMs: 90_000 });
    },
    async destroy() {
      const now = await state();
      const path = await lxcPath();
      if (now === 'partial') return clearPartial(path, container);
      if (now !== 'absent') await lxc('destroy', ['-n', container, '-f'], { timeoutMs: 120_000 });
    },
    exec,
    command: (command) => ({ file: 'lxc-attach', args: attach(command), env: { ...gitEnvironment(), ...lxcEnvironment(), TERM: process.env['TERM'] } }),
    address,
    rootfs: () => '',
  };
  return driver;
}
