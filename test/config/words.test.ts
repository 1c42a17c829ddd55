import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parse as parseWithIni } from 'ini';
import { quoteWord, readWords, type WordMode } from '../../src/config/words.ts';

const textsOf = (text: string, mode: WordMode): string[] => readWords(text, mode).map((word) => word.text);
const modes: WordMode[] = ['words', 'rules', 'line'];

describe('readWords', () => {
  test.each([
    ['/a, /b /c', ['/a', '/b', '/c']],
    ['/a,/b,', ['/a', '/b']],
    ['"/a b", \'/c d\'', ['/a b', '/c d']],
    ['/a\\ b /c\\,d', ['/a b', '/c,d']],
    ["/John's /Mary's", ["/John's", "/Mary's"]],
    ['/C# /D # a comment', ['/C#', '/D']],
    ['/a,# a comment', ['/a']],
    ['; a comment', []],
    ['"/a', ['"/a']],
    ['"/a"b c', ['"/a"b', 'c']],
    ['C:\\dir', ['C:\\dir']],
    ['"tab\\there" "no \\json"', ['tab\there', 'no \\json']],
    [' \t, ', []],
  ])('splits %j at spaces and commas', (text, words) => expect(textsOf(text, 'words')).toEqual(words));

  test.each([
    ['copies, *.po = theirs', ['copies', '*.po = theirs']],
    ['*.{md,txt}=ours, "a, b/**"=theirs', ['*.{md,txt}=ours', 'a, b/**=theirs']],
    ['copies # for now', ['copies']],
  ])('splits %j at commas outside of braces', (text, words) => expect(textsOf(text, 'rules')).toEqual(words));

  test.each([
    [' */5 * * * *   ; often', ['*/5 * * * *']],
    ['"two  spaces " # here', ['two  spaces ']],
    ['"a" and "b"', ['"a" and "b"']],
    ['feature#1', ['feature#1']],
    [', a', [', a']],
  ])('takes %j as one value', (text, words) => expect(textsOf(text, 'line')).toEqual(words));

  test('reads back what quoteWord wrote, whatever it holds, in every mode', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', minLength: 1 }), fc.constantFrom(...modes), (word, mode) => {
      expect(quoteWord(word)).not.toMatch(/[\n\r]/);
      expect(textsOf(` ${quoteWord(word)} # comment`, mode)).toEqual([word]);
    }));
  });

  test('gives the columns of each word', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom(...' \t,"\'\\#;=ab{}') }), fc.constantFrom(...modes), (text, mode) => {
      const words = readWords(text, mode);
      for (const [index, { start, end }] of words.entries()) {
        expect(start).toBeGreaterThanOrEqual(words[index - 1]?.end ?? 0);
        expect(end).toBeGreaterThan(start);
        expect(end).toBeLessThanOrEqual(text.length);
      }
    }));
  });

  test('reads a plain value as the ini package does', () => {
    const plain = fc.string({ unit: fc.constantFrom(...'ab/~. ,*{}-') }).filter((text) => text.trim() !== '');
    fc.assert(fc.property(plain, (text) => {
      expect(textsOf(text, 'line')).toEqual([parseWithIni(`key=${text}\n`)['key']]);
    }));
  });
});
