/** Machines with addresses of their own in a network that the test makes: they find each other, and a cable is pulled. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { askDaemon } from '../../src/gidit/local-client.ts';
import { converge } from '../helpers/converge.ts';
import { makeNetLab, type NetLab } from '../helpers/net-lab.ts';
import { endCloud, makePeer, type Peer } from '../helpers/peers.ts';
import { describeWith } from '../helpers/requires.ts';

const timeoutMs = 300_000;
const patienceMs = 30_000;

describeWith(['gpg', 'netns'], 'five machines in a network', () => {
  let lab: NetLab;
  let all: Peer[] = [];
  let address: string;
  let notes: string;
  const peersOf = async (peer: Peer): Promise<number> => (await peer.status()).peers.length;
  const isWholeAt = async (peer: Peer, seq: number): Promise<boolean> => (await peer.status()).projects.some((project) => project.address === address && project.seq === seq && project.whole);

  beforeAll(async () => {
    lab = makeNetLab();
    all = (['left', 'left', 'right', 'right', 'right'] as const).map((side, i) => makePeer(`${side}-${i}`, lab.machine(side, true)));
    await Promise.all(all.map((peer) => peer.start()));
  }, timeoutMs);
  afterAll(async () => {
    await endCloud(...all);
    lab.end();
  }, timeoutMs);

  test('find each other without being told of anybody', async () => {
    await converge('each has found others', async () => (await Promise.all(all.map(peersOf))).every((count) => count >= 3), patienceMs);
    expect(all[0]?.address()).toMatch(/^\/ip4\/10\.99\.0\.\d\/tcp\/\d+\/p2p\//);
  }, timeoutMs);

  test('hold a project for each other, and serve it when two of five were killed', async () => {
    const [alice, bob, carol, dave, erin] = all as [Peer, Peer, Peer, Peer, Peer];
    const { fingerprint } = alice.own();
    address = `${fingerprint}/notes`;
    notes = alice.repo('notes');
    alice.must(notes, 'remote', 'add', 'cloud', 'gidit::notes');
    alice.must(notes, 'push', '-q', 'cloud', 'main');
    for (const mirror of [bob, carol]) expect(mirror.daemon('mirror', address)).toMatchObject({ status: 0 });
    await Promise.all([alice, dave].map((peer) => peer.end('SIGKILL')));
    erin.must(erin.home, 'clone', '-q', `gidit::${address}`, 'notes');
    expect(erin.must(join(erin.home, 'notes'), 'rev-parse', 'HEAD')).toBe(alice.must(notes, 'rev-parse', 'HEAD'));
    await Promise.all([alice, dave].map((peer) => peer.start()));
    await converge('both are back', async () => (await Promise.all([alice, dave].map(peersOf))).every((count) => count >= 3), patienceMs);
  }, timeoutMs);

  test('ask another for a mirror that has gone, and only those agree whose owner named the key', async () => {
    const [alice, bob, carol, dave, erin] = all as [Peer, Peer, Peer, Peer, Peer];
    const holders = async (): Promise<Peer[]> => (await Promise.all([carol, dave, erin].map(async (peer) => ((await peer.status()).projects.some((project) => project.address === address && project.whole) ? [peer] : [])))).flat();
    await erin.end('SIGTERM');
    erin.must(erin.home, 'config', '--global', '--add', 'gidit.mirrorFor', address.split('/')[0] as string);
    await erin.start();
    await bob.end('SIGKILL');
    await converge('the bereaved find a new one', async () => {
      await askDaemon(alice.store, 'compare', {}, { env: alice.env });
      return (await holders()).includes(erin);
    }, patienceMs);
    expect(await holders()).toEqual([carol, erin]);
    await bob.start();
    await converge('bob is back', async () => (await peersOf(bob)) >= 3, patienceMs);
  }, timeoutMs);

  test('a partition: both halves go on, and afterwards the newest is everywhere', async () => {
    const [alice, bob, carol, dave] = all as [Peer, Peer, Peer, Peer];
    lab.setCable(false);
    const tip = alice.commit(notes, { 'a.md': 'in the left half\n' });
    alice.must(notes, 'push', '-q', 'cloud', 'main');
    await converge('bob has it', () => isWholeAt(bob, 2), patienceMs);
    // The other half has what it had.
    expect(await isWholeAt(carol, 1)).toBe(true);
    expect(dave.must(dave.home, 'ls-remote', `gidit::${address}`, 'refs/heads/main')).not.toContain(tip);
    lab.setCable(true);
    await converge('carol has it after the partition', () => isWholeAt(carol, 2), patienceMs);
    expect(dave.must(dave.home, 'ls-remote', `gidit::${address}`, 'refs/heads/main')).toContain(tip);
  }, timeoutMs);
});
