/** The story of gitted with stock git, on a machine that is a directory. */
import { writeFileSync, mkdirSync, symlinkSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { insideRef, makeMachine, manifestOf, runProgram } from '../helpers/gitted-machine.ts';
import { read } from '../helpers/repos.ts';

describe('push to deploy, pull to back up', () => {
  test('a push brings files to life, a pull brings what changed inside back as a commit', () => {
    const box = makeMachine();
    expect(box.must('push', 'box', 'master').text).toContain('Importing');
    expect(box.liveText('hello.txt')).toBe('hello\n');
    box.live('notes/new.txt', 'written inside\n');
    box.must('pull', '-q', 'box', 'master');
    expect(read(box.root, 'files/tree/notes/new.txt')).toBe('written inside\n');
    expect(box.must('log', '-1', '--format=%s%n%an').stdout).toBe('files: 2 files changed in box\nbox\n');
    box.commit({ 'files/tree/notes/new.txt': 'edited outside\n' });
    box.must('push', '-q', 'box', 'master');
    expect(box.liveText('notes/new.txt')).toBe('edited outside\n');
  });

  test('a pull when nothing changed makes no commit', () => {
    const box = makeMachine();
    box.must('push', '-q', 'box', 'master');
    const before = box.head();
    expect(box.must('pull', 'box', 'master').text).toContain('Already up to date');
    expect(box.head()).toBe(before);
  });

  test('a push onto changed live data is refused, and the message says what to type', () => {
    const box = makeMachine();
    box.must('push', '-q', 'box', 'master');
    box.live('hello.txt', 'changed inside\n');
    box.commit({ 'files/manifest.tsv': manifestOf(['hello.txt', 'two.txt']), 'files/tree/two.txt': 'two\n' });
    const refused = box.git('push', 'box', 'master');
    expect(refused.status).not.toBe(0);
    expect(refused.text).toContain('the container has newer state (1 file): git pull box master');
    expect(box.liveText('hello.txt')).toBe('changed inside\n');
    box.must('pull', '-q', '--no-rebase', '--no-edit', 'box', 'master');
    box.must('push', '-q', 'box', 'master');
    expect(box.liveText('two.txt')).toBe('two\n');
    expect(read(box.root, 'files/tree/hello.txt')).toBe('changed inside\n');
  });

  test('undo goes back to the state before the last push, and once more forward', () => {
    const box = makeMachine();
    box.must('push', '-q', 'box', 'master');
    box.commit({ 'files/tree/hello.txt': 'second\n' });
    box.must('push', '-q', 'box', 'master');
    expect(box.client('undo').text).toContain('git pull box master');
    expect(box.liveText('hello.txt')).toBe('hello\n');
    box.must('pull', '-q', 'box', 'master');
    expect(read(box.root, 'files/tree/hello.txt')).toBe('hello\n');
    expect(box.client('undo').status).toBe(0);
    expect(box.liveText('hello.txt')).toBe('second\n');
  });

  test('the refs of the live state and of earlier states are kept inside', () => {
    const box = makeMachine();
    box.must('push', '-q', 'box', 'master');
    box.commit({ 'files/tree/hello.txt': 'second\n' });
    const before = box.head('HEAD~1');
    box.must('push', '-q', 'box', 'master');
    expect(insideRef(box, 'refs/gitted/state/master/files')).toBe(box.head('HEAD:files'));
    expect(insideRef(box, 'refs/gitted/before/00000001')).toBe(before);
    expect(box.client('refs').stdout).toContain('refs/gitted/state/master/files');
    expect(box.client('remote-git', 'box', '--', 'log', '-1', '--format=%H', 'master').stdout.trim()).toBe(box.head());
  });

  test('owners, modes, links and empty directories travel in the manifest', () => {
    const box = makeMachine();
    box.must('push', '-q', 'box', 'master');
    box.live('bin/run', '#!/bin/sh\n');
    runProgram(box.inside, 'chmod', ['0751', 'srv/files/bin/run']);
    mkdirSync(join(box.inside, 'srv/files/empty'));
    symlinkSync('bin/run', join(box.inside, 'srv/files/link'));
    box.must('pull', '-q', 'box', 'master');
    expect(read(box.root, 'files/manifest.tsv').split('\n').map((line) => line.split('\t').filter((_, index) => index < 2 || index > 3).join(' '))).toEqual([
      'd 0755 bin', 'f 0751 bin/run', 'd 0755 empty', 'f 0644 hello.txt', 'l - link bin/run', '',
    ]);
    const other = makeMachine({ files: Object.fromEntries(['manifest.tsv', 'tree/bin/run', 'tree/hello.txt'].map((path) => [`files/${path}`, read(box.root, `files/${path}`)])) });
    other.must('push', '-q', 'box', 'master');
    expect(runProgram(other.inside, 'sh', ['-c', 'cd srv/files && stat -c "%a %F" bin/run empty && readlink link']).stdout).toBe('751 regular file\n755 directory\nbin/run\n');
  });

  test('files that are added and removed without a word in the manifest are as one would think, and the pull writes the manifest', () => {
    const box = makeMachine({ files: { 'files/manifest.tsv': `d\t0700\troot\troot\told\n${manifestOf(['hello.txt', 'old/gone.txt'])}`, 'files/tree/hello.txt': 'hello\n', 'files/tree/old/gone.txt': 'x\n' } });
    box.must('push', '-q', 'box', 'master');
    box.commit({ 'files/tree/old/gone.txt': null, 'files/tree/new/a.txt': 'a\n', 'files/tree/run': '#!/bin/sh\n' });
    box.must('update-index', '--chmod=+x', 'files/tree/run');
    box.must('commit', '-q', '--amend', '--no-edit');
    box.must('push', '-q', 'box', 'master');
    expect(runProgram(box.inside, 'sh', ['-c', 'cd srv/files && find . -mindepth 1 -printf "%m %p\\n" | sort -k 2']).stdout).toBe('644 ./hello.txt\n755 ./new\n644 ./new/a.txt\n755 ./run\n');
    box.must('pull', '-q', 'box', 'master');
    expect(read(box.root, 'files/manifest.tsv').replaceAll(/\troot\troot\t/g, ' ')).toBe('f\t0644 hello.txt\nd\t0755 new\nf\t0644 new/a.txt\nf\t0755 run\n');
    box.commit({ 'files/tree/hello.txt': 'and on\n' });
    box.must('push', '-q', 'box', 'master');
    expect(box.liveText('hello.txt')).toBe('and on\n');
  });

  test('changes made to /sysconf inside come out with the pull', () => {
    const box = makeMachine();
    box.must('push', '-q', 'box', 'master');
    writeFileSync(join(box.inside, 'sysconf/actual/note'), 'made inside\n');
    box.must('pull', '-q', 'box', 'master');
    expect(read(box.root, 'sysconf/actual/note')).toBe('made inside\n');
  });

  test('a push that changes sysconf/ sets up again, only what changed', () => {
    const box = makeMachine();
    box.must('push', '-q', 'box', 'master');
    box.commit({ 'sysconf/actual/tree/etc/motd': 'welcome\n' });
    const said = box.must('push', 'box', 'master').text;
    expect(said).toContain('actual: files are in place');
    expect(said).not.toContain('sysconf.base: files are in place');
    expect(read(box.inside, 'etc/motd')).toBe('welcome\n');
    box.commit({ 'sysconf/actual/tree/etc/motd': null });
    box.must('push', 'box', 'master');
    expect(existsSync(join(box.inside, 'etc/motd'))).toBe(false);
  });

  test('the URL form gitted::NAME needs no setting of git', () => {
    const box = makeMachine();
    const bin = join(box.root, '.git/bin');
    mkdirSync(bin);
    symlinkSync(join(box.root, '.git/gitted-client'), join(bin, 'git-remote-gitted'));
    box.must('remote', 'set-url', 'box', 'gitted::box');
    box.must('config', '--unset', 'protocol.ext.allow');
    const said = runProgram(box.root, 'git', ['push', 'box', 'master'], { PATH: `${bin}:${process.env['PATH']}` });
    expect(said.text).toContain('master -> master');
    expect(box.liveText('hello.txt')).toBe('hello\n');
  });

  test('destroy saves first, and the next push makes the machine anew', () => {
    const box = makeMachine();
    box.must('push', '-q', 'box', 'master');
    box.live('hello.txt', 'last words\n');
    expect(box.client('destroy', 'box').status).toBe(0);
    expect(existsSync(box.inside)).toBe(false);
    expect(box.must('show', 'box/master:files/tree/hello.txt').stdout).toBe('last words\n');
    box.must('merge', '-q', 'box/master');
    box.must('push', '-q', 'box', 'master');
    expect(box.liveText('hello.txt')).toBe('last words\n');
  });

  test('clone makes a second machine with the state of the first', () => {
    const box = makeMachine();
    box.must('push', '-q', 'box', 'master');
    box.live('hello.txt', 'fresh\n');
    expect(box.client('clone', 'box', 'twin')).toMatchObject({ status: 0 });
    expect(read(join(box.root, '.git/gitted-machines/twin'), 'srv/files/hello.txt')).toBe('fresh\n');
    expect(box.client('list').stdout).toBe('box\trunning\tlocal\ntwin\trunning\tlocal\n');
  });

  test('status tells whether the data is in the branch', () => {
    const box = makeMachine();
    expect(JSON.parse(box.client('status', '--json').stdout)).toMatchObject([{ name: 'box', state: 'absent' }]);
    box.must('push', '-q', 'box', 'master');
    expect(JSON.parse(box.client('status', '--json').stdout)).toMatchObject([{ state: 'running', branch: 'master', bindings: [{ name: 'files', engine: 'files', state: 'unchanged' }] }]);
    box.live('hello.txt', 'other\n');
    expect(box.client('status').text).toContain('may have changed: git pull box master');
  });

  test('a mere ls-remote does not start a machine', () => {
    const box = makeMachine();
    box.must('push', '-q', 'box', 'master');
    expect(box.client('stop').status).toBe(0);
    const refused = box.git('ls-remote', 'box');
    expect(refused.text).toContain('gitted-client start box');
    expect(box.client('list').stdout).toContain('stopped');
    box.must('pull', '-q', 'box', 'master');
    expect(box.client('list').stdout).toContain('running');
  });
});
