import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { treeOf } from '../../helpers/handler.ts';
import { startMariadb, type TestMariadb } from '../../helpers/mariadb.ts';
import { tempDir } from '../../helpers/repos.ts';
import { commitTwice, edited, expectRefusal, expectTakenBack, replace, shopFixture } from '../../helpers/sql-handler.ts';
import { describeWith } from '../../helpers/requires.ts';

let server: TestMariadb;
const nasty = readFileSync(new URL('nasty-mysql.sql', import.meta.url), 'utf8');

/** The values of every table by a channel that the handler does not use. */
function valuesOf(database: string): Record<string, string> {
  const columns = server
    .sql(database, `SELECT HEX(c.TABLE_NAME), HEX(COLUMN_NAME), DATA_TYPE FROM information_schema.COLUMNS c JOIN information_schema.TABLES t USING (TABLE_SCHEMA, TABLE_NAME) WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE <> 'SEQUENCE' ORDER BY c.TABLE_NAME, ORDINAL_POSITION;`)
    .split('\n')
    .map((line) => line.split('\t') as [string, string, string]);
  const values: Record<string, string> = {};
  const quoted = (hex: string): string => `\`${Buffer.from(hex, 'hex').toString('utf8').replaceAll('`', '``')}\``;
  for (const table of new Set(columns.map(([name]) => name))) {
    const texts = columns.filter(([name]) => name === table).map(([, column, type]) => (type === 'float' || type === 'double' ? `${quoted(column)} + 0e0` : `HEX(CAST(${quoted(column)} AS BINARY))`));
    values[Buffer.from(table, 'hex').toString('utf8')] = server.sql(database, `SET time_zone = '+00:00'; SELECT ${texts.join(', ')} FROM ${quoted(table)} ORDER BY ${texts.map((_, i) => i + 1).join(', ')};`);
  }
  values['routines'] = server.sql(database, `SELECT ROUTINE_NAME, ROUTINE_TYPE, HEX(ROUTINE_DEFINITION), DEFINER, SQL_MODE, ROUTINE_COMMENT FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() ORDER BY 1;`);
  values['triggers'] = server.sql(database, `SELECT TRIGGER_NAME, HEX(ACTION_STATEMENT), ACTION_TIMING, EVENT_MANIPULATION, SQL_MODE FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 1;`);
  values['events'] = server.sql(database, `SELECT EVENT_NAME, HEX(EVENT_DEFINITION), STARTS, INTERVAL_VALUE, STATUS FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE() ORDER BY 1;`);
  return values;
}

const shop = `
  CREATE TABLE customer (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) NOT NULL UNIQUE) ENGINE=InnoDB;
  CREATE TABLE item (id INT PRIMARY KEY, customer INT, what VARCHAR(30), price DECIMAL(8,2) CHECK (price >= 0), gross DECIMAL(9,2) AS (price * 2) STORED, FOREIGN KEY (customer) REFERENCES customer (id)) ENGINE=InnoDB;
  CREATE TABLE log (line TEXT) ENGINE=InnoDB;
  INSERT INTO customer (name) SELECT CONCAT('customer ', seq) FROM seq_1_to_100;
  INSERT INTO item (id, customer, what, price) SELECT seq, seq, CONCAT('item ', seq), seq * 1.5 FROM seq_1_to_100;
  INSERT INTO log SELECT CONCAT('line ', seq DIV 2) FROM seq_1_to_60;
  CREATE VIEW cheap AS SELECT * FROM item WHERE price < 10;
`;
const trigger = `CREATE TRIGGER boom BEFORE UPDATE ON item FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'a trigger ran';`;

const { bound, shopWith, sharedShop } = shopFixture('mysql', shop, () => server);

const items = 'data/item/00000000.tsv';
const customers = 'data/customer/00000000.tsv';
const renameItem = (dir: string): void => replace(dir, items, 'item 7\t', 'item seven\t');
const touchSchema = (dir: string): void => appendFileSync(join(dir, 'schema/pre-data.sql'), '-- x\n');

describeWith(['mariadb'], 'the MariaDB handler', () => {
  beforeAll(async () => {
    server = await startMariadb();
  }, 120_000);
  afterAll(() => server.stop());

  test('brings a nasty database through files and back: equal files, equal values', () => {
    const source = bound('nasty');
    server.create('nasty');
    server.sql('nasty', nasty);
    const tree = source.export();
    const copy = bound('nasty copy');
    expect(copy.push(tree)).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(treeOf(copy.export())).toEqual(treeOf(tree));
    expect(valuesOf('nasty copy')).toEqual(valuesOf('nasty'));
    // Once more over itself: all tables change places.
    expect(copy.push(edited(tree, touchSchema), tree)).toMatchObject({ status: 0 });
    expect(treeOf(copy.export())).toEqual(treeOf(tree));
    expect(valuesOf('nasty copy')).toEqual(valuesOf('nasty'));
  }, 120_000);

  test.each([['with a sequence', 'CREATE SEQUENCE s NOCACHE;', ['SELECT NEXTVAL(s);']], ['without one', '', []]])('tells by its token alone that nothing changed, and that anything did (%s)', (_, sequence, moves) => {
    const { shop } = shopWith(`CREATE TABLE mine (id INT PRIMARY KEY) ENGINE=MyISAM; ${sequence}`);
    const seen = new Set([shop.token()]);
    const changes = [
      `INSERT INTO log VALUES ('x');`,
      `UPDATE customer SET name = 'other' WHERE id = 1;`,
      `DELETE FROM log WHERE line = 'x';`,
      `INSERT INTO mine VALUES (1);`,
      ...moves,
      `TRUNCATE log;`,
      `ALTER TABLE log ADD COLUMN more INT;`,
      `CREATE VIEW v AS SELECT 1 AS one;`,
      `CREATE OR REPLACE VIEW v AS SELECT 2 AS one;`,
      trigger,
      `CREATE PROCEDURE p() SELECT 1;`,
      `CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1;`,
      `ALTER TABLE customer AUTO_INCREMENT = 5000;`,
    ];
    for (const change of changes) {
      server.sql(shop.database, change);
      const token = shop.must('token');
      expect({ change, isNew: !seen.has(token) }).toEqual({ change, isNew: true });
      seen.add(token);
    }
    server.drop(shop.database);
    expect(shop.must('token')).toBe('absent');
  });

  test('its token stays while the server clears away what a change has left, and moves when an open transaction ends', async () => {
    const { shop } = shopWith();
    const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    server.sql(shop.database, `UPDATE item SET what = CONCAT(what, '!');`);
    const after = shop.must('token');
    await wait(2_000);
    expect(shop.must('token')).toBe(after);
    for (const write of [`INSERT INTO log VALUES ('open');`, 'UPDATE item SET price = 5;', 'DELETE FROM log;']) {
      const open = server.session(shop.database);
      await open.say(`START TRANSACTION; ${write}`);
      const before = shop.must('token');
      await open.say('COMMIT;');
      open.end();
      expect({ write, isSame: shop.must('token') === before }).toEqual({ write, isSame: false });
    }
  });

  test('applies changed rows by key in one transaction', () => {
    const { shop, tree } = shopWith();
    const next = edited(tree, (dir) => {
      replace(dir, items, '7\t7\titem 7\t10.50\n', '7\t8\titem\\tseven\t0.01\n');
      replace(dir, items, '9\t9\titem 9\t13.50\n', '');
      appendFileSync(join(dir, items), '500\t\\N\t\t1.00\n');
      replace(dir, customers, '100\tcustomer 100\n', '100\tcustomer 99\n');
      replace(dir, customers, '99\tcustomer 99\n', '99\tcustomer 100\n0\tzero\n');
      replace(dir, 'counters.tsv', /customer\t\d+/, 'customer\t7000');
    });
    const created = server.sql(shop.database, `SELECT CREATE_TIME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'item';`);
    expect(shop.push(next, tree)).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(server.sql(shop.database, 'SELECT id, customer, what, price, gross FROM item WHERE id IN (7, 9, 500) ORDER BY id;')).toBe('7\t8\titem\tseven\t0.01\t0.02\n500\tNULL\t\t1.00\t2.00');
    expect(server.sql(shop.database, 'SELECT name FROM customer WHERE id >= 99 OR id = 0 ORDER BY id;')).toBe('zero\ncustomer 100\ncustomer 99');
    expect(server.sql(shop.database, `INSERT INTO customer (name) VALUES ('next'); SELECT LAST_INSERT_ID();`)).toBe('7000');
    expect(server.sql(shop.database, `SELECT CREATE_TIME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'item';`)).toBe(created);
  });

  test.each([
    ['rows without a key', '', (dir: string) => replace(dir, 'data/log/first.tsv', 'line 5\nline 5\n', 'line 5\n'), `SELECT count(*) FROM log WHERE line = 'line 5';`, '1'],
    ['tables with triggers', trigger, renameItem, `SELECT what FROM item WHERE id = 7;`, 'item seven'],
    ['the schema', trigger, (dir: string) => replace(dir, 'schema/pre-data.sql', '`what` varchar(30)', '`what` varchar(31)'), `SELECT COLUMN_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'item' AND COLUMN_NAME = 'what';`, 'varchar(31)'],
  ])('changes %s by the way of the whole', (_title, more, change, query, expected) => {
    const { shop, tree } = shopWith(more);
    const next = edited(tree, change);
    expect(shop.push(next, tree)).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(server.sql(shop.database, query)).toBe(expected);
    expect(treeOf(shop.export())).toEqual(treeOf(next));
    expect(server.sql('mysql', `SELECT count(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'gitted\\_new%' OR SCHEMA_NAME LIKE 'gitted\\_old%';`)).toBe('0');
  });

  test.each([
    ['a value that is none', (dir: string) => replace(dir, items, '\t10.50\n', '\tcheap\n'), `${items}:7: Incorrect decimal value: 'cheap' for column price`],
    ['a value that is none, with the whole', (dir: string) => { touchSchema(dir); replace(dir, items, '\t10.50\n', '\tcheap\n'); }, `${items}:7: Incorrect decimal value: 'cheap' for column price`],
    ['a value that is too long', (dir: string) => replace(dir, items, 'item 7\t', `${'long'.repeat(20)}\t`), `${items}:7: Data truncated for column 'what'`],
    ['a field too few', (dir: string) => replace(dir, items, '7\t7\titem 7\t10.50\n', '7\t7\n'), `${items}:7: 2 fields, expected 4`],
    ['a key twice', (dir: string) => replace(dir, items, '8\t8\titem 8', '7\t8\titem 8'), `${items}:8: the key 7 is there twice`],
    ['an orphan', (dir: string) => replace(dir, items, '7\t7\t', '7\t7000\t'), 'item: a row is not in customer, expected it there (foreign key item_ibfk_1): 7000'],
    ['an orphan, with the whole', (dir: string) => { touchSchema(dir); replace(dir, items, '7\t7\t', '7\t7000\t'); }, 'item: a row is not in customer, expected it there (foreign key item_ibfk_1): 7000'],
    ['a parent that is gone', (dir: string) => replace(dir, customers, '7\tcustomer 7\n', ''), 'item: a row is not in customer, expected it there (foreign key item_ibfk_1): 7'],
    ['a broken rule', (dir: string) => replace(dir, items, '\t10.50\n', '\t-1\n'), 'data/item: CONSTRAINT `item.price` failed'],
    ['a value that is there already', (dir: string) => replace(dir, customers, 'customer 7\n', 'customer 8\n'), "data/customer: Duplicate entry 'customer 8'"],
    ['a file of no table', (dir: string) => { mkdirSync(join(dir, 'data/other')); writeFileSync(join(dir, 'data/other/1.tsv'), ''); }, 'data/other/1.tsv:1: this file belongs to no table'],
    ['a newer server', (dir: string) => replace(dir, 'manifest.tsv', /server\t[\d.]+/, 'server\t99.1'), 'manifest.tsv:3: written by server version 99.1, which is newer'],
    ['a conflict', (dir: string) => replace(dir, items, '7\t7\t', '<<<<<<< ours\n7\t7\t'), `${items}:7: a conflict is not resolved, expected a row`],
    ['a bad manifest', (dir: string) => replace(dir, 'manifest.tsv', '\tint:', '\tsometimes:'), 'is not a cut, expected int:N, uuid:N or hash:N'],
    ['no manifest', (dir: string) => rmSync(join(dir, 'manifest.tsv')), 'manifest.tsv:1: there is no manifest, expected one'],
    ['the files of another engine', (dir: string) => replace(dir, 'manifest.tsv', 'engine\tmysql', 'engine\tsqlite'), 'manifest.tsv:1: written for sqlite, expected mysql'],
    ['a counter that is none', (dir: string) => replace(dir, 'counters.tsv', /customer\t\d+/, 'customer\tmany'), 'counters.tsv:1: "auto_increment\tcustomer\tmany", expected auto_increment or sequence'],
    ['SQL that is none', (dir: string) => appendFileSync(join(dir, 'schema/post-data.sql'), 'CREATE NONSENSE;\n'), /schema\/post-data\.sql:\d+: You have an error in your SQL syntax/],
    ['a program in the SQL', (dir: string) => appendFileSync(join(dir, 'schema/pre-data.sql'), '\\! touch /tmp/owned\n'), /schema\/pre-data\.sql/],
    ['a table dropped', (dir: string) => { replace(dir, 'manifest.tsv', /table\tlog.*\n/, ''); rmSync(join(dir, 'data/log'), { recursive: true }); }, 'table log would be dropped'],
    ['more than a fifth of the rows deleted', (dir: string) => writeFileSync(join(dir, items), readFileSync(join(dir, items), 'utf8').split('\n').slice(0, 70).join('\n') + '\n'), '30 of 100 rows of item would be deleted'],
  ])('refuses %s, says where, and changes nothing', (_title, change, message) => expectRefusal(sharedShop(), change, message));

  test.each([
    ['rows', renameItem, `UPDATE item SET what = 'live' WHERE id = 7;`],
    ['the whole', touchSchema, `UPDATE customer SET name = 'live' WHERE id = 50;`],
  ])('notices a write between export and commit (%s)', (_title, change, write) => {
    const { shop, tree } = shopWith(trigger.replace('item', 'log'));
    const next = edited(tree, change);
    const env = { GITTED_OLD_DIR: tree, GITTED_TOKEN: shop.token() };
    shop.must('stage', next, env);
    shop.must('verify', next, env);
    expect(shop.run('recheck', next, env)).toMatchObject({ status: 0 });
    server.sql(shop.database, write);
    expect(shop.run('commit', next, env)).toMatchObject({ status: 4, stderr: expect.stringContaining('changed while you pushed') });
    shop.must('rollback');
    const after = shop.export();
    expect(treeOf(after)).not.toEqual(treeOf(tree));
    expect(shop.run('stage', next, env)).toMatchObject({ status: 0 });
    expect(shop.run('recheck', next, env)).toMatchObject({ status: 4 });
    shop.must('rollback');
    expect(treeOf(shop.export())).toEqual(treeOf(after));
  });

  test('can be taken back after every step, twice, and finishes a commit that is asked for twice', () => {
    const { shop, tree } = shopWith(trigger);
    const before = treeOf(tree);
    expectTakenBack(shop, tree, [(dir) => replace(dir, customers, 'customer 7\n', 'customer seven\n'), touchSchema]);
    // A crash after the triggers went and before the names changed.
    shop.must('stage', edited(tree, touchSchema), { GITTED_OLD_DIR: tree });
    writeFileSync(join(shop.state, 'stage/live-post.sql'), before['schema/post-data.sql'] as string, 'latin1');
    writeFileSync(join(shop.state, 'stage/live-events.sql'), '');
    writeFileSync(join(shop.state, 'stage/swapping'), '');
    server.sql(shop.database, 'DROP TRIGGER boom;');
    shop.must('rollback');
    expect(treeOf(shop.export())).toEqual(before);
    const next = edited(tree, (dir) => replace(dir, customers, 'customer 7\n', 'customer seven\n'));
    commitTwice(shop, next, tree);
    expect(treeOf(shop.export())).toEqual(treeOf(next));
    const whole = edited(next, (dir) => replace(dir, 'schema/pre-data.sql', '`what` varchar(30)', '`what` varchar(31)'));
    commitTwice(shop, whole, next);
    expect(treeOf(shop.export())).toEqual(treeOf(whole));
  });

  test('says what it misses in a binding', () => {
    expect(bound('').run('token')).toMatchObject({ status: 1, stderr: expect.stringContaining('GITTED_MYSQL_DATABASE is missing in the binding, expected') });
  });

  describe('what a binding keeps back', () => {
    const people = `CREATE TABLE person (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) NOT NULL, email VARCHAR(20) NOT NULL UNIQUE, phone TEXT, note VARCHAR(9) DEFAULT 'none') ENGINE=InnoDB;
      INSERT INTO person (name, email, phone, note) SELECT CONCAT('person ', seq), CONCAT('p', seq, '@example.org'), CONCAT('555-', seq), CONCAT('n', seq) FROM seq_1_to_20;
      CREATE TABLE session (id INT AUTO_INCREMENT PRIMARY KEY, person INT, token TEXT, FOREIGN KEY (person) REFERENCES person (id)) ENGINE=InnoDB;
      INSERT INTO session (person, token) SELECT 1 + seq % 20, CONCAT('secret ', seq) FROM seq_1_to_30;`;
    const kept = { GITTED_MYSQL_LEAVE_OUT: 'session', GITTED_MYSQL_MASK: 'person.email person.phone person.note' };
    const withPeople = () => shopWith(people, kept).shop;
    const secrets = 'SELECT email, phone, note FROM person ORDER BY id;';
    const sessions = 'SELECT * FROM session ORDER BY id;';
    const persons = 'data/person/00000000.tsv';

    test('is not in the files, and stays in the database when rows or the whole are pushed', () => {
      const app = withPeople();
      const tree = app.export();
      expect(Object.values(treeOf(tree)).join('')).not.toMatch(/secret|@example|555-/);
      expect(treeOf(tree)['counters.tsv']).not.toContain('session');
      expect(treeOf(tree)['manifest.tsv']).toContain('left-out\tsession\t\tsession\nmasked\tperson\t\tperson\temail,note,phone\n');
      const rows = edited(tree, (dir) => {
        replace(dir, persons, '7\tperson 7\n', '7\tperson seven\n');
        appendFileSync(join(dir, persons), '99\tnew\n');
      });
      const [before, there] = [server.sql(app.database, secrets), server.sql(app.database, sessions)];
      const number = server.sql(app.database, `SELECT AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'session';`);
      expect(app.push(rows, tree)).toMatchObject({ status: 0 });
      expect(server.sql(app.database, `SELECT name, email FROM person WHERE id = 7;`)).toBe('person seven\tp7@example.org');
      expect(server.sql(app.database, `SELECT email LIKE 'masked %', phone IS NULL, note FROM person WHERE id = 99;`)).toBe('1\t1\tnone');
      server.sql(app.database, 'DELETE FROM person WHERE id = 99;');
      const now = app.export();
      const whole = edited(now, (dir) => replace(dir, 'schema/pre-data.sql', '`name` varchar(50) NOT NULL,\n  `email`', '`name` varchar(51) NOT NULL,\n  `email`'));
      expect(app.push(whole, now)).toMatchObject({ status: 0 });
      expect(server.sql(app.database, secrets)).toBe(before);
      expect(server.sql(app.database, sessions)).toBe(there);
      expect(server.sql(app.database, `INSERT INTO session () VALUES (); SELECT LAST_INSERT_ID();`)).toBe(number);
      expect(treeOf(app.export())).toEqual(treeOf(whole));
      // A write to a table that is left out is a write, too.
      app.must('stage', edited(whole, touchSchema), { GITTED_OLD_DIR: whole });
      server.sql(app.database, `UPDATE session SET token = 'other' WHERE id = 1;`);
      expect(app.run('recheck', whole)).toMatchObject({ status: 4 });
      app.must('rollback');
    });

    test('begins empty where there is no database yet, and is told', () => {
      const tree = withPeople().export();
      const other = bound();
      expect(other.run('stage', tree).stderr).toContain('session: its rows are not in the files: it begins empty.');
      for (const verb of ['verify', 'recheck', 'commit', 'rollback']) other.must(verb, tree);
      expect(server.sql(other.database, `SELECT count(*), count(DISTINCT email), count(phone), min(note) FROM person;`)).toBe('20\t20\t0\tnone');
      expect(server.sql(other.database, 'SELECT count(*) FROM session;')).toBe('0');
    });

    test.each([
      ['the mark of a table gone', (dir: string) => replace(dir, 'manifest.tsv', /left-out.*\n/, ''), 'table session would be dropped'],
      ['the mark of columns gone', (dir: string) => replace(dir, 'manifest.tsv', /masked.*\n/, ''), 'column email of person would be dropped'],
      ['rows for what was left out', (dir: string) => replace(dir, 'manifest.tsv', /left-out.*\n/, 'table\tsession\t\tsession\tint:9\tid\tid,person,token\n'), 'the rows of session were left out'],
    ])('is not lost by a push that has %s', (_title, change, message) => {
      const app = withPeople();
      expectRefusal({ shop: app, tree: app.export() }, change, message);
    });

    test.each([
      ['a table that is not there', { GITTED_MYSQL_LEAVE_OUT: 'sessions' }, 'The binding keeps back sessions, which is not there'],
      ['a column that is not there', { GITTED_MYSQL_MASK: 'person.mail' }, 'The binding keeps back person.mail, which is not there'],
      ['the key', { GITTED_MYSQL_LEAVE_OUT: '', GITTED_MYSQL_MASK: 'session.id' }, 'session has masked columns and no key without them'],
      ['a name that is none', { GITTED_MYSQL_MASK: 'Person' }, 'GITTED_MYSQL_MASK has "Person", expected [SCHEMA.]TABLE.COLUMN'],
    ])('cannot be %s: nothing is exported', (_title, env, message) => {
      expect(withPeople().run('export', tempDir('export'), env)).toMatchObject({ status: 1, stderr: expect.stringContaining(message) });
    });
  });

  describe('files as the original and mysqldump write them', () => {
    /** What `mysqldump --tab` makes of the shop, which the server writes itself; and a dump of another table. */
    const oldFiles = (): string => {
      const { shop } = shopWith(`${trigger} UPDATE log SET line = 'tab\\there\nand a line\\\\' LIMIT 1; CREATE TABLE bytes (id INT PRIMARY KEY, b BLOB) ENGINE=InnoDB; INSERT INTO bytes VALUES (1, UNHEX('00090A0D5CFF')), (2, NULL), (0, ''); CREATE TABLE extra (id INT PRIMARY KEY, t TEXT) ENGINE=InnoDB; INSERT INTO extra VALUES (1, 'ünïcödé');`);
      const dir = mkdtempSync('/tmp/gitsync-test-tab-');
      chmodSync(dir, 0o777);
      const dump = (...options: string[]): string => execFileSync('mariadb-dump', ['--no-defaults', '-uroot', `-S${server.socket}`, ...options], { encoding: 'utf8' });
      dump('--skip-dump-date', `--tab=${dir}`, shop.database, 'customer', 'item', 'log', 'bytes', 'cheap');
      writeFileSync(join(dir, 'extra.dump.sql'), dump(shop.database, 'extra') + dump('--routines', '--events', '--no-create-info', '--no-data', '--skip-triggers', shop.database));
      const files = tempDir('old');
      cpSync(dir, files, { recursive: true });
      rmSync(dir, { recursive: true });
      source = shop.database;
      return files;
    };
    let source = '';

    test('become a database with the same values, which then is exported in files of its own', () => {
      const files = oldFiles();
      expect(Object.keys(treeOf(files))).toEqual(expect.arrayContaining(['item.sql', 'item.txt', 'extra.dump.sql']));
      const other = bound();
      expect(other.push(files)).toMatchObject({ status: 0, stderr: '' });
      expect(valuesOf(other.database)).toEqual(valuesOf(source));
      const tree = other.export();
      expect(treeOf(other.export(edited(files, () => {})))).toEqual(treeOf(tree));
      // Never over a database that has something.
      expect(other.push(files, tree)).toMatchObject({ status: 1, stderr: expect.stringContaining('has tables, expected an empty one') });
      expect(other.push(files, tree, { GITTED_ALLOW_DROP: 'all' })).toMatchObject({ status: 0 });
      expect(treeOf(other.export())).toEqual(treeOf(tree));
    });

    test.each([
      ['rows of no table', (dir: string) => rmSync(join(dir, 'item.sql')), 'item.txt:1: rows of no table, expected item.sql beside them'],
      ['a file that does not belong', (dir: string) => writeFileSync(join(dir, 'notes.md'), ''), 'notes.md:1: this file does not belong here, expected TABLE.sql'],
      ['a field too few', (dir: string) => replace(dir, 'item.txt', '7\t7\titem 7\t10.50', '7\t7'), "item.txt:7: Row 7 doesn't contain data for all columns"],
      ['SQL that is none', (dir: string) => appendFileSync(join(dir, 'extra.dump.sql'), 'CREATE NONSENSE;\n'), /^extra\.dump\.sql:\d+: You have an error/m],
      ['another database named', (dir: string) => appendFileSync(join(dir, 'extra.dump.sql'), 'USE `mysql`;\n'), /^extra\.dump\.sql:\d+: names a database, expected a dump of one database/m],
      ['an orphan', (dir: string) => replace(dir, 'item.txt', '7\t7\titem 7', '7\t7000\titem 7'), 'item: a row is not in customer, expected it there'],
    ])('are refused with %s', (_title, change, message) => {
      const other = bound();
      expect(other.push(edited(oldFiles(), change))).toMatchObject({ status: 1, stderr: typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message) });
      expect(other.must('token')).toBe('absent');
    });
  });
});
