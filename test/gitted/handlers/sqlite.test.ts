/** The handler `sqlite` against real database files. */
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { handlerFor } from '../../helpers/handler.ts';
import { tempDir } from '../../helpers/repos.ts';
import { describeWith } from '../../helpers/requires.ts';

const nasty = `
PRAGMA user_version = 7; PRAGMA application_id = 1234;
CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v, "we ird|na""me" TEXT, g AS (v || 'x'));
INSERT INTO t (v, "we ird|na""me") VALUES (1, 'a'), (1.5, 'tab	x'), (1e300, 'nl
x'), (9e999, 'q''q'), (-9e999, '\\N'), (NULL, ''), (x'00ff0a', char(97, 0, 98)), ('text', NULL), (-9223372036854775808, 'é'), (0.1, '\\'), (5e-324, char(13)), ('1', '1'), (1.0, '1.0');
DELETE FROM t WHERE id = 1;
CREATE TABLE r (a, b); INSERT INTO r (rowid, a, b) VALUES (5, 1, 2), (-3, 2, 3), (9000000000, 4, 5);
CREATE TABLE w (k TEXT, n INT, PRIMARY KEY (k, n)) WITHOUT ROWID; INSERT INTO w VALUES ('x', 1), ('y', 2);
CREATE TABLE "../up" (id INTEGER PRIMARY KEY, p REFERENCES t (id)); INSERT INTO "../up" VALUES (1, 2);
CREATE TABLE rowid_taken (rowid TEXT, x); INSERT INTO rowid_taken VALUES ('mine', 1);
CREATE VIRTUAL TABLE f USING fts5 (body); INSERT INTO f VALUES ('hello world'), ('other words');
CREATE VIEW vv AS SELECT * FROM t; CREATE TRIGGER tr AFTER INSERT ON r BEGIN INSERT INTO w VALUES (new.a, new.b); END; CREATE INDEX i ON r (a) WHERE a > 1;
`;

describeWith(['sqlite3'], 'the SQLite handler', () => {
  const sql = (file: string, text: string): string => execFileSync('sqlite3', ['-batch', file], { input: text, encoding: 'utf8' });
  const make = (text = nasty, journal = 'wal') => {
    const file = join(tempDir('sqlite'), 'a.db');
    sql(file, `PRAGMA journal_mode = ${journal}; ${text}`);
    return { file, handler: handlerFor('sqlite', { GITTED_SQLITE_FILE: file }) };
  };
  const allFiles = (dir: string): Record<string, string> =>
    Object.fromEntries(readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => [join(entry.parentPath, entry.name).slice(dir.length), readFileSync(join(entry.parentPath, entry.name), 'latin1')]));
  // A second channel: SQLite's own quote() of every value, with its type.
  const values = (file: string): string =>
    ['t', 'r', 'w', '"../up"', 'rowid_taken', 'f'].map((table) => sql(file, `.mode quote\nSELECT *, typeof(${table === 't' ? 'v' : '1'}) FROM ${table};`)).join('') +
    sql(file, 'SELECT rowid, hex(v), typeof(v), hex("we ird|na""me") FROM t; SELECT rowid FROM r; SELECT seq FROM sqlite_sequence; PRAGMA user_version; PRAGMA application_id; PRAGMA journal_mode;');

  test.each(['wal', 'delete'])('a nasty database (%s) comes back with equal files and equal values', (journal) => {
    const one = make(nasty, journal);
    const dir = one.handler.export();
    const two = { file: join(tempDir('sqlite'), 'deep/b.db') };
    const second = handlerFor('sqlite', { GITTED_SQLITE_FILE: two.file });
    expect(second.push(dir)).toMatchObject({ status: 0 });
    expect(allFiles(second.export())).toEqual(allFiles(dir));
    expect(values(two.file)).toBe(values(one.file));
    expect(sql(two.file, "SELECT body FROM f WHERE f MATCH 'hello'; PRAGMA integrity_check;")).toBe('hello world\nok\n');
  });

  test.each(['wal', 'delete'])('the token (%s) moves with every change and with nothing else', (journal) => {
    const { file, handler } = make(nasty, journal);
    const first = handler.must('token');
    handler.export();
    expect(handler.must('token')).toBe(first);
    expect(handler.token().trim()).toBe(first.trim());
    for (const change of ['UPDATE t SET v = 2 WHERE id = 2', 'PRAGMA user_version = 8', 'DELETE FROM r', 'CREATE TABLE more (x)']) {
      const before = handler.must('token');
      sql(file, change);
      expect(handler.must('token')).not.toBe(before);
    }
  });

  test('a connection that is open sees the new rows and goes on writing', async () => {
    const { file, handler } = make('CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 1);');
    const application = spawn('sqlite3', ['-batch', file], { stdio: ['pipe', 'pipe', 'inherit'] });
    const ask = (text: string) => new Promise<string>((resolve) => {
      application.stdout.once('data', (data: Buffer) => resolve(data.toString()));
      application.stdin.write(`${text}\n`);
    });
    expect(await ask('SELECT v FROM t;')).toBe('1\n');
    const dir = handler.export();
    writeFileSync(join(dir, 'data/t/00000000.tsv'), "1\t'pushed\n");
    expect(handler.push(dir)).toMatchObject({ status: 0 });
    expect(await ask('SELECT v FROM t;')).toBe('pushed\n');
    expect(await ask('INSERT INTO t VALUES (2, 2); SELECT count(*) FROM t;')).toBe('2\n');
    application.stdin.end();
    expect(sql(file, 'SELECT count(*) FROM t;')).toBe('2\n');
  });

  test('what cannot be read is refused with file, line and what was expected', () => {
    const { file, handler } = make('CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 1);');
    const dir = handler.export();
    for (const [line, said] of [['1\tbare\n', 'data/t/00000000.tsv:1: field 2 is not understood'], ['1\n', 'data/t/00000000.tsv:1: the row has 1 fields, expected 2'], ["1\t'bad\\q\n", 'field 2 is not understood']] as const) {
      writeFileSync(join(dir, 'data/t/00000000.tsv'), line);
      expect(handler.push(dir)).toMatchObject({ status: 1, stderr: expect.stringContaining(said) });
    }
    expect(sql(file, 'SELECT * FROM t;')).toBe('1|1\n');
  });

  test('a push that drops a table or a fifth of its rows is refused unless allowed', () => {
    const { file, handler } = make("CREATE TABLE t (id INTEGER PRIMARY KEY, v); WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO t SELECT i, i FROM n; CREATE TABLE gone (x);");
    const dir = handler.export();
    const manifest = readFileSync(join(dir, 'manifest.tsv'), 'utf8');
    writeFileSync(join(dir, 'manifest.tsv'), manifest.replace(/^table\tgone.*\n/m, ''));
    writeFileSync(join(dir, 'schema/pre-data.sql'), readFileSync(join(dir, 'schema/pre-data.sql'), 'utf8').replace('CREATE TABLE gone (x);', ''));
    const chunk = join(dir, 'data/t/00000000.tsv');
    writeFileSync(chunk, readFileSync(chunk, 'utf8').split('\n').slice(30).join('\n'));
    const refused = handler.push(dir);
    expect(refused.stderr).toContain('would drop the table gone. If you mean it: git push -o allow-drop=gone');
    expect(refused.stderr).toContain('would delete 30 of the 100 rows of t');
    expect(handler.push(dir, undefined, { GITTED_ALLOW_DROP: 'gone t' })).toMatchObject({ status: 0 });
    expect(sql(file, 'SELECT count(*) FROM t;')).toBe('70\n');
  });

  test('rows that point nowhere are refused', () => {
    const { handler } = make('CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES p); INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1);');
    const dir = handler.export();
    writeFileSync(join(dir, 'data/c/00000000.tsv'), '1\t9\n');
    expect(handler.push(dir)).toMatchObject({ status: 1, stderr: expect.stringContaining('the row 1 of c points to a row of p that is not there') });
  });
});
