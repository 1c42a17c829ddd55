/** Containers that are stopped, gone, made anew, busy or that refuse what they get: what the agent says, and how it goes on. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { makeMachine as makeContainer, manifestOf, runProgram, type TestMachine } from '../helpers/gitted-machine.ts';
import { children } from '../helpers/hermetic-env.ts';
import { makeMachine, quickSettings, type Machine } from '../helpers/machine.ts';
import { bareRemote, exists, read, sh, write } from '../helpers/repos.ts';

const waitMs = 60_000;

interface Stage {
  box: TestMachine;
  origin: string;
  desk: Machine;
}

let running: Machine | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

/** A repository with a container `box` that runs and has everything, and no agent yet. */
function stage(settings = 'start = yes', push = true): Stage {
  const box = makeContainer({ files: { 'files/manifest.tsv': manifestOf(['hello.txt']), 'files/tree/hello.txt': 'hello\n', 'notes.md': 'notes\n' } });
  const origin = bareRemote();
  sh(box.root, 'remote', 'add', 'origin', origin);
  sh(box.root, 'push', '-q', '-u', 'origin', 'master');
  if (push) box.must('push', 'box', 'master');
  const desk = makeMachine('desk');
  running = desk;
  desk.configure([box.root], quickSettings, `[container box]\nrepo = ${box.root}\npush = debounce 200ms\npull = every 1s\n${settings}\n`);
  return { box, origin, desk };
}

const line = ({ desk }: Stage): string => desk.run('status').stdout.split('\n').find((text) => text.startsWith('  box')) ?? '';
const insideHead = ({ box }: Stage): string => sh(`${box.inside}/local.repository.git`, 'rev-parse', 'master');
const inStep = (set: Stage): boolean => sh(set.box.root, 'rev-parse', 'master') === insideHead(set) && sh(set.origin, 'rev-parse', 'master') === insideHead(set);

describe('a container that is stopped', () => {
  test('is not started where that is not allowed; it is said, all else goes on, and it gets what it missed once it runs', async () => {
    const set = stage('start = no');
    set.box.client('stop', 'box');
    await set.desk.start();
    write(set.box.root, 'files/tree/hello.txt', 'changed while it was stopped\n');
    await converge('published', () => sh(set.origin, 'show', 'master:files/tree/hello.txt') === 'changed while it was stopped', waitMs);
    await converge('it is said', () => /box {2}stopped +stopped +box is stopped; .* -> gitsync container start box/.test(line(set)), waitMs);
    expect(set.desk.run('status').exitCode).toBe(1);
    expect(existsSync(join(set.box.inside, 'etc/gitted/stopped'))).toBe(true);
    expect(set.desk.run('container', 'start', 'box')).toMatchObject({ exitCode: 0 });
    await converge('inside', () => set.box.liveText('hello.txt') === 'changed while it was stopped\n', waitMs);
    await converge('in step', () => inStep(set) && line(set).includes('in step'), waitMs);
  }, 240_000);

  test('is started where it may be', async () => {
    const set = stage('start = yes');
    set.box.client('stop', 'box');
    await set.desk.start();
    await converge('it runs', () => !existsSync(join(set.box.inside, 'etc/gitted/stopped')) && line(set).includes('in step'), waitMs);
  }, 120_000);
});

describe('a container that is gone', () => {
  test('is not made again unasked; made anew under its name, it gets everything back', async () => {
    const set = stage('start = yes');
    await set.desk.start();
    await converge('in step', () => line(set).includes('in step'), waitMs);
    rmSync(set.box.inside, { recursive: true, force: true });
    await converge('it is said', () => /not there +not there +box is gone; .*git -C \S+ push box master/.test(line(set)), waitMs);
    write(set.box.root, 'notes.md', 'all else goes on\n');
    await converge('published', () => sh(set.origin, 'show', 'master:notes.md') === 'all else goes on', waitMs);
    expect(existsSync(join(set.box.inside, 'local.repository.git'))).toBe(false);
    set.box.must('push', 'box', 'master');
    await converge('all is inside again', () => set.box.liveText('hello.txt') === 'hello\n' && inStep(set) && line(set).includes('in step'), waitMs);
  }, 240_000);

  test('was never made, and may not be: it is said with the command that makes it', async () => {
    const set = stage('start = no', false);
    await set.desk.start();
    await converge('it is said', () => /not there +not there +box was not made yet; .*push box master/.test(line(set)), waitMs);
    expect(set.desk.run('container', 'push', 'box').exitCode).toBe(13);
    set.box.must('push', 'box', 'master');
    await converge('in step', () => line(set).includes('in step'), waitMs);
  }, 120_000);
});

describe('a commit that cannot be imported', () => {
  test('marks the container not safe with the handler\'s words, is tried once, holds up nothing else, and ends with the next good commit', async () => {
    const set = stage('start = yes');
    await set.desk.start();
    await converge('in step', () => line(set).includes('in step'), waitMs);
    write(set.box.root, 'files/manifest.tsv', 'this is no manifest\n');
    await converge('it is said', () => /NOT SAFE +it could not import [0-9a-f]{10}.*manifest\.tsv:1: not understood/.test(line(set)), waitMs);
    expect(set.desk.run('status').exitCode).toBe(2);
    expect(set.box.liveText('hello.txt')).toBe('hello\n');
    const tries = (): number => set.desk.log().split('could not import the commit').length - 1;
    expect(tries()).toBe(1);
    // Pulls go on meanwhile: what changes inside is still saved.
    set.box.live('from-inside.txt', 'inside\n');
    await converge('it is here', () => exists(set.box.root, 'files/tree/from-inside.txt'), waitMs);
    write(set.box.root, 'files/manifest.tsv', manifestOf(['from-inside.txt', 'hello.txt']));
    await converge('in step again', () => line(set).includes('in step') && inStep(set), waitMs);
    expect(tries()).toBeLessThan(5);
  }, 240_000);
});

describe('whoever is at work inside', () => {
  test('is waited for, and what could not go in then goes in afterwards', async () => {
    const set = stage('start = yes\nexport_points = /srv/files');
    const holder = spawn('sh', ['-c', 'exec 8>>"$1"; perl -e \'use Fcntl ":flock"; open(my $f, ">&=", 8); flock($f, LOCK_EX)\'; echo locked; cat >/dev/null', 'sh', join(set.box.inside, 'var/lib/gitted/lock')], { stdio: ['pipe', 'pipe', 'ignore'] });
    children.add(holder);
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    await set.desk.start();
    write(set.box.root, 'files/tree/hello.txt', 'waited\n');
    await converge('published', () => sh(set.origin, 'show', 'master:files/tree/hello.txt') === 'waited', waitMs);
    expect(set.box.liveText('hello.txt')).toBe('hello\n');
    holder.stdin.end();
    await converge('inside', () => set.box.liveText('hello.txt') === 'waited\n', waitMs);
    children.delete(holder);
  }, 240_000);
});

describe('the agent', () => {
  test('that is killed in the middle of it all goes on where it was, and nothing is lost', async () => {
    const set = stage('start = yes\nexport_points = /srv/files');
    await set.desk.start();
    for (let round = 0; round < 4; round++) {
      write(set.box.root, `files/tree/hello.txt`, `desk ${round}\n`);
      set.box.live(`inside-${round}.txt`, `inside ${round}\n`);
      await new Promise((resolve) => setTimeout(resolve, 300 * (round + 1)));
      await set.desk.stop('SIGKILL');
      await set.desk.start();
    }
    await converge('all of both sides is on both', () => set.box.liveText('hello.txt') === 'desk 3\n' && [0, 1, 2, 3].every((round) => exists(set.box.root, `files/tree/inside-${round}.txt`)) && inStep(set), waitMs);
  }, 300_000);

  test('without a daemon, one round from cron does the same', async () => {
    const set = stage('start = yes');
    set.box.live('inside.txt', 'inside\n');
    write(set.box.root, 'files/tree/hello.txt', 'from the desk\n');
    await converge('one round', () => set.desk.run('--once').exitCode <= 1 && exists(set.box.root, 'files/tree/inside.txt') && set.box.liveText('hello.txt') === 'from the desk\n' && inStep(set), waitMs);
    // Not yet time for the next pull.
    set.desk.configure([set.box.root], quickSettings, `[container box]\nrepo = ${set.box.root}\npull = every 1h\n`);
    set.box.live('later.txt', 'later\n');
    set.desk.run('--once');
    expect(exists(set.box.root, 'files/tree/later.txt')).toBe(false);
    // A person wants it now.
    expect(set.desk.run('container', 'pull', 'box').exitCode).toBe(0);
    expect(read(set.box.root, 'files/tree/later.txt')).toBe('later\n');
    running = undefined;
  }, 240_000);
});

describe('a container that runs another branch than the checked-out one', () => {
  test('has that branch, brings its changes there and to the server, and leaves the work directory alone', async () => {
    const set = stage('branch = master\nexport_points = /srv/files');
    sh(set.box.root, 'switch', '-q', '-c', 'writing');
    sh(set.box.root, 'push', '-q', '-u', 'origin', 'writing');
    await set.desk.start();
    set.box.live('inside.txt', 'inside\n');
    await converge('on the branch, and at the server', () => runProgram(set.origin, 'git', ['show', 'master:files/tree/inside.txt']).stdout === 'inside\n' && inStep(set), waitMs);
    expect(exists(set.box.root, 'files/tree/inside.txt')).toBe(false);
    expect(sh(set.box.root, 'branch', '--show-current')).toBe('writing');
    // A commit on that branch, made without checking it out, goes in.
    const other = join(set.desk.home, 'other');
    mkdirSync(other);
    sh(other, 'clone', '-q', '-b', 'master', set.origin, '.');
    writeFileSync(join(other, 'files/tree/hello.txt'), 'from another clone\n');
    sh(other, '-c', 'user.name=x', '-c', 'user.email=x@example.org', 'commit', '-qam', 'x');
    sh(other, 'push', '-q', 'origin', 'master');
    await converge('inside', () => set.box.liveText('hello.txt') === 'from another clone\n' && inStep(set), waitMs);
    expect(read(set.box.root, 'files/tree/hello.txt')).toBe('hello\n');
  }, 240_000);
});

describe('gitsync container', () => {
  test('lists, shows, pushes and pulls one, and says what is wrong with a name', async () => {
    const set = stage('start = yes');
    set.desk.configure([set.box.root], quickSettings, `[container box]\nrepo = ${set.box.root}\npush = manual\npull = manual\n`);
    await set.desk.start();
    write(set.box.root, 'files/tree/hello.txt', 'by hand\n');
    await converge('it waits', () => /box .* waits +1 commit to push, when you say so.* -> gitsync container push box/.test(line(set)), waitMs);
    expect(set.desk.run('container', 'list').stdout).toMatch(/^box {2}running 127\.0\.0\.1 {2}waits {2}\//);
    expect(set.box.liveText('hello.txt')).toBe('hello\n');
    expect(set.desk.run('container', 'push', 'box')).toMatchObject({ exitCode: 0 });
    expect(set.box.liveText('hello.txt')).toBe('by hand\n');
    set.box.live('inside.txt', 'inside\n');
    expect(set.desk.run('container', 'pull', 'box')).toMatchObject({ exitCode: 0 });
    expect(read(set.box.root, 'files/tree/inside.txt')).toBe('inside\n');
    expect(set.desk.run('container', 'status', 'box').stdout).toMatch(/in step[\s\S]*files \(files\): as in the branch/);
    expect(set.desk.run('container', 'undo', 'box')).toMatchObject({ exitCode: 0 });
    await converge('undone here too', () => read(set.box.root, 'files/tree/hello.txt') === 'hello\n', waitMs);
    expect(set.desk.run('container', 'push', 'bax')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('did you mean "box"?') as unknown });
    expect(set.desk.run('container', 'psh', 'box')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('did you mean "push"?') as unknown });
  }, 240_000);
});
