/** Random edits of rows in the database and of lines in the repository: push and pull until both agree, and nothing is lost. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { makeMachine, type TestMachine } from '../helpers/gitted-machine.ts';
import { bindingOf, startPostgresql, type TestPostgresql } from '../helpers/postgresql.ts';
import { exists, read } from '../helpers/repos.ts';
import { describeWith } from '../helpers/requires.ts';

type Rows = Map<number, string>;

interface Edit {
  side: 'live' | 'repository';
  id: number;
  /** null: the row goes. */
  text: string | null;
}

interface Engine {
  name: string;
  /** The file of the repository that has the rows. */
  file: string;
  /** What stands before the text of a value. */
  mark: string;
  bind(box: TestMachine): void;
  sql(box: TestMachine, text: string): string;
}

const longMs = 900_000;
const escapes: Record<string, string> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };
const line = (engine: Engine, id: number, text: string): string => `${id}\t${engine.mark}${text.replace(/[\\\t\n\r]/g, (char) => escapes[char] as string)}\n`;
const linesOf = (engine: Engine, rows: Rows): string => [...rows].sort(([a], [b]) => a - b).map(([id, text]) => line(engine, id, text)).join('');

const text = fc.oneof(fc.constantFrom('', '\t', 'two\nlines', '\\', '\\N', "it's", 'é', '\r', '\\.', "'"), fc.string({ maxLength: 6 }));
const edit: fc.Arbitrary<Edit> = fc.record({ side: fc.constantFrom('live' as const, 'repository' as const), id: fc.integer({ min: 1, max: 5 }), text: fc.option(text, { freq: 4 }) });
const rounds = fc.array(fc.array(edit, { minLength: 1, maxLength: 6 }), { minLength: 3, maxLength: 4 });

function edited(rows: Rows, edits: readonly Edit[], side: Edit['side']): Rows {
  const result = new Map(rows);
  for (const each of edits) {
    if (each.side !== side) continue;
    if (each.text === null) result.delete(each.id);
    else result.set(each.id, each.text);
  }
  return result;
}

/** The merge by key; where both sides changed one row in different ways, the repository's is taken and the key is named. */
function merge(base: Rows, live: Rows, repository: Rows): { rows: Rows; conflicts: number[] } {
  const rows: Rows = new Map();
  const conflicts: number[] = [];
  for (const id of new Set([...base.keys(), ...live.keys(), ...repository.keys()])) {
    const [b, l, r] = [base.get(id), live.get(id), repository.get(id)];
    if (l !== r && l !== b && r !== b) conflicts.push(id);
    const value = r === b ? l : r;
    if (value !== undefined) rows.set(id, value);
  }
  return { rows, conflicts };
}

function changeLive(engine: Engine, box: TestMachine, before: Rows, after: Rows): void {
  const quoted = (value: string): string => `'${value.replaceAll("'", "''")}'`;
  const statements = [...new Set([...before.keys(), ...after.keys()])].filter((id) => before.get(id) !== after.get(id)).map((id) => {
    const value = after.get(id);
    return `DELETE FROM note WHERE id = ${id};${value === undefined ? '' : `INSERT INTO note VALUES (${id}, ${quoted(value)});`}`;
  });
  if (statements.length > 0) engine.sql(box, `BEGIN;${statements.join('')}COMMIT;`);
}

function playRound(engine: Engine, box: TestMachine, base: Rows, edits: readonly Edit[]): Rows {
  const [live, repository] = [edited(base, edits, 'live'), edited(base, edits, 'repository')];
  changeLive(engine, box, base, live);
  if (linesOf(engine, repository) !== linesOf(engine, base)) box.commit({ [engine.file]: linesOf(engine, repository) }, 'lines');
  const { rows, conflicts } = merge(base, live, repository);
  const pulled = box.git('pull', '--no-rebase', '--no-edit', box.name, 'master');
  if (conflicts.length > 0) {
    expect(pulled.text).toContain('CONFLICT');
    expect(box.must('diff', '--name-only', '--diff-filter=U').stdout).toBe(`${engine.file}\n`);
    for (const id of conflicts) {
      for (const value of [live.get(id), repository.get(id)]) if (value !== undefined) expect(read(box.root, engine.file)).toContain(line(engine, id, value));
    }
    box.commit({ [engine.file]: linesOf(engine, rows) }, 'resolved');
  } else expect(pulled).toMatchObject({ status: 0 });
  expect(exists(box.root, engine.file) ? read(box.root, engine.file) : '').toBe(linesOf(engine, rows));
  box.must('push', '-q', box.name, 'master');
  expect(JSON.parse(engine.sql(box, 'JSON'))).toEqual([...rows].sort(([a], [b]) => a - b).map(([id, value]) => ({ id, text: value })));
  expect(box.must('pull', box.name, 'master').text).toContain('Already up to date');
  return rows;
}

function play(engine: Engine, allRounds: readonly (readonly Edit[])[]): void {
  const box = makeMachine({ engines: [engine.name] });
  engine.bind(box);
  box.must('push', '-q', box.name, 'master');
  engine.sql(box, "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL); INSERT INTO note VALUES (0, 'stays'), (3, 'three');");
  box.must('pull', '-q', box.name, 'master');
  let rows: Rows = new Map([[0, 'stays'], [3, 'three']]);
  for (const edits of allRounds) rows = playRound(engine, box, rows, edits);
}

const sqlite: Engine = {
  name: 'sqlite',
  file: 'sqlite/app/data/note/00000000.tsv',
  mark: "'",
  bind: (box) => void mkdirSync(join(box.inside, 'var/lib/app'), { recursive: true }),
  sql(box, statements) {
    const words = statements === 'JSON' ? ['SELECT coalesce(json_group_array(json_object(\'id\', id, \'text\', text)), \'[]\') FROM (SELECT * FROM note ORDER BY id)'] : [statements];
    return execFileSync('sqlite3', ['-batch', '-bail', join(box.inside, 'var/lib/app/app.db'), ...words], { encoding: 'utf8' });
  },
};

describeWith(['sqlite3'], 'rows of SQLite, edited on both sides', () => {
  test('agree after a pull and a push, and git sees the conflicts', () => {
    fc.assert(fc.property(rounds, (each) => play(sqlite, each)), { numRuns: 2, endOnFailure: true });
  }, longMs);
});

describeWith(['postgresql'], 'rows of PostgreSQL, edited on both sides', () => {
  let server: TestPostgresql;
  beforeAll(() => void (server = startPostgresql()), longMs);
  afterAll(() => server.stop());
  const engine: Engine = {
    name: 'postgresql',
    file: 'postgresql/app/data/note/00000000.copy',
    mark: '',
    bind: (box) => box.commit({ 'sysconf/actual/tree/etc/gitted/sync/master.postgresql.conf': bindingOf(server) }, 'binding'),
    sql: (_box, statements) => server.sql('app', statements === 'JSON' ? "SELECT coalesce(json_agg(json_build_object('id', id, 'text', text) ORDER BY id), '[]') FROM note;" : statements),
  };

  test('agree after a pull and a push, and git sees the conflicts', () => {
    fc.assert(fc.property(rounds, (each) => play(engine, each)), { numRuns: 1, endOnFailure: true });
  }, longMs);
});

