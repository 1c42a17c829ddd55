import { describe, expect, test } from '@jest/globals';
import { documentKey } from '../../src/core/document-key.ts';
import { mergeRows, ruleFor } from '../../src/core/rows-merge.ts';

const of = (id: string): string | undefined => documentKey(`{"_id":${id},"text":"x"}`);
const rows = (...lines: string[]): string => lines.map((line) => `${line}\n`).join('');

describe('what tells a document', () => {
  test('one number, whatever its type', () => {
    for (const id of ['{"$numberInt":"7"}', '{"$numberLong":"7"}', '{"$numberDouble":"7.0"}', '7']) expect(of(id)).toBe('7');
    expect(of('{"$numberLong":"-9223372036854775808"}')).toBe('-9223372036854775808');
    expect(of('{"$numberDouble":"0.5"}')).not.toBe(of('{"$numberDouble":"0.25"}'));
  });

  test('texts that look like something else stay texts, in the order of the server', () => {
    expect(new Set(['"7"', '7', '"null"', 'null', '"true"', 'true', '"{}"', '{}', '{"a":{"$numberInt":"7"}}', '{"a":{"$numberInt":"7"},"b":null}', '{"$oid":"0123456789abcdef01234567"}'].map(of)).size).toBe(11);
    expect(['"a"', '"a!"', '"ab"'].map(of).sort()).toEqual(['"a"', '"a!"', '"ab"'].map(of));
  });

  test('however the line is written, and wherever the id is', () => expect(documentKey('{ "text" : "x", "_id" : { "$oid" : "0123456789abcdef01234567" } }')).toBe(of('{"$oid":"0123456789abcdef01234567"}')));

  test.each(['!AQID', '', 'null', '7', '[]', '{"text":"x"}', '{"_id":'])('nothing does in %s', (line) => expect(documentKey(line)).toBeUndefined());
});

describe('documents of one collection', () => {
  const manifest = 'gitted-rows\t1\nengine\tmongodb\nserver\t7.0\ntable\tpeople\t\tpeople\thash:12\t-\tdocument\n';
  const person = (id: number, name: string): string => `{"_id":{"$numberInt":"${id}"},"name":"${name}"}`;

  test('have a rule of their own, which a table with such a column has not', () => {
    expect(ruleFor(manifest, 'people')).toEqual({ key: 'document' });
    expect(ruleFor(manifest.replace('mongodb', 'postgresql'), 'people')).toEqual({ key: undefined });
  });

  test('are merged one by one, in the order of their numbers', () => {
    const base = rows(person(1, 'a'), person(2, 'b'), person(9, 'i'));
    const merged = mergeRows(base, rows(person(1, 'A'), person(2, 'b'), person(9, 'i'), person(10, 'ours')), rows(person(1, 'a'), person(2, 'B'), person(11, 'theirs')), { key: 'document' });
    expect(merged).toEqual({ text: rows(person(1, 'A'), person(2, 'B'), person(10, 'ours'), person(11, 'theirs')), conflicts: 0 });
  });

  test('are lines where one of them cannot be told', () => expect(mergeRows('', rows(person(1, 'a'), '!AQID'), '', { key: 'document' })).toBeUndefined());
});
