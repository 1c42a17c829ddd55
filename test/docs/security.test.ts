/** docs/security.md names for each attempt a test that exists. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/security.md'), 'utf8');

/** The rows of all tables of attempts, as their cells. */
const attempts = page
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .map((line) => line.slice(2, -2).split(' | '))
  .filter(([first]) => first !== 'attempt' && !first?.startsWith('---'));

const linksIn = (text: string): string[] => [...text.matchAll(/\]\(\.\.\/(test\/[^)#]+)\)/g)].map(([, file]) => file as string);

function holdsTests(file: string): boolean {
  const path = join(root, file);
  if (!existsSync(path)) return false;
  return statSync(path).isDirectory() || /^\s*(test|it)(\.each)?\(/m.test(readFileSync(path, 'utf8'));
}

test('there is a row for each kind of attempt', () => {
  const text = attempts.map(([attempt]) => attempt).join('\n');
  for (const word of ['`..`', '`.GIT`', 'symbolic link', 'core.fsmonitor', 'core.hooksPath', 'filters', 'ext::', 'control socket', 'terminal escapes', 'line breaks']) expect({ word, named: text.includes(word) }).toEqual({ word, named: true });
  expect(attempts.length).toBeGreaterThan(15);
});

test.each(attempts)('the test that shows it exists: %s', (...cells) => {
  expect(cells).toHaveLength(3);
  const files = linksIn(cells[2] as string);
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) expect({ file, holdsTests: holdsTests(file) }).toEqual({ file, holdsTests: true });
});

test('whatever else the page points to exists, and its last command runs all the tests that it names', () => {
  const files = linksIn(page);
  for (const file of files) expect({ file, exists: existsSync(join(root, file)) }).toEqual({ file, exists: true });
  const command = /^ {4}npm test -- (.+)$/m.exec(page)?.[1]?.split(' ') ?? [];
  for (const file of files) expect({ file, run: command.some((word) => file.startsWith(word)) }).toEqual({ file, run: true });
});
