/** `gitsync container ...` where no agent runs. */
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { makeMachine as makeContainer, manifestOf, type TestMachine } from '../helpers/gitted-machine.ts';
import { makeMachine, program, quickSettings, type Machine } from '../helpers/machine.ts';
import { read, sh, write } from '../helpers/repos.ts';

/** A repository with a container `box` that has everything; pushes and pulls only when a person says so. */
function stage(): { box: TestMachine; desk: Machine } {
  const box = makeContainer({ files: { 'files/manifest.tsv': manifestOf(['hello.txt']), 'files/tree/hello.txt': 'hello\n' } });
  box.must('push', '-q', 'box', 'master');
  const desk = makeMachine('desk');
  desk.configure([box.root], quickSettings, `[container box]\nrepo = ${box.root}\npush = manual\npull = manual\n`);
  return { box, desk };
}

// With an agent, see containers-trouble.test.ts.
describe('gitsync container without an agent', () => {
  test('pushes, pulls, shows and undoes', () => {
    const { box, desk } = stage();
    expect(JSON.parse(desk.run('container', 'list', '--json').stdout)).toMatchObject([{ name: 'box', machine: 'running 127.0.0.1', branch: null }]);
    write(box.root, 'files/tree/hello.txt', 'from outside\n');
    expect(desk.run('sync', box.root).exitCode).toBeLessThanOrEqual(1);
    expect(desk.run('container', 'push', 'box')).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^box {2}running 127\.0\.0\.1 {2}in step {2}has everything of master; pushed just now/) as unknown });
    expect(box.liveText('hello.txt')).toBe('from outside\n');
    box.live('hello.txt', 'from inside\n');
    expect(desk.run('container', 'status', 'box').stdout).toMatch(/in step[\s\S]*files \(files\): may have changed/);
    expect(desk.run('container', 'pull', 'box')).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('pulled just now') as unknown });
    expect(read(box.root, 'files/tree/hello.txt')).toBe('from inside\n');
    expect(desk.run('container', 'undo', 'box').exitCode).toBe(0);
    expect(box.liveText('hello.txt')).not.toBe('from inside\n');
    expect(read(box.root, 'files/tree/hello.txt')).toBe(box.liveText('hello.txt'));
    expect(sh(box.root, 'status', '--porcelain')).toBe('');
  }, 240_000);
});

describe('gitsync container', () => {
  test('logs prints what the machine has logged last, and says where there is nothing', () => {
    const { box, desk } = stage();
    expect(desk.run('container', 'logs', 'box')).toMatchObject({ exitCode: 13, stderr: expect.stringContaining('box has no journal and nothing in /var/log.') as unknown });
    write(box.inside, 'var/log/app.log', Array.from({ length: 300 }, (_, i) => `line ${i}\n`).join(''));
    const said = desk.run('container', 'logs', 'box');
    expect(said.exitCode).toBe(0);
    expect(said.stdout).toMatch(/^line 100\n[\s\S]*line 299\n$/);
    expect(desk.run('container', 'stop', 'box').exitCode).toBe(0);
    expect(desk.run('container', 'logs', 'box')).toMatchObject({ exitCode: 13, stderr: expect.stringContaining('box is stopped.') as unknown });
    expect(desk.run('container', 'list').stdout).toMatch(/^box {2}stopped/);
    expect(desk.run('container', 'start', 'box').exitCode).toBe(0);
  }, 120_000);

  test('shell runs a shell inside on this terminal, and ends as it does', () => {
    const { box, desk } = stage();
    const said = spawnSync(process.execPath, [program, 'container', 'shell', 'box'], { env: desk.env, cwd: desk.home, encoding: 'utf8', input: 'echo "in $PWD"\ncat srv/files/hello.txt\nexit 7\n' });
    expect(said.stdout).toContain(`in ${box.inside}\nhello\n`);
    expect(said.status).toBe(7);
  }, 120_000);
});
