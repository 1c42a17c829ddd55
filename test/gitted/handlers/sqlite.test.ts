/** The handler `sqlite` against real database files. */
import { execFileSync, spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
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
INSERT INTO t (v) VALUES (1.7976931348623157e308), (2.2250738585072014e-308), (0.30000000000000004), (-0.0), (9223372036854775807), (x'${Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0')).join('')}'), (x'');
CREATE TABLE egg (id INTEGER PRIMARY KEY, hen REFERENCES hen (id) DEFERRABLE INITIALLY DEFERRED, size REAL, twice AS (size * 2) STORED);
CREATE TABLE hen (id INTEGER PRIMARY KEY, egg REFERENCES egg (id)); INSERT INTO egg (id, hen, size) VALUES (1, 1, 0.1), (2, NULL, 1e-310); INSERT INTO hen VALUES (1, 2);
CREATE TABLE strictly (a ANY, b BLOB, c TEXT NOT NULL DEFAULT 'x') STRICT; INSERT INTO strictly VALUES ('1', x'31', ''), (1, NULL, 'tab	nl
'), ('1', x'31', '');
CREATE TABLE "SELECT; DROP" ("a/b" PRIMARY KEY, "c,d", "new
line", "%41", "\."); INSERT INTO "SELECT; DROP" VALUES (1, 2, 3, 4, 5); CREATE INDEX "i x" ON "SELECT; DROP" (lower("c,d") COLLATE NOCASE);
CREATE VIEW vv AS SELECT * FROM t; CREATE TRIGGER tr AFTER INSERT ON r BEGIN INSERT INTO w VALUES (new.a, new.b); END; CREATE INDEX i ON r (a) WHERE a > 1; CREATE VIEW over AS SELECT * FROM vv;
`;

const chunk = 'data/t/00000000.tsv';

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
    ['t', 'r', 'w', '"../up"', 'rowid_taken', 'f', 'egg', 'hen', 'strictly', '"SELECT; DROP"', 'over'].map((table) => sql(file, `.mode quote\nSELECT *, typeof(${table === 't' ? 'v' : '1'}) FROM ${table};`)).join('') +
    sql(file, `SELECT printf('%!.17g', v), printf('%!.17g', -v) FROM t WHERE typeof(v) = 'real'; SELECT printf('%!.17g', size), printf('%!.17g', twice) FROM egg;`) +
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

  test.each([
    ['a value without its mark', (dir: string) => writeFileSync(join(dir, chunk), '1\tbare\n'), `${chunk}:1: field 2 is not understood, expected \\N, a number`],
    ['a field too few', (dir: string) => writeFileSync(join(dir, chunk), '1\n'), `${chunk}:1: the row has 1 fields, expected 2`],
    ['a backslash that means nothing', (dir: string) => writeFileSync(join(dir, chunk), "1\t1\n2\t'bad\\q\n"), `${chunk}:2: field 2 is not understood`],
    ['a key twice', (dir: string) => writeFileSync(join(dir, chunk), "1\t'a\\nb\n1\t2\n"), `${chunk}:2: UNIQUE constraint failed: t.id`],
    ['a broken rule', (dir: string) => writeFileSync(join(dir, chunk), "1\t'a\\nb\n2\t-5\n"), `${chunk}:2: CHECK constraint failed: v`],
    ['SQL that is none', (dir: string) => appendFileSync(join(dir, 'schema/pre-data.sql'), 'CREATE NONSENSE;\n'), 'schema/pre-data.sql:2: near "NONSENSE": syntax error'],
    ['a program in the SQL', (dir: string) => appendFileSync(join(dir, 'schema/pre-data.sql'), '.shell touch /tmp/owned\n'), /schema\/pre-data\.sql:2: cannot run \.shell in safe mode/],
    ['another file in the SQL', (dir: string) => appendFileSync(join(dir, 'schema/post-data.sql'), "ATTACH '/tmp/other.db' AS o;\n"), /schema\/post-data\.sql:2: cannot run ATTACH in safe mode/],
    ['an index on nothing', (dir: string) => appendFileSync(join(dir, 'schema/post-data.sql'), 'CREATE INDEX j\nON t (absent);\n'), /schema\/post-data\.sql:\d+: no such column: absent|schema\/post-data\.sql:\d+: table t has no column named absent/],
    ['a file of no table', (dir: string) => { mkdirSync(join(dir, 'data/other')); writeFileSync(join(dir, 'data/other/1.tsv'), ''); }, 'data/other/1.tsv:1: this file belongs to no table, expected'],
    ['a file that does not belong', (dir: string) => writeFileSync(join(dir, 'app.db'), ''), 'app.db:1: this file does not belong here, expected'],
    ['a bad manifest', (dir: string) => appendFileSync(join(dir, 'manifest.tsv'), 'table\tx\n'), /manifest\.tsv:\d+: a table has 1 fields, expected 6/],
    ['no manifest', (dir: string) => rmSync(join(dir, 'manifest.tsv')), 'manifest.tsv:1: there is no manifest, expected one'],
    ['a pragma that is none', (dir: string) => appendFileSync(join(dir, 'manifest.tsv'), 'pragma\tnonsense\t1\n'), 'the pragma nonsense is not known, expected one of'],
    ['the files of another engine', (dir: string) => writeFileSync(join(dir, 'manifest.tsv'), 'gitted-rows\t1\nengine\tmysql\n'), 'manifest.tsv:1: written for mysql, expected sqlite'],
  ])('refuses %s, says where, and changes nothing', (_title, change, message) => {
    const { file, handler } = make('CREATE TABLE t (id INTEGER PRIMARY KEY, v CHECK (v > 0)); CREATE INDEX i ON t (v); INSERT INTO t VALUES (1, 1);');
    const dir = handler.export();
    change(dir);
    expect(handler.push(dir)).toMatchObject({ status: 1, stderr: typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message) });
    expect(sql(file, 'SELECT * FROM t;')).toBe('1|1\n');
  });

  test('says what it misses in a binding', () => {
    expect(handlerFor('sqlite', {}).run('token')).toMatchObject({ status: 1, stderr: expect.stringContaining('GITTED_SQLITE_FILE is "", expected an absolute path') });
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
