import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import * as openpgp from 'openpgp';
import { GitsyncError } from '../../src/errors.ts';
import { exportKey, generateKey, listSecretKeys, signDetached } from '../../src/gidit/gpg.ts';
import { checkSignature, mergeKeys, readKey } from '../../src/gidit/openpgp.ts';
import { linksOf } from '../../src/gidit/fork.ts';
import { formatPushObject, formatSigned, parsePushObject, type RefEntry } from '../../src/gidit/push-object.ts';
import { verifyMessage, verifyObject } from '../../src/gidit/verify.ts';
import { encodeWire } from '../../src/gidit/wire.ts';
import { describeWith } from '../helpers/requires.ts';
import { tempDir } from '../helpers/repos.ts';
import { gpg, gpgHome, makeKey, messageOf, signObject } from './keys.ts';

const refs: RefEntry[] = [{ id: '1'.repeat(40), name: 'HEAD' }, { id: '1'.repeat(40), name: 'refs/heads/main' }];
const refusal = (reason: string) => expect.objectContaining({ kind: 'refused', reason });

describeWith(['gpg'], 'OpenPGP', () => {
  gpgHome();
  let ed = '';
  let rsa = '';
  beforeAll(() => {
    ed = makeKey();
    rsa = makeKey('rsa2048');
  });

  test.each(['ed25519', 'rsa2048'])('what gpg signs with %s is verified here, and what is changed is not', async (kind) => {
    const fingerprint = kind === 'ed25519' ? ed : rsa;
    const object = await signObject(fingerprint, 'notes', refs);
    const verified = await verifyMessage(await messageOf(fingerprint, 'notes', object));
    expect(verified.address).toEqual({ fingerprint, project: 'notes' });
    expect(Math.abs(verified.signedAt.getTime() - Date.now())).toBeLessThan(60_000);
    const forged = { ...object, signedBytes: Buffer.from(object.signedBytes.toString().replaceAll('1'.repeat(40), '2'.repeat(40))) };
    await expect(messageOf(fingerprint, 'notes', forged).then(verifyMessage)).rejects.toEqual(refusal('signature'));
  });

  test.each(['curve25519', 'rsa'] as const)('what openpgp signs with %s is verified by gpg', async (type) => {
    const { privateKey, publicKey } = await openpgp.generateKey({ userIDs: [{ name: 'Other Program' }], format: 'object', ...(type === 'rsa' ? { type: 'rsa', rsaBits: 2048 } : { type: 'ecc', curve: 'ed25519Legacy' }) });
    const fingerprint = publicKey.getFingerprint().toUpperCase();
    const body = (await signObject(ed, 'notes', refs)).signedBytes;
    const armored = await openpgp.sign({ message: await openpgp.createMessage({ binary: body }), signingKeys: privateKey, detached: true });
    const directory = tempDir('gpg');
    writeFileSync(join(directory, 'key'), publicKey.write());
    writeFileSync(join(directory, 'lines'), body);
    writeFileSync(join(directory, 'lines.asc'), armored as string);
    gpg('--import', join(directory, 'key'));
    expect(execFileSync('gpg', ['--batch', '--status-fd', '1', '--verify', join(directory, 'lines.asc'), join(directory, 'lines')], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], env: process.env })).toContain(`VALIDSIG ${fingerprint}`);
    await checkSignature(body, Buffer.from(armored as string), [await readKey(publicKey.write())]);
  });

  test('an object of another project or another key is refused', async () => {
    const object = await signObject(ed, 'notes', refs);
    await expect(messageOf(ed, 'other', object).then(verifyMessage)).rejects.toEqual(refusal('binding'));
    await expect(messageOf(rsa, 'notes', object).then(verifyMessage)).rejects.toEqual(refusal('binding'));
    // Bound to the victim's address, signed by somebody else.
    const chain = object.chain;
    const body = formatSigned([...refs, { id: '9'.repeat(40), name: 'refs/heads/z' }], chain);
    const grafted = parsePushObject(Buffer.concat([body, await signDetached(body, [rsa])]));
    await expect(messageOf(ed, 'notes', grafted).then(verifyMessage)).rejects.toEqual(refusal('signature'));
  });

  test('stripped chain lines, and objects of 2009, are refused from the network', async () => {
    const body = formatSigned(refs, undefined);
    const legacy = parsePushObject(Buffer.concat([body, await signDetached(body, [ed])]));
    await expect(messageOf(ed, 'notes', legacy).then(verifyMessage)).rejects.toEqual(refusal('legacy'));
    expect((await verifyMessage(await messageOf(ed, 'notes', legacy), { strength: 'legacy' })).pushObject.chain).toBeUndefined();
    const stripped = { ...(await signObject(ed, 'notes', refs)), signedBytes: body };
    await expect(messageOf(ed, 'notes', stripped).then((bytes) => verifyMessage(bytes, { strength: 'legacy' }))).rejects.toEqual(refusal('signature'));
  });

  test('signatures of another kind, of two keys, in the future, or with noise are refused', async () => {
    const body = (await signObject(ed, 'notes', refs)).signedBytes;
    const key = await readKey(await exportKey(ed));
    const directory = tempDir('kinds');
    writeFileSync(join(directory, 'lines'), body);
    gpg('--armor', '--textmode', '--output', join(directory, 'text'), '--local-user', ed, '--detach-sign', join(directory, 'lines'));
    const text = execFileSync('cat', [join(directory, 'text')]);
    await expect(checkSignature(body, text, [key])).rejects.toEqual(refusal('signature'));
    await expect(checkSignature(body, await signDetached(body, [ed, rsa]), [key])).rejects.toEqual(refusal('signature'));
    await expect(checkSignature(body, await signDetached(body, [ed]), [key], { now: new Date(Date.now() - 86_400_000) })).rejects.toEqual(refusal('time'));
    await expect(checkSignature(body, Buffer.from('-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n'), [key])).rejects.toEqual(refusal('signature'));
  });

  test('the armor can be changed without breaking it, and the id stays', async () => {
    const object = await signObject(ed, 'notes', refs);
    const changed = parsePushObject(formatPushObject({ signedBytes: object.signedBytes, signature: Buffer.from(object.signature.toString().replace('\n\n', '\nComment: hello\n\n')) }));
    await verifyObject(await exportKey(ed), 'notes', changed);
    expect(changed.id).toBe(object.id);
  });

  test('secret keys, several keys and rubbish are no key', async () => {
    const secret = execFileSync('gpg', ['--batch', '--pinentry-mode', 'loopback', '--passphrase', '', '--export-secret-keys', ed], { stdio: ['ignore', 'pipe', 'ignore'], env: process.env });
    await expect(readKey(secret)).rejects.toEqual(refusal('key'));
    await expect(readKey(Buffer.concat([await exportKey(ed), await exportKey(rsa)]))).rejects.toEqual(refusal('key'));
    await expect(readKey(Buffer.from('rubbish'))).rejects.toEqual(refusal('key'));
    await expect(readKey(Buffer.alloc(20_000))).rejects.toEqual(refusal('size'));
  });

  test('what was signed before a key expired stays good, what is signed later is not', async () => {
    const then = '20240101T000000';
    const key = makeKey('ed25519', '10d', '--faked-system-time', then);
    const body = (await signObject(ed, 'notes', refs)).signedBytes;
    const directory = tempDir('expiry');
    writeFileSync(join(directory, 'lines'), body);
    const signAt = (time: string): Buffer => {
      gpg('--faked-system-time', time, '--armor', '--yes', '--output', join(directory, 'sig'), '--local-user', key, '--detach-sign', join(directory, 'lines'));
      return execFileSync('cat', [join(directory, 'sig')]);
    };
    const good = signAt('20240105T000000');
    const info = await readKey(await exportKey(key));
    // The faked clock goes on while gpg works.
    expect(info.expires?.toISOString()).toMatch(/^2024-01-11T00:/);
    expect((await checkSignature(body, good, [info])).toISOString()).toMatch(/^2024-01-05T00:/);
    await expect(signDetached(body, [key])).rejects.toEqual(expect.objectContaining({ kind: 'signing' }));
    // Longer at first, shortened behind everybody's back; then the owner makes it longer: old signatures count again and still.
    gpg('--faked-system-time', '20240106T000000', '--quick-set-expire', key, '20d');
    const late = signAt('20240120T000000');
    await expect(checkSignature(body, late, [info])).rejects.toEqual(refusal('expired'));
    const longer = await readKey(await exportKey(key));
    await checkSignature(body, late, [longer]);
    await checkSignature(body, good, [longer]);
    expect((await mergeKeys(info, longer)).expires).toEqual(longer.expires);
    expect((await mergeKeys(longer, info)).expires).toEqual(longer.expires);
  });

  test.each([[3, 'soft'], [1, 'hard']] as const)('a revocation (gpg reason %s, %s) counts, and is not forgotten', async (reason, kind) => {
    const key = makeKey('ed25519', 'never', '--faked-system-time', '20240101T000000');
    const body = (await signObject(ed, 'notes', refs)).signedBytes;
    const before = await readKey(await exportKey(key));
    const directory = tempDir('revoke');
    writeFileSync(join(directory, 'lines'), body);
    gpg('--faked-system-time', '20240105T000000', '--armor', '--output', join(directory, 'sig'), '--local-user', key, '--detach-sign', join(directory, 'lines'));
    const signature = execFileSync('cat', [join(directory, 'sig')]);
    const late = await signDetached(body, [key]);
    const certificate = join(directory, 'revocation');
    execFileSync('gpg', ['--no-tty', '--pinentry-mode', 'loopback', '--passphrase', '', '--faked-system-time', '20240110T000000', '--command-fd', '0', '--output', certificate, '--gen-revoke', key], { input: `y\n${reason}\n\ny\n`, stdio: ['pipe', 'ignore', 'ignore'], env: process.env });
    gpg('--import', certificate);
    const after = await readKey(await exportKey(key));
    expect(after.revoked).toBe(kind);
    await expect(checkSignature(body, late, [after])).rejects.toEqual(refusal('revoked'));
    if (kind === 'soft') await checkSignature(body, signature, [after]);
    else await expect(checkSignature(body, signature, [after])).rejects.toEqual(refusal('revoked'));
    expect((await mergeKeys(after, before)).revoked).toBe(kind);
    expect((await mergeKeys(before, after)).revoked).toBe(kind);
  });

  test('a successor is named by an object that both keys signed', async () => {
    const first = await signObject(ed, 'notes', refs);
    const body = formatSigned(refs, { project: first.chain?.project ?? '', prev: [first.id], seq: 2n, successor: rsa });
    const both = parsePushObject(Buffer.concat([body, await signDetached(body, [ed, rsa])]));
    const keys = Buffer.concat([await exportKey(ed), await exportKey(rsa)]);
    const verified = await verifyMessage(encodeWire({ key: keys, project: 'notes', pushObject: both }));
    expect([verified.address.fingerprint, verified.successor?.fingerprint, linksOf(verified.pushObject).seq]).toEqual([ed, rsa, 2n]);
    const one = parsePushObject(Buffer.concat([body, await signDetached(body, [ed])]));
    await expect(verifyMessage(encodeWire({ key: keys, project: 'notes', pushObject: one }))).rejects.toEqual(refusal('signature'));
    await expect(verifyMessage(encodeWire({ key: await exportKey(ed), project: 'notes', pushObject: both }))).rejects.toEqual(refusal('key'));
  });

  test('a second key with the same name is never taken for the first', async () => {
    const userId = 'Somebody <same@example.org>';
    const [first, second] = [await generateKey(userId, 'none'), /([0-9A-F]{40})/.exec(gpg('--status-fd', '1', '--yes', '--quick-generate-key', '--allow-freeform-uid', userId, 'ed25519', 'sign', 'never'))?.[1] as string];
    expect((await listSecretKeys({}, 'same@example.org')).map(({ fingerprint }) => fingerprint).sort()).toEqual([first, second].sort());
    const object = await signObject(second, 'notes', refs);
    await expect(messageOf(first, 'notes', object).then(verifyMessage)).rejects.toEqual(refusal('binding'));
    await expect(messageOf('same@example.org', 'notes', object).then(verifyMessage)).rejects.toEqual(refusal('key'));
    const grafted = await signDetached(object.signedBytes, [first]);
    await expect(messageOf(second, 'notes', { ...object, signature: grafted }).then(verifyMessage)).rejects.toEqual(refusal('signature'));
  });

  test('keys are made, listed, and missed in words that help', async () => {
    const key = await generateKey('New Person <new@example.org>', 'none');
    expect(await listSecretKeys({}, key)).toEqual([{ fingerprint: key, userId: 'New Person <new@example.org>', expires: undefined }]);
    await verifyMessage(await messageOf(key, 'notes', await signObject(key, 'notes', refs)));
    await expect(signDetached(Buffer.from('x'), ['0'.repeat(40)])).rejects.toBeInstanceOf(GitsyncError);
    await expect(exportKey('nobody@example.org')).rejects.toEqual(expect.objectContaining({ kind: 'signing' }));
  });

  test('a passphrase that nobody can give is an error with a way out, never an unsigned object', async () => {
    const home = mkdtempSync('/tmp/gg-');
    writeFileSync(join(home, 'gpg-agent.conf'), 'pinentry-program /bin/false\n');
    try {
      gpg('--homedir', home, '--passphrase', 'secret', '--quick-generate-key', 'Careful Person', 'ed25519', 'sign', 'never');
      execFileSync('gpgconf', ['--homedir', home, '--kill', 'all']);
      const [key] = await listSecretKeys({ home });
      await expect(signDetached(Buffer.from('x'), [key?.fingerprint ?? ''], { home })).rejects.toEqual(expect.objectContaining({ kind: 'signing', message: expect.stringMatching(/passphrase was not given/) }));
    } finally {
      execFileSync('gpgconf', ['--homedir', home, '--kill', 'all']);
      rmSync(home, { recursive: true, force: true });
    }
  });
});
