import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { mergeTable, putTableRows, type Chunks, type MergedChunk, type TableRule } from '../../src/core/table-merge.ts';

const rows = (...lines: string[]): string => lines.map((line) => `${line}\n`).join('');
const none = new Set<string>();
const byName = (cut: string): TableRule => ({ rule: { key: [0] }, cut, taken: none });
const chunks = (files: Record<string, string>): Chunks => new Map(Object.entries(files));
const textOf = (merged: Map<string, MergedChunk> | undefined, winner: 'ours' | 'theirs' = 'ours'): Record<string, string> =>
  Object.fromEntries([...(merged ?? [])].map(([file, chunk]) => [file, chunk.resolve(winner).text]));

/** Some hash of a key, in the sixteen digits that name a file. */
function hashOf(key: string): string {
  let hash = 2166136261;
  for (const char of key) hash = Math.imul(hash ^ char.charCodeAt(0), 16777619) >>> 0;
  return `${hash.toString(16).padStart(8, '0')}${(Math.imul(hash, 2654435761) >>> 0).toString(16).padStart(8, '0')}`;
}

/** Cuts rows as an export does: by the hash of their key. */
function cutByHash(table: Record<string, string>, bits: number): Record<string, string> {
  const files: Record<string, string> = {};
  let file = 'first';
  for (const key of Object.keys(table).sort()) {
    const hash = hashOf(key);
    if ((parseInt(hash.slice(8), 16) & (2 ** bits - 1)) === 0) file = hash;
    files[file] = `${files[file] ?? ''}${key}\t${table[key]}\n`;
  }
  return files;
}

describe('a table that two sides cut in different places', () => {
  const boundary = '00000000000000f0';

  test('has a row that one side edited and the other moved to another file once, with the edit', () => {
    const base = chunks({ first: rows('a\t1', 'c\t1', 'd\t1') });
    const split = chunks({ first: rows('a\t1'), [boundary]: rows('b\tnew', 'c\t1', 'd\t1') });
    const edited = chunks({ first: rows('a\t1', 'c\tedited', 'd\t1') });
    const expected = { first: rows('a\t1'), [boundary]: rows('b\tnew', 'c\tedited', 'd\t1') };
    expect(textOf(mergeTable(base, split, edited, byName('hash:4')))).toEqual(expected);
    expect(textOf(mergeTable(base, edited, split, byName('hash:4')))).toEqual(expected);
  });

  test('joins files again where the row that divided them is gone', () => {
    const base = chunks({ first: rows('a\t1'), [boundary]: rows('b\t1', 'c\t1') });
    const joined = chunks({ first: rows('a\t1', 'c\t1') });
    const edited = chunks({ first: rows('a\t1'), [boundary]: rows('b\t1', 'c\tedited') });
    expect(textOf(mergeTable(base, joined, edited, byName('hash:4')))).toEqual({ first: rows('a\t1', 'c\tedited') });
  });

  test('is cut by numbers where one side took other steps, and has a row that both added once', () => {
    const base = chunks({ '00000000': rows('1\ta') });
    const fine = chunks({ '00000000': rows('1\ta'), '00000001': rows('9\tboth') });
    const coarse = chunks({ '00000000': rows('1\ta', '9\tboth', '10\tc') });
    expect(textOf(mergeTable(base, fine, coarse, byName('int:4')))).toEqual({ '00000000': rows('1\ta', '9\tboth', '10\tc') });
    expect(textOf(mergeTable(base, fine, coarse, byName('int:3')))).toEqual({ '00000000': rows('1\ta'), '00000001': rows('9\tboth', '10\tc') });
    expect(textOf(mergeTable(chunks({}), chunks({ m00000001: rows('-5\tx') }), chunks({}), byName('int:3')))).toEqual({ m00000001: rows('-5\tx') });
    expect(Object.keys(textOf(mergeTable(chunks({}), chunks({ ab: rows('abcd\tx') }), chunks({}), byName('uuid:2'))))).toEqual(['ab']);
  });

  test('shows the rows that both changed differently, and where each side has the first of them', () => {
    const base = chunks({ first: rows('a\t1', 'c\t1') });
    const merged = mergeTable(base, chunks({ first: rows('a\t1'), [boundary]: rows('b\tx', 'c\tours') }), chunks({ first: rows('a\t1', 'c\ttheirs') }), byName('hash:4'));
    const contested = merged?.get(boundary);
    expect(contested?.contested).toEqual({ ours: boundary, theirs: 'first' });
    expect(contested?.resolve('ours')).toEqual({ text: rows('b\tx', 'c\tours'), lost: rows('c\ttheirs') });
    expect(contested?.resolve('theirs')).toEqual({ text: rows('b\tx', 'c\ttheirs'), lost: rows('c\tours') });
    expect(merged?.get('first')?.contested).toBeUndefined();
  });

  test('counts equal rows where there is no key, in whatever file they are', () => {
    const how: TableRule = { rule: { key: undefined }, cut: 'hash:4', taken: none };
    const merged = mergeTable(chunks({ first: rows('x', 'x', 'y') }), chunks({ first: rows('x'), [boundary]: rows('y', 'y') }), chunks({ first: rows('x', 'x', 'x', 'y', 'z') }), how);
    expect(textOf(merged)).toEqual({ first: rows('x', 'x'), [boundary]: rows('y', 'y', 'z') });
  });

  test('leaves rows in the files that a side has them in where their order cannot be told', () => {
    const base = chunks({ first: rows('z\t1', 'a\t1') });
    expect(textOf(mergeTable(base, chunks({ first: rows('z\t1', 'a\tA') }), chunks({ first: rows('z\t1'), [boundary]: rows('y\tnew', 'a\t1') }), byName('hash:4')))).toEqual({ first: rows('z\t1', 'a\tA'), [boundary]: rows('y\tnew') });
  });

  test('gives no name that a file has which nobody touched', () => {
    const how = { ...byName('hash:4'), taken: new Set(['first']) };
    expect(Object.keys(textOf(mergeTable(chunks({}), chunks({ other: rows('a\t1') }), chunks({}), how)))).toEqual(['first_2']);
  });

  test('is left to others where its files are no rows', () => {
    expect(mergeTable(chunks({}), chunks({ first: rows('a\t1'), x: rows('a\t2') }), chunks({}), byName('hash:4'))).toBeUndefined();
  });

  test('holds every change of either side once, cut as an export of the result would be', () => {
    const table = fc.dictionary(fc.integer({ min: 100, max: 160 }).map((n) => `k${n}`), fc.constantFrom('a', 'b', 'c'), { maxKeys: 40 });
    const expectedOf = (base: Record<string, string>, mine: Record<string, string>, other: Record<string, string>): Record<string, string> => {
      const result: Record<string, string> = {};
      for (const key of new Set([...Object.keys(mine), ...Object.keys(other)])) {
        const [b, m, o] = [base[key], mine[key], other[key]];
        const value = m === o || o === b ? m : m === b ? o : (m ?? o);
        if (value !== undefined) result[key] = value;
      }
      return result;
    };
    fc.assert(
      fc.property(table, table, table, fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }), (base, mine, other, bits, otherBits) => {
        const merged = mergeTable(chunks(cutByHash(base, bits)), chunks(cutByHash(mine, bits)), chunks(cutByHash(other, otherBits)), byName(`hash:${Math.max(bits, otherBits)}`));
        expect(textOf(merged)).toEqual(cutByHash(expectedOf(base, mine, other), Math.max(bits, otherBits)));
      }),
    );
  });
});

describe('rows that are put back into a table', () => {
  test('go where their keys are by now', () => {
    const table = chunks({ first: rows('a\t1'), x: rows('b\t1', 'c\t1') });
    expect(Object.fromEntries(putTableRows(table, rows('c\tback', 'd\tback'), { key: [0] }, 'first') ?? [])).toEqual({ x: rows('b\t1', 'c\tback'), first: rows('a\t1', 'd\tback') });
  });
});
