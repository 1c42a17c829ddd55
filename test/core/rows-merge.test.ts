import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { mergeRows, placeOfRows, ruleFor } from '../../src/core/rows-merge.ts';

const byId = { key: [0] };
const rows = (...lines: string[]): string => lines.map((line) => `${line}\n`).join('');
const table = fc.dictionary(fc.integer({ min: -20, max: 20 }).map(String), fc.constantFrom('a', 'b', '\\N', ''), { maxKeys: 12 });
const textOf = (state: Record<string, string>): string =>
  rows(
    ...Object.keys(state)
      .sort((a, b) => Number(a) - Number(b))
      .map((id) => `${id}\t${state[id]}`),
  );

describe('merging rows by key', () => {
  test('joins edits of neighbouring rows', () => {
    const base = rows('1\ta', '2\tb', '3\tc');
    expect(mergeRows(base, rows('1\tA', '2\tb', '3\tc'), rows('1\ta', '2\tB', '3\tc', '4\td'), byId)).toEqual({ text: rows('1\tA', '2\tB', '3\tc', '4\td'), conflicts: 0 });
  });

  test('keeps rows that both sides added in the order of their numbers', () => {
    expect(mergeRows(rows('1\ta', '90\tz'), rows('1\ta', '10\tours', '90\tz'), rows('1\ta', '9\ttheirs', '20\ttheirs', '90\tz'), byId)?.text).toBe(rows('1\ta', '9\ttheirs', '10\tours', '20\ttheirs', '90\tz'));
  });

  test('shows a row that both sides changed, and one that one side changed and the other deleted', () => {
    expect(mergeRows(rows('1\ta', '2\tb'), rows('1\tours'), rows('1\ttheirs', '2\tB'), byId)).toEqual({
      text: rows('<<<<<<< ours', '1\tours', '=======', '1\ttheirs', '>>>>>>> theirs', '<<<<<<< ours', '=======', '2\tB', '>>>>>>> theirs'),
      conflicts: 2,
    });
  });

  test('leaves what are not rows of the table to the merge of lines', () => {
    expect(mergeRows('', rows('1\ta', '1\tb'), '', byId)).toBeUndefined();
    expect(mergeRows('', rows('1'), '', { key: [1] })).toBeUndefined();
  });

  test('counts equal rows where there is no key', () => {
    expect(mergeRows(rows('x', 'x', 'y'), rows('x', 'y'), rows('x', 'x', 'x', 'y', 'z'), { key: undefined })).toEqual({ text: rows('x', 'x', 'y', 'z'), conflicts: 0 });
  });

  test('takes the greater of two counters', () => {
    expect(mergeRows(rows('public\ts\t5\tt'), rows('public\ts\t9\tt'), rows('public\ts\t12\tf'), { key: [0, 1], greatest: 2 })).toEqual({ text: rows('public\ts\t12\tf'), conflicts: 0 });
  });

  test('reads the key from the manifest', () => {
    const manifest = 'gitted-rows\t1\ntable\tdeal\tpublic\tdeal\thash:9\tb,%41\ta,%41,b\ntable\tlog\tpublic\tlog\thash:9\t-\tline\n';
    expect(ruleFor(manifest, 'deal')).toEqual({ key: [2, 1] });
    expect(ruleFor(manifest, 'log')).toEqual({ key: undefined });
    expect(ruleFor(manifest, 'other')).toBeUndefined();
    expect(placeOfRows('postgresql/app/data/crm.deal/00000012.copy')).toEqual({ manifest: 'postgresql/app/manifest.tsv', table: 'crm.deal' });
    expect(placeOfRows('data/deal/first.tsv')).toEqual({ manifest: 'manifest.tsv', table: 'deal' });
    expect(placeOfRows('mysql/app/counters.tsv')).toEqual({ manifest: 'mysql/app/manifest.tsv', table: undefined });
    expect(placeOfRows('README.md')).toBeUndefined();
  });

  test('for any three tables: takes each change that one side made, and conflicts exactly where both made different ones', () => {
    fc.assert(
      fc.property(table, table, table, (base, ours, theirs) => {
        const merged = mergeRows(textOf(base), textOf(ours), textOf(theirs), byId);
        const ids = new Set([...Object.keys(base), ...Object.keys(ours), ...Object.keys(theirs)]);
        let conflicts = 0;
        const lines = merged?.text.split('\n') ?? [];
        for (const id of ids) {
          const [b, o, t] = [base[id], ours[id], theirs[id]];
          const isConflict = o !== t && o !== b && t !== b;
          if (isConflict) conflicts++;
          const wanted = isConflict ? [o, t].filter((value) => value !== undefined) : [o === b ? t : o].filter((value) => value !== undefined);
          expect(lines.filter((line) => line.split('\t')[0] === id && line.includes('\t')).sort()).toEqual(wanted.map((value) => `${id}\t${value}`).sort());
        }
        expect(merged?.conflicts).toBe(conflicts);
      }),
    );
  });

  test('for any three tables: the sides may change places, and a side that did nothing decides nothing', () => {
    fc.assert(
      fc.property(table, table, table, (base, ours, theirs) => {
        const [b, o, t] = [textOf(base), textOf(ours), textOf(theirs)];
        expect(mergeRows(b, b, t, byId)).toEqual({ text: t, conflicts: 0 });
        expect(mergeRows(b, o, b, byId)).toEqual({ text: o, conflicts: 0 });
        expect(mergeRows(b, o, o, byId)).toEqual({ text: o, conflicts: 0 });
        const [one, other] = [mergeRows(b, o, t, byId), mergeRows(b, t, o, byId)];
        expect(one?.conflicts).toBe(other?.conflicts);
        if (one?.conflicts === 0) expect(one.text).toBe(other?.text);
      }),
    );
  });

  test('for any lists without a key: what one side did alone happens', () => {
    const list = fc.array(fc.constantFrom('x', 'y', 'z', ''), { maxLength: 12 }).map((lines) => rows(...lines.sort()));
    fc.assert(
      fc.property(list, list, (base, ours) => {
        const sorted = (text: string | undefined): string[] => (text ?? '').split('\n').sort();
        expect(sorted(mergeRows(base, ours, base, { key: undefined })?.text)).toEqual(sorted(ours));
        expect(sorted(mergeRows(base, base, ours, { key: undefined })?.text)).toEqual(sorted(ours));
      }),
    );
  });
});
