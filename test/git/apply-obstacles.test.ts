import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { GitsyncError } from '../../src/errors.ts';
import { hasOpenUpdate } from '../../src/git/apply.ts';
import { describeWith } from '../helpers/requires.ts';
import { commitFiles, exists, read, sh, tempDir, tempRepo, write } from '../helpers/repos.ts';
import { applied, filesOfCommit, filesOnDisk, historyOf, leftovers, makeCommit, makeFixture, openFixture, raw, statusOf } from './apply-fixture.ts';

describe('an update begins only where it may', () => {
  test('a staged change: moved, and nothing is touched', async () => {
    const fixture = await makeFixture({ 'a.txt': 'a\n', 'b.txt': 'b\n' });
    write(fixture.root, 'b.txt', 'staged\n');
    sh(fixture.root, 'add', 'b.txt');
    expect(await fixture.apply(fixture.incoming({ 'a.txt': 'A\n' }))).toEqual({ kind: 'moved' });
    expect(read(fixture.root, 'a.txt')).toBe('a\n');
    expect(statusOf(fixture.root)).toBe('M  b.txt');
    expect(exists(fixture.root, '.git/index.lock')).toBe(false);
  });

  test('a held index.lock: busy, and the lock stays', async () => {
    const fixture = await makeFixture({ 'a.txt': 'a\n' });
    write(fixture.root, '.git/index.lock', '');
    expect(await fixture.apply(fixture.incoming({ 'a.txt': 'A\n' }))).toEqual({ kind: 'busy' });
    expect(exists(fixture.root, '.git/index.lock')).toBe(true);
    expect(read(fixture.root, 'a.txt')).toBe('a\n');
  });

  test.each([
    ['another branch is checked out', (root: string) => sh(root, 'checkout', '-q', '-b', 'side')],
    ['HEAD is detached', (root: string) => sh(root, 'checkout', '-q', '--detach')],
    ['the branch is elsewhere', (root: string) => sh(root, 'commit', '-q', '--allow-empty', '-m', 'person')],
    ['a merge is open', (root: string) => writeFileSync(join(root, '.git/MERGE_HEAD'), `${sh(root, 'rev-parse', 'HEAD')}\n`)],
  ])('%s: moved', async (_, change) => {
    const fixture = await makeFixture({ 'a.txt': 'a\n' });
    const to = fixture.incoming({ 'a.txt': 'A\n' });
    change(fixture.root);
    expect(await fixture.apply(to)).toEqual({ kind: 'moved' });
    expect(read(fixture.root, 'a.txt')).toBe('a\n');
  });

  test('while it runs, the person cannot commit in between', async () => {
    const fixture = await makeFixture({ 'a.txt': 'a\n' });
    let refused = false;
    await fixture.apply(fixture.incoming({ 'a.txt': 'A\n' }), {
      onStep: (step) => {
        if (!step.startsWith('brought in')) return;
        try {
          sh(fixture.root, 'commit', '-q', '-a', '-m', 'person');
        } catch (error) {
          refused = /index\.lock/.test(String((error as { stderr: string }).stderr));
        }
      },
    });
    expect(refused).toBe(true);
    expect(statusOf(fixture.root)).toBe('');
  });

  test('the branch is moved by a push in the meantime: everything is taken back, edits included', async () => {
    const fixture = await makeFixture({ 'a.txt': 'a\n', 'b.txt': 'b\n', 'd/x': 'x\n' });
    write(fixture.root, 'b.txt', 'mine\n');
    const pushed = fixture.incoming({ 'c.txt': 'pushed\n' });
    const outcome = await fixture.apply(fixture.incoming({ 'a.txt': 'A\n', 'b.txt': 'B\n', 'd/x': null, d: 'file\n', 'e/new': 'n\n' }), {
      onStep: (step) => void (step === 'unseen edits saved' && sh(fixture.root, 'update-ref', 'refs/heads/main', pushed)),
    });
    expect(outcome).toEqual({ kind: 'moved' });
    expect(filesOnDisk(fixture.root)).toEqual({ 'a.txt': '100644 a\n', 'b.txt': '100644 mine\n', 'd/x': '100644 x\n' });
    expect(historyOf(fixture.root, 'b.txt')).toContain('mine\n');
    expect(leftovers(fixture.root)).toEqual([]);
  });
});

describe('an update that cannot end', () => {
  test('since the branch is locked: everything is taken back, and the next try comes through', async () => {
    const fixture = await makeFixture({ 'a.txt': 'a\n', 'd/x': 'x\n' });
    const to = fixture.incoming({ 'a.txt': 'A\n', 'd/x': null, d: 'file\n' });
    const lock = join(fixture.root, '.git/refs/heads/main.lock');
    const failure = await fixture.apply(to, { onStep: (step) => void (step === 'looked at what was moved' && writeFileSync(lock, '')) }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ kind: 'locked' });
    expect(filesOnDisk(fixture.root)).toEqual({ 'a.txt': '100644 a\n', 'd/x': '100644 x\n' });
    // Given back, a file has a new ctime: git looks at it once more and finds it equal.
    expect(sh(fixture.root, 'status', '--porcelain')).toBe('');
    expect(await hasOpenUpdate(fixture.repo)).toBe(false);
    rmSync(lock);
    expect(applied(await fixture.apply(to)).commit).toBe(to);
    // Given back, a file has a new ctime: git looks at it once more and finds it equal.
    expect(sh(fixture.root, 'status', '--porcelain')).toBe('');
  });

  test('since remembering the blocked paths fails: everything is taken back', async () => {
    const fixture = await makeFixture({ 'a.txt': 'a\n' });
    const failure = fixture.apply(fixture.incoming({ 'a.txt': 'A\n', 'b.txt': 'b\n' }), { onBlocked: () => Promise.reject(new Error('no room')) });
    await expect(failure).rejects.toThrow('no room');
    expect(filesOnDisk(fixture.root)).toEqual({ 'a.txt': '100644 a\n' });
    // Given back, a file has a new ctime: git looks at it once more and finds it equal.
    expect(sh(fixture.root, 'status', '--porcelain')).toBe('');
    expect(existsSync(join(fixture.root, '.git/index.lock'))).toBe(false);
  });
});

describe('a path that cannot be changed waits, and all others come in', () => {
  test('a parent that is a symbolic link is never followed', async () => {
    const outside = tempDir('outside');
    write(outside, 'a.txt', 'outside\n');
    const fixture = await makeFixture({ 'd/a.txt': 'a\n', 'd/gone.txt': 'g\n', 'other.txt': 'o\n' });
    rmSync(join(fixture.root, 'd'), { recursive: true });
    symlinkSync(outside, join(fixture.root, 'd'));
    const to = fixture.incoming({ 'd/a.txt': 'A\n', 'd/new.txt': 'n\n', 'd/gone.txt': null, 'other.txt': 'O\n' });
    const outcome = applied(await fixture.apply(to));
    expect(outcome.blocked).toEqual(['d/a.txt', 'd/new.txt'].map((path) => ({ path, why: 'd is a symbolic link, which is never followed' })));
    expect(filesOnDisk(outside)).toEqual({ 'a.txt': '100644 outside\n' });
    expect(read(fixture.root, 'other.txt')).toBe('O\n');
    expect(sh(fixture.root, 'rev-parse', 'main')).toBe(to);
  });

  test('a tracked link that gives way to a folder in the same update does not', async () => {
    const outside = tempDir('outside');
    const fixture = await makeFixture({ d: { mode: '120000', content: outside } });
    const to = fixture.incoming({ d: null, 'd/new.txt': 'n\n' });
    expect(applied(await fixture.apply(to)).blocked).toEqual([]);
    expect(filesOnDisk(outside)).toEqual({});
    expect(filesOnDisk(fixture.root)).toEqual(filesOfCommit(fixture.root, to));
  });

  test('a file that git ignores stays and is never committed, even when the rule goes away with the update', async () => {
    const fixture = await makeFixture({ '.gitignore': '.env\nbuild/\n', 'a.txt': 'a\n' });
    write(fixture.root, '.env', 'SECRET=1\n');
    write(fixture.root, 'build/out.o', 'object\n');
    const told: string[] = [];
    const to = fixture.incoming({ '.gitignore': null, '.env': 'SECRET=theirs\n', build: 'a file\n', 'a.txt': 'A\n' });
    const outcome = applied(await fixture.apply(to, { onBlocked: async (blocked) => void told.push(...blocked.map(({ path }) => path), sh(fixture.root, 'rev-parse', 'main')) }));
    expect(outcome.blocked).toEqual([
      { path: '.env', why: 'a file that git ignores is in its place' },
      { path: 'build', why: 'a folder that holds other files is in its place' },
    ]);
    expect(told).toEqual(['.env', 'build', fixture.from]);
    expect(read(fixture.root, '.env')).toBe('SECRET=1\n');
    expect(read(fixture.root, 'build/out.o')).toBe('object\n');
    expect(historyOf(fixture.root, '.env')).toEqual(['SECRET=theirs\n']);
    expect(read(fixture.root, 'a.txt')).toBe('A\n');
  });

  test('folders with nothing but folders in them give way to a file; one pipe among them, and all of them stay', async () => {
    const fixture = await makeFixture({ 'a.txt': 'a\n' });
    for (const path of ['hollow/y/z', 'hollow/x', 'full/empty', 'full/y/z']) mkdirSync(join(fixture.root, path), { recursive: true });
    execFileSync('mkfifo', [join(fixture.root, 'full/y/z/pipe')]);
    const to = fixture.incoming({ hollow: 'a file\n', full: 'a file\n' });
    expect(applied(await fixture.apply(to)).blocked).toEqual([{ path: 'full', why: 'a folder that holds other files is in its place' }]);
    expect(read(fixture.root, 'hollow')).toBe('a file\n');
    for (const path of ['full/empty', 'full/y/z/pipe']) expect(existsSync(join(fixture.root, path))).toBe(true);
  });

  test('what waited comes in once its place is free', async () => {
    const fixture = await makeFixture({ '.gitignore': '.env\n', 'a.txt': 'a\n' });
    write(fixture.root, '.env', 'SECRET=1\n');
    const to = fixture.incoming({ '.env': 'SECRET=theirs\n' });
    applied(await fixture.apply(to));
    const again = { from: to, waiting: new Set([raw('.env')]) };
    expect(applied(await fixture.apply(to, again)).blocked).toHaveLength(1);
    expect(read(fixture.root, '.env')).toBe('SECRET=1\n');
    rmSync(join(fixture.root, '.env'));
    expect(applied(await fixture.apply(to, again))).toMatchObject({ commit: to, blocked: [], changed: 1 });
    expect(read(fixture.root, '.env')).toBe('SECRET=theirs\n');
    expect(statusOf(fixture.root)).toBe('');
  });

  test('a named pipe, and a repository that the person has put there', async () => {
    const fixture = await makeFixture({ pipe: 'was a file\n', 'a.txt': 'a\n' });
    rmSync(join(fixture.root, 'pipe'));
    execFileSync('mkfifo', [join(fixture.root, 'pipe'), join(fixture.root, 'pipe2')]);
    mkdirSync(join(fixture.root, 'nested'));
    sh(join(fixture.root, 'nested'), 'init', '-q');
    write(fixture.root, 'nested/x', 'x\n');
    const outcome = applied(await fixture.apply(fixture.incoming({ pipe: 'p\n', pipe2: 'q\n', nested: 'file\n', 'a.txt': 'A\n' })));
    expect(outcome.blocked.map(({ path }) => path).sort()).toEqual(['nested', 'pipe', 'pipe2']);
    expect(read(fixture.root, 'a.txt')).toBe('A\n');
    expect(read(fixture.root, 'nested/x')).toBe('x\n');
  });

  test('names that git refuses are left out, on every machine with the same commit', async () => {
    const fixture = await makeFixture({ 'a.txt': 'a\n' });
    const to = commitWithRawTree(fixture.root, fixture.from, [
      ['100644', 'a.txt', 'A\n'],
      ['100644', 'git~1', 'evil\n'],
      ['100644', '..', 'evil\n'],
      ['120000', '.gitmodules', 'elsewhere'],
      ['tree', '.GIT', [['100755', 'hook', 'evil\n']]],
      ['tree', 'd', [['100644', 'ok', 'ok\n'], ['tree', '.g\u200cit', [['100644', 'config', 'evil\n']]]]],
    ]);
    const outcome = applied(await fixture.apply(to));
    expect(outcome.blocked.map(({ path }) => path).sort()).toEqual(['..', '.GIT/hook', '.gitmodules', `d/${raw('.g\u200cit')}/config`, 'git~1'].sort());
    expect(filesOnDisk(fixture.root)).toEqual({ 'a.txt': '100644 A\n', 'd/ok': '100644 ok\n' });
    expect(statusOf(fixture.root)).toBe('');
    expect(sh(fixture.root, 'rev-parse', 'main~1')).toBe(to);
    const other = await openFixture(fixture.root);
    sh(fixture.root, 'reset', '-q', '--hard', fixture.from);
    expect(applied(await other.apply(to, { from: fixture.from })).commit).toBe(outcome.commit);
  });

  test('names longer than the file system takes', async () => {
    const fixture = await makeFixture({ 'a.txt': 'a\n' });
    const to = makeCommit(fixture.root, fixture.from, { 'a.txt': 'A\n', ['x'.repeat(300)]: 'too long\n' });
    const outcome = applied(await fixture.apply(to));
    expect(outcome.blocked).toHaveLength(1);
    expect(read(fixture.root, 'a.txt')).toBe('A\n');
  });

  test('paths that git was told to leave alone stay out of it, and stay marked', async () => {
    const fixture = await makeFixture({ 'config.local': 'default\n', 'gone.local': 'default\n', 'assumed.txt': 'default\n', 'a.txt': 'a\n' });
    sh(fixture.root, 'update-index', '--skip-worktree', 'config.local', 'gone.local');
    sh(fixture.root, 'update-index', '--assume-unchanged', 'assumed.txt');
    for (const name of ['config.local', 'gone.local', 'assumed.txt']) write(fixture.root, name, 'private\n');
    const outcome = applied(await fixture.apply(fixture.incoming({ 'config.local': 'new default\n', 'gone.local': null, 'assumed.txt': 'new\n', 'a.txt': 'A\n' })));
    expect(outcome).toMatchObject({ unseen: [], blocked: [{ path: 'gone.local' }], changed: 1 });
    for (const name of ['config.local', 'gone.local', 'assumed.txt']) expect(read(fixture.root, name)).toBe('private\n');
    expect(sh(fixture.root, 'ls-files', '-v')).toBe('H a.txt\nh assumed.txt\nS config.local');
    expect(historyOf(fixture.root, 'config.local')).not.toContain('private\n');
  });
});

type RawTree = (readonly ['100644' | '100755' | '120000', string, string] | readonly ['tree', string, RawTree])[];

/** A commit whose tree git would never make by itself. */
function commitWithRawTree(root: string, parent: string, tree: RawTree): string {
  const hash = (type: string, input: Buffer): Buffer =>
    Buffer.from(execFileSync('git', ['hash-object', '-w', '-t', type, '--literally', '--stdin'], { cwd: root, input }).toString().trim(), 'hex');
  const writeTree = (entries: RawTree): Buffer =>
    hash('tree', Buffer.concat(entries.map(([mode, name, content]) => Buffer.concat([
      Buffer.from(`${mode === 'tree' ? '40000' : mode} ${name}\0`),
      typeof content === 'string' ? hash('blob', Buffer.from(content)) : writeTree(content),
    ]))));
  return sh(root, 'commit-tree', writeTree(tree).toString('hex'), '-p', parent, '-m', 'evil');
}

describe('folders that belong to submodules and sparse checkouts', () => {
  test('a submodule only moves in the index; its folder appears, and goes only when it is empty', async () => {
    const fixture = await makeFixture({ 'a.txt': 'a\n' });
    const [one, two] = ['1', '2'].map((digit) => digit.repeat(40)) as [string, string];
    const added = fixture.incoming({ sub: { mode: '160000', content: one }, 'a.txt': 'A\n' });
    applied(await fixture.apply(added));
    expect(exists(fixture.root, 'sub')).toBe(true);
    expect(statusOf(fixture.root)).toBe('');
    write(fixture.root, 'sub/work.txt', 'mine\n');
    const moved = makeCommit(fixture.root, added, { sub: { mode: '160000', content: two } });
    applied(await fixture.apply(moved, { from: added }));
    expect(sh(fixture.root, 'ls-files', '-s', 'sub')).toContain(two);
    applied(await fixture.apply(makeCommit(fixture.root, moved, { sub: null }), { from: moved }));
    expect(read(fixture.root, 'sub/work.txt')).toBe('mine\n');
    sh(fixture.root, 'reset', '-q', '--hard', added);
    rmSync(join(fixture.root, 'sub/work.txt'));
    applied(await fixture.apply(makeCommit(fixture.root, added, { sub: null }), { from: added }));
    expect(exists(fixture.root, 'sub')).toBe(false);
  });

  test('a sparse checkout stays sparse: neither changed nor new files outside of it appear', async () => {
    const root = tempRepo({ 'in/a.txt': 'a\n', 'out/b.txt': 'b\n', 'top.txt': 't\n' });
    sh(root, 'sparse-checkout', 'set', 'in');
    const fixture = await openFixture(root);
    const to = fixture.incoming({ 'in/a.txt': 'A\n', 'in/new.txt': 'n\n', 'out/b.txt': 'B\n', 'out/new.txt': 'n\n', 'out/deep/x.txt': 'x\n', 'top.txt': 'T\n' });
    expect(applied(await fixture.apply(to))).toMatchObject({ commit: to, unseen: [], blocked: [] });
    expect(filesOnDisk(root)).toEqual({ 'in/a.txt': '100644 A\n', 'in/new.txt': '100644 n\n', 'top.txt': '100644 T\n' });
    expect(statusOf(root)).toBe('');
    sh(root, 'sparse-checkout', 'disable');
    expect(filesOnDisk(root)).toEqual(filesOfCommit(root, to));
  });
});

describeWith(['root', 'linux'], 'folders that cannot be written', () => {
  const undo: (() => void)[] = [];
  afterEach(() => undo.splice(0).forEach((each) => each()));

  test('an immutable folder: its files wait, the others come in', async () => {
    const fixture = await makeFixture({ 'locked/a.txt': 'a\n', 'locked/gone.txt': 'g\n', 'b.txt': 'b\n' });
    const locked = join(fixture.root, 'locked');
    execFileSync('chattr', ['+i', locked]);
    undo.push(() => execFileSync('chattr', ['-i', locked]));
    const outcome = applied(await fixture.apply(fixture.incoming({ 'locked/a.txt': 'A\n', 'locked/gone.txt': null, 'locked/new.txt': 'n\n', 'b.txt': 'B\n' })));
    expect(outcome.blocked.map(({ path }) => path).sort()).toEqual(['locked/a.txt', 'locked/gone.txt', 'locked/new.txt']);
    expect(outcome.blocked[0]?.why).toContain('permission denied');
    expect(read(fixture.root, 'locked/a.txt')).toBe('a\n');
    expect(read(fixture.root, 'b.txt')).toBe('B\n');
    expect(leftovers(fixture.root)).toEqual([]);
  });

  test('what could not be replaced or removed is known by what it was made from: nothing that came in is taken back later', async () => {
    const fixture = await makeFixture({ 'locked.txt': 'one\ntwo\nthree\n', 'edited.txt': 'one\ntwo\nthree\n', 'gone.txt': 'one\n' });
    const locked = ['locked.txt', 'edited.txt', 'gone.txt'].map((name) => join(fixture.root, name));
    execFileSync('chattr', ['+i', ...locked]);
    undo.push(() => locked.filter(existsSync).forEach((file) => execFileSync('chattr', ['-i', file])));
    const to = fixture.incoming({ 'locked.txt': 'ONE\ntwo\nthree\n', 'edited.txt': 'ONE\ntwo\nthree\n', 'gone.txt': null });
    const { blocked } = applied(await fixture.apply(to));
    expect(blocked.map(({ path, base }) => [path, base?.at]).sort()).toEqual(['edited.txt', 'gone.txt', 'locked.txt'].map((path) => [path, fixture.from]));
    execFileSync('chattr', ['-i', ...locked]);
    write(fixture.root, 'edited.txt', 'one\ntwo\nTHREE\n');
    const known = new Map(blocked.flatMap(({ path, base }) => (base === undefined ? [] : [[path, base] as const])));
    const outcome = applied(await fixture.apply(to, { from: to, waiting: new Set(known.keys()), known }));
    expect(outcome).toMatchObject({ blocked: [], unseen: ['edited.txt'], conflicts: [] });
    expect(filesOnDisk(fixture.root)).toEqual({ 'locked.txt': '100644 ONE\ntwo\nthree\n', 'edited.txt': '100644 ONE\ntwo\nTHREE\n' });
    expect(statusOf(fixture.root)).toBe('');
  });

  test('an immutable file is put back where only it cannot be replaced', async () => {
    const fixture = await makeFixture({ 'a.txt': 'a\n', 'b.txt': 'b\n' });
    const locked = join(fixture.root, 'a.txt');
    execFileSync('chattr', ['+i', locked]);
    undo.push(() => execFileSync('chattr', ['-i', locked]));
    const outcome = applied(await fixture.apply(fixture.incoming({ 'a.txt': 'A\n', 'b.txt': 'B\n' })));
    expect(outcome.blocked.map(({ path }) => path)).toEqual(['a.txt']);
    expect(read(fixture.root, 'a.txt')).toBe('a\n');
  });

  test('a folder on another file system waits', async () => {
    const fixture = await makeFixture({ 'mnt/a.txt': 'a\n', 'b.txt': 'b\n' });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'gitsync-test', join(fixture.root, 'mnt')]);
    undo.push(() => execFileSync('umount', [join(fixture.root, 'mnt')]));
    write(fixture.root, 'mnt/a.txt', 'a\n');
    const outcome = applied(await fixture.apply(fixture.incoming({ 'mnt/a.txt': 'A\n', 'b.txt': 'B\n' })));
    expect(outcome.blocked).toMatchObject([{ path: 'mnt/a.txt', why: 'it lies on another file system than the rest of the folder' }]);
    expect(read(fixture.root, 'mnt/a.txt')).toBe('a\n');
    expect(read(fixture.root, 'b.txt')).toBe('B\n');
  });

  test('a file that another user may not read goes back to its place', async () => {
    const root = tempRepo({ 'secret.txt': 'a\n', 'b.txt': 'b\n' });
    const { from, incoming } = await openFixture(root);
    const to = incoming({ 'secret.txt': 'A\n', 'b.txt': 'B\n' });
    write(root, 'secret.txt', 'unreadable edit\n');
    chmodSync(join(root, 'secret.txt'), 0o000);
    const outcome = applyAsNobody(root, from, to);
    expect(outcome.blocked).toMatchObject([{ path: 'secret.txt', why: expect.stringContaining('cannot be read') }]);
    expect(read(root, 'secret.txt')).toBe('unreadable edit\n');
    expect(read(root, 'b.txt')).toBe('B\n');
  });

  test('a read-only folder, and one that may not be entered', async () => {
    const root = tempRepo({ 'ro/a.txt': 'a\n', 'closed/c.txt': 'c\n', 'closed/gone.txt': 'g\n', 'b.txt': 'b\n' });
    const { from, incoming } = await openFixture(root);
    const to = incoming({ 'ro/a.txt': 'A\n', 'ro/new.txt': 'n\n', 'closed/c.txt': 'C\n', 'closed/new.txt': 'n\n', 'closed/gone.txt': null, 'b.txt': 'B\n' });
    chmodSync(join(root, 'ro'), 0o555);
    chmodSync(join(root, 'closed'), 0o000);
    const outcome = applyAsNobody(root, from, to);
    const byPath = (a: { path: string }, b: { path: string }): number => (a.path < b.path ? -1 : 1);
    expect(outcome.blocked.sort(byPath)).toMatchObject(['closed/c.txt', 'closed/gone.txt', 'closed/new.txt', 'ro/a.txt', 'ro/new.txt'].map((path) => ({ path, why: 'permission denied' })));
    expect(read(root, 'ro/a.txt')).toBe('a\n');
    expect(read(root, 'b.txt')).toBe('B\n');
  });
});

/** Runs an update as a user without rights beyond their own. */
function applyAsNobody(root: string, from: string, to: string): { blocked: { path: string; why: string }[] } {
  execFileSync('chown', ['-R', 'nobody', root]);
  const home = tempDir('home');
  execFileSync('chown', ['nobody', home]);
  const child = new URL('apply-child.ts', import.meta.url).pathname;
  const output = execFileSync('setpriv', ['--reuid', 'nobody', '--clear-groups', process.execPath, '--import', 'tsx', child, 'apply', root, from, to], {
    env: { ...process.env, HOME: home, GIT_AUTHOR_NAME: 'N', GIT_AUTHOR_EMAIL: 'n@example.org', GIT_COMMITTER_NAME: 'N', GIT_COMMITTER_EMAIL: 'n@example.org' },
    encoding: 'utf8',
  });
  return JSON.parse(output) as { blocked: { path: string; why: string }[] };
}

describeWith(['tmpfs'], 'a full disk', () => {
  const undo: (() => void)[] = [];
  afterEach(() => undo.splice(0).forEach((each) => each()));

  function smallDisk(sizeMegabytes: number): string {
    const root = tempDir('small');
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMegabytes}m`, 'gitsync-test', root]);
    undo.push(() => execFileSync('umount', [root]));
    sh(root, 'init', '-q', '-b', 'main');
    commitFiles(root, { 'a.txt': 'a\n', 'b.txt': 'b\n' });
    return root;
  }

  test('stops the update before anything moves', async () => {
    const root = smallDisk(8);
    const fixture = await openFixture(root);
    const to = fixture.incoming({ 'a.txt': 'A\n', 'big.bin': Buffer.alloc(9_000_000, 'compressible') });
    const failure = await fixture.apply(to).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(GitsyncError);
    expect(failure).toMatchObject({ kind: 'no-space' });
    expect(filesOnDisk(root)).toEqual({ 'a.txt': '100644 a\n', 'b.txt': '100644 b\n' });
    expect(sh(root, 'rev-parse', 'main')).toBe(fixture.from);
    expect(leftovers(root)).toEqual([]);
    expect(existsSync(join(root, '.git/index.lock'))).toBe(false);
  });

  test('that fills up half-way takes everything back', async () => {
    const root = smallDisk(8);
    const fixture = await openFixture(root);
    const to = fixture.incoming({ 'a.txt': 'A\n', 'b.txt': null, 'c.txt': 'c\n' });
    write(root, 'a.txt', 'mine\n');
    const failure = await fixture
      .apply(to, {
        onStep: (step) => {
          if (step !== 'journal written') return;
          try {
            writeFileSync(join(root, '.git/filler'), Buffer.alloc(16_000_000));
          } catch {
            // full now
          }
        },
      })
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ kind: 'no-space' });
    rmSync(join(root, '.git/filler'));
    expect(filesOnDisk(root)).toEqual({ 'a.txt': '100644 mine\n', 'b.txt': '100644 b\n' });
    expect(sh(root, 'rev-parse', 'main')).toBe(fixture.from);
    // With room again, the next try first ends this one, and the one after it comes through.
    expect(await fixture.apply(to)).toEqual({ kind: 'moved' });
    expect(filesOnDisk(root)).toEqual({ 'a.txt': '100644 mine\n', 'b.txt': '100644 b\n' });
    expect(applied(await fixture.apply(to)).unseen).toEqual(['a.txt']);
    expect(historyOf(root, 'a.txt')).toEqual(expect.arrayContaining(['mine\n', 'A\n']));
    expect(exists(root, 'b.txt')).toBe(false);
    expect(statusOf(root)).toBe('');
    expect(leftovers(root)).toEqual([]);
  });
});
