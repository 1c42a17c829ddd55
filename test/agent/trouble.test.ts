/** What goes wrong around an agent, and what it does about it. */
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync, truncateSync } from 'node:fs';
import { createServer } from 'node:net';
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { inStep, makeMachine, program, quickSettings, type Machine } from '../helpers/machine.ts';
import { describeWith } from '../helpers/requires.ts';
import { bareRemote, commitFiles, exists, read, sh, tempDir, tempRepo, twoMachines, write } from '../helpers/repos.ts';

const machines: Machine[] = [];
afterEach(async () => {
  await Promise.all(machines.splice(0).map((machine) => machine.stop()));
});

async function agentFor(workDirs: string[], settings = quickSettings, sections = ''): Promise<Machine> {
  const machine = makeMachine('desk');
  machines.push(machine);
  machine.configure(workDirs, settings, sections);
  await machine.start();
  return machine;
}

const line = (machine: Machine, path: string) => machine.status().repos.find((repo) => repo.path === path);
const isSafe = (machine: Machine, path: string): boolean => line(machine, path)?.level === 'safe';

describe('files in trouble', () => {
  test('one that cannot be saved is not safe, whatever else is saved meanwhile, and is tried again by itself', async () => {
    const { a, remote } = twoMachines({ 'a.txt': 'a\n', '.gitattributes': '*.bad filter=broken\n' });
    const mended = join(tempDir('mended'), 'mended');
    sh(a, 'config', 'filter.broken.clean', `[ -e '${mended}' ] && cat`);
    sh(a, 'config', 'filter.broken.required', 'true');
    const machine = await agentFor([a]);
    await converge('safe', () => isSafe(machine, a));
    write(a, 'x.bad', 'x\n');
    await converge('it is said', () => line(machine, a)?.why.startsWith('x.bad cannot be saved') ?? false);
    write(a, 'other.txt', 'other\n');
    await converge('the other one is published', () => sh(remote, 'ls-tree', '--name-only', 'main').includes('other.txt'));
    expect(line(machine, a)).toMatchObject({ level: 'unsafe', why: expect.stringMatching(/^x\.bad cannot be saved/) as unknown });
    writeFileSync(mended, '');
    await converge('it is saved, though nothing tells of that', () => isSafe(machine, a) && inStep(a, remote) && sh(remote, 'ls-tree', '--name-only', 'main').includes('x.bad'), 30_000);
  });
});

describe('remotes in trouble', () => {
  test('force-pushed: unpublished work is put on top, what was purged does not come back, a rescue ref keeps the rest', async () => {
    const { a, b, remote } = twoMachines({ 'keep.txt': 'keep\n' });
    commitFiles(a, { 'purged.txt': 'secret\n', 'shared.txt': 'one\n' });
    sh(a, 'push', '-q', 'origin', 'main');
    const machine = await agentFor([b]);
    await converge('purged.txt is there', () => exists(b, 'purged.txt') && isSafe(machine, b));
    await machine.stop();
    write(b, 'mine.txt', 'not published yet\n');
    // Someone rewrites history without the purged file.
    sh(a, 'reset', '-q', '--hard', 'HEAD~1');
    commitFiles(a, { 'shared.txt': 'one\n' }, 'rewritten');
    sh(a, 'push', '-q', '--force', 'origin', 'main');
    await machine.start();
    await converge('the new history with my work', () => !exists(b, 'purged.txt') && exists(b, 'mine.txt') && inStep(b, remote));
    expect(sh(remote, 'log', '--format=%H', 'main', '--', 'purged.txt')).toBe('');
    expect(sh(b, 'for-each-ref', 'refs/gitsync/rescue')).not.toBe('');
  });

  test('unrelated histories: that remote stops, both roots are shown, and adopt joins them', async () => {
    const root = tempRepo({ 'ours.txt': 'ours\n', 'both.txt': 'ours\n' });
    const other = tempRepo({ 'theirs.txt': 'theirs\n', 'both.txt': 'theirs\n' });
    const remote = bareRemote();
    sh(other, 'push', '-q', remote, 'main');
    sh(root, 'remote', 'add', 'origin', remote);
    const machine = await agentFor([root]);
    await converge('it is said', () => line(machine, root)?.why.includes('no common history') ?? false);
    expect(line(machine, root)).toMatchObject({ level: 'unsafe', commands: [`gitsync adopt ${root}`] });
    expect(machine.run('adopt', root)).toMatchObject({ exitCode: 0 });
    await converge('both are one', () => exists(root, 'theirs.txt') && exists(root, 'ours.txt') && inStep(root, remote));
    expect(readdirSync(root).filter((name) => name.startsWith('both.')).length).toBe(2);
  });

  test('the upstream branch is deleted: said, never made again in silence', async () => {
    const { a, remote } = twoMachines();
    const machine = await agentFor([a]);
    await converge('safe', () => isSafe(machine, a));
    sh(remote, 'branch', 'other', 'main');
    sh(remote, 'symbolic-ref', 'HEAD', 'refs/heads/other');
    sh(remote, 'branch', '-D', 'main');
    write(a, 'new.txt', 'new\n');
    await converge('it is said', () => line(machine, a)?.why.includes('gone') ?? false);
    expect(sh(remote, 'for-each-ref', '--format=%(refname)')).toBe('refs/heads/other');
    await converge('saved all the same', () => sh(a, 'status', '--porcelain') === '');
    expect(sh(remote, 'for-each-ref', '--format=%(refname)')).toBe('refs/heads/other');
  });

  test('the upstream branch is deleted in the moment before a push: it is not made again either', async () => {
    const { a, remote } = twoMachines();
    const machine = makeMachine('desk');
    machine.configure([a]);
    expect(machine.run('--once').exitCode).toBe(0);
    write(a, 'new.txt', 'new\n');
    // The fetch still sees the branch; a hook deletes it between the fetch and the push.
    write(a, '.git/hooks/pre-push', `#!/bin/sh\ngit --git-dir='${remote}' update-ref -d refs/heads/main\n`);
    chmodSync(join(a, '.git/hooks/pre-push'), 0o755);
    machine.configure([a], `${quickSettings}\nhooks = yes`);
    expect(machine.run('--once').exitCode).toBe(2);
    expect(sh(remote, 'for-each-ref')).toBe('');
    expect(sh(a, 'status', '--porcelain')).toBe('');
  });

  test('an empty remote is published to, and an unborn branch takes over what a remote has', async () => {
    const remote = bareRemote();
    const first = tempRepo({ 'a.txt': 'a\n' });
    const second = tempRepo();
    for (const root of [first, second]) sh(root, 'remote', 'add', 'origin', remote);
    const machine = await agentFor([first]);
    await converge('published', () => inStep(first, remote));
    machine.configure([first, second]);
    await converge('taken over', () => exists(second, 'a.txt') && inStep(second, remote));
  });

  test('a branch that the remote refuses goes to one of our own, and says so', async () => {
    const { a, remote } = twoMachines();
    write(remote, 'hooks/update', '#!/bin/sh\n[ "$1" != refs/heads/main ] || { echo "main is protected" >&2; exit 1; }\n');
    chmodSync(join(remote, 'hooks/update'), 0o755);
    const machine = await agentFor([a]);
    write(a, 'new.txt', 'new\n');
    await converge('the fallback branch', () => sh(remote, 'for-each-ref', '--format=%(refname)').includes('refs/heads/gitsync/desk/main'));
    expect(sh(remote, 'show', 'gitsync/desk/main:new.txt')).toBe('new');
    await converge('it is said', () => line(machine, a)?.state === 'refused');
  });

  test('a remote that goes away and comes back', async () => {
    const { a, b, remote } = twoMachines();
    const machine = await agentFor([a, b]);
    await converge('both safe', () => isSafe(machine, a) && isSafe(machine, b));
    renameSync(remote, `${remote}.away`);
    write(a, 'offline-a.txt', 'a\n');
    write(b, 'offline-b.txt', 'b\n');
    await converge('not safe', () => line(machine, a)?.level === 'unsafe' && line(machine, b)?.level === 'unsafe');
    expect(machine.run('status').exitCode).toBe(2);
    renameSync(`${remote}.away`, remote);
    await converge('all there', () => exists(a, 'offline-b.txt') && exists(b, 'offline-a.txt') && inStep(a, b, remote), 30_000);
  });

  test('one bad remote does not stop a good one', async () => {
    const { a, remote } = twoMachines();
    sh(a, 'remote', 'add', 'backup', '/nonexistent/backup.git');
    const machine = await agentFor([a], `${quickSettings}\nremotes = origin, backup`);
    write(a, 'new.txt', 'new\n');
    await converge('origin has it', () => inStep(a, remote) && sh(remote, 'ls-tree', '--name-only', 'main').includes('new.txt'));
    expect(line(machine, a)?.level).toBe('unsafe');
  });

  test('an ssh server that never answers does not hold up saving, nor stopping', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    try {
      const root = tempRepo({ 'a.txt': 'a\n' });
      sh(root, 'remote', 'add', 'origin', `ssh://nobody@127.0.0.1:${port}/x.git`);
      const machine = await agentFor([root]);
      await converge('the fetch has begun', () => machine.log().includes('Fetch') || sh(root, 'rev-parse', 'HEAD') !== '');
      write(root, 'b.txt', 'b\n');
      await converge('a pause is accepted', () => machine.run('pause', root).exitCode === 0);
      const startedAt = Date.now();
      await machine.stop();
      expect(Date.now() - startedAt).toBeLessThan(10_000);
    } finally {
      silent.close();
    }
  });
});

describe('repositories in trouble', () => {
  test('one bad repository never stops the others, and the config says where it is', async () => {
    const { a, remote } = twoMachines();
    const machine = await agentFor(['/nonexistent/nowhere', a]);
    write(a, 'new.txt', 'new\n');
    await converge('published', () => sh(remote, 'ls-tree', '--name-only', 'main').includes('new.txt'));
    const { problems } = machine.status();
    expect(problems[0]).toMatchObject({ line: 2, scope: '/nonexistent/nowhere' });
    expect(machine.run('config', '--check').exitCode).toBe(10);
  });

  test('a work directory that is unmounted and comes back: nothing is taken for deleted', async () => {
    const { a, remote } = twoMachines({ 'a.txt': 'a\n', 'b.txt': 'b\n' });
    const machine = await agentFor([a]);
    await converge('safe', () => isSafe(machine, a));
    renameSync(a, `${a}.away`);
    mkdirSync(a);
    await converge('not safe', () => line(machine, a)?.level === 'unsafe');
    rmSync(a, { recursive: true });
    renameSync(`${a}.away`, a);
    write(a, 'c.txt', 'c\n');
    await converge('goes on', () => sh(remote, 'ls-tree', '--name-only', 'main') === 'a.txt\nb.txt\nc.txt', 20_000);
  });

  test('a damaged index is built anew, and the work tree is saved', async () => {
    const { a, remote } = twoMachines({ 'a.txt': 'a\n' });
    truncateSync(join(a, '.git/index'), 20);
    write(a, 'new.txt', 'new\n');
    await agentFor([a]);
    await converge('published', () => sh(remote, 'ls-tree', '--name-only', 'main') === 'a.txt\nnew.txt');
    expect(sh(a, 'status', '--porcelain')).toBe('');
    expect(exists(a, '.git/gitsync/index.damaged')).toBe(true);
  });

  test('an index damaged while the agent runs', async () => {
    const { a, remote } = twoMachines({ 'a.txt': 'a\n' });
    const machine = await agentFor([a]);
    await converge('safe', () => isSafe(machine, a));
    writeFileSync(join(a, '.git/index'), 'garbage');
    write(a, 'new.txt', 'new\n');
    await converge('published', () => sh(remote, 'ls-tree', '--name-only', 'main') === 'a.txt\nnew.txt', 20_000);
  });

  test('a live index.lock: a snapshot at once, the branch when it is gone; the lock is not touched', async () => {
    const { a, remote } = twoMachines({ 'a.txt': 'a\n' });
    const machine = await agentFor([a]);
    await converge('safe', () => isSafe(machine, a));
    writeFileSync(join(a, '.git/index.lock'), '');
    write(a, 'new.txt', 'new\n');
    await converge('a snapshot', () => sh(a, 'for-each-ref', 'refs/gitsync/snap') !== '');
    expect(exists(a, '.git/index.lock')).toBe(true);
    rmSync(join(a, '.git/index.lock'));
    await converge('published', () => sh(remote, 'ls-tree', '--name-only', 'main') === 'a.txt\nnew.txt');
  });

  test('a stale index.lock is cleared', async () => {
    const { a, remote } = twoMachines({ 'a.txt': 'a\n' });
    writeFileSync(join(a, '.git/index.lock'), '');
    execFileSync('touch', ['-d', '20 minutes ago', join(a, '.git/index.lock')]);
    write(a, 'new.txt', 'new\n');
    await agentFor([a]);
    await converge('published', () => sh(remote, 'ls-tree', '--name-only', 'main') === 'a.txt\nnew.txt');
  });

  test('a hook that hangs is ended, and is named', async () => {
    const { a } = twoMachines({ 'a.txt': 'a\n' });
    write(a, '.git/hooks/pre-commit', '#!/bin/sh\nsleep 600\n');
    chmodSync(join(a, '.git/hooks/pre-commit'), 0o755);
    const machine = makeMachine('desk');
    machines.push(machine);
    machine.env['GITSYNC_HOOK_DEADLINE_MS'] = '500';
    machine.configure([a], `${quickSettings}\nhooks = yes`);
    await machine.start();
    write(a, 'new.txt', 'new\n');
    await converge('it is said', () => line(machine, a)?.why.includes('pre-commit hook did not finish') ?? false);
  });

  test('two agents do not work on the same repository', async () => {
    const { a } = twoMachines();
    const machine = await agentFor([a]);
    await converge('safe', () => isSafe(machine, a));
    const second = makeMachine('second');
    expect(second.run('--once', a)).toEqual({ exitCode: 1, stdout: '', stderr: '' });
    const result = second.run('sync', a);
    expect(result).toMatchObject({ exitCode: 1 });
    expect(result.stdout).toContain('in the hands of another gitsync');
  });
});

describe('the config file', () => {
  test('changes are taken over without a restart, mistakes leave what runs as it is', async () => {
    const one = twoMachines();
    const two = twoMachines();
    const machine = await agentFor([one.a]);
    machine.configure([one.a, two.a]);
    write(two.a, 'new.txt', 'new\n');
    await converge('the added repository is watched', () => sh(two.remote, 'ls-tree', '--name-only', 'main').includes('new.txt'));
    machine.configure([one.a, two.a], `${quickSettings}\nquite = 1s`);
    await converge('the mistake is told', () => machine.status().problems.some(({ hint }) => hint?.includes('quiet') ?? false));
    write(two.a, 'later.txt', 'later\n');
    await converge('and it still runs', () => sh(two.remote, 'ls-tree', '--name-only', 'main').includes('later.txt'));
    expect(machine.run('rm', one.a).exitCode).toBe(0);
    machine.configure([two.a]);
    await converge('the removed one is gone', () => machine.status().repos.length === 1);
    expect(existsSync(one.a)).toBe(true);
  });

  test('a config that cannot be understood stops the start with exit code 10 and the line', () => {
    const machine = makeMachine('desk');
    writeFileSync(machine.configFile, '[gitsync]\nwork_dri = /tmp\n');
    const result = machine.run('--daemon');
    expect(result.exitCode).toBe(10);
    expect(result.stderr).toMatch(/gitsync:2: .*work_dri/);
    expect(result.stderr).toContain('work_dir');
  });
});

describe('the control socket', () => {
  test('only its owner may connect', async () => {
    const { a } = twoMachines();
    const machine = await agentFor([a]);
    const directory = join(machine.home, 'run/gitsync');
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    const socket = readdirSync(directory).find((name) => name.endsWith('.sock')) as string;
    expect(statSync(join(directory, socket)).mode & 0o777).toBe(0o600);
  });

  test('a directory that is not private is refused', () => {
    const machine = makeMachine('desk');
    mkdirSync(join(machine.home, 'run/gitsync'), { mode: 0o777 });
    chmodSync(join(machine.home, 'run/gitsync'), 0o777);
    machine.configure([tempRepo({ 'a.txt': 'a\n' })]);
    expect(machine.run('--daemon').stderr).toContain('not a private directory');
  });
});

describe('pause and resume', () => {
  test('nothing is saved while paused, everything afterwards; a restart keeps the pause', async () => {
    const { a, remote } = twoMachines();
    const machine = await agentFor([a]);
    await converge('safe', () => isSafe(machine, a));
    expect(machine.run('pause', '1h', a).exitCode).toBe(0);
    write(a, 'paused.txt', 'p\n');
    await machine.stop();
    await machine.start();
    await converge('says paused', () => line(machine, a)?.state === 'paused');
    expect(sh(remote, 'ls-tree', '--name-only', 'main')).not.toContain('paused.txt');
    expect(machine.run('resume', a).exitCode).toBe(0);
    await converge('goes on', () => sh(remote, 'ls-tree', '--name-only', 'main').includes('paused.txt'));
  });
});

describeWith(['tmpfs'], 'a full or read-only disk', () => {
  function mountSmall(sizeMegabytes: number): string {
    const place = tempDir('small');
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMegabytes}m`, 'tmpfs', place]);
    return place;
  }

  test('full: it says so, loses nothing, and goes on when there is room', async () => {
    const place = mountSmall(8);
    const machine = makeMachine('desk');
    try {
      const { b, remote } = twoMachines({ 'a.txt': 'a\n' });
      const root = join(place, 'notes');
      sh(place, 'clone', '-q', remote, root);
      machine.configure([root]);
      await machine.start();
      await converge('safe', () => isSafe(machine, root));
      // Something else fills the disk.
      try {
        writeFileSync(join(place, 'filler'), Buffer.alloc(9_000_000));
      } catch {
        // Full, as intended.
      }
      writeFileSync(join(root, 'a.txt'), '');
      sh(b, 'pull', '-q');
      commitFiles(b, { 'incoming.txt': 'x'.repeat(20_000) });
      sh(b, 'push', '-q');
      await converge('it is said', () => line(machine, root)?.level === 'unsafe', 20_000);
      rmSync(join(place, 'filler'));
      write(root, 'after.txt', 'after\n');
      await converge('all there', () => exists(root, 'incoming.txt') && sh(remote, 'ls-tree', '--name-only', 'main').includes('after.txt') && inStep(root, remote), 40_000);
      expect(sh(root, 'fsck', '--no-dangling')).toBe('');
      expect(read(root, 'incoming.txt').length).toBe(20_000);
    } finally {
      await machine.stop();
      execFileSync('umount', ['-l', place]);
    }
  });

  test('read-only: it says so and goes on afterwards', async () => {
    const place = mountSmall(20);
    const machine = makeMachine('desk');
    try {
      const { remote } = twoMachines({ 'a.txt': 'a\n' });
      const root = join(place, 'notes');
      sh(place, 'clone', '-q', remote, root);
      machine.configure([root]);
      await machine.start();
      await converge('safe', () => isSafe(machine, root));
      write(root, 'b.txt', 'b\n');
      execFileSync('mount', ['-o', 'remount,ro', place]);
      expect(machine.run('sync', root).exitCode).not.toBe(70);
      // Nobody waits for the note of a pause: that it fails must not be the end of the agent.
      const pid = machine.pid();
      for (const command of ['pause', 'resume']) machine.run(command, root);
      await converge('it is said', () => machine.log().includes('The pause could not be noted'));
      expect(machine.run('list').exitCode).toBe(0);
      expect(() => process.kill(pid, 0)).not.toThrow();
      execFileSync('mount', ['-o', 'remount,rw', place]);
      write(root, 'c.txt', 'c\n');
      await converge('all there', () => sh(remote, 'ls-tree', '--name-only', 'main') === 'a.txt\nb.txt\nc.txt', 40_000);
    } finally {
      await machine.stop();
      execFileSync('umount', ['-l', place]);
    }
  });
});

describe('what the person changes in git', () => {
  test('a remote added later, another URL, another branch: all are followed', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    const [first, second] = [bareRemote(), bareRemote()];
    const machine = await agentFor([root]);
    await converge('local only', () => line(machine, root)?.state === 'local only');
    sh(root, 'remote', 'add', 'origin', first);
    // The upstream is noted in the config file, which git locks for that moment.
    await converge('published to it', () => inStep(root, first) && sh(root, 'rev-parse', '--abbrev-ref', 'main@{upstream}') === 'origin/main' && !exists(root, '.git/config.lock'));
    sh(root, 'remote', 'set-url', 'origin', second);
    write(root, 'b.txt', 'b\n');
    await converge('published to the other', () => inStep(root, second) && sh(second, 'ls-tree', '--name-only', 'main').includes('b.txt'));
    sh(root, 'switch', '-q', '-c', 'feature');
    write(root, 'c.txt', 'c\n');
    await converge('the new branch is published too', () => sh(second, 'for-each-ref', '--format=%(refname)').includes('refs/heads/feature') && sh(second, 'ls-tree', '--name-only', 'feature').includes('c.txt'));
    expect(sh(second, 'ls-tree', '--name-only', 'main')).not.toContain('c.txt');
  });

  test('a remote that is pointed at an older copy: the copy is brought up to date, not the folder back', async () => {
    const { a, remote } = twoMachines({ 'a.txt': 'a\n' });
    const older = bareRemote();
    sh(a, 'push', '-q', older, 'main');
    commitFiles(a, { 'b.txt': 'b\n' });
    sh(a, 'push', '-q', 'origin', 'main');
    const machine = await agentFor([a]);
    await converge('safe', () => isSafe(machine, a) && inStep(a, remote));
    sh(a, 'remote', 'set-url', 'origin', older);
    await converge('the copy has everything', () => inStep(a, older));
    expect(exists(a, 'b.txt')).toBe(true);
    expect(sh(older, 'ls-tree', '--name-only', 'main')).toBe('a.txt\nb.txt');
  });

  test('branches switched at any moment: each commit is on the branch that is checked out', async () => {
    const { a, remote } = twoMachines();
    const machine = await agentFor([a]);
    await converge('safe', () => isSafe(machine, a));
    for (let i = 0; i < 6; i++) {
      write(a, `before-${i}.txt`, 'b\n');
      await new Promise((resolve) => setTimeout(resolve, 95 + i * 14));
      await converge('no lock in the way', () => sh(a, 'switch', '-q', '-c', `branch-${i}`) === '');
      write(a, `after-${i}.txt`, 'a\n');
      await converge(`branch-${i} is published`, () => sh(remote, 'ls-tree', '--name-only', `branch-${i}`).includes(`after-${i}.txt`));
    }
    expect(sh(remote, 'ls-tree', '--name-only', 'main')).not.toContain('after-');
  });

  test('a held secret stays its owner\'s when another version comes in', async () => {
    const { a, b } = twoMachines();
    const machine = await agentFor([a]);
    await converge('safe', () => isSafe(machine, a));
    write(a, '.env', 'PASSWORD=mine\n');
    await converge('held', () => line(machine, a)?.state === 'held 1');
    commitFiles(b, { '.env': 'PASSWORD=theirs\n', 'other.txt': 'o\n' });
    sh(b, 'push', '-q');
    await converge('the rest comes in', () => exists(a, 'other.txt'));
    expect(read(a, '.env')).toBe('PASSWORD=mine\n');
    await converge('it is said', () => line(machine, a)?.state === 'waiting 1');
    write(a, 'more.txt', 'm\n');
    await converge('published', () => isSafe(machine, a) || line(machine, a)?.state === 'waiting 1');
    expect(sh(a, 'log', '--all', '--format=%H', '-S', 'mine', '--', '.env').split('\n').filter((id) => sh(a, 'branch', '-r', '--contains', id) !== '')).toEqual([]);
    renameSync(join(a, '.env'), join(a, '..', `${machine.name}-env-moved-away`));
    machine.run('sync', a);
    await converge('the incoming version comes', () => exists(a, '.env') && read(a, '.env') === 'PASSWORD=theirs\n', 30_000);
  });
});

describeWith(['strace'], 'a disk that gives read errors (EIO)', () => {
  /** Runs `gitsync --once` with these system calls on one path failing, in us and in git. */
  function syncWithError(machine: Machine, calls: string, ...paths: string[]): { stdout: string; status: number } {
    const words = ['-f', '-qq', '-o', '/dev/null', ...paths.flatMap((path) => ['-P', path]), '-e', `trace=${calls}`, '-e', `inject=${calls}:error=EIO`];
    const { stdout, status } = spawnSync('strace', [...words, process.execPath, program, '--once', '--verbose'], { env: machine.env, encoding: 'utf8', timeout: 60_000 });
    return { stdout, status: status ?? -1 };
  }

  test('a file: it is named, the others are saved', () => {
    const { a, remote } = twoMachines({ 'a.txt': 'a\n' });
    const machine = makeMachine('desk');
    machine.configure([a]);
    write(a, 'bad.txt', 'cannot be read\n');
    write(a, 'good.txt', 'good\n');
    const { stdout, status } = syncWithError(machine, 'read,pread64,mmap', join(a, 'bad.txt'));
    expect(status).toBe(2);
    expect(stdout).toContain('bad.txt');
    expect(sh(remote, 'ls-tree', '--name-only', 'main')).toBe('a.txt\ngood.txt');
  });

  test('a file that cannot even be looked at: nothing is taken for deleted', () => {
    const { a, remote } = twoMachines({ 'dir/a.txt': 'a\n', 'dir/b.txt': 'b\n', 'c.txt': 'c\n' });
    const machine = makeMachine('desk');
    machine.configure([a]);
    rmSync(join(a, 'c.txt'));
    write(a, 'good.txt', 'good\n');
    syncWithError(machine, 'newfstatat,lstat', 'dir/a.txt', join(a, 'dir/a.txt'));
    expect(sh(remote, 'ls-tree', '-r', '--name-only', 'main')).toBe('c.txt\ndir/a.txt\ndir/b.txt\ngood.txt');
    // Once everything can be read again, the one real deletion goes ahead.
    machine.run('--once');
    expect(sh(remote, 'ls-tree', '-r', '--name-only', 'main')).toBe('dir/a.txt\ndir/b.txt\ngood.txt');
  });
});
