import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { conflictCopyPath, isConflictCopy, originalOfCopy, sanitizeHost, type CopySource } from '../../src/core/conflict-name.ts';
import { rawFromText, rawToText, splitRaw, type RawPath } from '../../src/core/raw-path.ts';

const oid = '93513af00112233445566778899aabbccddeeff0';
/** 2026-11-20 10:15:00 UTC */
const timeSeconds = Date.UTC(2026, 10, 20, 10, 15) / 1000;

function copyOf(path: string, changes: Partial<CopySource> = {}, attempt = 0): string {
  return rawToText(conflictCopyPath({ path: rawFromText(path), timeSeconds, host: 'desktop', oid, ...changes }, attempt));
}

describe('the name of a conflict copy', () => {
  test.each([
    ['ch2.tex', 'ch2.conflict-20261120-101500-desktop-93513af.tex'],
    ['notes/deep/todo.md', 'notes/deep/todo.conflict-20261120-101500-desktop-93513af.md'],
    ['Makefile', 'Makefile.conflict-20261120-101500-desktop-93513af'],
    ['.bashrc', '.bashrc.conflict-20261120-101500-desktop-93513af'],
    ['.config.json', '.config.conflict-20261120-101500-desktop-93513af.json'],
    ['backup.tar.gz', 'backup.conflict-20261120-101500-desktop-93513af.tar.gz'],
    ['v1.2.md', 'v1.2.conflict-20261120-101500-desktop-93513af.md'],
    ["Dr. Smith's letter", "Dr. Smith's letter.conflict-20261120-101500-desktop-93513af"],
    ['ends.', 'ends..conflict-20261120-101500-desktop-93513af'],
    ['größe.md', 'größe.conflict-20261120-101500-desktop-93513af.md'],
    ['two\nlines.md', 'two\nlines.conflict-20261120-101500-desktop-93513af.md'],
    ['a.dir/file', 'a.dir/file.conflict-20261120-101500-desktop-93513af'],
  ])('%j becomes %j', (path, copy) => expect(copyOf(path)).toBe(copy));

  test('gets more of the object id, then a counter, where it is taken', () => {
    const names = [0, 1, 2, 3, 4].map((attempt) => copyOf('a.md', {}, attempt).replace('a.conflict-20261120-101500-desktop-', ''));
    expect(names).toEqual(['93513af.md', '93513af001122334.md', `${oid}.md`, `${oid}-2.md`, `${oid}-3.md`]);
  });

  test('takes any time: before 1970, far away, not a number', () => {
    const times = [-5, 1e18, Number.NaN].map((seconds) => copyOf('a', { timeSeconds: seconds }).slice('a.conflict-'.length, 'a.conflict-'.length + 15));
    expect(times).toEqual(['19700101-000000', '99991231-235959', '19700101-000000']);
  });

  test('of a copy is a name of the first file again', () => {
    const once = copyOf('a.tar.gz', { host: 'one' });
    expect(copyOf(once, { host: 'two' })).toBe('a.conflict-20261120-101500-two-93513af.tar.gz');
    expect(rawToText(originalOfCopy(rawFromText(copyOf(once))))).toBe('a.tar.gz');
    expect(rawToText(originalOfCopy(rawFromText(copyOf('d/a', {}, 4))))).toBe('d/a');
  });

  test('is told from names that only look like it', () => {
    expect(isConflictCopy(rawFromText(copyOf('a.md')))).toBe(true);
    for (const path of ['a.conflict.md', 'a.conflict-2026.md', 'a.md', 'x.conflict-20261120-101500-desktop-93513af.md/b']) expect(isConflictCopy(rawFromText(path))).toBe(false);
  });

  test.each([
    ['desktop', 'desktop'],
    ['a.b.example.org', 'a-b-example-org'],
    ['../../etc/passwd', 'etc-passwd'],
    ['Ada Lovelace', 'Ada-Lovelace'],
    ['äöü', 'unknown'],
    ['', 'unknown'],
    ['-rf\n\0', 'rf'],
    ['x'.repeat(300), 'x'.repeat(32)],
    [`${'x'.repeat(31)} y`, 'x'.repeat(31)],
  ])('makes the host %j safe: %j', (host, safe) => expect(sanitizeHost(host)).toBe(safe));

  test('never passes 255 bytes, is not cut inside a character, stays in its directory, and names its original again', () => {
    const name = fc.oneof(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 }), fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }));
    const source = fc.record({ name, host: fc.string({ unit: 'binary', maxLength: 80 }), time: fc.double(), oid: fc.stringMatching(/^[0-9a-f]{64}$/), attempt: fc.nat(12) });
    fc.assert(
      fc.property(source, (one) => {
        const file = one.name.replace(/[/\0]/g, '_');
        const path = rawFromText(`dir/${file}`);
        const copy = conflictCopyPath({ path, timeSeconds: one.time, host: one.host, oid: one.oid }, one.attempt);
        expect(splitRaw(copy).directory).toBe('dir');
        expect(splitRaw(copy).name.length).toBeLessThanOrEqual(255);
        expect(rawFromText(rawToText(copy))).toBe(copy);
        expect(isConflictCopy(copy)).toBe(true);
        const again = conflictCopyPath({ path: copy, timeSeconds: one.time, host: one.host, oid: one.oid }, one.attempt);
        expect(again.length).toBeLessThanOrEqual(copy.length);
      }),
      { numRuns: 300 },
    );
  });

  test('keeps bytes that are not UTF-8', () => {
    const path = 'caf\xe9\xff.txt' as RawPath;
    expect(conflictCopyPath({ path, timeSeconds, host: 'h', oid })).toBe('caf\xe9\xff.conflict-20261120-101500-h-93513af.txt');
    expect(conflictCopyPath({ path: `${'\xe9'.repeat(251)}.txt` as RawPath, timeSeconds, host: 'h', oid })).toHaveLength(255);
  });
});
