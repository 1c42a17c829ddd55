import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync, existsSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { beforeAll, beforeEach, expect, test } from '@jest/globals';
import { formatBundleHeader } from '../../src/gidit/bundle-header.ts';
import { linksOf } from '../../src/gidit/fork.ts';
import { exportKey, signDetached } from '../../src/gidit/gpg.ts';
import { readKey } from '../../src/gidit/openpgp.ts';
import { formatSigned, parsePushObject, zeroId, type PushObject, type RefEntry } from '../../src/gidit/push-object.ts';
import { openStore, type Store } from '../../src/gidit/store.ts';
import { verifyMessage, type Verified } from '../../src/gidit/verify.ts';
import { tempDir } from '../helpers/repos.ts';
import { describeWith } from '../helpers/requires.ts';
import { gpgHome, makeKey, messageOf, signObject } from './keys.ts';

const refsAt = (digit: string): RefEntry[] => [{ id: digit.repeat(40), name: 'HEAD' }, { id: digit.repeat(40), name: 'refs/heads/main' }];
const refusal = (reason: string) => expect.objectContaining({ kind: 'refused', reason });
/** An empty pack, as `git pack-objects --stdout` writes it for nothing. */
const emptyPack = Buffer.from('5041434b0000000200000000029d08823bd8a8eab510ad6ac75c823cfd3ed31e', 'hex');
const bundleFor = (object: PushObject): Buffer => Buffer.concat([formatBundleHeader(object.refs, []), emptyPack]);

describeWith(['gpg'], 'the store', () => {
  gpgHome();
  let key = '';
  let base = '';
  let store: Store;
  const address = (): { fingerprint: string; project: string } => ({ fingerprint: key, project: 'notes' });
  beforeAll(() => {
    key = makeKey();
  });
  beforeEach(async () => {
    base = tempDir('store');
    store = await openStore(base);
  });
  const verified = async (object: PushObject, project = 'notes'): Promise<Verified> => verifyMessage(await messageOf(key, project, object), { strength: 'legacy' });
  const put = async (object: PushObject): Promise<string> => (await store.putPushObject(await verified(object))).outcome;
  const next = (digit: string, ...tips: PushObject[]): Promise<PushObject> => signObject(key, 'notes', refsAt(digit), tips.map(linksOf));

  test('has the layout of the seed', async () => {
    const first = await next('1');
    const second = await next('2', first);
    expect([await put(first), await put(second), await put(second), await put(first)]).toEqual(['new', 'new', 'known', 'known']);
    const directory = join(base, 'pushobjects', key, 'notes');
    expect(readdirSync(directory).sort()).toEqual(['.links', first.id, second.id, 'HEAD'].sort());
    expect(readFileSync(join(directory, 'HEAD'), 'utf8')).toBe(`${second.id}\n`);
    expect(readFileSync(join(directory, first.id), 'utf8')).toBe(`${first.signedBytes}${first.signature}${zeroId} PREV\n`);
    expect(readFileSync(join(directory, second.id), 'utf8')).toMatch(new RegExp(`\\n${first.id} PREV\\n$`));
    const sha1 = createHash('sha1').update(await exportKey(key)).digest('hex');
    expect(readFileSync(join(base, 'pushobjects', sha1, 'PGP')).length).toBeGreaterThan(100);
    expect(await store.resolveSeedName(sha1)).toBe(key);
    await store.putBundle(address(), { start: first.id, end: second.id }, bundleFor(second));
    expect(existsSync(join(base, 'bundles', first.id.slice(0, 2), first.id.slice(2), second.id))).toBe(true);
    expect(readdirSync(join(base, 'tmp'))).toEqual([]);
  });

  test('lists newest first, tells its projects, and gives the message that was put', async () => {
    const first = await next('1');
    const second = await next('2', first);
    await put(first);
    await put(second);
    expect((await store.list(address())).map(({ id }) => id)).toEqual([second.id, first.id]);
    expect((await store.newest(address()))?.id).toBe(second.id);
    expect(await store.projects()).toEqual([address()]);
    expect((await verifyMessage((await store.message(address())) as Buffer)).pushObject.id).toBe(second.id);
    expect((await verifyMessage((await store.message(address(), first.id)) as Buffer)).pushObject.id).toBe(first.id);
    expect(await store.newest({ fingerprint: key, project: 'nothing' })).toBeUndefined();
  });

  test('knows the chain from the index beside the objects, and from the objects where the index is absent, torn or stale', async () => {
    const objects: PushObject[] = [];
    for (const digit of ['1', '2', '3']) {
      objects.push(await next(digit, ...objects.slice(-1)));
      await put(objects.at(-1) as PushObject);
    }
    const wanted = objects.map((object) => [object.id, linksOf(object)]).sort();
    const indexOf = (place: string): string => join(place, 'pushobjects', key, 'notes', '.links');
    const index = readFileSync(indexOf(base), 'utf8');
    // In another place nothing is in memory.
    const linksAt = async (change: (place: string) => void): Promise<{ links: unknown; file: string }> => {
      const place = join(tempDir('copy'), 'store');
      cpSync(base, place, { recursive: true });
      change(place);
      const links = await (await openStore(place)).links(address());
      return { links: [...links].map(([id, { seq, prev }]) => [id, { id, seq, prev }]).sort(), file: readFileSync(indexOf(place), 'utf8') };
    };
    const gone = join('pushobjects', key, 'notes', objects[0]?.id as string);
    const cases: [string, (place: string) => void][] = [
      ['as it is', () => undefined],
      ['absent', (place) => rmSync(indexOf(place))],
      ['torn', (place) => writeFileSync(indexOf(place), index.slice(0, -30))],
      ['with a number altered', (place) => writeFileSync(indexOf(place), index.replace(/0002 /g, '0009 '))],
      ['with lines about others', (place) => writeFileSync(indexOf(place), `${index}${'7'.repeat(40)} nonsense\n`)],
    ];
    for (const [what, change] of cases) {
      const { links, file } = await linksAt(change);
      expect({ what, links }).toEqual({ what, links: wanted });
      for (const { id } of objects) expect(file).toContain(id);
    }
    expect((await linksAt((place) => rmSync(join(place, gone)))).links).toEqual(wanted.filter(([id]) => id !== objects[0]?.id));
    // It is read, and not the objects: the damaged one is not looked at.
    expect((await linksAt((place) => writeFileSync(join(place, gone), 'damaged'))).links).toEqual(wanted);
  });

  test('takes what is missing in between before it takes what follows', async () => {
    const [a, b] = [await next('1'), await next('2', await next('1'))];
    const second = await next('2', a);
    const third = await next('3', second);
    await put(a);
    expect(await store.putPushObject(await verified(third))).toEqual({ outcome: 'gap', missing: [second.id] });
    expect([await put(second), await put(third)]).toEqual(['new', 'new']);
    expect(b.chain?.seq).toBe(2n);
  });

  test('fills its list backwards where it began in the middle', async () => {
    const first = await next('1');
    const second = await next('2', first);
    const stranger = await next('9');
    await put(second);
    expect([await put(first), await put(stranger)]).toEqual(['older', 'fork']);
    expect((await store.list(address())).map(({ id }) => id)).toEqual([second.id, first.id]);
  });

  test('keeps both sides of a fork, stands still, and goes on once it is healed', async () => {
    const first = await next('1');
    const [mine, yours] = [await next('2', first), await next('3', first)];
    const yours2 = await next('4', yours);
    expect([await put(first), await put(mine), await put(yours), await put(yours2), await put(yours)]).toEqual(['new', 'new', 'fork', 'fork', 'known']);
    expect((await store.newest(address()))?.id).toBe(mine.id);
    expect((await store.forks(address())).sort()).toEqual([mine.id, yours2.id].sort());
    const healed = await next('5', mine, yours2);
    expect(await put(healed)).toBe('new');
    expect([(await store.newest(address()))?.id, await store.forks(address())]).toEqual([healed.id, []]);
    expect((await store.list(address())).map(({ id }) => id)).toHaveLength(5);
    // The same heal, made on two machines at once, is one object.
    expect((await next('5', yours2, mine)).id).toBe(healed.id);
  });

  test('refuses a number that does not follow, an old state after a removal, and anything behind a successor', async () => {
    const first = await next('1');
    const second = await next('2', first);
    await put(first);
    const jump = await signObject(key, 'notes', refsAt('7'), [linksOf(first)], { seq: 9n });
    await expect(put(jump)).rejects.toEqual(refusal('chain'));
    await put(second);
    await store.removeProject(address());
    expect(await store.newest(address())).toBeUndefined();
    await expect(put(first)).rejects.toEqual(refusal('rollback'));
    expect((await store.highestSeen(address()))?.seq).toBe(2n);
    expect(await put(second)).toBe('new');
    const other = makeKey();
    const body = formatSigned(refsAt('2'), { project: second.chain?.project ?? '', prev: [second.id], seq: 3n, successor: other });
    const moved = parsePushObject(Buffer.concat([body, await signDetached(body, [key, other])]));
    const { encodeWire } = await import('../../src/gidit/wire.ts');
    const message = encodeWire({ key: Buffer.concat([await exportKey(key), await exportKey(other)]), project: 'notes', pushObject: moved });
    expect((await store.putPushObject(await verifyMessage(message))).outcome).toBe('new');
    expect((await verifyMessage((await store.message(address())) as Buffer)).successor?.fingerprint).toBe(other);
    await expect(put(await next('4', moved))).rejects.toEqual(refusal('chain'));
  });

  test('goes on where a crash came between object and HEAD', async () => {
    const first = await next('1');
    const second = await next('2', first);
    await put(first);
    await put(second);
    writeFileSync(join(base, 'pushobjects', key, 'notes', 'HEAD'), `${first.id}\n`);
    expect([await put(second), (await store.newest(address()))?.id]).toEqual(['new', second.id]);
    writeFileSync(join(base, 'tmp', '999999-1-abc'), 'left by a crash');
    await openStore(base);
    expect(readdirSync(join(base, 'tmp'))).toEqual([]);
  });

  test('orders writers in two processes and in one', async () => {
    const first = await next('1');
    const all = [await next('2', first), await next('3', first), await next('4', first)];
    const other = await openStore(base);
    await put(first);
    const messages = await Promise.all(all.map((object) => verified(object)));
    const outcomes = await Promise.all(messages.map((message, index) => (index === 1 ? other : store).putPushObject(message)));
    expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(['fork', 'fork', 'new']);
    expect(await store.forks(address())).toHaveLength(3);
  });

  test('takes objects of 2009 where they were asked for, and their directories', async () => {
    const body = formatSigned(refsAt('1'), undefined);
    const legacy = parsePushObject(Buffer.concat([body, await signDetached(body, [key])]));
    expect(await put(legacy)).toBe('new');
    expect(await put(await signObject(key, 'notes', refsAt('2'), [linksOf({ ...legacy, diskPrev: zeroId })]))).toBe('new');
    const sha1 = createHash('sha1').update(await exportKey(key)).digest('hex');
    rmSync(join(base, 'pushobjects', sha1));
    renameSync(join(base, 'pushobjects', key), join(base, 'pushobjects', sha1));
    expect(await store.resolveSeedName(sha1)).toBe(key);
    expect(await store.projects()).toEqual([address()]);
  });

  test('takes bundles that bring what was signed, and no other', async () => {
    const first = await next('1');
    await put(first);
    const range = { start: zeroId, end: first.id };
    const wrong = (change: Partial<PushObject>): Promise<unknown> => store.putBundle(address(), range, bundleFor({ ...first, ...change }));
    await expect(wrong({ refs: [...first.refs, { id: '8'.repeat(40), name: 'refs/heads/more' }] })).rejects.toEqual(refusal('tips'));
    await expect(wrong({ refs: refsAt('8') })).rejects.toEqual(refusal('tips'));
    await expect(wrong({ refs: first.refs.slice(0, 1) })).rejects.toEqual(refusal('tips'));
    await expect(store.putBundle(address(), range, Buffer.from('no bundle'))).rejects.toEqual(refusal('format'));
    await expect(store.putBundle(address(), { start: zeroId, end: '7'.repeat(40) }, bundleFor(first))).rejects.toEqual(refusal('tips'));
    await expect(store.putBundle(address(), { start: zeroId, end: '../../x' }, bundleFor(first))).rejects.toEqual(refusal('tips'));
    await expect(store.findBundle({ start: '../..', end: first.id })).rejects.toEqual(refusal('format'));
    const bundle = await store.putBundle(address(), range, Readable.from([bundleFor(first)]));
    expect(await store.listBundles(address())).toEqual([bundle]);
    expect(readdirSync(join(base, 'tmp'))).toEqual([]);
    await store.removeBundle(address(), range);
    expect(await store.listBundles(address())).toEqual([]);
  });

  test('reads bundles in the later layout of the C code', async () => {
    const first = await next('1');
    await put(first);
    const directory = join(base, 'bundles', zeroId, first.id);
    mkdirSync(directory, { recursive: true });
    const sha1 = createHash('sha1').update(bundleFor(first)).digest('hex');
    writeFileSync(join(directory, sha1), bundleFor(first));
    writeFileSync(join(directory, 'BUNDLES'), `../../../secret\n${sha1}\n`);
    expect(await store.listBundles(address())).toEqual([{ start: zeroId, end: first.id, path: join(directory, sha1), sizeBytes: bundleFor(first).length }]);
  });

  test('stops a stream of zeros without an end, and keeps nothing of it', async () => {
    const small = await openStore(base, { limits: { maxBundleBytes: 1024 * 1024 } });
    const first = await next('1');
    await put(first);
    let sent = 0;
    const zeros = Readable.from((function* () {
      for (; ; sent++) yield Buffer.alloc(65_536);
    })());
    await expect(small.putBundle(address(), { start: zeroId, end: first.id }, zeros)).rejects.toEqual(refusal('size'));
    expect(sent).toBeLessThan(40);
    expect(readdirSync(join(base, 'tmp'))).toEqual([]);
  });

  test('keeps to quotas for each key and in all, but not for its own keys', async () => {
    const first = await next('1');
    const tight = (limits: object, isOwn = false): Promise<Store> => openStore(tempDir('quota'), { limits, isOwn: () => isOwn });
    const other = await signObject(key, 'other', refsAt('1'));
    const byProjects = await tight({ maxKeyProjects: 1 });
    await byProjects.putPushObject(await verified(first));
    await expect(byProjects.putPushObject(await verified(other, 'other'))).rejects.toEqual(refusal('quota'));
    for (const limits of [{ maxKeyBytes: 6000 }, { maxTotalBytes: 6000 }]) {
      const byBytes = await tight(limits);
      await byBytes.putPushObject(await verified(first));
      await expect(byBytes.putBundle(address(), { start: zeroId, end: first.id }, bundleFor(first)).then(() => byBytes.putPushObject(verifiedSecond))).rejects.toEqual(refusal('quota'));
      // Counted anew from the disk it is the same.
      await expect((await openStore(byBytes.base, { limits })).putPushObject(verifiedSecond)).rejects.toEqual(refusal('quota'));
      expect((await (await openStore(byBytes.base)).usage()).bytesOf(key)).toBe(8192);
    }
    const own = await tight({ maxKeyBytes: 6000, maxKeyProjects: 1 }, true);
    for (const each of [await verified(first), await verified(other, 'other')]) expect((await own.putPushObject(each)).outcome).toBe('new');
  });
  let verifiedSecond: Verified;
  beforeAll(async () => {
    verifiedSecond = await verified(await next('2', await next('1')));
  });

  test.each([
    ['the key', (root: string) => join(root, 'pushobjects', key)],
    ['the project', (root: string) => join(root, 'pushobjects', key, 'notes')],
    ['the bundles', (root: string) => join(root, 'bundles', '00')],
  ])('refuses a symbolic link planted as the directory of %s', async (_, placeOf) => {
    const outside = tempDir('outside');
    const place = placeOf(base);
    mkdirSync(join(place, '..'), { recursive: true });
    symlinkSync(outside, place);
    const first = await next('1');
    const all = put(first).then(() => store.putBundle(address(), { start: zeroId, end: first.id }, bundleFor(first)));
    await expect(all).rejects.toEqual(refusal('store'));
    expect(readdirSync(outside)).toEqual([]);
  });

  test('refuses symbolic links planted as files, and never writes through one', async () => {
    const first = await next('1');
    await put(first);
    const secret = join(tempDir('outside'), 'secret');
    writeFileSync(secret, 'untouched');
    const directory = join(base, 'pushobjects', key, 'notes');
    for (const name of ['HEAD', first.id]) {
      rmSync(join(directory, name));
      symlinkSync(secret, join(directory, name));
      await expect(store.newest(address())).rejects.toEqual(refusal('store'));
      rmSync(join(directory, name));
      await put(first);
    }
    symlinkSync(secret, join(directory, 'HEAD.new'));
    const bundle = join(base, 'bundles', '00', zeroId.slice(2), first.id);
    mkdirSync(join(bundle, '..'), { recursive: true });
    symlinkSync(secret, bundle);
    await store.putBundle(address(), { start: zeroId, end: first.id }, bundleFor(first));
    expect([readFileSync(secret, 'utf8'), lstatSync(bundle).isSymbolicLink()]).toEqual(['untouched', false]);
    symlinkSync('/etc', join(base, 'pushobjects', '7'.repeat(40)));
    await expect(store.resolveSeedName('7'.repeat(40))).rejects.toEqual(refusal('store'));
  });

  test('pins the key that it saw first', async () => {
    await store.addKey(await readKey(await exportKey(key)));
    writeFileSync(join(base, 'pushobjects', key, '.pin'), `${'0'.repeat(64)}\n`);
    await expect(put(await next('1'))).rejects.toEqual(refusal('key'));
  });

  test('refuses a base that is not absolute', async () => {
    await expect(openStore('gidit')).rejects.toEqual(expect.objectContaining({ kind: 'usage' }));
  });
});
