/** The program as people and scripts call it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, symlinkSync, writeFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from '@jest/globals';
import { linksOf } from '../../src/gidit/fork.ts';
import { exportKey, signDetached } from '../../src/gidit/gpg.ts';
import { formatPushObject, parsePushObject, splitPushObjects, zeroId, formatSigned } from '../../src/gidit/push-object.ts';
import { publishObject } from '../../src/gidit/publish-object.ts';
import { openRepository } from '../../src/gidit/repository.ts';
import { readRefs } from '../../src/gidit/snapshot.ts';
import { openStore } from '../../src/gidit/store.ts';
import { verifyMessage } from '../../src/gidit/verify.ts';
import { describeWith } from '../helpers/requires.ts';
import { bareRemote, commitFiles, sh, tempDir, tempRepo } from '../helpers/repos.ts';
import { gpgHome, makeKey, signObject } from './keys.ts';

const dist = new URL('../../dist/', import.meta.url).pathname;

describeWith(['gpg'], 'git gidit', () => {
  gpgHome();
  let key = '';
  let keySha1 = '';
  let base = '';
  let repo = '';
  let bin = '';
  beforeAll(async () => {
    key = makeKey();
    keySha1 = createHash('sha1').update(await exportKey(key)).digest('hex');
    bin = tempDir('bin');
    symlinkSync(join(dist, 'git-gidit.js'), join(bin, 'git-gidit'));
  });
  beforeEach(() => {
    base = tempDir('base');
    repo = tempRepo({ a: '1\n' });
    sh(repo, 'config', 'gidit.key', key);
    sh(repo, 'config', 'gidit.base', base);
  });
  const env = (): NodeJS.ProcessEnv => ({ ...process.env, PATH: `${bin}:${process.env['PATH']}` });
  const gidit = (input: string | Buffer, ...args: string[]): { status: number; out: Buffer; err: string } => {
    const { status, stdout, stderr } = spawnSync('git', ['gidit', ...args], { cwd: repo, input, env: env() });
    return { status: status ?? -1, out: stdout, err: stderr.toString() };
  };
  const must = (input: string | Buffer, ...args: string[]): Buffer => {
    const { status, out, err } = gidit(input, ...args);
    expect({ args, status, err }).toEqual({ args, status: 0, err: '' });
    return out;
  };
  const begin = async (): Promise<void> => void must(Buffer.concat([Buffer.from('notes\n'), await exportKey(key)]), '--proj-init');
  const update = (object: Buffer): { status: number; err: string } => gidit(Buffer.concat([Buffer.from(`${keySha1}notes\n`), object]), '--updatepl');

  test('a PushObject made by hand is taken, and ours verifies with gpg: the page in docs runs as printed', () => {
    const page = readFileSync(new URL('../../docs/gidit-by-hand.md', import.meta.url), 'utf8');
    const script = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((match) => match[1]).join('\n');
    // Beside the only secret key of a home of its own.
    const home = tempDir('by-hand');
    const gnupg = execFileSync('mktemp', ['-d', '/tmp/gg-XXXXXX'], { encoding: 'utf8' }).trim();
    const secret = execFileSync('gpg', ['--batch', '--pinentry-mode', 'loopback', '--passphrase', '', '--export-secret-keys', key], { env: process.env, stdio: ['ignore', 'pipe', 'ignore'] });
    execFileSync('gpg', ['--homedir', gnupg, '--batch', '--import'], { input: secret, stdio: ['pipe', 'ignore', 'ignore'] });
    const result = spawnSync('bash', ['-euo', 'pipefail', '-c', script], { cwd: repo, env: { ...env(), HOME: home, GNUPGHOME: gnupg, GIT_AUTHOR_NAME: 'x', GIT_AUTHOR_EMAIL: 'x@example.org', GIT_COMMITTER_NAME: 'x', GIT_COMMITTER_EMAIL: 'x@example.org' }, encoding: 'utf8' });
    execFileSync('gpgconf', ['--homedir', gnupg, '--kill', 'all']);
    execFileSync('rm', ['-rf', gnupg]);
    expect({ status: result.status, stderr: result.status === 0 ? '' : result.stderr }).toEqual({ status: 0, stderr: '' });
    expect(result.stderr).toContain('Good signature');
    expect(result.stdout).toMatch(/^1 [0-9a-f]{40}\n {2}new {5}refs\/heads\/main/m);
    expect(result.stdout.trimEnd().split('\n').at(-1)).toBe(`${zeroId} PREV`);
    return verifyMessage(readFileSync(join(repo, 'message'))).then((verified) => expect(linksOf(verified.pushObject).seq).toBe(2n));
  });

  test('the commands of 2009 work together through pipes', async () => {
    must('', '--init', '-b', base);
    await begin();
    const first = must('', '--pushobj', '-s', '-p', 'notes');
    expect(update(first)).toEqual(expect.objectContaining({ status: 0, err: '' }));
    const [object] = splitPushObjects(first);
    const everything = must(first, '--create-bundle');
    expect(everything.toString('latin1')).toMatch(/^# v2 git bundle\n-[0-9a-f]{40} \n/);
    commitFiles(repo, { a: '2\n' });
    const second = must('', '--pushobj', '-u', key, '-p', 'notes', '--tags');
    expect(update(second).status).toBe(0);
    const bundle = must(first, '--create-bundle', '--tags');
    const range = `${object?.id}${splitPushObjects(second)[0]?.id}`;
    must(Buffer.concat([Buffer.from(range), bundle]), '--store-bundle');
    expect(must(range, '--get-bundle')).toEqual(bundle);
    const list = must(`${keySha1}notes\n`, '--polist');
    expect(list).toEqual(Buffer.concat([second, first]));
    must(list, '--verify-polist');
    must(second, '--verify-pobj');
    expect(must(list, '--list-missing').toString()).toBe('');
    // Another repository, which has the first state only.
    const other = bareRemote();
    sh(repo, 'push', '-q', other, 'HEAD^:refs/heads/main');
    repo = other;
    expect(gidit(second, '--verify-pobj')).toMatchObject({ status: 1, err: expect.stringContaining('not in this repository') });
    expect(gidit(list, '--verify-polist').status).toBe(1);
    expect(must(list, '--list-missing').toString()).toBe(`${splitPushObjects(second)[0]?.id}\n`);
    expect(gidit(second, '--create-bundle').status).toBe(1);
  });

  test('--updatepl refuses forged, replayed, foreign and unsigned objects', async () => {
    await begin();
    const first = must('', '--pushobj', '-s', '-p', 'notes');
    commitFiles(repo, { a: '2\n' });
    expect(update(first).status).toBe(0);
    const second = must('', '--pushobj', '-s', '-p', 'notes');
    expect(update(Buffer.from(second.toString().replaceAll('refs/heads/main', 'refs/heads/evil')))).toMatchObject({ status: 1, err: expect.stringContaining('signature is not good') });
    expect(update(must('', '--pushobj', '-s', '-p', 'other'))).toMatchObject({ status: 1, err: expect.stringContaining('not signed for') });
    expect(update(must('', '--pushobj', '-p', 'notes'))).toMatchObject({ status: 1, err: expect.stringContaining('without a signature') });
    expect(update(second).status).toBe(0);
    expect(update(first).status).toBe(0); // known, and changes nothing
    expect(must(`${keySha1}notes\n`, '--polist')).toEqual(Buffer.concat([second, first]));
    expect(gidit(Buffer.concat([Buffer.from(`${'0'.repeat(40)}notes\n`), second]), '--updatepl')).toMatchObject({ status: 1, err: expect.stringContaining('has no key') });
    expect(gidit(Buffer.concat([Buffer.from(`${keySha1}../x\n`), second]), '--updatepl')).toMatchObject({ status: 2 });
  });

  test('objects of 2009 are taken only where gidit.minSignature says so', async () => {
    await begin();
    const legacy = must('', '--pushobj', '-s', '-u', key);
    expect(parsePushObject(legacy).chain).toBeUndefined();
    expect(update(legacy)).toMatchObject({ status: 1, err: expect.stringContaining('gidit.minSignature legacy') });
    sh(repo, 'config', 'gidit.minSignature', 'legacy');
    expect(update(legacy)).toMatchObject({ status: 0, err: '' });
  });

  test('without a usable key there is an error, never an unsigned object', () => {
    const { status, out, err } = gidit('', '--pushobj', '-s', '-u', '0'.repeat(40));
    expect({ status, out: out.toString(), err }).toEqual({ status: 1, out: '', err: expect.stringContaining('Hint: gpg --list-secret-keys') });
  });

  test('wrong usage says what is right', () => {
    for (const args of [[], ['nonsense'], ['--pushobj', '--polist'], ['--pushobi'], ['mirror']]) expect(gidit('', ...args).status).toBe(2);
    expect(must('', '-h').toString()).toContain('--updatepl');
    expect(gidit('', 'status')).toMatchObject({ status: 1, out: expect.anything() });
    expect(gidit('', 'mirror', `${key}/notes`)).toMatchObject({ status: 1, err: expect.stringContaining('git-gidit-daemon') });
    expect(gidit('', '-b', base, '--store-bundle')).toMatchObject({ status: 1, err: expect.stringContaining('two ids') });
  });

  test('init finds or makes a key, and writes it down', () => {
    const home = tempDir('new-home');
    const gnupg = execFileSync('mktemp', ['-d', '/tmp/gg-XXXXXX'], { encoding: 'utf8' }).trim();
    writeFileSync(join(home, '.gitconfig'), '[user]\n\tname = New Person\n\temail = new@example.org\n');
    const run = (...args: string[]): string => execFileSync('git', ['gidit', ...args], { cwd: home, env: { ...env(), HOME: home, XDG_CONFIG_HOME: join(home, '.config'), GNUPGHOME: gnupg }, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      const fingerprint = /^key {4}([0-9A-F]{40})$/m.exec(run('init', '--no-passphrase'))?.[1] as string;
      expect(readFileSync(join(home, '.gitconfig'), 'utf8')).toContain(`key = ${fingerprint}`);
      expect(run('init')).toContain(fingerprint);
      expect(run('key')).toContain('New Person <new@example.org>');
    } finally {
      execFileSync('gpgconf', ['--homedir', gnupg, '--kill', 'all']);
      execFileSync('rm', ['-rf', gnupg]);
    }
  });

  test('a fork of two devices is shown, and healed with nothing lost', async () => {
    const address = { fingerprint: key, project: 'notes' };
    const store = await openStore(base);
    const publish = async (path: string, tips: Parameters<typeof publishObject>[2]) => publishObject({ store, address, repository: await openRepository(path, undefined) }, await readRefs(await openRepository(path, undefined), { tags: true }), tips);
    const first = await publish(repo, []);
    const otherStore = await openStore(tempDir('other-base'));
    await otherStore.putPushObject(await verifyMessage((await store.message(address)) as Buffer));
    const device = tempDir('device');
    sh('/', 'clone', '-q', repo, device);
    commitFiles(repo, { a: '2\n' });
    sh(repo, 'tag', 'here');
    const mine = await publish(repo, [first]);
    commitFiles(device, { b: '3\n' });
    sh(device, 'branch', 'side');
    const body = await publishObject({ store: otherStore, address, repository: await openRepository(device, undefined) }, await readRefs(await openRepository(device, undefined)), [first]);
    // Both meet in the first store.
    await store.putPushObject(await verifyMessage((await otherStore.message(address)) as Buffer));
    for (const bundle of await otherStore.listBundles(address)) if (bundle.end === body.id) await store.putBundle(address, bundle, readFileSync(bundle.path));
    expect(gidit('', 'log', 'notes')).toMatchObject({ status: 1, out: expect.anything() });
    expect(gidit('', 'log', 'notes').out.toString()).toContain('FORKED');
    expect(gidit('', '--pushobj', '-s', '-p', 'notes')).toMatchObject({ status: 12, err: expect.stringContaining('git gidit heal') });
    expect(gidit('', 'verify').status).toBe(1);
    const healed = gidit('', 'heal', 'notes');
    expect(healed).toMatchObject({ status: 0 });
    expect(healed.out.toString()).toContain('had gone two ways');
    const newest = await store.newest(address);
    expect(newest?.chain?.prev).toEqual([mine.id, body.id].sort());
    const ids = newest?.refs.map(({ id }) => id) ?? [];
    for (const tip of [sh(repo, 'rev-parse', 'HEAD'), sh(device, 'rev-parse', 'HEAD')]) expect(ids).toContain(tip);
    expect(newest?.refs.map(({ name }) => name)).toEqual(expect.arrayContaining(['refs/heads/side', 'refs/tags/here']));
    expect(must('', 'verify').toString()).toMatch(/^good .* 4 PushObjects/);
    expect(gidit('', 'heal', 'notes').out.toString()).toContain('has not forked');
    expect(must('', 'log', 'notes').toString()).toContain('heals a fork');
  });

  test('a key hands a project over to another', async () => {
    const next = makeKey('rsa2048');
    const store = await openStore(base);
    const repository = await openRepository(repo, undefined);
    await publishObject({ store, address: { fingerprint: key, project: 'notes' }, repository }, await readRefs(repository), []);
    expect(gidit('', 'key', 'successor', next, 'notes')).toMatchObject({ status: 0 });
    expect(must('', 'log', `${key}/notes`).toString()).toContain(`moved to the key ${next}`);
    must('', 'verify');
    expect(gidit('', 'key', 'successor', next, 'notes').status).toBe(1);
  });

  test('verify finds what was changed in the store', async () => {
    const store = await openStore(base);
    const repository = await openRepository(repo, undefined);
    const object = await publishObject({ store, address: { fingerprint: key, project: 'notes' }, repository }, await readRefs(repository), []);
    const file = join(base, 'pushobjects', key, 'notes', object.id);
    // The armor is no part of the id, so only the signature tells.
    const other = await signDetached(Buffer.from('something else'), [key]);
    writeFileSync(file, formatPushObject({ signedBytes: object.signedBytes, signature: other }, zeroId));
    expect(gidit('', 'verify')).toMatchObject({ status: 1 });
    mkdirSync(join(base, 'x'));
    expect((await signObject(key, 'notes', object.refs)).id).toBe(object.id);
    expect(formatSigned(object.refs, object.chain)).toEqual(object.signedBytes);
  });
});
