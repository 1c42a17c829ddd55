import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { defaultRepoConfig, type Config } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/parse-config.ts';
import { renderExample, renderHelp, renderTables } from '../../src/config/render.ts';
import { rowsOf, schema, type Row } from '../../src/config/schema.ts';

const root = new URL('../..', import.meta.url).pathname;
const parse = (text: string): Config => parseConfig(text, 'test.ini', '/home/me');
const rows: readonly Row[] = schema;

// After a change of the schema, GITSYNC_RENDER=1 writes the files anew.
if (process.env['GITSYNC_RENDER'] === '1') {
  writeFileSync(`${root}config.example.ini`, renderExample());
  const page = readFileSync(`${root}docs/config.md`, 'utf8');
  writeFileSync(`${root}docs/config.md`, page.slice(0, page.indexOf('## `[gitsync]`')) + renderTables());
}

describe('the schema', () => {
  test('renders the example file as it is committed', () => expect(readFileSync(`${root}config.example.ini`, 'utf8')).toBe(renderExample()));

  test('renders the tables of docs/config.md as they are committed', () => {
    expect(readFileSync(`${root}docs/config.md`, 'utf8').endsWith(`\n\n${renderTables()}`)).toBe(true);
  });

  test('explains every key in the help, in lines that fit a terminal', () => {
    for (const { key, doc } of rows) {
      expect(renderHelp()).toContain(`  ${key} = `);
      expect(renderHelp().replace(/\n +/g, ' ')).toContain(doc);
    }
    for (const line of renderHelp().split('\n')) expect(line.length).toBeLessThanOrEqual(92);
  });

  test('has each key once in its section, and once in [gitsync]', () => {
    expect(new Set(rows.map(({ section, key }) => `${section} ${key}`)).size).toBe(rows.length);
    expect(new Set(rowsOf('gitsync').map(({ key }) => key)).size).toBe(rowsOf('gitsync').length);
  });

  test.each(rows.filter((row) => row.default !== '' && row.section !== 'container'))('$key: what is written as its default is its default', (row) => {
    const written = row.default === undefined ? '' : `${row.key} = ${row.default}`;
    const { repos, problems, logLevel, notify } = parse(`[gitsync]\nwork_dir = /a\n${written}\n`);
    expect({ repos, problems, logLevel, notify }).toEqual({ repos: [{ ...defaultRepoConfig('/a'), line: 2 }], problems: [], logLevel: 'info', notify: true });
  });
});

describe('the example file', () => {
  test('lists its directories with every default', () => {
    const { repos, problems } = parse(renderExample());
    expect(problems).toEqual([]);
    expect(repos).toEqual(['Notes', 'Articles'].map((name) => ({ ...defaultRepoConfig(`/home/me/${name}`), line: expect.any(Number) as unknown })));
  });

  test('stays valid when all that is commented out is used', () => {
    const { repos, problems } = parse(renderExample().replace(/^#(?=\[|[a-z_]+ =)/gm, ''));
    expect(problems).toEqual([]);
    expect(repos[1]).toMatchObject({ path: '/home/me/Articles', branch: 'main', remotes: ['origin', 'backup'], schedule: '*/15 * * * *', message: '{host}: {summary}', quietMs: 300 });
    expect(repos[1]?.conflict).toHaveLength(3);
    expect(repos[1]?.containers).toMatchObject([{ name: 'wiki', branch: 'main', driver: 'lxc', exportPoints: ['/var/www/uploads', '/etc/nginx'] }]);
  });
});
