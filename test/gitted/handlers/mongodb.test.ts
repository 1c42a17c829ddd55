import { appendFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Binary, Double, Int32, Long, MongoClient, ObjectId, Timestamp, type Document } from 'mongodb';
import { startFerretdb, type TestFerretdb } from '../../helpers/ferretdb.ts';
import { handlerFor, treeOf, type Handler } from '../../helpers/handler.ts';
import { tempDir } from '../../helpers/repos.ts';
import { describeWith } from '../../helpers/requires.ts';

let server: TestFerretdb;
/** MongoDB's own driver: a channel that the handler does not use. */
let client: MongoClient;

const bound = (database: string): Handler => handlerFor('mongodb', { GITTED_MONGODB_DATABASE: database, GITTED_MONGODB_PORT: String(server.port) });

const people = [
  '{"_id":{"$numberInt":"1"},"z":{"$numberDouble":"1.0"},"a":{"$numberInt":"1"},"l":{"$numberLong":"1"}}',
  '{"_id":{"$numberInt":"2"},"text":"tab\\u0009, \\"quoted\\" \\\\ ünïcödé 😀","empty":"","none":null,"list":[],"doc":{},"deep":[{"b":true,"a":false}]}',
  '{"_id":{"$numberInt":"3"},"max":{"$numberDouble":"1.7976931348623157e+308"},"minus":{"$numberDouble":"-2.5"},"tenth":{"$numberDouble":"0.1"},"least":{"$numberLong":"-9223372036854775808"}}',
  '{"_id":{"$numberInt":"4"},"date":{"$date":{"$numberLong":"-62135596800000"}},"id":{"$oid":"0123456789abcdef01234567"},"bytes":{"$binary":{"base64":"AAkKDVwu/w==","subType":"00"}},"rx":{"$regularExpression":{"pattern":"^a\\\\.b","options":"i"}},"ts":{"$timestamp":{"t":5,"i":7}}}',
];

/** A tree as a person could have written it; the cut is what the handler would choose. */
function handMade(): string {
  const dir = tempDir('mongodb');
  mkdirSync(join(dir, 'schema'));
  mkdirSync(join(dir, 'data/people'), { recursive: true });
  writeFileSync(join(dir, 'manifest.tsv'), 'gitted-rows\t1\nengine\tmongodb\nserver\t4.0\ntable\tempty\t\tempty\thash:12\t-\tdocument\ntable\tpeople\t\tpeople\thash:11\t-\tdocument\n');
  writeFileSync(join(dir, 'schema/empty.json'), '{}\n');
  writeFileSync(join(dir, 'schema/people.json'), '{}\n{"key":{"text":{"$numberInt":"-1"}},"name":"text_-1"}\n');
  writeFileSync(join(dir, 'data/people/first.json'), people.map((line) => `${line}\n`).join(''));
  return dir;
}

interface Numbered {
  _id: number;
  name?: string;
  n?: number;
}

/** Every document as the bytes that the server sends, in the order of the keys. */
async function bytesOf(database: string): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const { name } of await client.db(database).listCollections({}, { nameOnly: true }).toArray()) {
    const raw = (await client.db(database).collection(name).find({}, { raw: true, sort: { _id: 1 } }).toArray()) as unknown as Uint8Array[];
    found[name] = raw.map((bytes) => Buffer.from(bytes).toString('hex'));
  }
  return found;
}

/** Schema and rows, whatever file of its collection a row is in. */
function data(dir: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [path, text] of Object.entries(treeOf(dir))) {
    if (path === 'manifest.tsv') continue;
    const name = path.replace(/\/[^/]*$/, path.startsWith('data/') ? '' : '$&');
    found[name] = [...(found[name] ?? '').split('\n'), ...text.split('\n')].filter((line) => line !== '').sort().join('\n');
  }
  return found;
}

describeWith(['ferretdb'], 'the MongoDB handler', () => {
  // Where FerretDB is not built yet, this takes a few minutes once.
  beforeAll(async () => {
    server = await startFerretdb();
    client = await MongoClient.connect(`mongodb://127.0.0.1:${server.port}/`, { directConnection: true });
  }, 20 * 60_000);
  afterAll(async () => {
    await client?.close();
    await server?.stop();
  });

  test('brings documents through files and back: types, order of keys, indexes', () => {
    const tree = handMade();
    const first = bound('first');
    expect(first.push(tree)).toMatchObject({ status: 0 });
    const exported = first.export();
    expect(data(exported)).toEqual(data(tree));
    const second = bound('second');
    expect(second.push(exported)).toMatchObject({ status: 0, stderr: '' });
    expect(treeOf(second.export())).toEqual(treeOf(exported));
  });

  test('changes only what changed, notices a write in between, and takes a plan back', () => {
    const [mine, other] = [bound('third'), bound('third')];
    expect(mine.push(handMade())).toMatchObject({ status: 0 });
    const tree = mine.export();
    const next = tempDir('next');
    cpSync(tree, next, { recursive: true });
    writeFileSync(join(next, 'schema/people.json'), readFileSync(join(tree, 'schema/people.json'), 'utf8').replaceAll('text_-1', 'other'));
    mine.must('stage', next, { GITTED_OLD_DIR: tree });
    mine.must('verify', next);
    mine.must('rollback');
    mine.must('rollback');
    expect(treeOf(mine.export())).toEqual(treeOf(tree));
    mine.must('stage', next, { GITTED_OLD_DIR: tree });
    const write = tempDir('write');
    cpSync(tree, write, { recursive: true });
    appendFileSync(join(write, 'data/people/first.json'), '{"_id":{"$numberInt":"9"}}\n');
    // Another binding to the same database would clear this one's staging away; its plan stays.
    expect(other.push(write, tree)).toMatchObject({ status: 0 });
    expect(mine.run('recheck', next)).toMatchObject({ status: 4 });
    mine.must('rollback');
    expect(data(mine.export())).toEqual(data(write));
  });

  test('brings what the driver of MongoDB wrote to another database with equal files and equal bytes', async () => {
    const every: Document[] = [
      { _id: new Int32(1), int: new Int32(1), double: new Double(1), long: Long.fromNumber(1) },
      { _id: Long.fromString('9223372036854775807'), least: Long.MIN_VALUE, tenth: 0.1, tiny: 5e-324, most: -1.7976931348623157e308, third: 1 / 3 },
      { _id: 'text', empty: '', none: null, tab: 'a\tb\nc\\d\re"f\u007f', wide: 'ünïcödé 漢字 😀 \u2028', wrapper: '{"$oid":"x"}' },
      { _id: new ObjectId('0123456789abcdef01234567'), bytes: new Binary(Uint8Array.from({ length: 256 }, (_, i) => i)), uuid: new Binary(new Uint8Array(16), 4), nothing: new Binary(new Uint8Array(0)) },
      { _id: new Date(-62_135_596_800_000), late: new Date(253_402_300_799_999), stamp: new Timestamp({ t: 5, i: 7 }), pattern: /^a\.b"/i, yes: true, no: false },
      { _id: new Double(0.5), z: 1, a: { z: [{ y: [] }, {}, null, 'x'], a: {} }, m: [new Int32(0), new Double(0), Long.ZERO] },
    ];
    const source = client.db('every');
    await source.collection('x; DROP é/y').insertMany(every);
    await source.createCollection('empty');
    await source.collection<Numbered>('people').insertMany(Array.from({ length: 300 }, (_, i) => ({ _id: i, name: `person ${i}` })));
    await source.collection('people').createIndex({ name: 1, _id: -1 }, { unique: true, name: 'by name' });
    const tree = bound('every').export();
    const copy = bound('every_copy');
    expect(copy.push(tree)).toMatchObject({ status: 0, stderr: '' });
    expect(treeOf(copy.export())).toEqual(treeOf(tree));
    expect(await bytesOf('every_copy')).toEqual(await bytesOf('every'));
    expect(await client.db('every_copy').collection('people').indexes()).toEqual(await source.collection('people').indexes());
  });

  test('tells by the counters of the server that nothing changed, and that anything did', async () => {
    const handler = bound('counted');
    expect(handler.must('token')).toBe('absent');
    const people = client.db('counted').collection<Numbered>('people');
    await people.insertOne({ _id: 1, n: 1 });
    handler.export();
    const seen = new Set([handler.token()]);
    await people.find().toArray();
    await people.countDocuments();
    expect(handler.must('token')).toBe(handler.token());
    const changes: [string, () => Promise<unknown>][] = [
      ['insert', () => people.insertOne({ _id: 2, n: 2 })],
      ['update', () => people.updateOne({ _id: 1 }, { $set: { n: 3 } })],
      ['find and modify', () => people.findOneAndUpdate({ _id: 1 }, { $set: { n: 4 } })],
      ['delete', () => people.deleteOne({ _id: 2 })],
      ['a new collection', () => client.db('counted').createCollection('more')],
      ['an index', () => people.createIndex({ n: 1 })],
      ['an index dropped', () => people.dropIndex('n_1')],
      ['a collection dropped', () => client.db('counted').dropCollection('more')],
    ];
    for (const [change, make] of changes) {
      await make();
      const token = handler.must('token');
      expect({ change, isNew: !seen.has(token) }).toEqual({ change, isNew: true });
      seen.add(token);
    }
    const tree = handler.export();
    expect(handler.push(handMade(), tree, { GITTED_ALLOW_DROP: 'all' })).toMatchObject({ status: 0 });
    expect(handler.must('token')).toBe(handler.token());
  });

  test.each([
    ['a line that is not a document', (dir: string) => writeFileSync(join(dir, 'data/people/first.json'), `${people[0]}\n{"_id":1}\n`), /^data\/people\/first\.json:2: .*expected a value; numbers stand as/m],
    ['a line that breaks off', (dir: string) => writeFileSync(join(dir, 'data/people/first.json'), `${people[0]?.slice(0, -1)}\n`), /^data\/people\/first\.json:1: .*expected , or }/m],
    ['a conflict', (dir: string) => writeFileSync(join(dir, 'data/people/first.json'), `<<<<<<< ours\n${people[0]}\n`), /^data\/people\/first\.json:1: /m],
    ['an index that is none', (dir: string) => writeFileSync(join(dir, 'schema/people.json'), '{}\n{"key":}\n'), /^schema\/people\.json:2: .*expected/m],
    ['a file of no collection', (dir: string) => { mkdirSync(join(dir, 'data/other')); writeFileSync(join(dir, 'data/other/first.json'), ''); }, /^data\/other\/first\.json:1: this file belongs to no table, expected/m],
    ['a file that does not belong', (dir: string) => writeFileSync(join(dir, 'notes.txt'), ''), /^notes\.txt:1: this file does not belong here, expected/m],
    ['a bad manifest', (dir: string) => appendFileSync(join(dir, 'manifest.tsv'), 'nonsense\n'), /^manifest\.tsv:6: "nonsense" is not known, expected/m],
    ['the files of another engine', (dir: string) => writeFileSync(join(dir, 'manifest.tsv'), 'gitted-rows\t1\nengine\tmysql\n'), /^manifest\.tsv:1: written for mysql, expected mongodb/m],
  ])('refuses %s, says where, and changes nothing', (_title, change, message) => {
    const handler = bound('fourth');
    const tree = handMade();
    change(tree);
    expect(handler.push(tree)).toMatchObject({ status: 1, stderr: expect.stringMatching(message) });
    expect(handler.must('token')).toBe('absent');
  });

  test('says what it misses in a binding, and when no server answers', () => {
    expect(handlerFor('mongodb', {}).run('token')).toMatchObject({ status: 1, stderr: expect.stringContaining('GITTED_MONGODB_DATABASE is missing in the binding, expected') });
    expect(handlerFor('mongodb', { GITTED_MONGODB_DATABASE: 'x', GITTED_MONGODB_PORT: '1' }).run('token')).toMatchObject({ status: 1, stderr: expect.stringContaining('MongoDB cannot be reached') });
  });
});
