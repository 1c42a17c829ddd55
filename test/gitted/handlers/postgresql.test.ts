import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync, symlinkSync, appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { treeOf } from '../../helpers/handler.ts';
import { startPostgresql, type TestPostgresql } from '../../helpers/postgresql.ts';
import { tempDir } from '../../helpers/repos.ts';
import { commitTwice, edited, expectRefusal, expectTakenBack, replace, shopFixture } from '../../helpers/sql-handler.ts';
import { describeWith } from '../../helpers/requires.ts';

let server: TestPostgresql;
const nasty = new URL('nasty-postgresql.sql', import.meta.url).pathname;

/** The values of every table by a channel that the handler does not use. */
function valuesOf(database: string): Record<string, string> {
  const tables = server
    .sql(
      database,
      `SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_' ORDER BY 1;`.replaceAll('\n', ' '),
    )
    .split('\n');
  const values: Record<string, string> = {};
  for (const table of tables) {
    // The number behind a regclass is another one in another database; its name is the value.
    const columns = table === 'public.every_type' ? `(to_jsonb(q) - 'rc')::text, f4, f8, n, m, iv, by, ts, tsz, d, bt, vb, ia, ta, rc::text` : '*';
    values[table] = createHash('md5').update(server.bytes(database, `COPY (SELECT ${columns} FROM ONLY ${table} q ORDER BY q::text COLLATE "C") TO STDOUT (FORMAT binary);`)).digest('hex');
  }
  values['large objects'] = server.sql(database, `SELECT oid, md5(lo_get(oid)), lomowner::regrole, lomacl, obj_description(oid, 'pg_largeobject') FROM pg_largeobject_metadata ORDER BY oid;`);
  values['sequences'] = server.sql(database, `SELECT schemaname, sequencename, last_value, start_value, increment_by, cycle FROM pg_sequences ORDER BY 1, 2;`);
  values['settings'] = server.sql(
    database,
    `SELECT setconfig, (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(datacl) a), pg_get_userbyid(datdba), shobj_description(d.oid, 'pg_database') FROM pg_database d LEFT JOIN pg_db_role_setting s ON s.setdatabase = d.oid WHERE datname = current_database();`,
  );
  return values;
}

const shop = `
  CREATE TABLE customer (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);
  CREATE TABLE item (id int PRIMARY KEY, customer int REFERENCES customer (id), what text, price numeric(8,2) CHECK (price >= 0), gross numeric GENERATED ALWAYS AS (price * 2) STORED);
  CREATE TABLE log (line text);
  CREATE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a trigger ran'; END $$;
  INSERT INTO customer (name) SELECT 'customer ' || g FROM generate_series(1, 100) g;
  INSERT INTO item SELECT g, g, 'item ' || g, g * 1.5 FROM generate_series(1, 100) g;
  INSERT INTO log SELECT 'line ' || g / 2 FROM generate_series(1, 60) g;
  CREATE TRIGGER boom BEFORE INSERT OR UPDATE OR DELETE ON item FOR EACH ROW EXECUTE FUNCTION boom();
`;

const { bound, shopWith, sharedShop } = shopFixture('postgresql', shop, () => server);

const items = 'data/item/00000000.copy';
const customers = 'data/customer/00000000.copy';

describeWith(['postgresql'], 'the PostgreSQL handler', () => {
  beforeAll(() => {
    // Its transactions move the token, which costs one more export and nothing else.
    server = startPostgresql('autovacuum=off');
  });
  afterAll(() => server.stop());

  test('brings a nasty database through files and back: equal files, equal values', () => {
    const source = bound('nasty');
    server.create('nasty');
    server.file('nasty', nasty);
    const tree = source.export();
    const copy = bound('nasty copy');
    expect(copy.push(tree)).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(treeOf(copy.export())).toEqual(treeOf(tree));
    expect(valuesOf('nasty copy')).toEqual(valuesOf('nasty'));
    // Once more over itself by the way of the whole: names of both databases change places.
    expect(copy.push(edited(tree, (dir) => appendFileSync(join(dir, 'schema/pre-data.sql'), '\n-- changed\n')), tree, { GITTED_TOKEN: copy.token() })).toMatchObject({ status: 0 });
    expect(treeOf(copy.export())).toEqual(treeOf(tree));
    expect(valuesOf('nasty copy')).toEqual(valuesOf('nasty'));
  }, 120_000);

  test('brings more large objects than one transaction has locks for', () => {
    const source = bound('pictures');
    server.create('pictures');
    server.sql('pictures', `SELECT count(lo_from_bytea(10000 + g, 'x')) FROM generate_series(1, 15000) g;`);
    const copy = bound('pictures copy');
    expect(copy.push(source.export())).toEqual({ status: 0, stdout: '', stderr: '' });
    const all = `SELECT count(*), md5(string_agg(lo_get(oid), '' ORDER BY oid)) FROM pg_largeobject_metadata;`;
    expect(server.sql('pictures copy', all)).toBe(server.sql('pictures', all));
  });

  test('exports the same files again and leaves those alone that did not change', () => {
    const { shop, tree } = shopWith();
    const before = statSync(join(tree, items)).mtimeMs;
    writeFileSync(join(tree, 'data/stray'), 'x');
    server.sql(shop.database, `INSERT INTO log VALUES ('new');`);
    const first = treeOf(tree);
    shop.export(tree);
    expect(statSync(join(tree, items)).mtimeMs).toEqual(before);
    expect(Object.entries(treeOf(tree)).filter(([path, text]) => first[path] !== text)).toEqual([[expect.stringMatching('data/log/'), expect.stringContaining('new\n')]]);
    expect(Object.keys(treeOf(tree))).not.toContain('data/stray');
  });

  test('tells by its token alone that nothing changed, and that anything did', () => {
    const { shop } = shopWith('CREATE SEQUENCE s;');
    const seen = new Set([shop.token()]);
    expect(shop.must('token')).toBe(shop.token());
    expect(shop.must('token')).toBe(shop.token());
    const changes = [
      `INSERT INTO log VALUES ('x');`,
      `UPDATE customer SET name = name || '!' WHERE id = 1;`,
      `DELETE FROM log WHERE line = 'x';`,
      `TRUNCATE log;`,
      `SELECT nextval('s');`,
      `SELECT setval('s', 5, false);`,
      `SELECT setval('s', 6, false);`,
      `CREATE INDEX ON log (line);`,
      `COMMENT ON TABLE log IS 'x';`,
      `ALTER TABLE log ADD COLUMN more int;`,
      `GRANT SELECT ON log TO PUBLIC;`,
      `SELECT lo_create(99);`,
      `CREATE VIEW v AS SELECT 1 AS one;`,
      `DROP VIEW v;`,
      `ALTER DATABASE "${shop.database}" SET work_mem = '3MB';`,
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

  test('applies changed rows by key without firing triggers, and knows the token of the result', () => {
    const { shop, tree } = shopWith();
    const oid = server.sql(shop.database, `SELECT oid FROM pg_database WHERE datname = current_database();`);
    const next = edited(tree, (dir) => {
      replace(dir, items, '7\t7\titem 7\t10.50\n', '7\t8\titem\\tseven\t0.01\n');
      replace(dir, items, '9\t9\titem 9\t13.50\n', '');
      appendFileSync(join(dir, items), '500\t\\N\t\t1.00\n');
      replace(dir, customers, '100\tcustomer 100\n', '100\tcustomer 99\n');
      replace(dir, customers, '99\tcustomer 99\n', '99\tcustomer 100\n');
      replace(dir, 'data/log/first.copy', 'line 5\nline 5\n', 'line 5\n');
      replace(dir, 'sequences.tsv', '100\tt', '7000\tf');
    });
    expect(shop.push(next, tree)).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(server.sql(shop.database, 'SELECT * FROM item WHERE id IN (7, 9, 500) ORDER BY id;')).toBe('7\t8\titem\tseven\t0.01\t0.02\n500\t\t\t1.00\t2.00');
    expect(server.sql(shop.database, 'SELECT name FROM customer WHERE id >= 99 ORDER BY id;')).toBe('customer 100\ncustomer 99');
    expect(server.sql(shop.database, `SELECT count(*) FROM log WHERE line = 'line 5';`)).toBe('1');
    expect(server.sql(shop.database, 'SELECT last_value, is_called FROM customer_id_seq;')).toBe('7000\tf');
    expect(server.sql(shop.database, `SELECT oid FROM pg_database WHERE datname = current_database();`)).toBe(oid);
    expect(shop.must('token')).toBe(shop.token());
    expect(treeOf(shop.export(edited(next, () => {})))).toEqual({ ...treeOf(next), [items]: expect.any(String) });
  });

  test('needs only the changed files for changed rows, and says when it needs all', () => {
    const { shop, tree } = shopWith();
    const next = edited(tree, (dir) => replace(dir, items, 'item 7\t', 'item seven\t'));
    const list = join(tempDir('list'), 'changed');
    writeFileSync(list, `M\t${items}\n`);
    for (const dir of [next, tree]) for (const path of Object.keys(treeOf(dir))) if (path.startsWith('data/') && path !== items) rmSync(join(dir, path));
    expect(shop.push(next, tree, { GITTED_CHANGED: list })).toMatchObject({ status: 0 });
    expect(server.sql(shop.database, 'SELECT what FROM item WHERE id = 7;')).toBe('item seven');
    writeFileSync(list, `M\tschema/pre-data.sql\n`);
    appendFileSync(join(next, 'schema/pre-data.sql'), '-- x\n');
    expect(shop.run('stage', next, { GITTED_OLD_DIR: tree, GITTED_CHANGED: list }).status).toBe(3);
  });

  test('leaves everything as it was when the last table does not load', () => {
    const { shop, tree } = shopWith();
    const before = valuesOf(shop.database);
    const next = edited(tree, (dir) => {
      appendFileSync(join(dir, 'schema/pre-data.sql'), '-- the whole\n');
      replace(dir, items, '100\t100\titem 100\t150.00\n', '100\t100\titem 100\tcheap\n');
    });
    const { status, stderr } = shop.push(next, tree);
    expect(status).toBe(1);
    expect(stderr).toContain(`${items}:100: invalid input syntax for type numeric: "cheap"; column price: "cheap"`);
    expect(valuesOf(shop.database)).toEqual(before);
    expect(server.sql('postgres', `SELECT count(*) FROM pg_database WHERE datname ~ '^gitted';`)).toBe('0');
  });

  test.each([
    ['a value that is none', (dir: string) => replace(dir, items, '\t10.50\n', '\tcheap\n'), `${items}:7: invalid input syntax for type numeric: "cheap"`],
    ['a field too few', (dir: string) => replace(dir, items, '7\t7\titem 7\t10.50\n', '7\t7\n'), `${items}:7: 2 fields, expected 4`],
    ['a conflict', (dir: string) => replace(dir, items, '7\t7\t', '<<<<<<< ours\n7\t7\t'), `${items}:7: a conflict is not resolved, expected a row`],
    ['a carriage return', (dir: string) => replace(dir, items, '10.50\n', '10.50\r\n'), `${items}:7: a carriage return, expected \\r`],
    ['a key twice', (dir: string) => replace(dir, items, '8\t8\titem 8', '7\t8\titem 8'), `${items}:8: the key 7 is there twice`],
    ['an orphan', (dir: string) => replace(dir, items, '7\t7\t', '7\t7000\t'), `item: (7000) is not in customer, expected it there`],
    ['a parent that is gone', (dir: string) => replace(dir, customers, '7\tcustomer 7\n', ''), `item: (7) is not in customer, expected it there`],
    ['a broken rule', (dir: string) => replace(dir, items, '\t10.50\n', '\t-1\n'), 'data/item: new row for relation "item" violates check constraint'],
    ['a value that is there already', (dir: string) => replace(dir, customers, 'customer 7\n', 'customer 8\n'), 'data/customer: duplicate key value violates unique constraint'],
    ['a file of no table', (dir: string) => writeFileSync(join(dir, 'data/stray.copy'), ''), 'data/stray.copy:1: this file does not belong here'],
    ['a directory of no table', (dir: string) => { mkdirSync(join(dir, 'data/other')); writeFileSync(join(dir, 'data/other/1.copy'), ''); }, 'data/other/1.copy:1: this file belongs to no table'],
    ['a symbolic link', (dir: string) => symlinkSync('/etc/passwd', join(dir, 'data/item/1.copy')), 'data/item/1.copy: a symbolic link does not belong here'],
    ['a bad manifest', (dir: string) => replace(dir, 'manifest.tsv', '\tint:', '\tsometimes:'), 'is not a cut, expected int:N, uuid:N or hash:N'],
    ['no manifest', (dir: string) => rmSync(join(dir, 'manifest.tsv')), 'manifest.tsv:1: there is no manifest'],
    ['a newer format', (dir: string) => replace(dir, 'manifest.tsv', 'gitted-rows\t1', 'gitted-rows\t2'), 'manifest.tsv:1: written in format 2'],
    ['a newer server', (dir: string) => replace(dir, 'manifest.tsv', /server\t\d+/, 'server\t99'), 'manifest.tsv:3: written by server version 99, which is newer than this one'],
    ['another engine', (dir: string) => replace(dir, 'manifest.tsv', 'engine\tpostgresql', 'engine\tmysql'), 'manifest.tsv:1: written for mysql, expected postgresql'],
    ['SQL that is none', (dir: string) => appendFileSync(join(dir, 'schema/post-data.sql'), 'CREATE NONSENSE;\n'), /schema\/post-data\.sql:\d+: syntax error at or near "NONSENSE"/],
    ['a program in the SQL', (dir: string) => appendFileSync(join(dir, 'schema/pre-data.sql'), '\\! touch /tmp/owned\n'), /schema\/pre-data\.sql:\d+: /],
    ['a sequence line that is none', (dir: string) => replace(dir, 'sequences.tsv', '\t100\t', '\tmany\t'), 'sequences.tsv:1:'],
    ['a table dropped', (dir: string) => { replace(dir, 'manifest.tsv', /table\tlog.*\n/, ''); rmSync(join(dir, 'data/log'), { recursive: true }); }, 'table log would be dropped'],
    ['a column dropped', (dir: string) => replace(dir, 'manifest.tsv', 'id,customer,what,price', 'id,customer,what'), 'column price of item would be dropped'],
    ['more than a fifth of the rows deleted', (dir: string) => writeFileSync(join(dir, items), readFileSync(join(dir, items), 'utf8').split('\n').slice(0, 70).join('\n') + '\n'), '30 of 100 rows of item would be deleted'],
  ])('refuses %s, says where, and changes nothing', (_title, change, message) => expectRefusal(sharedShop(), change, message));

  test('drops a table and deletes many rows when told that this is meant', () => {
    const { shop, tree } = shopWith();
    const next = edited(tree, (dir) => {
      replace(dir, 'manifest.tsv', /table\tlog.*\n/, '');
      rmSync(join(dir, 'data/log'), { recursive: true });
      replace(dir, 'schema/pre-data.sql', /CREATE TABLE "public"\."log"[^;]*;/, '');
      replace(dir, 'schema/pre-data.sql', /ALTER TABLE "public"\."log"[^;]*;/, '');
      writeFileSync(join(dir, items), '');
    });
    expect(shop.push(next, tree, { GITTED_ALLOW_DROP: 'log' }).stderr).toContain('100 of 100 rows of item would be deleted');
    expect(shop.push(next, tree, { GITTED_ALLOW_DROP: 'log item' })).toMatchObject({ status: 0 });
    expect(server.sql(shop.database, `SELECT count(*) FROM item WHERE to_regclass('public.log') IS NULL;`)).toBe('0');
  });

  test.each([
    ['rows', (dir: string) => replace(dir, items, 'item 7\t', 'item seven\t')],
    ['the whole', (dir: string) => appendFileSync(join(dir, 'schema/pre-data.sql'), '-- x\n')],
  ])('notices a write between export and commit (%s), and does not mind one elsewhere', (_title, change) => {
    const { shop, tree } = shopWith();
    const token = shop.token();
    const next = edited(tree, change);
    const env = { GITTED_OLD_DIR: tree, GITTED_TOKEN: token };
    const writes = [`UPDATE customer SET name = 'elsewhere' WHERE id = 50;`, `DELETE FROM log WHERE ctid = (SELECT min(ctid) FROM log);`, `CREATE TABLE late ();`, `SELECT nextval('customer_id_seq');`];
    for (const write of writes) {
      shop.must('stage', next, env);
      shop.must('verify', next, env);
      server.sql('postgres', `CREATE TABLE unrelated (); DROP TABLE unrelated;`);
      expect(shop.run('recheck', next, env)).toMatchObject({ status: 0, stderr: '' });
      server.sql(shop.database, write);
      expect(shop.run('recheck', next, env)).toMatchObject({ status: 4, stderr: expect.stringContaining('changed while you pushed') });
      expect(shop.run('commit', next, env)).toMatchObject({ status: 4 });
      shop.must('rollback');
      env.GITTED_OLD_DIR = shop.export();
      env.GITTED_TOKEN = shop.token();
      rmSync(next, { recursive: true });
      cpSync(env.GITTED_OLD_DIR, next, { recursive: true });
      change(next);
    }
    expect(shop.push(next, env.GITTED_OLD_DIR, { GITTED_TOKEN: env.GITTED_TOKEN })).toMatchObject({ status: 0 });
  });

  test('can be taken back after every step, twice, and finishes a commit that is asked for twice', () => {
    const { shop, tree } = shopWith();
    expectTakenBack(shop, tree, [(dir) => replace(dir, items, 'item 7\t', 'item seven\t'), (dir) => appendFileSync(join(dir, 'schema/pre-data.sql'), '-- x\n')]);
    const next = edited(tree, (dir) => replace(dir, items, 'item 7\t', 'item seven\t'));
    commitTwice(shop, next, tree);
    expect(treeOf(shop.export())).toEqual(treeOf(next));
    commitTwice(shop, edited(next, (dir) => replace(dir, 'schema/pre-data.sql', '"what" "text"', '"what" character varying(99)')), next);
    expect(server.sql(shop.database, `SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'item'::regclass AND attname = 'what';`)).toBe('character varying(99)');
  });

  test('changes tables whose triggers always fire by the way of the whole', () => {
    const { shop, tree } = shopWith('ALTER TABLE item ENABLE ALWAYS TRIGGER boom;');
    expect(shop.push(edited(tree, (dir) => replace(dir, items, 'item 7\t', 'item seven\t')), tree)).toMatchObject({ status: 0 });
    expect(server.sql(shop.database, 'SELECT what FROM item WHERE id = 7;')).toBe('item seven');
  });

  test('says what it misses in a binding', () => {
    expect(bound('').run('token')).toMatchObject({ status: 1, stderr: expect.stringContaining('GITTED_POSTGRESQL_DATABASE is missing in the binding, expected') });
  });

  describe('what a binding keeps back', () => {
    const people = `CREATE TABLE person (id serial PRIMARY KEY, name text NOT NULL, email varchar(20) NOT NULL UNIQUE, phone text, note text DEFAULT 'none');
      INSERT INTO person (name, email, phone, note) SELECT 'person ' || g, 'p' || g || '@example.org', '555-' || g, 'n' || g FROM generate_series(1, 20) g;
      CREATE TABLE session (id serial PRIMARY KEY, person int REFERENCES person (id), token text);
      INSERT INTO session (person, token) SELECT g, 'secret ' || g FROM generate_series(1, 30) h(n), LATERAL (SELECT 1 + n % 20 AS g) x;`;
    const kept = { GITTED_POSTGRESQL_LEAVE_OUT: 'session', GITTED_POSTGRESQL_MASK: 'person.email person.phone person.note' };
    const withPeople = () => shopWith(people, kept).shop;
    const secrets = 'SELECT email, phone, note FROM person ORDER BY id;';
    const sessions = 'SELECT * FROM session ORDER BY id;';
    const persons = 'data/person/00000000.copy';

    test('is not in the files, and stays in the database when rows or the whole are pushed', () => {
      const app = withPeople();
      const tree = app.export();
      expect(Object.values(treeOf(tree)).join('')).not.toMatch(/secret|@example|555-/);
      expect(treeOf(tree)['sequences.tsv']).toBe('public\tcustomer_id_seq\t100\tt\npublic\tperson_id_seq\t20\tt\n');
      expect(readFileSync(join(tree, 'manifest.tsv'), 'utf8')).toContain('left-out\tsession\tpublic\tsession\nmasked\tperson\tpublic\tperson\temail,phone,note\n');
      const rows = edited(tree, (dir) => {
        replace(dir, persons, '7\tperson 7\n', '7\tperson seven\n');
        appendFileSync(join(dir, persons), '99\tnew\n');
      });
      const [before, there] = [server.sql(app.database, secrets), server.sql(app.database, sessions)];
      expect(app.push(rows, tree, { GITTED_TOKEN: app.token() })).toMatchObject({ status: 0 });
      expect(server.sql(app.database, `SELECT name, email FROM person WHERE id = 7;`)).toBe('person seven\tp7@example.org');
      expect(server.sql(app.database, `SELECT email ~ '^masked ', phone IS NULL, note FROM person WHERE id = 99;`)).toBe('t\tt\tnone');
      server.sql(app.database, 'DELETE FROM person WHERE id = 99;');
      expect(server.sql(app.database, secrets)).toBe(before);
      const now = app.export();
      const whole = edited(now, (dir) => replace(dir, 'schema/pre-data.sql', '"name" "text"', '"name" character varying(99)'));
      expect(app.push(whole, now, { GITTED_TOKEN: app.token() })).toMatchObject({ status: 0 });
      expect(server.sql(app.database, secrets)).toBe(before);
      expect(server.sql(app.database, sessions)).toBe(there);
      expect(server.sql(app.database, `INSERT INTO session DEFAULT VALUES RETURNING id;`)).toBe('31');
      expect(treeOf(app.export())).toEqual(treeOf(whole));
      // A write to a table that is left out is a write, too.
      const again = edited(whole, (dir) => appendFileSync(join(dir, 'schema/pre-data.sql'), '-- x\n'));
      const env = { GITTED_OLD_DIR: whole, GITTED_TOKEN: app.token() };
      app.must('stage', again, env);
      server.sql(app.database, `UPDATE session SET token = 'other' WHERE id = 1;`);
      expect(app.run('recheck', again, env)).toMatchObject({ status: 4 });
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
      ['rows for what was left out', (dir: string) => replace(dir, 'manifest.tsv', /left-out.*\n/, 'table\tsession\tpublic\tsession\tint:9\tid\tid,person,token\n'), 'the rows of session were left out'],
      ['a mark that is none', (dir: string) => replace(dir, 'manifest.tsv', 'masked\tperson\tpublic', 'masked\tpublic'), 'not understood, expected masked, directory, schema, name, columns'],
    ])('is not lost by a push that has %s', (_title, change, message) => {
      const app = withPeople();
      const tree = app.export();
      expect(app.push(edited(tree, change), tree)).toMatchObject({ status: 1, stderr: expect.stringContaining(message) });
    });

    test.each([
      ['a table that is not there', { GITTED_POSTGRESQL_LEAVE_OUT: 'sessions' }, 'The binding keeps back public.sessions, which is not there'],
      ['a column that is not there', { GITTED_POSTGRESQL_MASK: 'person.mail' }, 'The binding keeps back public.person.mail, which is not there'],
      ['the key', { GITTED_POSTGRESQL_LEAVE_OUT: '', GITTED_POSTGRESQL_MASK: 'session.id' }, 'session has masked columns and no key without them'],
      ['a name that is none', { GITTED_POSTGRESQL_MASK: 'Person' }, 'GITTED_POSTGRESQL_MASK has "Person", expected [SCHEMA.]TABLE.COLUMN'],
    ])('cannot be %s: nothing is exported', (_title, env, message) => {
      const app = withPeople();
      expect(app.run('export', tempDir('export'), env)).toMatchObject({ status: 1, stderr: expect.stringContaining(message) });
    });
  });
});
