/** What README.md, the other pages and our own hints tell people to type exists. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { buildProgram } from '../../src/commands/program.ts';

const root = join(import.meta.dirname, '../..');
const readPage = (page: string): string => readFileSync(join(root, page), 'utf8');
const scripts = (JSON.parse(readPage('package.json')) as { scripts: Record<string, string> }).scripts;
const pages = ['README.md', 'CONTRIBUTING.md', ...readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)];

/** The commands of a page's `sh` blocks and indented blocks, without comments, each `a && b` on its own. */
function commandsOf(page: string): string[] {
  const text = readPage(page);
  const fenced = [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block as string);
  const indented = [...text.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/^ {4}(\S.*)$/gm)].map(([, line]) => line as string);
  const lines = [...fenced, ...indented].join('\n').split('\n').map((line) => line.replace(/\s+#.*$/, ''));
  return lines.flatMap((line) => line.split(/\s*(?:&&|\|\||;|\|)\s*/)).map((line) => line.replace(/\s*&\s*$/, '').trim()).filter((line) => line !== '');
}

/** Words as a shell would split them, as far as our pages need it. */
function wordsOf(command: string): string[] {
  return [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, bare]) => double ?? single ?? bare ?? '');
}

/** Whether the command line understands it; nothing is run. */
function parses(command: string): boolean {
  const words = wordsOf(command).slice(1);
  let started = false;
  const program = buildProgram(() => (started = true));
  for (const each of [program, ...program.commands]) each.configureOutput({ writeErr: () => undefined });
  try {
    program.parse(words, { from: 'user' });
  } catch {
    return false;
  }
  // Words that are no command are paths, which only --once takes.
  return started && (words[0] === undefined || words[0].startsWith('-') || program.commands.some((each) => each.name() === words[0]));
}

describe('commands in the documentation', () => {
  test('the two set-up lines stand in the README', () => {
    expect(readPage('README.md')).toMatch(/^ {4}npm ci && npm run demo$/m);
    expect(readPage('README.md')).toMatch(/^ {4}npm ci && npm test$/m);
  });

  test.each(pages)('%s: every gitsync line names an existing command with its options', (page) => {
    for (const command of commandsOf(page).filter((line) => /^gitsync\b/.test(line))) expect({ command, parses: parses(command) }).toEqual({ command, parses: true });
  });

  test.each(pages)('%s: every npm script exists', (page) => {
    for (const [, name] of readPage(page).matchAll(/\bnpm run (?:--silent )?([\w:-]+)/g)) expect(Object.keys(scripts)).toContain(name);
    for (const command of commandsOf(page).filter((line) => /^npm /.test(line))) expect(command).toMatch(/^npm (ci|install|run \S+|test)\b/);
    expect(scripts['test']).toBeDefined();
  });

  test('the README has something to parse, and the check finds mistakes', () => {
    expect(commandsOf('README.md').filter((line) => line.startsWith('gitsync')).length).toBeGreaterThan(2);
    expect(['gitsync statsu --json', 'gitsync status --jason', 'gitsync init'].map(parses)).toEqual([false, false, false]);
    expect(parses('gitsync restore a --at "2 hours ago"')).toBe(true);
  });

  test('the README names every command', () => {
    const text = readPage('README.md');
    for (const { name } of buildProgram(() => undefined).commands.map((command) => ({ name: command.name() }))) if (name !== 'help') expect(text).toMatch(new RegExp(`\`(gitsync )?${name}\\b|npm run ${name}`));
  });
});

describe('commands in our own messages', () => {
  test('name only commands and options that exist', () => {
    const program = buildProgram(() => undefined);
    const known = new Set([...program.commands.map((command) => command.name()), ...program.options.map(({ long }) => long), '--help']);
    const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
    let count = 0;
    for (const file of files) {
      for (const line of readPage(`src/${file}`).split('\n')) {
        // Hints, and texts that begin with a command; the words left out are prose ("gitsync goes on by itself").
        const [text, hint = ''] = line.split(/\bhint\b/);
        const matches = [...(text as string).matchAll(/[`'"]gitsync (?!keeps|index)([a-z-]+)/g), ...hint.matchAll(/\bgitsync (?!goes|keeps|does)([a-z-]+)/g)];
        const words = matches.map(([, word]) => word as string);
        for (const word of words) expect({ file, word, known: known.has(word) }).toEqual({ file, word, known: true });
        count += words.length;
      }
    }
    expect(count).toBeGreaterThan(50);
  });
});
