import { describe, expect, test } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../src/process/run.ts';
import { isAlive, ownIdentity } from '../../src/process/identity.ts';
import { converge } from '../helpers/converge.ts';
import { tempDir } from '../helpers/repos.ts';

describe('running programs', () => {
  test('gives bytes in and out, and the exit code as an answer', async () => {
    const bytes = Buffer.from([0, 255, 10, 13, 0]);
    const result = await run('sh', ['-c', 'cat; exit 3'], { input: bytes });
    expect(result.exitCode).toBe(3);
    expect(result.stdout.equals(bytes)).toBe(true);
  });

  test('a program that is silent for too long is ended with everything it started', async () => {
    const directory = tempDir('run');
    const script = `sh -c 'echo $$ > child; sleep 600' & wait`;
    await expect(run('sh', ['-c', script], { cwd: directory, idleTimeoutMs: 300 })).rejects.toMatchObject({ kind: 'timeout' });
    await converge('the child is gone', () => existsSync(join(directory, 'child')) && !isAlive(readFileSync(join(directory, 'child'), 'utf8').trim()));
  });

  test('a program that is missing, and a directory that is missing, are told apart', async () => {
    await expect(run('no-such-program', [])).rejects.toMatchObject({ kind: 'failed', message: 'no-such-program is not installed, or not in PATH.', hint: 'install no-such-program' });
    await expect(run('sh', ['-c', 'true'], { cwd: '/nowhere' })).rejects.toMatchObject({ kind: 'failed', message: 'sh could not be started in /nowhere.' });
  });

  test('output extends the deadline', async () => {
    const result = await run('sh', ['-c', 'for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done'], { idleTimeoutMs: 400 });
    expect(result.exitCode).toBe(0);
  });

  test('an abort ends it', async () => {
    const abort = new AbortController();
    const running = run('sleep', ['600'], { signal: abort.signal });
    abort.abort();
    await expect(running).rejects.toMatchObject({ kind: 'interrupted' });
  });

  test('one that ignores TERM is killed', async () => {
    await expect(run('sh', ['-c', 'trap "" TERM; while :; do sleep 0.05; done'], { timeoutMs: 200 })).rejects.toMatchObject({ kind: 'timeout' });
  }, 15_000);

  test('a program that does not exist is a clear failure', async () => {
    await expect(run('gitsync-no-such-program', [])).rejects.toMatchObject({ kind: 'failed' });
  });

  test('a process knows itself from one that got the same id later', () => {
    expect(isAlive(ownIdentity())).toBe(true);
    expect(isAlive(`${process.pid} 1`)).toBe(false);
    expect(isAlive('999999999 1')).toBe(false);
    expect(isAlive('nonsense')).toBe(false);
  });
});
