/** Five daemons as processes of their own: what is published stays there, whoever dies. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { endCloud, makePeer, startCloud, type Key, type Peer } from '../helpers/peers.ts';
import { describeWith } from '../helpers/requires.ts';

const timeoutMs = 300_000;
const patienceMs = 30_000;

describeWith(['gpg'], 'a cloud of five nodes', () => {
  const [alice, bob, carol, dave, erin] = ['alice', 'bob', 'carol', 'dave', 'erin'].map((name) => makePeer(name)) as [Peer, Peer, Peer, Peer, Peer];
  const all = [alice, bob, carol, dave, erin];
  let key: Key;
  let url: string;
  let notes: string;
  const isWholeAt = async (peer: Peer, seq: number): Promise<boolean> => (await peer.status()).projects.some((project) => project.address === url.slice('gidit::'.length) && project.seq === seq && project.whole);

  beforeAll(async () => {
    key = alice.own();
    url = `gidit::${key.fingerprint}/notes`;
    await startCloud(...all);
  }, timeoutMs);
  afterAll(() => endCloud(...all), timeoutMs);

  test('the first push signs, publishes, and ends with the address to clone', () => {
    notes = alice.repo('notes');
    alice.must(notes, 'remote', 'add', 'cloud', 'gidit::notes');
    const { status, text } = alice.git(notes, 'push', 'cloud', 'main');
    expect({ status, text }).toEqual({ status: 0, text: expect.stringContaining(`git clone ${url}`) });
    expect(text).toMatch(/[1-4] of the peers keep the record/);
  }, timeoutMs);

  test('others clone, list and fetch it; nobody else can publish it', () => {
    bob.must(bob.home, 'clone', '-q', url, 'notes');
    expect(bob.must(join(bob.home, 'notes'), 'rev-parse', 'HEAD')).toBe(alice.must(notes, 'rev-parse', 'HEAD'));
    const tip = alice.commit(notes, { 'a.md': 'one\n' });
    alice.must(notes, 'push', '-q', 'cloud', 'main');
    bob.must(join(bob.home, 'notes'), 'pull', '-q');
    expect(bob.must(join(bob.home, 'notes'), 'rev-parse', 'HEAD')).toBe(tip);
    expect(bob.must(bob.home, 'ls-remote', url).split('\n').sort()).toEqual([`${tip}\tHEAD`, `${tip}\trefs/heads/main`]);
    expect(bob.git(join(bob.home, 'notes'), 'push', 'origin', 'main')).toMatchObject({ status: 128, text: expect.stringContaining('another key than yours') });
  }, timeoutMs);

  test('a project that nobody holds is said within seconds', () => {
    const before = Date.now();
    const { status, text } = dave.git(dave.home, 'clone', `gidit::${key.fingerprint}/nothing`);
    expect({ status, text }).toEqual({ status: 128, text: expect.stringContaining('Nobody holds') });
    expect(Date.now() - before).toBeLessThan(30_000);
  }, timeoutMs);

  test('a mirror needs no key, follows every push, and serves it after the publisher was killed', async () => {
    const address = url.slice('gidit::'.length);
    for (const mirror of [bob, carol]) expect(mirror.daemon('mirror', address)).toMatchObject({ status: 0 });
    const tip = alice.commit(notes, { 'b.md': 'two\n' });
    alice.must(notes, 'tag', 'v1');
    alice.must(notes, 'push', '-q', 'cloud', 'main', 'v1');
    await converge('both mirrors are whole', async () => (await isWholeAt(bob, 3)) && (await isWholeAt(carol, 3)), patienceMs);
    await alice.end();
    dave.must(dave.home, 'clone', '-q', url, 'notes');
    expect(dave.must(join(dave.home, 'notes'), 'rev-parse', 'HEAD', 'v1')).toBe(`${tip}\n${tip}`);
  }, timeoutMs);

  test('with two of five killed, a stranger who joins late still clones', async () => {
    await bob.end();
    const frank = makePeer('frank');
    all.push(frank);
    await frank.start(dave);
    await converge('the stranger has found others', async () => (await frank.status()).peers.length >= 2, patienceMs);
    const { status, text } = frank.git(frank.home, 'clone', '-q', url, 'notes');
    await frank.end();
    expect({ status, text }).toMatchObject({ status: 0 });
    expect(frank.must(join(frank.home, 'notes'), 'log', '--format=%s').split('\n')).toHaveLength(3);
  }, timeoutMs);

  test('after a restart of all, everything is there, and the next push arrives by itself', async () => {
    for (const peer of [carol, dave, erin]) await peer.end('SIGTERM');
    // Nobody is named: they find each other by what they remember.
    await Promise.all([alice, bob, carol, dave, erin].map((peer) => peer.start()));
    await converge('all are connected again', async () => (await Promise.all([alice, bob, carol, dave, erin].map((peer) => peer.status()))).every(({ peers }) => peers.length >= 2), patienceMs);
    expect(await isWholeAt(bob, 3)).toBe(true);
    const tip = alice.commit(notes, { 'c.md': 'three\n' });
    alice.must(notes, 'push', '-q', 'cloud', 'main');
    await converge('both mirrors follow', async () => (await isWholeAt(bob, 4)) && (await isWholeAt(carol, 4)), patienceMs);
    dave.must(join(dave.home, 'notes'), 'pull', '-q');
    expect(dave.must(join(dave.home, 'notes'), 'rev-parse', 'HEAD')).toBe(tip);
  }, timeoutMs);

  test('deletions, forced updates and a rewound branch travel; without force they are refused', async () => {
    const clone = join(dave.home, 'notes');
    alice.must(notes, 'branch', 'side');
    alice.must(notes, 'push', '-q', 'cloud', 'side');
    alice.must(notes, 'reset', '-q', '--hard', 'HEAD~1');
    alice.commit(notes, { 'd.md': 'another way\n' });
    expect(alice.git(notes, 'push', 'cloud', 'main')).toMatchObject({ status: 1, text: expect.stringContaining('rejected') });
    alice.must(notes, 'push', '-q', '--force', 'cloud', 'main', ':v1');
    alice.must(notes, 'reset', '-q', '--hard', 'HEAD~1');
    alice.must(notes, 'push', '-q', '--force', 'cloud', 'main');
    await converge('the mirrors have it', () => isWholeAt(bob, 7), patienceMs);
    dave.must(clone, 'fetch', '-q', '--prune', 'origin', '+refs/tags/*:refs/tags/*');
    dave.must(clone, 'fetch', '-q', '--prune');
    expect(dave.must(clone, 'for-each-ref', '--format=%(refname) %(objectname)', 'refs/remotes/origin/main', 'refs/remotes/origin/side', 'refs/tags')).toBe(
      [`refs/remotes/origin/main ${alice.must(notes, 'rev-parse', 'main')}`, `refs/remotes/origin/side ${alice.must(notes, 'rev-parse', 'side')}`].join('\n'),
    );
    dave.must(clone, 'fsck', '--strict');
  }, timeoutMs);

  test('a SHA-256 repository travels as well', () => {
    const repo = alice.repo('wide', '--object-format=sha256');
    alice.must(repo, 'push', '-q', 'gidit::wide', 'main');
    erin.must(erin.home, 'clone', '-q', `gidit::${key.fingerprint}/wide`);
    expect(erin.must(join(erin.home, 'wide'), 'rev-parse', 'HEAD')).toBe(alice.must(repo, 'rev-parse', 'HEAD'));
    expect(erin.must(join(erin.home, 'wide'), 'rev-parse', '--show-object-format')).toBe('sha256');
  }, timeoutMs);

  test('two devices of one owner that heal a fork at the same moment, each in its own way, end in one chain', async () => {
    erin.own(key);
    const [atDesk, atLaptop] = [notes, join(erin.home, 'notes')];
    erin.must(erin.home, 'clone', '-q', 'gidit::notes', 'notes');
    const others = [alice, bob, carol, dave].map((peer) => peer.address().split('/p2p/')[1] as string);
    erin.daemon('deny', ...others);
    await converge('it is alone', async () => (await erin.status()).peers.length === 0, patienceMs);
    alice.commit(atDesk, { 'desk.md': 'desk\n' });
    alice.must(atDesk, 'push', '-q', 'cloud', 'main');
    erin.commit(atLaptop, { 'laptop.md': 'laptop\n' });
    erin.must(atLaptop, 'push', '-q', 'origin', 'main');
    erin.daemon('deny');
    const devices = [{ peer: alice, repo: atDesk, remote: 'cloud' }, { peer: erin, repo: atLaptop, remote: 'origin' }];
    const tipsAt = async (peer: Peer): Promise<string[]> => (await peer.status()).projects.find((project) => project.address === url.slice('gidit::'.length))?.tips ?? [];
    await converge('both see the fork', async () => (await Promise.all([alice, erin].map(tipsAt))).every((tips) => tips.length === 2), patienceMs);
    // The record of an end may be there before anybody who has its bundle.
    for (const { peer, repo, remote } of devices) await converge('the other end is merged', () => peer.git(repo, 'pull', '-q', '--no-rebase', '--no-edit', remote, 'main').status === 0, patienceMs);
    // Their authors differ, and so do the merges.
    expect(alice.must(atDesk, 'rev-parse', 'HEAD')).not.toBe(erin.must(atLaptop, 'rev-parse', 'HEAD'));
    const pushed = await Promise.all(devices.map(({ peer, repo, remote }) => peer.gitLater(repo, 'push', '-q', remote, 'main')));
    expect(pushed.filter(({ status }) => status === 0)).toHaveLength(1);
    const last = devices[pushed.findIndex(({ status }) => status !== 0)] as (typeof devices)[number];
    last.peer.must(last.repo, 'pull', '-q', '--no-rebase', '--no-edit', last.remote, 'main');
    last.peer.must(last.repo, 'push', '-q', last.remote, 'main');
    await converge('one chain on both', async () => {
      const [desk, laptop] = await Promise.all([alice, erin].map(tipsAt));
      return desk?.length === 1 && desk[0] === laptop?.[0];
    }, patienceMs);
  }, timeoutMs);
});
