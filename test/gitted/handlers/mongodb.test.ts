import { spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { converge } from '../../helpers/converge.ts';
import { handlerFor, treeOf, type Handler } from '../../helpers/handler.ts';
import { children } from '../../helpers/hermetic-env.ts';
import { tempDir } from '../../helpers/repos.ts';
import { describeWith } from '../../helpers/requires.ts';

let port: number;
let server: ChildProcess;

async function freePort(): Promise<number> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port: free } = listener.address() as { port: number };
  await new Promise((resolve) => listener.close(resolve));
  return free;
}

function isListening(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

const bound = (database: string): Handler => handlerFor('mongodb', { GITTED_MONGODB_DATABASE: database, GITTED_MONGODB_PORT: String(port) });

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
  beforeAll(async () => {
    port = await freePort();
    const home = tempDir('ferretdb');
    mkdirSync(join(home, 'data'));
    server = spawn(process.env['GITSYNC_FERRETDB'] ?? 'ferretdb', ['--handler=sqlite', `--sqlite-url=file:${home}/data/`, `--listen-addr=127.0.0.1:${port}`, '--debug-addr=-', '--telemetry=disable', `--state-dir=${home}`], { stdio: 'ignore' });
    children.add(server);
    await converge('FerretDB listens', isListening);
  });
  afterAll(async () => {
    server.kill('SIGKILL');
    await new Promise((resolve) => server.on('exit', resolve));
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

  test('refuses a line that is not a document, says where, and changes nothing', () => {
    const handler = bound('fourth');
    const tree = handMade();
    writeFileSync(join(tree, 'data/people/first.json'), `${people[0]}\n{"_id":1}\n`);
    expect(handler.push(tree)).toMatchObject({ status: 1, stderr: expect.stringContaining('data/people/first.json:2: ') });
    expect(handler.must('token')).toBe('absent');
  });
});
