import { execFileSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { shellQuote } from '../../src/core/shell-quote.ts';

describe('words for a shell', () => {
  test.each([
    ['/home/me/Notes', '/home/me/Notes'],
    ['/home/me/Büro', '/home/me/Büro'],
    ['a b', `'a b'`],
    [`it's`, `'it'\\''s'`],
    ['~/x', `'~/x'`],
    ['', `''`],
    ['evil\x1b[31m\n', `$'evil\\x1b[31m\\n'`],
    ['\u202ename', `$'\\xe2\\x80\\xaename'`],
  ])('%j is written %s', (word, quoted) => {
    expect(shellQuote(word)).toBe(quoted);
  });

  test('bash reads every word as it was', () => {
    const words = fc.sample(fc.string({ unit: 'binary', minLength: 0, maxLength: 12 }), { numRuns: 300, seed: 1 }).filter((word) => !word.includes('\0') && Buffer.from(word).toString() === word);
    words.push('a\\b\x07', `'\n"`, '$HOME\x01', '-x', '#', '!!\t');
    const printed = execFileSync('bash', ['-c', `printf '%s\\0' ${words.map(shellQuote).join(' ')}`], { encoding: 'utf8' });
    expect(printed.split('\0').slice(0, -1)).toEqual(words);
  });

  test('nothing that a terminal would obey is left', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (word) => !/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/.test(shellQuote(word))));
  });
});
