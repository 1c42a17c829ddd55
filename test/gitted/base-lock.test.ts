/** Making what all containers share: one at a time, and nobody waits for the dead. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { withBaseLock } from '../../src/gitted/base-lock.ts';
import { converge } from '../helpers/converge.ts';
import { children } from '../helpers/hermetic-env.ts';
import { tempDir } from '../helpers/repos.ts';

const root = new URL('../..', import.meta.url).pathname;

/** A maker in a process of its own, which holds the lock and runs `step` (a shell script). */
async function startMaker(path: string, step: string): Promise<ChildProcess> {
  const program = `const { withBaseLock, runStep } = await import('./src/gitted/base-lock.ts');
    await withBaseLock(process.argv[1], () => runStep(process.argv[1], 'sh', ['-c', process.argv[2], 'sh', process.argv[1]]));`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program, path, step], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  children.add(child);
  await converge('the maker is at work', () => existsSync(join(path, 'at-work')), 60_000);
  return child;
}

describe('the lock of what all containers share', () => {
  test('lets one in after the other', async () => {
    const path = tempDir('lxcpath');
    const said: string[] = [];
    const work = (name: string) => async (): Promise<void> => {
      said.push(`${name} in`);
      await new Promise((resolve) => setImmediate(resolve));
      said.push(`${name} out`);
    };
    await Promise.all(['a', 'b', 'c'].map((name) => withBaseLock(path, work(name))));
    expect(said.filter((_, index) => index % 2 === 0).map((line) => line[0]).sort()).toEqual(['a', 'b', 'c']);
    for (let index = 0; index < 6; index += 2) expect(said[index + 1]).toBe(said[index]?.replace('in', 'out'));
  });

  test('is free again when work fails', async () => {
    const path = tempDir('lxcpath');
    await expect(withBaseLock(path, () => Promise.reject(new Error('no mirror')))).rejects.toThrow('no mirror');
    expect(await withBaseLock(path, async () => 'in')).toBe('in');
  });

  test('of a maker that was killed is free, once what it had started has ended', async () => {
    const path = tempDir('lxcpath');
    const maker = await startMaker(path, ': >"$1/at-work"; while [ ! -e "$1/go" ]; do sleep 0.1; done; : >"$1/ended"');
    let entered: boolean | undefined;
    const next = withBaseLock(path, async () => void (entered = existsSync(join(path, 'ended'))));
    maker.kill('SIGKILL');
    await converge('the maker is dead', () => maker.signalCode !== null);
    expect(entered).toBe(undefined);
    writeFileSync(join(path, 'go'), '');
    await next;
    expect(entered).toBe(true);
  });
});
