import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { fetchBranch } from '../../src/git/fetch.ts';
import { publishBranch } from '../../src/git/publish.ts';
import { listRemotes } from '../../src/git/remotes.ts';
import { openRepo } from '../../src/git/repository.ts';
import { silentLog } from '../../src/log.ts';
import { findRepositoryAt, localPathOf } from '../../src/remote/local-path.ts';
import { startNotifier, type Notifier } from '../../src/remote/remote.ts';
import { converge } from '../helpers/converge.ts';
import { bareRemote, commitFiles, sh, tempDir, tempRepo, twoMachines } from '../helpers/repos.ts';
import { describeWith } from '../helpers/requires.ts';

const running: Notifier[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((notifier) => notifier.close()));
});

/** Listens to `main` on origin of a work tree whose remote has the given URL. */
async function listen(root: string, url: string) {
  sh(root, 'remote', 'set-url', 'origin', url);
  const repo = await openRepo(root);
  const [info] = await listRemotes(repo);
  const told = { moves: [] as (string | undefined)[], states: [] as boolean[] };
  const notifier = startNotifier(repo, info!, 'main', { onMoved: (tip) => told.moves.push(tip), onState: (live) => told.states.push(live) }, silentLog);
  running.push(notifier);
  return { repo, told, notifier };
}

describe('findRepositoryAt', () => {
  test('finds what git finds', async () => {
    const bare = bareRemote();
    const named = `${tempDir('named')}/notes`;
    sh('/', 'init', '-q', '--bare', `${named}.git`);
    const root = tempRepo({ f: '1' });
    const linked = `${tempDir('linked')}/wt`;
    sh(root, 'worktree', 'add', '-q', linked, '-b', 'side');
    expect(await findRepositoryAt(bare)).toBe(bare);
    expect(await findRepositoryAt(named)).toBe(`${named}.git`);
    expect(await findRepositoryAt(root)).toBe(`${root}/.git`);
    expect(await findRepositoryAt(linked)).toBe(`${root}/.git`);
    expect(await findRepositoryAt('/nonexistent')).toBeUndefined();
    expect(await findRepositoryAt(tempDir('plain'))).toBeUndefined();
    sh(root, 'bundle', 'create', '-q', 'all.bundle', 'main');
    expect(await findRepositoryAt(`${root}/all.bundle`)).toBeUndefined();
  });

  test('relative paths start at the work tree', () => {
    expect(localPathOf('../bare', '/home/me/notes')).toBe('/home/me/bare');
    expect(localPathOf('file:///srv/a%20b', '/w')).toBe('/srv/a b');
    expect(localPathOf('host:path', '/w')).toBeUndefined();
  });
});

describe('a remote that is a path', () => {
  test.each<[string, (remote: string, root: string) => string]>([
    ['an absolute path', (remote) => remote],
    ['a relative path', (remote, root) => relative(root, remote)],
    ['a file URL', (remote) => `file://${remote}`],
  ])('given as %s tells of a push at once, and not of our own', async (_, urlOf) => {
    const { remote, a, b } = twoMachines();
    const { repo, told, notifier } = await listen(b, urlOf(remote, b));
    await converge('live', () => notifier.live);
    const tip = commitFiles(a, { x: '1' });
    sh(a, 'push', '-q');
    await converge('told', () => told.moves.includes(tip), 1_000);
    await fetchBranch(repo, { remote: 'origin', branch: 'main' });
    sh(b, 'merge', '-q', '--ff-only', 'origin/main');
    const ours = commitFiles(b, { y: '1' });
    await publishBranch(repo, { remote: 'origin', branch: 'main' }, ours);
    sh(a, 'pull', '-q');
    const next = commitFiles(a, { x: '2' });
    sh(a, 'push', '-q');
    await converge('told again', () => told.moves.includes(next), 1_000);
    expect(told.moves.filter((moved) => moved === ours).length).toBeLessThanOrEqual(1);
    expect(told.states).toEqual([true]);
  });

  test('tells of a commit made in a work tree that is the remote, also after its refs were packed', async () => {
    const { b } = twoMachines();
    const other = tempRepo({ f: '1' });
    const { told, notifier } = await listen(b, other);
    await converge('live', () => notifier.live);
    const tip = commitFiles(other, { f: '2' });
    await converge('told', () => told.moves.includes(tip), 1_000);
    sh(other, 'pack-refs', '--all');
    const next = commitFiles(other, { f: '3' });
    await converge('told again', () => told.moves.includes(next), 1_000);
    expect(told.moves.every((moved) => moved === tip || moved === next)).toBe(true);
  });

  test('that is away is not live, and is found when it comes', async () => {
    const { remote, a, b } = twoMachines();
    renameSync(remote, `${remote}-away`);
    const { told, notifier } = await listen(b, remote);
    await converge('told that it is away', () => told.states.length === 1);
    expect(told.states).toEqual([false]);
    renameSync(`${remote}-away`, remote);
    notifier.wake();
    await converge('live', () => notifier.live, 1_000);
    const tip = commitFiles(a, { x: '1' });
    sh(a, 'push', '-q');
    await converge('told', () => told.moves.includes(tip), 1_000);
    rmSync(remote, { recursive: true });
    await converge('away again, by itself', () => told.states.join() === 'false,true,false');
  });
});

describeWith(['tmpfs'], 'a remote on a drive', () => {
  test('is not live while the drive is not mounted', async () => {
    const drive = tempDir('drive');
    const unmount = async (): Promise<void> => {
      // A look at the drive that is under way keeps it busy for a moment.
      await converge('unmounted', () => execFileSync('umount', [drive], { stdio: 'ignore' }) !== undefined);
    };
    const mount = (): void => void execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', drive]);
    mount();
    const { a, b } = twoMachines();
    const { told, notifier } = await listen(b, `${drive}/r.git`);
    sh(a, 'remote', 'set-url', 'origin', `${drive}/r.git`);
    sh(drive, 'init', '-q', '--bare', 'r.git');
    notifier.wake();
    await converge('live', () => notifier.live);
    await unmount();
    notifier.wake();
    await converge('not live', () => !notifier.live);
    mount();
    mkdirSync(`${drive}/r.git`);
    writeFileSync(`${drive}/other`, '');
    sh(`${drive}/r.git`, 'init', '-q', '--bare');
    notifier.wake();
    await converge('live again', () => notifier.live);
    sh(a, 'push', '-q', 'origin', 'main');
    await converge('told', () => told.moves.includes(sh(a, 'rev-parse', 'main')), 1_000);
    await notifier.close();
    await unmount();
  });
});
