import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { GitsyncError } from '../../src/errors.ts';
import { formatAddress, parseAddress, projectId, recordKey } from '../../src/gidit/address.ts';
import { checkProjectName } from '../../src/gidit/project-name.ts';
import { formatPushObject, formatSigned, parsePushObject, splitPushObjects, zeroId } from '../../src/gidit/push-object.ts';
import { Refusal, type RefusalReason } from '../../src/gidit/refusal.ts';
import { decodeWire, encodeWire } from '../../src/gidit/wire.ts';

const fingerprint = 'A'.repeat(40);
const id = (digit: string, length = 40): string => digit.repeat(length);
const signature = '-----BEGIN PGP SIGNATURE-----\n\niQ==\n=abcd\n-----END PGP SIGNATURE-----\n';
const seqLine = `${'1'.padStart(40, '0')} refs/gidit/seq\n`;
const chainLines = `${id('c')} refs/gidit/project\n${zeroId} refs/gidit/prev\n${seqLine}`;
const body = `${id('1')} HEAD\n${id('1')} refs/heads/main\n${id('2')} refs/heads/side\n${chainLines}`;

/** The reason for which it is refused, or what else it throws. */
function reasonOf(action: () => unknown): RefusalReason | 'taken' {
  try {
    action();
    return 'taken';
  } catch (error) {
    if (error instanceof Refusal) return error.reason;
    throw error;
  }
}
const parse = (text: string): unknown => parsePushObject(Buffer.from(text));

describe('PushObjects', () => {
  test('are read line by line, and written back byte for byte', () => {
    const object = parsePushObject(Buffer.from(body + signature));
    expect(object.refs).toEqual([{ id: id('1'), name: 'HEAD' }, { id: id('1'), name: 'refs/heads/main' }, { id: id('2'), name: 'refs/heads/side' }]);
    expect(object.chain).toEqual({ project: id('c'), prev: [zeroId], seq: 1n });
    expect(object.id).toBe(createHash('sha1').update(body).digest('hex'));
    expect(formatPushObject(object).toString()).toBe(body + signature);
    expect(formatSigned([...object.refs].reverse(), object.chain).toString()).toBe(body);
  });

  test('have the line PREV on disk only', () => {
    const object = parsePushObject(Buffer.from(`${body}${signature}${id('d')} PREV\n`));
    expect(object.diskPrev).toBe(id('d'));
    expect(formatPushObject(object, id('d')).toString()).toBe(`${body}${signature}${id('d')} PREV\n`);
    for (const tail of ['x', `${id('d')} PREV`, `${id('D')} PREV\n`, `${id('d')} PREV\n\n`]) expect(reasonOf(() => parse(body + signature + tail))).toBe('format');
  });

  test('of 2009 have no chain; those of a SHA-256 repository have longer ids', () => {
    expect(parsePushObject(Buffer.from(`${id('1')} HEAD\n${id('1')} refs/heads/master\n${signature}`)).chain).toBeUndefined();
    expect(parsePushObject(Buffer.from(`${id('1', 64)} HEAD\n${id('1', 64)} refs/heads/main\n${chainLines}${signature}`)).refs[0]?.id).toHaveLength(64);
  });

  test('may hold no ref at all, and two predecessors where a fork was healed', () => {
    expect(parsePushObject(Buffer.from(chainLines + signature)).refs).toEqual([]);
    const healed = `${id('c')} refs/gidit/project\n${id('3')} refs/gidit/prev\n${id('4')} refs/gidit/prev\n${'9'.padStart(40, '0')} refs/gidit/seq\n`;
    expect(parsePushObject(Buffer.from(healed + signature)).chain).toEqual({ project: id('c'), prev: [id('3'), id('4')], seq: 9n });
  });

  test.each([
    ['nothing', ''],
    ['no signature', body],
    ['a signature without end', body + '-----BEGIN PGP SIGNATURE-----\n'],
    ['a signature within a line', `${body.slice(0, -1)}${signature}`],
    ['two signatures', body + signature + signature],
    ['an id that is not hexadecimal', body.replace(id('2'), `${id('2', 39)}g`) + signature],
    ['an id in upper case', body.replace(id('2'), 'A'.repeat(40)) + signature],
    ['a short id', body.replace(id('2'), id('2', 39)) + signature],
    ['ids of two kinds', body.replace(id('2'), id('2', 64)) + signature],
    ['an id of zeros', body.replace(id('2'), zeroId) + signature],
    ['carriage returns', body.replaceAll('\n', '\r\n') + signature],
    ['a NUL in a name', body.replace('side', 'si\0de') + signature],
    ['a name that leaves refs', body.replace('refs/heads/side', 'refs/heads/../../config') + signature],
    ['a name that is no ref', body.replace('refs/heads/side', 'config') + signature],
    ['a name twice', body.replace('side', 'main') + signature],
    ['refs out of order', body.replace('side', 'a') + signature],
    ['HEAD not in front', `${id('1')} refs/heads/main\n${id('1')} HEAD\n${chainLines}${signature}`],
    ['chain lines out of order', `${id('1')} HEAD\n${zeroId} refs/gidit/prev\n${id('c')} refs/gidit/project\n${seqLine}${signature}`],
    ['one chain line of three', `${id('1')} HEAD\n${id('c')} refs/gidit/project\n${signature}`],
    ['a ref behind the chain lines', `${body}${id('1')} refs/heads/z\n${signature}`],
    ['a chain line of another name', body.replace('refs/gidit/seq', 'refs/!!dit/seq') + signature],
    ['the number 0', body.replace(seqLine, `${zeroId} refs/gidit/seq\n`) + signature],
    ['no predecessor but a later number', body.replace(seqLine, `${'2'.padStart(40, '0')} refs/gidit/seq\n`) + signature],
    ['a byte that is no UTF-8 in a name', Buffer.concat([Buffer.from(`${id('1')} refs/heads/`), Buffer.from([0xff]), Buffer.from(`\n${chainLines}${signature}`)])],
    ['three bytes in a name that begin a character of four', Buffer.concat([Buffer.from(`${id('1')} refs/heads/`), Buffer.from([0xf0, 0x9f, 0x98]), Buffer.from(`\n${chainLines}${signature}`)])],
  ])('with %s are refused', (_, text) => expect(reasonOf(() => parsePushObject(Buffer.from(text)))).toBe('format'));

  test('above the limits are refused before they are read', () => {
    expect(reasonOf(() => parsePushObject(Buffer.alloc(65_537)))).toBe('size');
    expect(reasonOf(() => parsePushObject(Buffer.from(body + signature), { maxBytes: 65_536, maxRefs: 2 }))).toBe('size');
  });

  test('come in lists', () => {
    expect(splitPushObjects(Buffer.from(body + signature + chainLines + signature)).map(({ refs }) => refs.length)).toEqual([3, 0]);
    expect(reasonOf(() => splitPushObjects(Buffer.from(`${body}${signature}x`)))).toBe('format');
  });

  test('never make the parser fail otherwise, and what it takes is canonical (fuzz)', () => {
    const good = Buffer.from(body + signature);
    const mutated = fc.tuple(fc.nat(good.length), fc.nat(8), fc.uint8Array({ maxLength: 8 })).map(([at, cut, put]) => Buffer.concat([good.subarray(0, at), put, good.subarray(at + cut)]));
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 }), fc.string({ unit: 'binary' }).map((text) => Buffer.from(text))), (bytes) => {
        const reason = reasonOf(() => expect(formatRead(bytes)).toEqual(Buffer.from(bytes)));
        expect(['taken', 'format', 'size']).toContain(reason);
      }),
      { numRuns: 1000 },
    );
  });
});

/** Reads and writes again, from the values and not from the bytes. */
function formatRead(bytes: Uint8Array): Buffer {
  const object = parsePushObject(bytes);
  return formatPushObject({ signedBytes: formatSigned(object.refs, object.chain), signature: object.signature }, object.diskPrev);
}

describe('the message', () => {
  const key = Buffer.from([0x98, 0x33, 0x04, 10, 0]);
  const message = encodeWire({ key, project: 'notes', pushObject: parsePushObject(Buffer.from(body + signature)) });

  test('is the size of the key, the key, the project and the object', () => {
    expect(message.toString('latin1')).toBe(`0005${key.toString('latin1')}notes\n${body}${signature}`);
    expect(decodeWire(message)).toMatchObject({ key, project: 'notes', pushObject: { refs: [{}, {}, {}] } });
  });

  test.each(['-001', '0x1f', ' +1f', '+001', '000A', '1e+1', '00a', '    ', '\0\0\0\0'])('with the size %j is refused', (digits) => {
    expect(reasonOf(() => decodeWire(Buffer.concat([Buffer.from(digits), message.subarray(4)])))).toBe('format');
  });

  test('with a key of none, more than 16 KiB, or more than there is, is refused', () => {
    expect(reasonOf(() => decodeWire(Buffer.concat([Buffer.from('0000'), message.subarray(4)])))).toBe('size');
    expect(reasonOf(() => decodeWire(Buffer.concat([Buffer.from('ffff'), message.subarray(4)])))).toBe('size');
    expect(reasonOf(() => decodeWire(Buffer.concat([Buffer.from('4001'), Buffer.alloc(0x4001), Buffer.from('notes\n')])))).toBe('size');
    expect(reasonOf(() => decodeWire(Buffer.from('0fff short')))).toBe('format');
    expect(reasonOf(() => decodeWire(Buffer.alloc(65_537, '0')))).toBe('size');
    expect(reasonOf(() => encodeWire({ key: Buffer.alloc(0x4001), project: 'notes', pushObject: parsePushObject(Buffer.from(body + signature)) }))).toBe('size');
  });

  test.each(['..', '../x', 'a/b', 'a\0b', '', '.git', 'a..b', 'x.lock', 'x.', 'HEAD', 'PGP', '-x', 'ä', 'x'.repeat(101)])('with the project %j is refused', (project) => {
    const bytes = Buffer.concat([message.subarray(0, 9), Buffer.from(`${project}\n`), Buffer.from(body + signature)]);
    expect(reasonOf(() => decodeWire(bytes))).toBe('format');
    expect(() => checkProjectName(project)).toThrow(GitsyncError);
  });

  test('with 10 KB as the project is refused', () => {
    expect(reasonOf(() => decodeWire(Buffer.concat([message.subarray(0, 9), Buffer.alloc(10_240, 'x'), Buffer.from(`\n${body}${signature}`)])))).toBe('format');
  });

  test('with an object in the form of the disk is refused', () => {
    expect(reasonOf(() => decodeWire(Buffer.concat([message, Buffer.from(`${id('d')} PREV\n`)])))).toBe('format');
  });

  test('never makes the decoder fail otherwise, and what it takes is canonical (fuzz)', () => {
    const mutated = fc.tuple(fc.nat(message.length), fc.nat(8), fc.uint8Array({ maxLength: 8 })).map(([at, cut, put]) => Buffer.concat([message.subarray(0, at), put, message.subarray(at + cut)]));
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 300 })), (bytes) => {
        expect(['taken', 'format', 'size']).toContain(reasonOf(() => expect(encodeWire(decodeWire(bytes))).toEqual(Buffer.from(bytes))));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('addresses', () => {
  test('are read as people write them', () => {
    const wanted = { fingerprint, project: 'notes' };
    for (const text of [`${fingerprint}/notes`, `gidit::${fingerprint}/notes`, `gidit::${fingerprint.toLowerCase()}/notes/`, `0x${fingerprint}/notes`]) expect(parseAddress(text)).toEqual(wanted);
    expect(parseAddress('gidit::notes', fingerprint)).toEqual(wanted);
    expect(formatAddress(wanted)).toBe(`${fingerprint}/notes`);
  });

  test.each(['notes', 'AAAA/notes', `${fingerprint}/../x`, `${fingerprint}/a/b`, `${fingerprint}/`, `${'G'.repeat(40)}/notes`, ''])('%j is none', (text) => expect(() => parseAddress(text)).toThrow(GitsyncError));

  test('give the ids that the specification names', () => {
    const address = { fingerprint, project: 'notes' };
    expect(projectId(address)).toBe(createHash('sha1').update(`gidit project\n${fingerprint}\nnotes`).digest('hex'));
    expect(recordKey(address)).toBe(`/gidit/${createHash('sha256').update(Buffer.from(`gidit po\0${fingerprint}\0notes`)).digest('hex')}`);
  });
});
