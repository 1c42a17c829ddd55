/** Paths in the commands that we suggest: what a person copies must mean the same path in their shell. */

const escapes: Record<string, string> = { '\n': '\\n', '\t': '\\t', '\r': '\\r', '\\': '\\\\', "'": "\\'" };

/** Control characters, and those that turn the direction of text: none of them may reach a terminal as they are. */
const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

function escapeForDollarQuotes(char: string): string {
  if (escapes[char] !== undefined) return escapes[char];
  if (!unprintable.test(char)) return char;
  // Bytes, since bash gives \uXXXX a meaning that depends on the locale.
  return [...new TextEncoder().encode(char)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
}

/** A word for a shell (sh; `$'...'` as in bash, zsh and ksh where control characters have to be named). */
export function shellQuote(word: string): string {
  if (/^[\p{L}\p{N}_./@%+=:,~-]+$/u.test(word) && !word.startsWith('~')) return word;
  if (unprintable.test(word)) return `$'${[...word].map(escapeForDollarQuotes).join('')}'`;
  return `'${word.replace(/'/g, `'\\''`)}'`;
}
