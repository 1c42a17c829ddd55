/** What another user of the same machine can try. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { makeMachine, type Machine } from '../helpers/machine.ts';
import { sh, tempDir, tempRepo, twoMachines, write } from '../helpers/repos.ts';
import { describeWith } from '../helpers/requires.ts';

const nobody = 65_534;
const longMs = 300_000;

describeWith(['root', 'linux'], 'another user', () => {
  let machine: Machine;
  beforeEach(() => {
    machine = makeMachine('victim');
    chmodSync(machine.home, 0o755);
  }, longMs);
  afterEach(() => machine.stop());
  const asNobody = (script: string, ...args: string[]): { status: number | null; stderr: string } =>
    spawnSync('setpriv', ['--reuid', String(nobody), '--regid', String(nobody), '--clear-groups', process.execPath, '-e', script, ...args], { encoding: 'utf8', cwd: '/' });
  const runtime = (): string => join(machine.home, 'run/gitsync');
  const socketOf = (): string => join(runtime(), readdirSync(runtime()).find((name) => name.endsWith('.sock')) as string);

  test('cannot connect to the control socket, even where its directory was opened up', async () => {
    const { a } = twoMachines();
    machine.configure([a]);
    await machine.start();
    const connect = "require('node:net').createConnection(process.argv[1]).on('connect', () => process.exit(0)).on('error', ({ code }) => { console.error(code); process.exit(1) })";
    expect(asNobody(connect, socketOf())).toMatchObject({ status: 1, stderr: 'EACCES\n' });
    chmodSync(join(machine.home, 'run'), 0o755);
    chmodSync(runtime(), 0o755);
    expect(asNobody(connect, socketOf())).toMatchObject({ status: 1, stderr: 'EACCES\n' });
  }, longMs);

  test('cannot prepare the directory that the socket will lie in', () => {
    machine.configure([tempRepo({ 'a.txt': 'a\n' })]);
    mkdirSync(runtime(), { mode: 0o700 });
    chownSync(runtime(), nobody, nobody);
    expect(machine.run('--daemon')).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('not a private directory of yours') });
    rmSync(runtime(), { recursive: true });
    const theirs = tempDir('theirs');
    chownSync(theirs, nobody, nobody);
    symlinkSync(theirs, runtime());
    expect(machine.run('--daemon')).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('not a private directory of yours') });
    expect(readdirSync(theirs)).toEqual([]);
  }, longMs);

  test('cannot make us work in a repository of theirs, whose config would be obeyed', () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    const mark = join(tempDir('marks'), 'ran');
    sh(root, 'config', 'filter.x.clean', `touch ${mark}`);
    write(root, '.gitattributes', '* filter=x\n');
    execFileSync('chown', ['-R', `${nobody}:${nobody}`, root]);
    expect(machine.run('add', root)).toMatchObject({ exitCode: 10, stderr: expect.stringMatching(/belongs to someone else[\s\S]*safe\.directory/) });
    machine.configure([root]);
    machine.run('--once');
    expect(() => statSync(mark)).toThrow();
  }, longMs);

  test('does not get to read what we keep: state, snapshots\' index, staged files and logs of our own', async () => {
    const { a } = twoMachines();
    machine.configure([a]);
    machine.run('--once');
    expect(statSync(join(a, '.git/gitsync')).mode & 0o077).toBe(0);
  }, longMs);
});

test('whatever comes through the socket is answered or dropped, and the agent goes on', async () => {
  const machine = makeMachine('victim');
  try {
    const { a } = twoMachines();
    machine.configure([a]);
    await machine.start();
    const directory = join(machine.home, 'run/gitsync');
    const socket = join(directory, readdirSync(directory).find((name) => name.endsWith('.sock')) as string);
    const send = (text: string): Promise<string> =>
      new Promise((resolve) => {
        let said = '';
        const connection = createConnection(socket).setEncoding('utf8');
        connection.on('data', (part) => ((said += String(part)), connection.destroy())).on('close', () => resolve(said)).on('error', () => undefined);
        connection.write(text);
      });
    for (const text of ['\n', 'null\n', '[]\n', '{"op":1}\n', '{"op":"nosuch"}\n', '{"op":"status","args":{"paths":"x"}}\n', '{"op":"restore","args":{"paths":["/etc"],"path":"../../x"}}\n', `{"op":"restore","args":{"paths":[${JSON.stringify(a)}],"path":"../../x","at":"now"}}\n`, '{"op":"__proto__"}\n', 'GET / HTTP/1.0\r\n\r\n']) {
      const answer = await send(text);
      expect({ text, answer: answer === '' ? '' : (JSON.parse(answer.split('\n')[0] as string) as { ok: boolean }).ok }).toEqual({ text, answer: text.includes('"paths":"x"') });
    }
    expect(await send('x'.repeat(3_000_000))).toBe('');
    await converge('the agent answers', () => machine.run('status').exitCode === 0);
  } finally {
    await machine.stop();
  }
}, longMs);
