/** The agent and a machine over ssh: what changes in its export points is told through one long connection. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { makeMachine as makeContainer, type TestMachine } from '../helpers/gitted-machine.ts';
import { makeMachine, quickSettings, type Machine } from '../helpers/machine.ts';
import { endAll } from '../helpers/processes.ts';
import { exists, read, tempDir } from '../helpers/repos.ts';
import { describeWith } from '../helpers/requires.ts';
import { startSshd, type TestSshd } from '../helpers/sshd.ts';

const waitMs = 60_000;

describeWith(['ssh', 'linux'], 'a container over ssh whose export points are watched', () => {
  let sshd: TestSshd;
  let box: TestMachine;
  let desk: Machine;
  const place = join(tempDir('ssh machine'), 'm');

  /** The processes of the script inside. */
  const watchers = (): number[] => sshd.processes('sh -s');
  const drop = (name: string): void => writeFileSync(join(place, 'srv/files', name), `${name}\n`);
  const arrives = async (name: string): Promise<void> => {
    drop(name);
    await converge(`${name} is here`, () => exists(box.root, `files/tree/${name}`) && read(box.root, `files/tree/${name}`) === `${name}\n`, waitMs);
  };
  const watched = (): Promise<void> => converge('it is watched', () => watchers().length > 0, waitMs);

  beforeAll(async () => {
    sshd = await startSshd();
    box = makeContainer({ driver: ['--host', '127.0.0.1', '--path', place, '--ssh', `${sshd.sshCommand} -p ${sshd.port}`] });
    desk = makeMachine('desk');
    desk.configure([box.root], quickSettings, `[container box]\nrepo = ${box.root}\npush = debounce 300ms\npull = every 1h\nexport_points = /srv/files\nstart = yes\n`);
    await desk.start();
    await converge('in step', () => desk.run('container', 'list').stdout.includes('running 127.0.0.1  in step'), waitMs);
  });
  afterAll(async () => {
    await desk?.stop();
    await sshd?.stop();
  });

  test('a file that is dropped there is here without waiting for the time of pull', async () => {
    await watched();
    await arrives('dropped.txt');
    await arrives('dropped-later.txt');
  });

  test('a connection that is lost is taken up again, and what happened meanwhile is found', async () => {
    await watched();
    const before = watchers();
    endAll(sshd.clients());
    drop('meanwhile.txt');
    await converge('nothing of the old one is left inside', () => before.every((pid) => !watchers().includes(pid)), waitMs);
    await converge('found', () => exists(box.root, 'files/tree/meanwhile.txt'), waitMs);
    await watched();
    await arrives('after.txt');
  });

  const nothingIsLeft = (): Promise<void> =>
    converge('nothing is left', () => watchers().length === 0 && sshd.processes('inotifywait').length === 0 && sshd.processes('cat').length === 0, waitMs);

  test('nothing is left inside when the agent is killed, and the next agent watches again, and says by what means', async () => {
    await watched();
    await desk.stop('SIGKILL');
    await nothingIsLeft();
    await desk.start();
    await arrives('after-the-kill.txt');
    expect(desk.log()).toMatch(/Export points are watched from inside .*container=box by=/);
  });

  test('nothing is left inside when the agent ends', async () => {
    await watched();
    await desk.stop();
    await nothingIsLeft();
  });
});
