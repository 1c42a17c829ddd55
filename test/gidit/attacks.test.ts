/** What strangers on the network and on this machine try, and what becomes of it. One honest daemon, and nodes that follow no rule. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { recordKey } from '../../src/gidit/address.ts';
import { formatBundleHeader } from '../../src/gidit/bundle-header.ts';
import { startDaemon, type Daemon } from '../../src/gidit/daemon.ts';
import { startDht } from '../../src/gidit/dht.ts';
import type { Engine, RecordJudge, StreamHandler } from '../../src/gidit/engine.ts';
import { linksOf } from '../../src/gidit/fork.ts';
import { exportKey } from '../../src/gidit/gpg.ts';
import { askDaemon, daemonPaths } from '../../src/gidit/local-client.ts';
import { formatPushObject, zeroId, type PushObject } from '../../src/gidit/push-object.ts';
import { createRecordJudge } from '../../src/gidit/record-judge.ts';
import { openRecordTable } from '../../src/gidit/record-table.ts';
import { openStore } from '../../src/gidit/store.ts';
import { bundleProtocol } from '../../src/gidit/streams/bundle.ts';
import { deadline } from '../../src/gidit/streams/deadline.ts';
import { readJson, writeFrame, writeJson } from '../../src/gidit/streams/frames.ts';
import { notifyProtocol, sendNotice } from '../../src/gidit/streams/notify.ts';
import { polistProtocol } from '../../src/gidit/streams/polist.ts';
import { verifyMessage } from '../../src/gidit/verify.ts';
import { silentLog } from '../../src/log.ts';
import { converge } from '../helpers/converge.ts';
import { temporary } from '../helpers/hermetic-env.ts';
import { describeWith } from '../helpers/requires.ts';
import { gpgHome, makeKey, messageOf, signObject } from './keys.ts';

/** A node that stores and says whatever it likes. */
const lawless: RecordJudge = { check: () => Promise.resolve(), choose: () => 0, admit: () => undefined };
const quick = { answerMs: 2_000, chunkMs: 2_000, listMs: 6_000 };
const refs = (digit: string): { id: string; name: string }[] => [{ id: digit.repeat(40), name: 'HEAD' }, { id: digit.repeat(40), name: 'refs/heads/main' }];
const soon = (): AbortSignal => deadline(20_000);

describeWith(['gpg'], 'attacks', () => {
  gpgHome();
  const baseDir = join(temporary, 'honest');
  const nodes: Engine[] = [];
  let daemon: Daemon;
  let key: string;
  let other: string;
  let first: PushObject;
  let second: PushObject;
  let rival: PushObject;

  async function node(judge: RecordJudge = lawless): Promise<Engine> {
    const engine = await startDht({ seed: randomBytes(32), listen: ['/ip4/127.0.0.1/tcp/0'], judge, table: openRecordTable(join(temporary, `table-${nodes.length}`), `${nodes.length}`), lan: false, joinsPerSecond: 1000 });
    nodes.push(engine);
    await engine.join(daemon.addresses()[0] as string, soon());
    return engine;
  }
  const address = (project: string, fingerprint = key): { fingerprint: string; project: string } => ({ fingerprint, project });
  const message = (object: PushObject, project = 'notes', fingerprint = key): Promise<Buffer> => messageOf(fingerprint, project, object);
  const seqOf = async (project: string): Promise<number> => Number((await (await openStore(baseDir)).newest(address(project)))?.chain?.seq ?? 0n);
  const look = (project: string): Promise<{ known: boolean }> => askDaemon(baseDir, 'look-up', { address: `${key}/${project}` });
  /** Makes the honest daemon hold a project. */
  const give = (bytes: Buffer): Promise<string> => sendRaw(daemonPaths(baseDir).socket, bytes);

  beforeAll(async () => {
    daemon = await startDaemon({ baseDir, listen: ['/ip4/127.0.0.1/tcp/0'], peers: [], lan: false, localPort: 0, joinsPerSecond: 1000, recruiting: { copies: 3, mirrorFor: new Set() }, limits: quick, log: silentLog });
    [key, other] = [makeKey(), makeKey()];
    first = await signObject(key, 'notes', refs('1'));
    second = await signObject(key, 'notes', refs('2'), [linksOf(first)]);
    rival = await signObject(key, 'notes', refs('3'), [linksOf(first)]);
  });
  afterAll(async () => {
    await Promise.all(nodes.map((engine) => engine.stop()));
    await daemon.stop();
  });

  test('the table takes no forged, grafted, stripped or misplaced record', async () => {
    const engine = await node();
    const place = recordKey(address('notes'));
    await converge('a good record is taken', async () => (await engine.put(place, await message(first), soon())) === 1, 15_000);
    const forged = await message(second);
    forged[forged.indexOf('222') + 1] = 0x33;
    const stripped = await message({ ...second, signedBytes: Buffer.from(second.signedBytes.toString().replace(/^.* refs\/gidit\/.*\n/gm, '')) });
    const grafted = await message(second, 'wiki');
    const foreign = await message(second, 'notes', other);
    for (const bytes of [forged, stripped, grafted, foreign, Buffer.from('nonsense'), Buffer.alloc(70_000, 65)]) expect(await engine.put(place, bytes, soon())).toBe(0);
    expect(await engine.put(recordKey(address('elsewhere')), await message(first), soon())).toBe(0);
  });

  test('an older record never takes the place of a newer one, nor another one of the same number', async () => {
    const engine = nodes[0] as Engine;
    const place = recordKey(address('notes'));
    expect(await engine.put(place, await message(second), soon())).toBe(1);
    expect(await engine.put(place, await message(first), soon())).toBe(0);
    expect(await engine.put(place, await message(rival), soon())).toBe(0);
    expect(await engine.put(place, await message(second), soon())).toBe(1);
  });

  test('a stale or forged object sent directly changes nothing; projects of strangers are not taken at all', async () => {
    expect(await give(await message(first))).toBe(`ok ${first.id}\n`);
    expect(await give(await message(second))).toBe(`ok ${second.id}\n`);
    const engine = nodes[0] as Engine;
    const stranger = await signObject(other, 'notes', refs('4'));
    const forged = await message(second);
    forged[forged.indexOf('222') + 1] = 0x33;
    for (const bytes of [await message(first), forged, await message(stranger, 'notes', other), randomBytes(500)]) await sendNotice(await engine.open(daemon.id, notifyProtocol, soon()), bytes, soon());
    // The daemon still answers, and stands where it stood.
    expect((await look('notes')).known).toBe(true);
    expect(await seqOf('notes')).toBe(2);
    expect(await (await openStore(baseDir)).newest(address('notes', other))).toBeUndefined();
  });

  test('two objects after one: both are kept as evidence, and what was there first stays', async () => {
    await sendNotice(await (nodes[0] as Engine).open(daemon.id, notifyProtocol, soon()), await message(rival), soon());
    const store = await openStore(baseDir);
    await converge('the fork is seen', async () => (await store.forks(address('notes'))).length === 2, 30_000);
    expect((await store.newest(address('notes')))?.id).toBe(second.id);
  });

  test('a node that claims to be nearest and gives only the old object does not hide the new one', async () => {
    const one = await signObject(key, 'hidden', refs('1'));
    const newer = await signObject(key, 'hidden', refs('2'), [linksOf(one)]);
    const place = recordKey(address('hidden'));
    const verify = (bytes: Uint8Array): ReturnType<typeof verifyMessage> => verifyMessage(bytes);
    const honest = await node(createRecordJudge(verify));
    await converge('the honest node has the new one', async () => (await honest.put(place, await message(newer, 'hidden'), soon())) >= 1, 15_000);
    const hiding = await node({ ...lawless, admit: (_key, next) => { if (!Buffer.from(next).includes(one.signedBytes)) throw new Error('I keep the old one'); } });
    await hiding.put(place, await message(one, 'hidden'), soon());
    await look('hidden');
    expect(await seqOf('hidden')).toBe(2);
  });

  /** A project that `liar` says it holds, with what it answers when asked for the list. */
  async function liar(project: string, list: StreamHandler, bundle: StreamHandler = () => Promise.resolve()): Promise<Engine> {
    const engine = await node();
    await engine.serve(polistProtocol, list);
    await engine.serve(bundleProtocol, bundle);
    await converge('the daemon knows who says so', async () => {
      await engine.provide(recordKey(address(project)), soon());
      for await (const holder of engine.findHolders(recordKey(address(project)), soon())) if (holder === engine.id) return true;
      return (await askDaemon<{ asked: number }>(baseDir, 'look-up', { address: `${key}/${project}`, mayBeNew: true })).asked > 0;
    }, 15_000);
    return engine;
  }

  test.each<[string, StreamHandler]>([
    ['is silent', () => new Promise(() => undefined)],
    ['sends a byte a second', async (channel) => {
      for (;;) {
        await channel.write(Buffer.alloc(1), soon());
        await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
    }],
    ['announces four gigabytes', async (channel) => channel.write(Buffer.alloc(4, 0xff), soon())],
    ['announces a million objects', async (channel) => writeJson(channel, { objects: 1_000_000 }, soon())],
    ['sends a forged list', async (channel) => {
      await readJson(channel, soon(), 2_000);
      await writeJson(channel, { objects: 1 }, soon());
      await writeFrame(channel, await exportKey(key), soon());
      await writeFrame(channel, Buffer.from('[]'), soon());
      const forged = Buffer.from(formatPushObject(await signObject(key, 'lies', refs('5'))));
      forged[forged.indexOf('555') + 1] = 0x36;
      await writeFrame(channel, forged, soon());
    }],
    ['hangs up', () => Promise.reject(new Error('no'))],
  ])('a holder that %s costs seconds, and nothing is believed', async (what, list) => {
    const project = what.replace(/\W+/g, '-');
    const engine = await liar(project, list);
    const startedMs = Date.now();
    await expect(look(project)).rejects.toMatchObject({ kind: 'not-found' });
    expect(Date.now() - startedMs).toBeLessThan(30_000);
    await engine.stop();
  });

  test('bundles with wrong tips, of the wrong size, damaged or stalling are dropped; the next holder is asked', async () => {
    const object = await signObject(key, 'bundles', refs('7'));
    const list: StreamHandler = async (channel) => {
      await readJson(channel, soon(), 2_000);
      await writeJson(channel, { objects: 1 }, soon());
      await writeFrame(channel, await exportKey(key), soon());
      await writeFrame(channel, Buffer.from(JSON.stringify([[zeroId, object.id, 100]])), soon());
      await writeFrame(channel, formatPushObject(object), soon());
    };
    const send = (bytes: Buffer, digest?: string): StreamHandler => async (channel) => {
      const { createHash } = await import('node:crypto');
      await readJson(channel, soon(), 2_000);
      const sha256 = createHash('sha256').update(bytes).digest();
      await writeJson(channel, { sizeBytes: bytes.length, sha256: digest ?? sha256.toString('hex'), from: 0 }, soon());
      await writeFrame(channel, Buffer.concat([sha256, bytes]), soon());
    };
    const good = Buffer.concat([formatBundleHeader(object.refs, []), Buffer.from('PACK'), randomBytes(40)]);
    const extra = Buffer.concat([formatBundleHeader([...object.refs, { id: '8'.repeat(40), name: 'refs/heads/more' }], []), Buffer.from('PACK')]);
    const wrong = Buffer.concat([formatBundleHeader(refs('8'), []), Buffer.from('PACK')]);
    const liars = [send(extra), send(wrong), send(Buffer.from('no bundle')), send(good, '0'.repeat(64)), async () => new Promise<void>(() => undefined)];
    for (const bundle of liars) await liar('bundles', list, bundle);
    await expect(askDaemon(baseDir, 'bring', { address: `${key}/bundles`, have: [], want: object.id })).rejects.toMatchObject({ kind: 'not-found' });
    await liar('bundles', list, send(good));
    await converge('the honest one is found', async () => (await askDaemon<{ holders: number }>(baseDir, 'look-up', { address: `${key}/bundles` })).holders >= 6, 15_000);
    let brought: Buffer | undefined;
    await askDaemon(baseDir, 'bring', { address: `${key}/bundles`, have: [], want: object.id }, {
      use: (result) => {
        brought = readFileSync((result as { bundles: { file: string }[] }).bundles[0]?.file as string);
        return Promise.resolve();
      },
    });
    expect(brought?.equals(good)).toBe(true);
  });

  test('a flood of records from one key, and from many, is bounded', async () => {
    const judge = createRecordJudge((bytes) => verifyMessage(bytes), undefined, { recordsPerKey: 2 });
    const taken: boolean[] = [];
    for (const project of ['a', 'b', 'c']) {
      const bytes = await message(await signObject(key, project, refs('1')), project);
      await judge.check(recordKey(address(project)), bytes);
      try {
        judge.admit(recordKey(address(project)), bytes, undefined);
        taken.push(true);
      } catch {
        taken.push(false);
      }
    }
    expect(taken).toEqual([true, true, false]);
    const table = openRecordTable(join(temporary, 'flooded'), 'me', { maxRecords: 50, maxBytes: 100_000, maxAgeMs: 1e9 });
    for (let i = 0; i < 500; i++) table.put(`k${i}`.replace(/[0189]/g, (digit) => 'abcd'['0189'.indexOf(digit)] as string), randomBytes(1_000));
    expect([...table.names()].length).toBeLessThanOrEqual(50);
    expect(table.sizeBytes).toBeLessThanOrEqual(100_000);
  });

  test('a flood of notices from one node is cut off', async () => {
    const engine = nodes[0] as Engine;
    const bytes = randomBytes(300);
    for (let i = 0; i < 150; i++) await sendNotice(await engine.open(daemon.id, notifyProtocol, soon()), bytes, soon()).catch(() => undefined);
    expect((await look('notes')).known).toBe(true);
  });

  test('programs without permission: the socket is its owner\'s alone, and 127.0.0.1 wants the token', async () => {
    const port = daemon.localPort as number;
    const ask = (token?: string): Promise<string> => sendFrame(port, { op: 'status', ...(token === undefined ? {} : { token }) });
    expect(await ask()).toContain('answers its owner only');
    expect(await ask('0'.repeat(64))).toContain('answers its owner only');
    expect(await ask(readFileSync(join(baseDir, 'daemon/token'), 'utf8').trim())).toContain(daemon.id);
    const foreign = await message(await signObject(other, 'pushed', refs('1')), 'pushed', other);
    expect(await sendRaw(port, foreign)).toContain('published before');
    for (const nonsense of ['-001', '0x1f', ' +1f', 'ffff', '0001']) expect(await sendRaw(daemonPaths(baseDir).socket, Buffer.from(`${nonsense}abc\nxyz`))).not.toContain('ok');
  });

  describeWith(['root'], 'another user of this machine', () => test('cannot reach the socket', () => {
    const probe = join(temporary, 'probe.cjs');
    writeFileSync(probe, `require('net').createConnection(${JSON.stringify(daemonPaths(baseDir).socket)}).on('error', (e) => { console.log(e.code); }).on('connect', () => { console.log('connected'); process.exit(); });`, { mode: 0o644 });
    const { stdout } = spawnSync(process.execPath, [probe], { uid: 65_534, gid: 65_534, encoding: 'utf8' });
    expect(stdout.trim()).toBe('EACCES');
  }));
});

/** Sends bytes, closes its half, and gives whatever comes back. */
function sendRaw(where: string | number, bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket = typeof where === 'string' ? createConnection(where) : createConnection(where, '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8').on('data', (part: string) => (text += part)).on('close', () => resolve(text)).on('error', () => undefined);
    socket.end(bytes);
  });
}

function sendFrame(port: number, value: unknown): Promise<string> {
  const body = Buffer.from(JSON.stringify(value));
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  return sendRaw(port, Buffer.concat([head, body]));
}
