import { execFileSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { commitMessage, type MessageChange, type MessageInput } from '../../src/core/commit-message.ts';
import { rawFromText, type RawPath } from '../../src/core/raw-path.ts';

function change(status: MessageChange['status'], path: string, from?: string): MessageChange {
  return { status, path: rawFromText(path), ...(from === undefined ? {} : { from: rawFromText(from) }) };
}

function message(changes: MessageChange[], overrides: Partial<MessageInput> = {}): string {
  return commitMessage({ host: 'desk', branch: 'main', date: '2026-11-20T10:15:00Z', changes, template: undefined, ...overrides });
}
const subject = (changes: MessageChange[], overrides: Partial<MessageInput> = {}): string | undefined => message(changes, overrides).split('\n')[0];

/** What git itself takes for trailers. */
function trailersOf(text: string): string[] {
  return execFileSync('git', ['interpret-trailers', '--parse', '--no-divider'], { input: text, encoding: 'utf8' }).split('\n').filter((line) => line !== '');
}

describe('the default message', () => {
  test('has a subject, one line for each path, and the trailer', () => {
    expect(message([change('A', 'notes/b.md'), change('M', 'notes/todo.md'), change('R', 'notes/c.md', 'c.md'), change('D', 'notes/x/d.md')])).toBe(
      'desk: notes/, +1 ~2 -1\n\nA notes/b.md\nM notes/todo.md\nR c.md -> notes/c.md\nD notes/x/d.md\n\nGitsync-Host: desk\n',
    );
  });

  test.each([
    ['A', 'added'], ['M', 'changed'], ['D', 'removed'], ['R', 'renamed'], ['T', 'changed type'],
  ] as const)('says of one path with status %s that it was %s', (status, word) => expect(subject([change(status, 'notes/todo.md')])).toBe(`desk: notes/todo.md ${word}`));

  test('names the first path where the paths share no folder', () => expect(subject([change('A', 'notes/a.md'), change('A', 'b.md'), change('M', 'c.md')])).toBe('desk: notes/a.md, +2 ~1 -0'));
  test('takes folders, not beginnings of names, for common', () => expect(subject([change('A', 'ab/x/1'), change('A', 'ab/xy/2')])).toBe('desk: ab/, +2 ~0 -0'));
  test('does not take "ab" for the folder of "abc"', () => expect(subject([change('A', 'ab/1'), change('A', 'abc/2')])).toBe('desk: ab/1, +2 ~0 -0'));

  test('keeps the end of a long path within 72 columns', () => {
    const line = subject([change('M', `${'deep/'.repeat(30)}todo.md`)]) as string;
    expect([...line]).toHaveLength(72);
    expect(line).toMatch(/^desk: ….*deep\/todo\.md changed$/);
  });

  test('shows at most 200 paths and counts the rest', () => {
    const lines = message(Array.from({ length: 1234 }, (_, i) => change('A', `f${i}`))).split('\n');
    expect(lines[0]).toBe('desk: f0, +1234 ~0 -0');
    expect(lines.slice(200, 206)).toEqual(['A f198', 'A f199', '... and 1034 more', '', 'Gitsync-Host: desk', '']);
  });

  test('makes names printable that are not UTF-8 or hold control characters', () => {
    expect(message([{ status: 'A', path: 'caf\xe9\x1b[31m\n.md' as RawPath }])).toContain('A caf\ufffd\\x1b[31m\\n.md\n');
    expect(message([change('A', 'naïve-日本.md')])).toContain('A naïve-日本.md\n');
  });

  test('lets no file name pass for a trailer', () => {
    const changes = [change('A', 'x\n\nSigned-off-by: someone else'), change('A', ': y'), change('R', 'Gitsync-Host: other', 'a\r\nGitsync-Host: other')];
    expect(trailersOf(message(changes))).toEqual(['Gitsync-Host: desk']);
    expect(trailersOf(message(changes.slice(0, 1)))).toEqual(['Gitsync-Host: desk']);
  });
});

describe('a template', () => {
  const changes = [change('M', 'todo.md')];

  test('fills in every placeholder and keeps the trailer', () => {
    expect(message(changes, { template: '{branch} {date} {host} {summary}\n\n{paths}' })).toBe('main 2026-11-20T10:15:00Z desk todo.md changed\n\nM todo.md\n\nGitsync-Host: desk\n');
  });

  test('leaves unknown placeholders and what values contain as they are', () => {
    expect(subject([change('M', '{host}')], { template: 'auto {summary} {what}' })).toBe('auto {host} changed {what}');
  });

  test('of nothing but spaces counts as none', () => expect(subject(changes, { template: ' \n ' })).toBe('desk: todo.md changed'));

  test('that ends in trailers gets ours into the same block', () => {
    const text = message(changes, { template: 'auto: {summary}\n\nSigned-off-by: Me <me@example.org>\nBranch: {branch}' });
    expect(trailersOf(text)).toEqual(['Signed-off-by: Me <me@example.org>', 'Branch: main', 'Gitsync-Host: desk']);
  });

  test('that ends in the paths lets none of them pass for a trailer', () => {
    expect(trailersOf(message([change('A', ': x')], { template: 'auto\n\nFiles: {paths}' }))).toEqual(['Gitsync-Host: desk']);
  });
});

describe('every message', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((array) => Buffer.from(array).toString('latin1') as RawPath);
  const nasty = fc.constantFrom('a\n\nGitsync-Host: x', 'Signed-off-by: x', ': x', '\r\n', '---', '# x', '{paths}', '\u202etxt').map(rawFromText);
  const path = fc.oneof(bytes, nasty, fc.string({ minLength: 1, unit: 'grapheme' }).map(rawFromText));
  const oneChange = fc.record({ status: fc.constantFrom('A', 'M', 'D', 'R', 'T'), path, from: path }, { requiredKeys: ['status', 'path'] }) as fc.Arbitrary<MessageChange>;
  const text = fc.oneof(fc.string(), fc.constantFrom('desk', '', 'a\nb', 'x\u0000'));
  const template = fc.oneof(fc.constant(undefined), text, fc.array(fc.constantFrom('{host}', '{summary}', '{paths}', '\n\n', '\n', 'Fix: x', 'Fix: {paths}', '---', ' ')).map((parts) => parts.join('')));
  const input = fc.record({ host: text, branch: text, date: text, template, changes: fc.array(oneChange, { maxLength: 8 }) });

  test('ends with exactly one block of trailers, the last of them ours', () => {
    fc.assert(
      fc.property(input, (given) => {
        const lines = commitMessage(given).split('\n');
        expect(lines.at(-1)).toBe('');
        expect(lines.at(-2)).toMatch(/^Gitsync-Host: \S/);
        expect(lines.slice(0, -2).filter((line) => line.startsWith('Gitsync-Host:')).length).toBe(0);
        expect(lines[0]?.trim()).not.toBe('');
      }),
      { numRuns: 500 },
    );
  });

  test('holds no control characters but line breaks', () => {
    fc.assert(fc.property(input, (given) => expect(commitMessage(given)).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/)), { numRuns: 500 });
  });

  test('has as many body lines as changes, so that no name adds one', () => {
    fc.assert(fc.property(input, (given) => expect(commitMessage({ ...given, template: undefined }).split('\n')).toHaveLength(given.changes.length === 0 ? 4 : given.changes.length + 5)), { numRuns: 300 });
  });

  test('carries no trailer that git did not get from us', () => {
    fc.assert(fc.property(input, (given) => expect(trailersOf(commitMessage({ ...given, template: undefined }))).toHaveLength(1)), { numRuns: 25 });
  });
});
