/** The agent drives containers: folder, server and machines converge by themselves (the `local` driver: no root, no LXC). */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { makeMachine as makeContainer, manifestOf, type TestMachine } from '../helpers/gitted-machine.ts';
import { makeMachine, quickSettings, type Machine } from '../helpers/machine.ts';
import { bareRemote, exists, read, sh, write } from '../helpers/repos.ts';

describe('a work directory with a container', () => {
  let box: TestMachine;
  let origin: string;
  let desk: Machine;

  beforeAll(async () => {
    box = makeContainer({ files: { 'files/manifest.tsv': manifestOf(['hello.txt']), 'files/tree/hello.txt': 'hello\n', 'notes.md': 'notes\n' } });
    origin = bareRemote();
    sh(box.root, 'remote', 'add', 'origin', origin);
    sh(box.root, 'push', '-q', '-u', 'origin', 'master');
    desk = makeMachine('desk');
    desk.configure([box.root], quickSettings, `[container box]\nrepo = ${box.root}\npush = debounce 300ms\npull = every 1h\nexport_points = /srv/files\nstart = yes\n`);
    await desk.start();
  });
  afterAll(() => desk.stop());

  const allEqual = (): boolean => {
    const head = sh(box.root, 'rev-parse', 'master');
    return sh(box.root, 'status', '--porcelain') === '' && sh(origin, 'rev-parse', 'master') === head && sh(`${box.inside}/local.repository.git`, 'rev-parse', 'master') === head;
  };

  test('makes and fills a container that was never there, where it may start it', async () => {
    await converge('the file is inside', () => box.liveText('hello.txt') === 'hello\n', 60_000);
    await converge('all equal', allEqual, 30_000);
    await converge('the status says so', () => desk.run('status').exitCode === 0, 30_000);
    expect(desk.run('status').stdout).toMatch(/^ {2}box {2}running 127\.0\.0\.1 {2}in step {2}has everything of master; pushed .*, pulled /m);
  }, 120_000);

  test('a file that changes in the work directory is inside after the quiet time', async () => {
    write(box.root, 'files/tree/hello.txt', 'hello from the desk\n');
    await converge('inside', () => box.liveText('hello.txt') === 'hello from the desk\n', 30_000);
    await converge('all equal', allEqual, 30_000);
  }, 60_000);

  test('a file that is dropped into an export point is in the work directory and at the server, without waiting for the time of pull', async () => {
    box.live('dropped.txt', 'from inside\n');
    await converge('here', () => exists(box.root, 'files/tree/dropped.txt') && read(box.root, 'files/tree/dropped.txt') === 'from inside\n', 30_000);
    await converge('all equal', allEqual, 30_000);
    box.live('new/dir/deep.txt', 'deep\n');
    await converge('a new directory too', () => exists(box.root, 'files/tree/new/dir/deep.txt'), 30_000);
    box.live('new/dir/deep.txt', 'deeper\n');
    await converge('which is watched', () => read(box.root, 'files/tree/new/dir/deep.txt') === 'deeper\n', 30_000);
    await converge('all equal', allEqual, 30_000);
  }, 120_000);
});
