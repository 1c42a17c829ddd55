import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { defaultContainerConfig, defaultRepoConfig, isUsable, type Config, type RepoConfig } from '../../src/config/config.ts';
import { formatProblem } from '../../src/config/config-problem.ts';
import { parseConfig } from '../../src/config/parse-config.ts';
import { quoteWord } from '../../src/config/words.ts';

const here = new URL('.', import.meta.url).pathname;
const parse = (text: string): Config => parseConfig(text, 'test.ini', '/home/me');
const parseSample = (name: string): Config => parseConfig(readFileSync(`${here}${name}`, 'utf8'), name.replace(/.*\//, ''), '/home/me');
const repoOf = (text: string): RepoConfig => parse(text).repos[0] as RepoConfig;

/** What each sample says beyond the defaults. */
const valid: Record<string, { repos: (Partial<RepoConfig> & { path: string })[]; logLevel?: string; notify?: boolean }> = {
  'empty.ini': { repos: [] },
  'no-repositories.ini': { repos: [] },
  'gitsync-1.ini': { repos: [{ path: '/home/pingou/Documents/ConfNotes', line: 2 }, { path: '/home/pingou/Images/backup', line: 2 }] },
  'commas.ini': { repos: [{ path: '/home/me/Notes', line: 3 }, { path: '/srv/articles', line: 3 }, { path: '/home/me/x/z', line: 3 }] },
  'lines.ini': {
    repos: [
      { path: '/home/me/Notes', line: 3, quietMs: 1000 },
      { path: '/home/me/My Notes', line: 5, quietMs: 1000 },
      { path: '/home/me/C#', line: 5, quietMs: 1000 },
      { path: "/home/me/John's Notes", line: 7, quietMs: 1000 },
    ],
  },
  'brackets.ini': { repos: [{ path: '/home/me/Notes', line: 2 }, { path: '/srv/100% "real", they say', line: 3 }] },
  'other-tools.ini': { repos: [{ path: '/home/me/Notes', line: 3, quietMs: 2000, hooks: true }], notify: false },
  'windows.ini': { repos: [{ path: '/home/me/Notes', line: 2, quietMs: 1000 }, { path: '/home/me/Übung', line: 2, quietMs: 1000 }, { path: '/home/me/笔记', line: 3, quietMs: 1000 }] },
  'latin1-comment.ini': { repos: [{ path: '/home/me/Notes', line: 3 }] },
  'containers.ini': {
    repos: [
      { path: '/home/me/Notes', line: 2, containers: [{ ...defaultContainerConfig('wiki'), line: 19, push: { kind: 'manual' }, pull: { kind: 'manual' } }] },
      {
        path: '/home/me/Articles',
        line: 2,
        containers: [
          { name: 'wiki', line: 4, branch: 'live', driver: 'lxc', push: { kind: 'debounce', quietMs: 2000 }, pull: { kind: 'every', everyMs: 600_000 }, exportPoints: ['/var/www/uploads', '/etc/nginx'], start: true },
          { ...defaultContainerConfig('wiki-test'), line: 13, push: { kind: 'cron', expression: '*/10 * * * *' }, pull: { kind: 'cron', expression: '0 3 * * *' } },
        ],
      },
    ],
  },
  'repo-sections.ini': {
    repos: [
      { path: '/home/me/Notes', line: 2, quietMs: 2000, conflict: [{ glob: undefined, policy: 'ours' }] },
      {
        path: '/home/me/site.example.org',
        line: 11,
        quietMs: 1000,
        branch: 'feature#1',
        remotes: ['origin', 'backup'],
        conflict: [
          { glob: undefined, policy: 'pause' },
          { glob: '*.{po,pot}', policy: 'theirs' },
          { glob: 'my data/**', policy: 'ours' },
          { glob: 'docs/**', policy: 'copies' },
        ],
        schedule: '0 3 * * 1-5',
        message: '{host}: {summary} # as it is',
        sign: true,
        maxFileSizeBytes: 1_610_612_736,
      },
      { path: '/srv/a [1]', line: 21, quietMs: 1000, conflict: [{ glob: undefined, policy: 'ours' }] },
      { path: '/srv/b [2]', line: 22, quietMs: 1000, conflict: [{ glob: undefined, policy: 'ours' }] },
    ],
    logLevel: 'debug',
  },
};

describe('a valid config', () => {
  test('is there as a sample for each expectation', () => expect(readdirSync(`${here}valid`).sort()).toEqual(Object.keys(valid).sort()));

  test.each(Object.entries(valid))('%s is read without problems', (name, expected) => {
    const config = parseSample(`valid/${name}`);
    expect(config.problems).toEqual([]);
    expect(isUsable(config)).toBe(true);
    expect(config.repos).toEqual(expected.repos.map((repo) => ({ ...defaultRepoConfig(repo.path), ...repo })));
    expect({ logLevel: config.logLevel, notify: config.notify }).toEqual({ logLevel: expected.logLevel ?? 'info', notify: expected.notify ?? true });
  });

  test('gives a repository the documented defaults', () => {
    expect(repoOf('[repo /a]\n')).toEqual({
      path: '/a', line: 1, branch: undefined, remotes: undefined, quietMs: 300, maxDelayMs: 15_000, pollMs: 60_000, schedule: undefined,
      conflict: [{ glob: undefined, policy: 'copies' }], maxFileSizeBytes: 50_000_000, maxBatchBytes: 1_000_000_000, message: undefined,
      hooks: false, sign: false, fullScanMs: 900_000, keepMs: 7_776_000_000, secrets: true, containers: [],
    });
  });

  test('gives a container the documented defaults', () => {
    expect(repoOf('[repo /a]\n[container box]\nrepo = /a\n').containers).toEqual([
      { name: 'box', line: 2, branch: undefined, driver: undefined, push: { kind: 'debounce', quietMs: 5_000 }, pull: { kind: 'every', everyMs: 300_000 }, exportPoints: [], start: false },
    ]);
  });

  test('never caps the wait below the quiet time', () => expect(repoOf('[repo /a]\nquiet = 1m\n').maxDelayMs).toBe(60_000));

  test('puts the rule for every path first, whether it is written there, elsewhere or not at all', () => {
    const general = { glob: undefined, policy: 'copies' };
    const special = { glob: '*.po', policy: 'ours' };
    for (const value of ['copies, *.po=ours', '*.po=ours, copies', '*.po=ours']) expect(repoOf(`[repo /a]\nconflict = ${value}`).conflict).toEqual([general, special]);
  });
});

/** Each sample says at its end what is found in it: `#=> SCOPE: FILE:LINE: ...`. */
describe('an invalid config', () => {
  test.each(readdirSync(`${here}invalid`))('%s is reported by line, with what was expected', (name) => {
    const config = parseSample(`invalid/${name}`);
    const found = [
      `syncs: ${config.repos.map(({ path }) => path).join(' ')}`.trim(),
      ...config.problems.map((problem) => `${problem.scope ?? 'whole file'}: ${formatProblem(problem)}`),
    ];
    const text = readFileSync(`${here}invalid/${name}`, 'utf8');
    expect(found).toEqual([...text.matchAll(/^#=> (.*)$/gm)].map((match) => match[1]));
    expect(config.problems.length).toBeGreaterThan(0);
    expect(isUsable(config)).toBe(!text.includes('#=> whole file:'));
  });

  test('stops no other repository', () => {
    const { repos, problems } = parse('[gitsync]\nwork_dir = /a, /b, c\n[repo /b]\nqiet = 1s\n[repo /d]\nhooks = perhaps\n[repo /e]\n');
    expect(repos.map(({ path }) => path)).toEqual(['/a', '/e']);
    expect(problems.map(({ scope, line }) => [scope, line])).toEqual([['c', 2], ['/b', 4], ['/d', 6]]);
  });

  test('is shown on one line without control characters', () => {
    const [problem] = parse('[gitsync]\nlog_level = "a\\u001b[31m\\nb"\n').problems;
    expect(formatProblem(problem as NonNullable<typeof problem>)).toMatch(/^test\.ini:2: [^\u0000-\u001f]+$/);
  });
});

const pathPart = fc.string({ unit: fc.oneof(fc.constantFrom(..."ab \t\"'\\,#;=[]{}~é笔\n\r.😀"), fc.string({ unit: 'binary', minLength: 1, maxLength: 1 })), minLength: 1, maxLength: 12 })
  .filter((part) => !/[/\0]/.test(part) && part !== '.' && part !== '..');
const somePaths = fc.uniqueArray(pathPart, { minLength: 1, maxLength: 6 }).map((parts) => parts.map((part) => `/${part}`));

describe('any text', () => {
  test.each(['\r\t', '\r\r', ' \v\f', '\u00a0'])('%j is a blank line', (text) => expect(parse(text).problems).toEqual([]));

  test('lists of paths come back as they were written, in every layout', () => {
    fc.assert(fc.property(somePaths, fc.constantFrom(' ', ', ', ',', '\n  ', ',\n\t', '\nwork_dir[] = ', '\r\n  '), (paths, separator) => {
      // A replacement character is what bytes that are no text look like.
      fc.pre(!paths.join('').includes('\ufffd'));
      const { repos, problems } = parse(`[gitsync]\nwork_dir = ${paths.map(quoteWord).join(separator)}\n`);
      expect({ paths: repos.map(({ path }) => path), problems }).toEqual({ paths, problems: [] });
    }));
  });

  test('section headers name any path', () => {
    fc.assert(fc.property(somePaths, (paths) => {
      fc.pre(!paths.join('').includes('\ufffd'));
      const { repos, problems } = parse(paths.map((path) => `[repo ${JSON.stringify(path)}]\nsign = yes\n`).join('\n'));
      expect({ paths: repos.map(({ path, sign }) => sign && path), problems }).toEqual({ paths, problems: [] });
    }));
  });

  const line = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom(...'[]=:"\'\\#; ,~/\tarepowk_di') }),
    fc.constantFrom('[gitsync]', '[repo /a]', '[repo /a/b]', '[repo', 'work_dir = /a', '  /b, "', 'quiet = 1s', 'conflict = copies,', '[__proto__]', '__proto__ = 1', '[repo constructor]', 'constructor = 1'),
  );
  test('is never thrown at, and every problem has a line of the file', () => {
    fc.assert(fc.property(fc.array(line), (lines) => {
      const { problems, repos } = parse(lines.join('\n'));
      const lineCount = lines.join('\n').split('\n').length;
      for (const problem of problems) expect(problem.line >= 1 && problem.line <= lineCount).toBe(true);
      for (const repo of repos) expect(repo.path).toMatch(/^\//);
      expect(new Set(repos.map(({ path }) => path)).size).toBe(repos.length);
    }), { numRuns: 500 });
  });

  test('is read in time that grows with its length only', () => {
    const started = performance.now();
    for (const piece of ['[repo ]', '"', ' ', '\\', '[', '{', ' #', "'a ", '/a ', 'a=']) parse(`[gitsync]\nwork_dir = ${piece.repeat(20_000)}`);
    for (const piece of ['[repo ]', ' ', ']', '"']) parse(`[repo ${piece.repeat(20_000)}`);
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});
