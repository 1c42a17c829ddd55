import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { startProcess } from '../../src/process/long-lived.ts';
import { converge } from '../helpers/converge.ts';
import { tempDir } from '../helpers/repos.ts';

function start(script: string, input?: string) {
  const lines: string[] = [];
  const started = startProcess('sh', ['-c', script], { onLine: (line) => lines.push(line), ...(input === undefined ? {} : { input }) });
  return { started, lines };
}

describe('startProcess', () => {
  test('hands over each line, and tells how it ended', async () => {
    const { started, lines } = start('printf "one\\ntw"; sleep 0.1; printf "o\\nunfinished"; echo trouble >&2; exit 3');
    expect(await started.ended).toEqual({ exitCode: 3, stderr: 'trouble\n' });
    expect(lines).toEqual(['one', 'two']);
  });

  test('writes the input and keeps it open until it is closed', async () => {
    const { started, lines } = start('read -r word; echo "$word"; cat; echo end', 'hello\n');
    await converge('the word', () => lines.includes('hello'));
    expect(lines).toEqual(['hello']);
    await started.close();
    expect(lines).toEqual(['hello', 'end']);
  });

  test('ends a program that ignores the end of its input and TERM, and its children', async () => {
    const file = `${tempDir('stubborn')}/pid`;
    const { started, lines } = start(`trap '' TERM; sleep 300 & echo $! > ${file}; echo ready; while :; do wait; done`);
    await converge('ready', () => lines.includes('ready'));
    await started.close();
    expect((await started.ended).exitCode).toBeUndefined();
    const child = readFileSync(file, 'utf8').trim();
    await converge('its child is gone', () => !/^\d+ \(.*\) [^Z]/.test(statOf(child)));
  }, 20_000);

  test('does not fill the memory with a line that never ends', async () => {
    const { started, lines } = start('head -c 3000000 /dev/zero | tr "\\0" x; echo; echo next');
    await started.ended;
    expect(lines).toHaveLength(2);
    expect(lines[0]?.length).toBeLessThan(200_000);
    expect(lines[1]).toBe('next');
  });

  test('a program that does not exist has no id and no exit code', async () => {
    const started = startProcess('/nonexistent/program', [], { onLine: () => undefined });
    expect(started.pid).toBeUndefined();
    expect(await started.ended).toMatchObject({ exitCode: undefined, stderr: expect.stringContaining('ENOENT') });
    await started.close();
  });
});

function statOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return '';
  }
}
