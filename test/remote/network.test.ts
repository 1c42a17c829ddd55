import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { hasNewWay, watchNetwork } from '../../src/remote/network.ts';
import { converge } from '../helpers/converge.ts';
import { describeWith } from '../helpers/requires.ts';

const program = new URL('./print-network-ups.ts', import.meta.url).pathname;

/** A process that prints `ready`, then `up` for each time that it notices something. */
function start(command: string[]): { child: ChildProcess; lines(): string[] } {
  const child = spawn(command[0] as string, command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (more: string) => (text += more));
  return { child, lines: () => text.split('\n').slice(0, -1) };
}

const node = [process.execPath, '--import', 'tsx', program];

describe('hasNewWay', () => {
  test('is about what came, not about what went', () => {
    expect(hasNewWay(new Set(['eth0 10.0.0.1']), new Set())).toBe(false);
    expect(hasNewWay(new Set(['eth0 10.0.0.1']), new Set(['eth0 10.0.0.1']))).toBe(false);
    expect(hasNewWay(new Set(['eth0 10.0.0.1']), new Set(['wlan0 10.0.0.2']))).toBe(true);
  });
});

describeWith(['linux'], 'watchNetwork', () => {
  test('notices that the machine stood still', async () => {
    const { child, lines } = start(node);
    await converge('ready', () => lines().includes('ready'));
    child.kill('SIGSTOP');
    const stoppedAt = Date.now();
    await converge('it stood still for long enough', () => Date.now() - stoppedAt > 1_500);
    expect(lines()).toEqual(['ready']);
    child.kill('SIGCONT');
    await converge('noticed', () => lines().includes('up'));
    child.kill('SIGKILL');
  });

  test('keeps no program alive', () => {
    const text = "const { watchNetwork } = await import(process.argv[1]); watchNetwork(() => {}); console.log('done')";
    const file = new URL('../../src/remote/network.ts', import.meta.url).pathname;
    expect(execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', text, file], { timeout: 20_000 }).toString()).toBe('done\n');
    watchNetwork(() => undefined).close();
  });
});

describeWith(['root', 'userns'], 'watchNetwork in a network of its own', () => {
  test('notices an address that comes, and not a link-local one', async () => {
    const { child, lines } = start(['unshare', '-n', ...node]);
    await converge('ready', () => lines().includes('ready'));
    const ip = (...words: string[]): void => void execFileSync('nsenter', ['-t', String(child.pid), '-n', 'ip', ...words]);
    ip('link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
    ip('addr', 'add', '169.254.7.7/16', 'dev', 'v0');
    ip('link', 'set', 'v0', 'up');
    ip('link', 'set', 'v1', 'up');
    const linkUpAt = Date.now();
    await converge('some looks have passed', () => Date.now() - linkUpAt > 500);
    expect(lines()).toEqual(['ready']);
    ip('addr', 'add', '10.77.0.1/24', 'dev', 'v0');
    await converge('noticed', () => lines().length > 1);
    const before = lines().length;
    ip('route', 'add', 'default', 'via', '10.77.0.2');
    await converge('noticed', () => lines().length > before);
    child.kill('SIGKILL');
  });
});
