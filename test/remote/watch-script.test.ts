import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from '@jest/globals';
import { pathWord, watchScript } from '../../src/remote/watch-script.ts';
import { converge } from '../helpers/converge.ts';
import { bareRemote, commitFiles, sh, tempDir, tempRepo } from '../helpers/repos.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** Runs the script in a shell of this machine and collects its lines. */
function start(shell: string, path: string, options: { home?: string; branch?: string } = {}) {
  const home = options.home ?? tempDir('home');
  const child = spawn(shell, ['-s', 'gitsync-watch'], { cwd: home, env: { ...process.env, HOME: home }, stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (more: string) => (text += more));
  child.stdin.on('error', () => undefined).write(watchScript(path, options.branch ?? 'main'));
  return { child, home, values: () => text.split('\n').slice(0, -1).map((line) => line.replace('gitsync-watch ', '')) };
}

const first = async (session: { values(): string[] }): Promise<string> => {
  await converge('the first word', () => session.values().length > 0);
  return session.values()[0] as string;
};

describe.each(['bash', 'dash'])('the script in %s', (shell) => {
  test('finds a repository as git does', async () => {
    const bare = bareRemote();
    const root = tempRepo({ f: '1' });
    const tip = sh(root, 'rev-parse', 'main');
    sh(root, 'push', '-q', bare, 'main');
    const home = tempDir('home');
    mkdirSync(`${home}/in`);
    symlinkSync(bare, `${home}/in/r.git`);
    sh(root, 'worktree', 'add', '-q', `${home}/linked`, '-b', 'side');
    for (const path of [bare, root, `${root}/.git`, '~/in/r', '~/in/r.git', 'in/r.git', '~/linked', 'linked']) {
      expect([path, await first(start(shell, path, { home }))]).toEqual([path, tip]);
    }
    for (const path of ['/nonexistent', '~nosuchuser/r', home]) expect([path, await first(start(shell, path, { home }))]).toEqual([path, 'none']);
  });

  test('tells each move, survives packing, and ends with its input', async () => {
    const root = tempRepo({ f: '1' });
    const session = start(shell, root);
    await first(session);
    const tip = commitFiles(root, { f: '2' });
    await converge('the move', () => session.values().at(-1) === tip);
    sh(root, 'pack-refs', '--all');
    await converge('packed', () => session.values().at(-1) === '-');
    const next = commitFiles(root, { f: '3' });
    await converge('the next move', () => session.values().at(-1) === next);
    session.child.stdin?.end();
    await converge('it ended', () => session.child.exitCode !== null || session.child.signalCode !== null, 3_000);
  });

  test('follows the tables of a reftable', async () => {
    const root = tempDir('reftable');
    mkdirSync(`${root}/reftable`);
    writeFileSync(`${root}/HEAD`, 'ref: refs/heads/.invalid\n');
    writeFileSync(`${root}/reftable/tables.list`, '0x01-0x02-aa.ref\n');
    const session = start(shell, root);
    expect(await first(session)).toBe('0x01-0x02-aa.ref');
    writeFileSync(`${root}/reftable/tables.list`, '0x01-0x02-aa.ref\n0x03-0x03-bb.ref\n');
    await converge('the move', () => session.values().at(-1) === '0x03-0x03-bb.ref');
  });

  test('hands on nothing that a ref should not hold', async () => {
    const root = tempRepo({ f: '1' });
    writeFileSync(`${root}/.git/refs/heads/main`, 'x\x1b]0;evil\x07 y');
    expect(await first(start(shell, root))).toBe('-');
  });
});

describe('pathWord', () => {
  test.each([
    ["it's", "./it's"],
    ['$(touch x)', './$(touch x)'],
    ['/a b/`id`', '/a b/`id`'],
    ['-n', './-n'],
    ['~$(id)/x', './~$(id)/x'],
    ['a\nb', './a\nb'],
  ])('%j stays as it is', (path, expected) => {
    expect(execFileSync('sh', ['-c', `printf %s ${pathWord(path)}`]).toString()).toBe(expected);
  });

  test('only a tilde at the beginning means a home', () => {
    const run = (path: string): string => execFileSync('sh', ['-c', `printf %s ${pathWord(path)}`], { env: { PATH: process.env['PATH'], HOME: '/h o' } }).toString();
    expect(run('~/a b')).toBe('/h o/a b');
    expect(run('~root/x')).toBe(`${readFileSync('/etc/passwd', 'utf8').split('\n').find((line) => line.startsWith('root:'))?.split(':')[5]}/x`);
    expect(readdirSync('/').includes('x')).toBe(false);
  });
});
