/** `gitsync init`: from any folder to a synced repository, or a reason why not and nothing changed. */
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { makeMachine, type Machine } from '../helpers/machine.ts';
import { bareRemote, commitFiles, exists, read, sh, tempDir, tempRepo, write } from '../helpers/repos.ts';
import { describeWith } from '../helpers/requires.ts';
import { startSshd, type TestSshd } from '../helpers/sshd.ts';
import { expectError, expectPrintable } from './expect-error.ts';

let machine: Machine;
let notes: string;
beforeEach(() => {
  machine = makeMachine('desk');
  notes = join(machine.home, 'Notes');
});
afterEach(() => machine.stop());

const listed = (): string[] => (JSON.parse(machine.run('list', '--json').stdout) as { path: string }[]).map(({ path }) => path);

describe('a folder that becomes a synced repository', () => {
  test('with files and a new remote: the end is a proof', () => {
    write(notes, 'a.md', 'a\n');
    const remote = join(tempDir('server'), 'notes.git');
    const result = machine.run('init', notes, '--remote', remote);
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    expect(result.stdout).toContain('Made a repository in ~/Notes\n');
    expect(result.stdout).toMatch(/Proof: a fresh clone of .*notes\.git has the same commit [0-9a-f]{10} with 1 file\./);
    expect(result.stdout).toContain('gitsync --daemon');
    expect(sh(remote, 'ls-tree', '--name-only', 'main')).toBe('a.md');
    expect(listed()).toEqual([notes]);
  });

  test('that does not exist yet, without a remote: one empty commit, and it says where that is', () => {
    const result = machine.run('init', notes);
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    expect(result.stdout).toMatch(/holds 0 files, on this machine only\. To publish it: gitsync init .*Notes --remote URL/);
    expect(sh(notes, 'rev-list', '--count', 'HEAD')).toBe('1');
  });

  test('of a person whose git would keep refs in a reftable', () => {
    // Older git than 2.46 does not know the setting.
    sh(machine.home, 'config', '--file', join(machine.home, '.gitconfig'), 'init.defaultRefFormat', 'reftable');
    write(notes, 'a.md', 'a\n');
    const remote = join(tempDir('server'), 'notes.git');
    expect(machine.run('init', notes, '--remote', remote)).toMatchObject({ exitCode: 0, stderr: '' });
    write(notes, 'b.md', 'b\n');
    expect(machine.run('--once', notes)).toMatchObject({ exitCode: 0, stderr: '' });
    expect(sh(remote, 'ls-tree', '--name-only', 'main')).toBe('a.md\nb.md');
  });

  test('twice: nothing is made or listed again', () => {
    const remote = join(tempDir('server'), 'notes.git');
    machine.run('init', notes, '--remote', remote);
    const again = machine.run('init', notes, '--remote', remote);
    expect(again).toMatchObject({ exitCode: 0, stderr: '' });
    expect(again.stdout).toContain('Listed already');
    expect(again.stdout).not.toContain('Made');
    expect(listed()).toEqual([notes]);
  });

  test('a remote is added to a repository that has none, and an existing history is published', () => {
    const root = tempRepo({ a: 'a\n' });
    const remote = join(tempDir('server'), 'x.git');
    expect(machine.run('init', root, '--remote', remote).exitCode).toBe(0);
    expect(sh(remote, 'rev-parse', 'main')).toBe(sh(root, 'rev-parse', 'HEAD'));
  });

  test('an empty folder takes over what the remote has, on the branch that it has there', () => {
    const remote = bareRemote();
    const other = tempRepo({ 'a.md': 'a\n' });
    sh(other, 'branch', '-m', 'trunk');
    sh(other, 'push', '-q', remote, 'trunk');
    sh(remote, 'symbolic-ref', 'HEAD', 'refs/heads/trunk');
    expect(machine.run('init', notes, '--remote', remote).exitCode).toBe(0);
    expect(read(notes, 'a.md')).toBe('a\n');
    expect(sh(notes, 'log', '--format=%s', 'HEAD')).toBe('first');
    expect(sh(notes, 'symbolic-ref', '--short', 'HEAD')).toBe('trunk');
  });

  test('a plain clone of a new remote checks out the branch; of one with another default it is said how', () => {
    const root = tempRepo({ a: 'a\n' });
    sh(root, 'branch', '-m', 'trunk');
    const remote = join(tempDir('server'), 'x.git');
    expect(machine.run('init', root, '--remote', remote).stdout).not.toContain('default branch');
    expect(sh(remote, 'symbolic-ref', 'HEAD')).toBe('refs/heads/trunk');
    const made = bareRemote();
    sh(made, 'symbolic-ref', 'HEAD', 'refs/heads/master');
    write(notes, 'a.md', 'a\n');
    const result = machine.run('init', notes, '--remote', made);
    expect(result.exitCode).toBe(0);
    expect(result.stdout).toContain(`for another machine: git clone --branch main ${made}\n`);
  });

  test('an empty directory and a file:// URL become the remote', () => {
    const [first, second] = [tempDir('empty'), join(tempDir('server'), 'x.git')];
    expect(machine.run('init', notes, '--remote', first).exitCode).toBe(0);
    expect(machine.run('init', join(machine.home, 'Second'), '--remote', `file://${second}`).exitCode).toBe(0);
    expect(sh(second, 'rev-list', '--count', 'main')).toBe('1');
  });

  test('through a symbolic link, and with a name that a shell and a terminal would trip over', () => {
    const odd = join(machine.home, `it's \x1b[31m $HOME`);
    mkdirSync(odd);
    symlinkSync(odd, join(machine.home, 'link'));
    const result = machine.run('init', join(machine.home, 'link'), '--remote', join(tempDir('server'), `a 'b'.git`));
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    expectPrintable(result);
    expect(listed()).toEqual([odd]);
  });

  test('answers programs with one object', () => {
    const { exitCode, stdout } = machine.run('init', notes, '--json');
    expect({ exitCode, ...(JSON.parse(stdout) as object) }).toMatchObject({ exitCode: 0, path: notes, proven: true, agent: false, status: { repos: [{ state: 'local only' }] } });
  });

  test('a running agent watches it from then on', async () => {
    machine.configure([]);
    await machine.start();
    const remote = join(tempDir('server'), 'notes.git');
    const result = machine.run('init', notes, '--remote', remote);
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    expect(result.stdout).toContain('The agent watches it');
    await converge('the agent says that it is safe', () => machine.status().repos.some(({ path, state }) => path === notes && state === 'safe'));
  });
});

describe('a folder that cannot be published as it is', () => {
  test('both it and the remote have files: nothing is mixed, and adopt joins them', () => {
    const remote = bareRemote();
    sh(tempRepo({ 'a.md': 'theirs\n', 'b.md': 'b\n' }), 'push', '-q', remote, 'main');
    write(notes, 'a.md', 'ours\n');
    const result = machine.run('init', notes, '--remote', remote);
    expect(result).toMatchObject({ exitCode: 2, stderr: '' });
    expect(result.stdout).toMatch(/Not proven.*\n.*no common history.*-> gitsync adopt .*Notes/);
    expect(exists(notes, 'b.md')).toBe(false);
    const adopted = machine.run('adopt', notes);
    expect(adopted).toMatchObject({ exitCode: 0, stderr: '' });
    expect(adopted.stdout).toContain('1 file differed');
    expect(readdirSync(notes).filter((name) => name.startsWith('a.'))).toHaveLength(2);
    expect(sh(remote, 'rev-parse', 'main')).toBe(sh(notes, 'rev-parse', 'HEAD'));
  });

  test('the remote cannot be reached: it says so, hides the password, and keeps what it made', () => {
    write(notes, 'a.md', 'a\n');
    const result = machine.run('init', notes, '--remote', 'https://me:secret@127.0.0.1:1/x.git');
    expect(result.exitCode).toBe(2);
    expect(result.stdout).toMatch(/Not proven: https:\/\/\*\*\*@127\.0\.0\.1:1\/x\.git cannot be cloned\. The remote cannot be reached\./);
    expect(result.stdout).toContain('NOT SAFE  1 commit not published');
    expect(result.stdout + result.stderr).not.toContain('secret');
    expect(listed()).toEqual([notes]);
  });

  test('something is held back: the proof is not the whole truth, so the status follows', () => {
    write(notes, 'a.md', 'a\n');
    write(notes, '.env', 'PASSWORD=hunter2\n');
    const result = machine.run('init', notes);
    expect(result.stdout).toContain('holds 1 file');
    expect(result.stdout).toMatch(/held 1 .*-> gitsync allow/);
  });
});

describe('refused before anything is changed', () => {
  test('a file, a directory inside a work tree, a bare repository, and the folder of git itself', () => {
    const root = tempRepo({ 'sub/a.md': 'a\n' });
    const bare = bareRemote();
    expectError(machine.run('init', join(root, 'sub/a.md')), 2, /is a file/, /gitsync init .*sub/);
    expectError(machine.run('init', join(root, 'sub/new')), 2, /lies inside the work tree/, new RegExp(`gitsync init ${root}`));
    expectError(machine.run('init', bare), 2, /is a bare repository/, /--remote/);
    expectError(machine.run('init', join(root, '.git')), 2, /git's own folder/, /gitsync init/);
    expect(exists(root, 'sub/new')).toBe(false);
    expect(exists(machine.home, '.config/gitsync')).toBe(false);
  });

  test('another URL than the one that origin has', () => {
    machine.run('init', notes, '--remote', join(tempDir('server'), 'x.git'));
    expectError(machine.run('init', notes, '--remote', '/elsewhere.git'), 2, /origin is .*x\.git already/, /remote set-url origin \/elsewhere\.git/);
  });

  test.each([
    ['a place whose parent is not there', () => '/nowhere/at/all.git', /\/nowhere\/at does not exist/, /not mounted.*mkdir -p/],
    ['a directory with other files', () => { const place = tempDir('full'); write(place, 'x', 'x'); return place; }, /no git repository/, /another name/],
    ['a repository with a work tree', () => tempRepo({ a: 'a\n' }), /files checked out/, /git clone --bare/],
    ['the folder itself', () => notes, /its own remote/, /another place/],
    ['a place inside the folder', () => join(notes, 'x.git'), /lies inside the folder/, /outside/],
    ['an option', () => '--upload-pack=evil', /no URL/, /--remote SERVER/],
  ])('as a remote: %s', (_what, place, message, hint) => {
    expectError(machine.run('init', notes, `--remote=${place()}`), 2, message, hint);
    expect(exists(machine.home, 'Notes')).toBe(false);
  });

  test('a detached HEAD, and files staged for a first commit', () => {
    const detached = tempRepo({ a: 'a\n' });
    sh(detached, 'checkout', '-q', '--detach');
    expectError(machine.run('init', detached), 12, /HEAD is detached/, /git -C .* switch BRANCH/);
    const staged = tempRepo();
    write(staged, 'a', 'a\n');
    sh(staged, 'add', 'a');
    expectError(machine.run('init', staged), 12, /staged files/, /commit -m/);
    expect(sh(staged, 'diff', '--cached', '--name-only')).toBe('a');
  });

  test('a listed folder that is away: its drive may not be mounted', () => {
    machine.configure([notes]);
    expectError(machine.run('init', notes), 10, /Notes does not exist \(listed in .*\)/, /not mounted/);
    expect(exists(machine.home, 'Notes')).toBe(false);
  });

  test('a config file that cannot be read as one', () => {
    mkdirSync(join(machine.home, '.config/gitsync'));
    expectError(machine.run('init', notes), 10, /is a directory/, /move the directory away/);
  });
});

describeWith(['ssh', 'linux'], 'a remote over ssh', () => {
  let sshd: TestSshd;
  beforeAll(async () => {
    sshd = await startSshd();
  });
  afterAll(() => sshd.stop());
  beforeEach(() => {
    machine.env['GIT_SSH_COMMAND'] = sshd.sshCommand;
    write(notes, 'a.md', 'a\n');
  });

  test('that is not there yet is made, with the branch as its default', () => {
    sh(machine.home, 'init', '-q', '-b', `t'runk`, notes);
    const place = join(tempDir('server'), `it's notes.git`);
    const result = machine.run('init', notes, '--remote', sshd.url(encodeURI(place)));
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    expect(result.stdout).toMatch(/Made a bare repository in ssh:.*\n.*\nProof: a fresh clone of ssh:/);
    expect(sh(place, 'symbolic-ref', 'HEAD')).toBe(`refs/heads/t'runk`);
    expect(machine.run('init', notes).stdout).not.toContain('Made');
  });

  test('is not made where a directory is missing, or something else lies; the status says what is wrong', () => {
    const server = tempDir('server');
    const result = machine.run('init', notes, '--remote', sshd.url(join(server, 'no/such/x.git')));
    expect(result.exitCode).toBe(2);
    expect(result.stdout).toMatch(/Not proven: .*The remote repository does not exist\..*\n.*NOT SAFE .*-> git remote -v/);
    write(server, 'full/x', 'x');
    const second = join(machine.home, 'Second');
    expect(machine.run('init', second, '--remote', sshd.url(join(server, 'full'))).exitCode).toBe(2);
    expect(readdirSync(server)).toEqual(['full']);
    expect(readdirSync(join(server, 'full'))).toEqual(['x']);
  });
});

test('after init, a clone on the next machine needs only add', () => {
  const remote = join(tempDir('server'), 'notes.git');
  write(notes, 'a.md', 'a\n');
  machine.run('init', notes, '--remote', remote);
  const laptop = makeMachine('laptop');
  const clone = join(laptop.home, 'Notes');
  sh(laptop.home, 'clone', '-q', remote, clone);
  expect(laptop.run('add', clone)).toMatchObject({ exitCode: 0, stderr: '' });
  commitFiles(clone, { 'b.md': 'b\n' });
  expect(laptop.run('sync').exitCode).toBe(0);
  expect(machine.run('sync').exitCode).toBe(0);
  expect(read(notes, 'b.md')).toBe('b\n');
  writeFileSync(join(notes, 'b.md'), 'from desk\n');
  expect([machine.run('--once'), laptop.run('--once')]).toEqual([{ exitCode: 0, stdout: '', stderr: '' }, { exitCode: 0, stdout: '', stderr: '' }]);
  expect(read(clone, 'b.md')).toBe('from desk\n');
});
