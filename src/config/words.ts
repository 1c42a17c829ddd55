/**
 * The words of a value. One rule of quoting and commenting for every key: a
 * quote opens only at the start of a word (so `John's` needs none), `\` takes
 * the next special character as it is, and `#` or `;` begins a comment only at
 * the start of a word or after a space (so `feature#1` is a value).
 */

/**
 * What ends a word: `words` - spaces and commas (paths, names); `rules` - commas
 * outside of braces (globs with their policies); `line` - nothing, the value is one word.
 */
export type WordMode = 'words' | 'rules' | 'line';

/** A word and where it stands: columns of the text that was read, quotes included. */
export interface Word {
  text: string;
  start: number;
  end: number;
}

/** What may follow a closing quote; anything else means that the quote was a plain character. */
const afterQuote: Record<WordMode, RegExp> = {
  words: /^(?:[ \t,]|$)/,
  rules: /^(?:[ \t]*(?:[,=]|$)|[ \t]+[#;])/,
  line: /^[ \t]*(?:$|[ \t][#;])/,
};

const isSpace = (char: string | undefined): boolean => char === ' ' || char === '\t';
const isComment = (char: string | undefined): boolean => char === '#' || char === ';';

/** Splits a value into its words; a comment at the end is left out. Never throws. */
export function readWords(text: string, mode: WordMode): Word[] {
  const words: Word[] = [];
  for (;;) {
    const start = skipGap(text, words.at(-1)?.end ?? 0, mode);
    if (start >= text.length || isComment(text[start])) return words;
    words.push(readWord(text, start, mode));
  }
}

function skipGap(text: string, from: number, mode: WordMode): number {
  let at = from;
  while (isSpace(text[at]) || (text[at] === ',' && mode !== 'line')) at++;
  return at;
}

function readWord(text: string, start: number, mode: WordMode): Word {
  const quoteEnd = findQuoteEnd(text, start);
  const quoted = quoteEnd !== undefined && afterQuote[mode].test(text.slice(quoteEnd));
  let word = quoted ? unquote(text.slice(start, quoteEnd)) : '';
  let at = quoted ? quoteEnd : start;
  // Spaces at the end do not belong to the word, but those in its middle do.
  let solid = { text: word, end: at };
  let braces = 0;
  for (; at < text.length; at++) {
    const char = text[at] as string;
    if (isComment(char) && isSpace(text[at - 1])) break;
    if (mode === 'words' && (isSpace(char) || char === ',')) break;
    if (mode === 'rules' && char === ',' && braces === 0) break;
    if (char === '{') braces++;
    if (char === '}') braces = Math.max(0, braces - 1);
    const escaped = char === '\\' && /[ \t,"'\\#;]/.test(text[at + 1] ?? '');
    word += escaped ? (text[++at] as string) : char;
    if (escaped || !isSpace(char)) solid = { text: word, end: at + 1 };
  }
  return { ...solid, start };
}

/** The column after the quote that closes the one at `start`; undefined where there is none. */
export function findQuoteEnd(text: string, start: number): number | undefined {
  const quote = text[start];
  if (quote !== '"' && quote !== "'") return undefined;
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === quote) return at + 1;
    if (text[at] === '\\' && quote === '"') at++;
  }
  return undefined;
}

/** The text between quotes: with JSON's escapes in double quotes, as it is in single ones. */
export function unquote(quoted: string): string {
  const inner = quoted.slice(1, -1);
  if (quoted.startsWith("'")) return inner;
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return inner.replace(/\\(["\\])/g, '$1');
  }
}

/** Writes a word so that `readWords` gives it back in every mode. */
export function quoteWord(text: string): string {
  return /^[\p{L}\p{N}\p{M}_/~.@%+:-]+$/u.test(text) ? text : JSON.stringify(text);
}
