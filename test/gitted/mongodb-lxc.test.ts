/** A machine with a document database: FerretDB, as the repository's own `sysconf/` brings it, in a container of LXC. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Long, MongoClient, type Document } from 'mongodb';
import { makeMachine, runProgram, type TestMachine } from '../helpers/gitted-machine.ts';
import { ferretdbProgram } from '../helpers/ferretdb.ts';
import { read, write } from '../helpers/repos.ts';
import { describeWith } from '../helpers/requires.ts';

const longMs = 900_000;

const unit = `[Unit]
Description=FerretDB

[Service]
ExecStart=/usr/local/bin/ferretdb --handler=sqlite --sqlite-url=file:/var/lib/ferretdb/ --listen-addr=:27017 --debug-addr=- --telemetry=disable --state-dir=/var/lib/ferretdb
StateDirectory=ferretdb
Restart=on-failure

[Install]
WantedBy=multi-user.target
`;
const setup = `systemctl daemon-reload
systemctl enable -q ferretdb
systemctl start ferretdb
for _ in $(seq 100); do ! bash -c ': </dev/tcp/127.0.0.1/27017' 2>/dev/null || break; sleep 0.1; done
`;

describeWith(['root', 'lxc', 'mmdebstrap', 'ferretdb'], 'a container of LXC with a document database', () => {
  const name = `gitsync-test-${process.pid}-m`;
  const file = 'mongodb/app/data/people/first.json';
  let box: TestMachine;
  let client: MongoClient | undefined;

  const people = async (): Promise<Document[]> => {
    client ??= await MongoClient.connect(`mongodb://${execFileSync('lxc-info', ['-n', name, '-iH'], { encoding: 'utf8' }).split('\n')[0]}:27017/`, { directConnection: true });
    return client.db('app').collection('people').find({}, { sort: { _id: 1 } }).toArray();
  };

  // Where FerretDB is not built yet, this takes a few minutes once.
  beforeAll(async () => {
    box = makeMachine({ engines: ['mongodb'], driver: [], name, files: { 'README': 'people\n' } });
    const program = join(box.root, 'sysconf/actual/tree/usr/local/bin/ferretdb');
    mkdirSync(dirname(program), { recursive: true });
    cpSync(await ferretdbProgram(), program);
    write(box.root, 'sysconf/actual/tree/etc/systemd/system/ferretdb.service', unit);
    write(box.root, 'sysconf/actual/setup.rc', setup);
  }, longMs);
  afterAll(async () => {
    await client?.close();
    runProgram('/', 'lxc-destroy', ['-f', '-n', name]);
  });

  test('is made by the first push, server and all', async () => {
    box.commit({}, 'a server');
    expect(box.must('push', name, 'master').text).toContain('actual: done');
    expect(await people()).toEqual([]);
  }, longMs);

  test('a pull brings documents as lines, and a changed line that is pushed is a changed document', async () => {
    await client?.db('app').collection<Document & { _id: number }>('people').insertMany([{ _id: 1, name: 'Ada', born: new Date(0) }, { _id: 2, name: 'Grace', n: Long.fromString('9007199254740993') }]);
    box.must('pull', '-q', name, 'master');
    expect(read(box.root, file).split('\n')).toEqual([
      '{"_id":{"$numberInt":"1"},"name":"Ada","born":{"$date":{"$numberLong":"0"}}}',
      '{"_id":{"$numberInt":"2"},"name":"Grace","n":{"$numberLong":"9007199254740993"}}',
      '',
    ]);
    box.commit({ [file]: read(box.root, file).replace('"Ada"', '"Ada Lovelace"') });
    box.must('push', '-q', name, 'master');
    expect((await people()).map(({ name: each }) => String(each))).toEqual(['Ada Lovelace', 'Grace']);
  }, longMs);

  test('documents that changed on both sides are both there', async () => {
    await client?.db('app').collection('people').updateOne({ name: 'Grace' }, { $set: { name: 'Grace Hopper' } });
    box.commit({ [file]: read(box.root, file).replace('Lovelace', 'King') });
    box.must('pull', '-q', '--no-rebase', '--no-edit', name, 'master');
    box.must('push', '-q', name, 'master');
    expect((await people()).map(({ name: each }) => String(each))).toEqual(['Ada King', 'Grace Hopper']);
    expect(box.must('pull', name, 'master').text).toContain('Already up to date');
  }, longMs);

  test('a server that stands still at a push stops it, and the next push brings all', async () => {
    runProgram('/', 'lxc-attach', ['-n', name, '--', 'systemctl', 'stop', 'ferretdb']);
    box.commit({ [file]: read(box.root, file).replace('Hopper', 'Murray') });
    const said = box.git('push', name, 'master');
    expect(said.status).not.toBe(0);
    runProgram('/', 'lxc-attach', ['-n', name, '--', 'systemctl', 'start', 'ferretdb']);
    box.must('push', '-q', name, 'master');
    expect((await people()).map(({ name: each }) => String(each))).toEqual(['Ada King', 'Grace Murray']);
  }, longMs);
});
