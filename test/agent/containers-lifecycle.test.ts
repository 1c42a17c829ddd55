/** Containers that are restarted, started late, or destroyed and made again under an agent that goes on. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { makeMachine as makeContainer, manifestOf, type TestMachine } from '../helpers/gitted-machine.ts';
import { localContainer, type LocalContainer } from '../helpers/local-container.ts';
import { makeMachine, quickSettings, type Machine } from '../helpers/machine.ts';
import { addProbe } from '../helpers/probe.ts';
import { exists, read, sh, write } from '../helpers/repos.ts';

const waitMs = 60_000;
const longMs = 300_000;

let running: Machine | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

interface Stage {
  box: TestMachine;
  container: LocalContainer;
  desk: Machine;
}

/** A repository with a container `box` that runs and has everything; the agent is not started. */
function stage(settings: string, prepare: (box: TestMachine) => void = () => undefined): Stage {
  const box = makeContainer({ files: { 'files/manifest.tsv': manifestOf(['hello.txt']), 'files/tree/hello.txt': 'hello\n', 'one/value': 'one\n', 'two/value': 'two\n' } });
  prepare(box);
  box.must('push', '-q', 'box', 'master');
  const desk = makeMachine('desk');
  running = desk;
  desk.configure([box.root], quickSettings, `[container box]\nrepo = ${box.root}\npush = debounce 200ms\n${settings}\n`);
  return { box, container: localContainer(box.inside), desk };
}

const line = (desk: Machine): string => desk.run('status').stdout.split('\n').find((text) => text.startsWith('  box')) ?? '';
const isInStep = ({ box, desk }: Stage): boolean => line(desk).includes('in step') && sh(box.root, 'rev-parse', 'master') === sh(join(box.inside, 'local.repository.git'), 'rev-parse', 'master');

describe('a container that is restarted in the middle of a pull', () => {
  test('is pulled from again, and all that changed inside is here', async () => {
    const set = stage('pull = every 1s\nstart = no', addProbe);
    const { box, container, desk } = set;
    await desk.start();
    await converge('in step', () => isInStep(set), waitMs);
    write(box.inside, 'at.export.pause', '/live/one\n');
    writeFileSync(join(box.inside, 'live/one'), 'changed inside\n');
    await converge('the pull is in the middle of its export', () => read(box.inside, 'verbs').trimEnd().endsWith('export /live/one'), waitMs);
    container.kill();
    rmSync(join(box.inside, 'at.export.pause'));
    await converge('it is said that it does not run', () => /^ {2}box {2}stopped/.test(line(desk)), waitMs);
    container.boot();
    await converge('it is here', () => read(box.root, 'one/value') === 'changed inside\n' && isInStep(set), waitMs);
  }, longMs);
});

describe('an agent that is there before its container', () => {
  test('as after a boot of the host: says so, and goes on by itself once the container runs', async () => {
    const set = stage('pull = every 1h\nexport_points = /srv/files\nstart = no');
    const { box, container, desk } = set;
    container.kill();
    box.live('before.txt', 'from before the boot\n');
    await desk.start();
    await converge('it is said', () => /^ {2}box {2}stopped +stopped +box is stopped; .*gitsync container start box/.test(line(desk)), waitMs);
    write(box.root, 'files/tree/hello.txt', 'changed while it was away\n');
    container.boot();
    await converge('both have everything', () => exists(box.root, 'files/tree/before.txt') && box.liveText('hello.txt') === 'changed while it was away\n' && isInStep(set), waitMs);
    box.live('after.txt', 'after the boot\n');
    await converge('its export points are watched', () => exists(box.root, 'files/tree/after.txt'), waitMs);
  }, longMs);
});

describe('a container that is destroyed and made again under its name', () => {
  test('by hand: gets everything, and its new file system is watched', async () => {
    const set = stage('pull = every 1h\nexport_points = /srv/files\nstart = yes');
    const { box, container, desk } = set;
    await desk.start();
    await converge('in step', () => isInStep(set), waitMs);
    expect(box.client('destroy', 'box')).toMatchObject({ status: 0 });
    await converge('it is said', () => /^ {2}box {2}not there +not there +box is gone/.test(line(desk)), waitMs);
    expect(container.processes()).toEqual([]);
    write(box.root, 'files/tree/hello.txt', 'changed while it was gone\n');
    await converge('saved', () => sh(box.root, 'show', 'master:files/tree/hello.txt') === 'changed while it was gone', waitMs);
    box.must('push', '-q', 'box', 'master');
    await converge('all is inside', () => box.liveText('hello.txt') === 'changed while it was gone\n' && isInStep(set), waitMs);
    box.live('new.txt', 'in the new one\n');
    await converge('it is watched', () => exists(box.root, 'files/tree/new.txt'), waitMs);
  }, longMs);

  test('by others, with nothing of gitted in it: is left alone until a person says so, and then filled again', async () => {
    const set = stage('pull = every 1s\nstart = yes');
    const { box, desk } = set;
    await desk.start();
    box.live('kept.txt', 'kept\n');
    await converge('saved', () => exists(box.root, 'files/tree/kept.txt') && isInStep(set), waitMs);
    rmSync(box.inside, { recursive: true, force: true });
    write(box.inside, 'etc/gitted/name', 'somebody else made this\n');
    await converge('it is said', () => /^ {2}box {2}running .* NOT SAFE .*gitted is missing in box.* -> git config --unset gitted\.box\.ready/.test(line(desk)), waitMs);
    expect(read(box.inside, 'etc/gitted/name')).toBe('somebody else made this\n');
    sh(box.root, 'config', '--unset', 'gitted.box.ready');
    await converge('filled again', () => exists(box.inside, 'srv/files/kept.txt') && isInStep(set), waitMs);
    expect(read(box.root, 'files/tree/kept.txt')).toBe('kept\n');
  }, longMs);
});
