/** What every kind of machine does alike. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { baseName } from '../../src/gitted/base-image.ts';
import { localDriver, sshDriver } from '../../src/gitted/directory-driver.ts';
import type { Driver } from '../../src/gitted/driver.ts';
import { lxcDriver } from '../../src/gitted/lxc-driver.ts';
import { runProgram } from '../helpers/gitted-machine.ts';
import { tempDir } from '../helpers/repos.ts';
import { describeWith } from '../helpers/requires.ts';
import { startSshd, type TestSshd } from '../helpers/sshd.ts';

const longMs = 600_000;

/** The suite: each driver goes through one machine's life, in order. */
function conforms(make: () => Driver, end: () => Promise<void> = async () => undefined): void {
  let driver: Driver;
  beforeAll(() => void (driver = make()));
  afterAll(async () => {
    if ((await driver.state()) !== 'absent') await driver.destroy();
    await end();
  }, longMs);

  test('is absent before it is made', async () => expect(await driver.state()).toBe('absent'));

  test('is there after create, and runs after start', async () => {
    await driver.create();
    expect(['stopped', 'running']).toContain(await driver.state());
    await driver.start();
    expect(await driver.state()).toBe('running');
    await driver.start(); // again: nothing happens
  }, longMs);

  test('runs programs with their words, input, output and exit code as they are', async () => {
    const words = ['a b', '$HOME', `'"`, '*', '\\', ';', ''];
    const { stdout } = await driver.exec(['sh', '-c', 'for word; do printf "[%s]" "$word"; done', 'sh', ...words]);
    expect(stdout.toString()).toBe(words.map((word) => `[${word}]`).join(''));
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
    expect((await driver.exec(['cat'], { input: bytes })).stdout.equals(bytes)).toBe(true);
    const failed = await driver.exec(['sh', '-c', 'echo why >&2; exit 7']);
    expect(failed).toMatchObject({ exitCode: 7 });
    expect(failed.stderr).toContain('why');
  }, longMs);

  test('has an address and a place for its files', async () => {
    expect(await driver.address()).toMatch(/^[\w.:-]+$/);
    const file = `${driver.rootfs()}/etc/gitted-was-here`;
    await driver.exec(['sh', '-c', 'mkdir -p "${1%/*}" && echo yes >"$1"', 'sh', file]);
    expect((await driver.exec(['cat', file])).stdout.toString()).toBe('yes\n');
  }, longMs);

  test('stops, keeps its files, and starts again', async () => {
    await driver.stop();
    expect(await driver.state()).toBe('stopped');
    await driver.start();
    expect((await driver.exec(['cat', `${driver.rootfs()}/etc/gitted-was-here`])).stdout.toString()).toBe('yes\n');
  }, longMs);

  test('is absent after destroy', async () => {
    await driver.destroy();
    expect(await driver.state()).toBe('absent');
  }, longMs);
}

describe('the driver local', () => conforms(() => localDriver(join(tempDir('local'), 'machine'))));

describeWith(['ssh'], 'the driver ssh', () => {
  let sshd: TestSshd;
  beforeAll(async () => void (sshd = await startSshd()));
  conforms(() => sshDriver('127.0.0.1', join(tempDir('ssh'), 'machine'), ['-p', String(sshd.port), ...sshd.sshCommand.split(' ').slice(1)]), () => sshd.stop());
});

describeWith(['lxc', 'mmdebstrap'], 'the driver lxc', () => {
  const name = `gitsync-test-driver-${process.pid}`;
  conforms(() => lxcDriver(name, { distribution: 'debian', release: 'bookworm' }));

  test('makes the next container from the base that it keeps', () => {
    expect(runProgram('/', 'lxc-ls', ['-1']).stdout.split('\n')).toContain(baseName('debian', 'bookworm'));
  });

  test('clears away a container of ours that was left half made, and leaves one of others', async () => {
    const path = runProgram('/', 'lxc-config', ['lxc.lxcpath']).stdout.trim();
    const driver = lxcDriver(name, { distribution: 'debian', release: 'bookworm' });
    const half = () => runProgram('/', 'sh', ['-c', 'mkdir -p "$1" && : >"$1/partial" && : >"$1/config"', 'sh', join(path, name)]);
    half();
    expect(await driver.state()).toBe('partial');
    await expect(driver.create()).rejects.toMatchObject({ message: expect.stringContaining('not ours'), hint: `rm -r ${join(path, name)}` });
    runProgram('/', 'touch', [join(path, `.${name}.gitted-creating`)]);
    await driver.create();
    expect(await driver.state()).toBe('stopped');
    await driver.destroy();
  }, longMs);
});
