/** The agent over peers: no server, two machines of one owner, and what each did while it was alone. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openStore } from '../../src/gidit/store.ts';
import { converge } from '../helpers/converge.ts';
import { children } from '../helpers/hermetic-env.ts';
import { program } from '../helpers/machine.ts';
import { endCloud, makePeer, startCloud, type Peer } from '../helpers/peers.ts';
import { describeWith } from '../helpers/requires.ts';

const timeoutMs = 300_000;
const patienceMs = 30_000;

function startAgent(peer: Peer, workTree: string): void {
  // Polls are so rare that what arrives was told of.
  writeFileSync(join(peer.home, '.config/gitsync'), `[gitsync]\nwork_dir = ${workTree}\nquiet = 100ms\npoll = 1h\nmax_delay = 2s\n`);
  const agent = spawn('/bin/sh', ['-c', 'exec "$0" "$@" 2>>"$HOME/agent.log"', process.execPath, program, '--daemon', '--debug'], { env: peer.env, cwd: peer.home, stdio: 'ignore' });
  children.add(agent);
}

describeWith(['gpg'], 'the agent over peers', () => {
  const [desk, laptop] = [makePeer('desk'), makePeer('laptop')];
  const [deskNotes, laptopNotes] = [join(desk.home, 'notes'), join(laptop.home, 'notes')];
  const idOf = (peer: Peer): string => peer.address().split('/p2p/')[1] as string;
  const read = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');
  const head = (peer: Peer, repo: string): string => peer.must(repo, 'rev-parse', 'refs/heads/main');
  let fingerprint: string;

  beforeAll(async () => {
    await startCloud(desk, laptop);
    const key = desk.own();
    fingerprint = key.fingerprint;
    laptop.own(key);
    desk.repo('notes');
    desk.must(deskNotes, 'remote', 'add', 'origin', 'gidit::notes');
    desk.must(deskNotes, 'push', '-q', '-u', 'origin', 'main');
    laptop.must(laptop.home, 'clone', '-q', 'gidit::notes', 'notes');
    startAgent(desk, deskNotes);
    startAgent(laptop, laptopNotes);
    await converge('both agents listen', async () => (await Promise.all([desk, laptop].map((peer) => peer.status()))).every(({ watched }) => watched.length > 0), patienceMs);
  }, timeoutMs);
  afterAll(() => endCloud(desk, laptop), timeoutMs);

  test('what is written on one machine is on the other, by a notice', async () => {
    writeFileSync(join(deskNotes, 'a.md'), 'from the desk\n');
    await converge('the laptop has it', () => read(join(laptopNotes, 'a.md')) === 'from the desk\n', patienceMs);
    writeFileSync(join(laptopNotes, 'b.md'), 'from the laptop\n');
    await converge('the desk has it', () => read(join(deskNotes, 'b.md')) === 'from the laptop\n', patienceMs);
  }, timeoutMs);

  test('edits on both machines while they cannot see each other end in one commit and one chain', async () => {
    const address = { fingerprint, project: 'notes' };
    await converge('both stand at the same commit', () => head(desk, deskNotes) === head(laptop, laptopNotes), patienceMs);
    desk.daemon('deny', idOf(laptop));
    laptop.daemon('deny', idOf(desk));
    const before = head(desk, deskNotes);
    const seqs = async (): Promise<number[]> => (await Promise.all([desk, laptop].map((peer) => peer.status()))).map(({ projects }) => projects[0]?.seq ?? 0);
    const [deskSeq, laptopSeq] = await seqs();
    writeFileSync(join(deskNotes, 'c.md'), 'desk, alone\n');
    writeFileSync(join(laptopNotes, 'd.md'), 'laptop, alone\n');
    await converge('each has published for itself', async () => {
      const [nowDesk, nowLaptop] = await seqs();
      return (nowDesk as number) > (deskSeq as number) && (nowLaptop as number) > (laptopSeq as number);
    }, patienceMs);
    expect(head(desk, deskNotes)).not.toBe(head(laptop, laptopNotes));
    for (const peer of [desk, laptop]) peer.daemon('deny');
    await converge('both machines stand at the same new commit', () => head(desk, deskNotes) === head(laptop, laptopNotes) && head(desk, deskNotes) !== before && existsSync(join(deskNotes, 'd.md')) && existsSync(join(laptopNotes, 'c.md')), patienceMs);
    const stores = await Promise.all([desk, laptop].map((peer) => openStore(peer.store)));
    await converge('the chain is one again, on both', async () => {
      const [a, b] = await Promise.all(stores.map((store) => store.newest(address)));
      const forks = await Promise.all(stores.map((store) => store.forks(address)));
      return a?.id === b?.id && forks.every((tips) => tips.length === 0);
    }, patienceMs);
    const objects = await stores[0]?.list(address);
    expect(objects?.some(({ chain }) => chain?.prev.length === 2)).toBe(true);
    expect(read(join(deskNotes, 'c.md')) + read(join(deskNotes, 'd.md'))).toBe('desk, alone\nlaptop, alone\n');
  }, timeoutMs);
});
