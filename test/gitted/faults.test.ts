/** What goes wrong during a push: afterwards refs and data are both old or both new, and the next push works. */
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { insideRef, makeMachine, type TestMachine } from '../helpers/gitted-machine.ts';
import { addProbe, pushInBackground } from '../helpers/probe.ts';
import { write } from '../helpers/repos.ts';

function makeProbe(): TestMachine {
  const box = makeMachine({ engines: [], files: { 'one/value': 'old 1\n', 'two/value': 'old 2\n' } });
  addProbe(box);
  box.must('push', '-q', 'box', 'master');
  expect(lives(box)).toEqual(['old 1\n', 'old 2\n']);
  rmSync(join(box.inside, 'verbs'));
  box.commit({ 'one/value': 'new 1\n', 'two/value': 'new 2\n' });
  return box;
}

const lives = (box: TestMachine): string[] => ['one', 'two'].map((name) => readFileSync(join(box.inside, 'live', name), 'utf8'));
const tell = (box: TestMachine, verb: string, what: 'pause' | 'fail' | 'die', file = '/live/two'): void => writeFileSync(join(box.inside, `at.${verb}.${what}`), `${file}\n`);
const untell = (box: TestMachine, verb: string, what: string): void => rmSync(join(box.inside, `at.${verb}.${what}`), { force: true });
const reached = (box: TestMachine, verb: string): boolean => {
  if (!existsSync(join(box.inside, 'verbs'))) return false;
  const lines = readFileSync(join(box.inside, 'verbs'), 'utf8').trim().split('\n');
  return lines.at(-1) === `${verb} /live/two`;
};

/** Refs and data are of one piece: both old or both new. */
function expectOnePiece(box: TestMachine, which?: 'old' | 'new'): void {
  const now = lives(box);
  const branch = insideRef(box, 'refs/heads/master');
  const isNew = branch === box.head();
  if (which !== undefined) expect(isNew ? 'new' : 'old').toBe(which);
  expect(now).toEqual(isNew ? ['new 1\n', 'new 2\n'] : ['old 1\n', 'old 2\n']);
  for (const name of ['one', 'two']) expect(insideRef(box, `refs/gitted/state/master/${name}`)).toBe(insideRef(box, `refs/heads/master:${name}`));
  expect(existsSync(join(box.inside, 'var/lib/gitted/journal'))).toBe(false);
}

const isQuiet = (box: TestMachine): boolean => box.client('status', '--json').stdout.includes('"lock"') === false;

describe('a push that is cut off', () => {
  test.each(['stage', 'verify', 'recheck'])('the client is killed while %s runs: given up, nothing changed, the next push works', async (verb) => {
    const box = makeProbe();
    tell(box, verb, 'pause');
    const push = pushInBackground(box);
    await converge('the probe is reached', () => reached(box, verb));
    process.kill(push.client(), 'SIGKILL');
    expect((await push.ended).status).not.toBe(0);
    await converge('the machine is quiet', () => isQuiet(box));
    expectOnePiece(box, 'old');
    untell(box, verb, 'pause');
    box.must('push', '-q', 'box', 'master');
    expectOnePiece(box, 'new');
  });

  test('the client is killed while the commit runs: carried through', async () => {
    const box = makeProbe();
    tell(box, 'commit', 'pause');
    const push = pushInBackground(box);
    await converge('the probe is reached', () => reached(box, 'commit'));
    process.kill(push.client(), 'SIGKILL');
    untell(box, 'commit', 'pause');
    await push.ended;
    await converge('the machine is quiet', () => isQuiet(box));
    box.must('push', '-q', 'box', 'master');
    expectOnePiece(box, 'new');
  });

  test.each(['stage', 'verify', 'recheck', 'commit'])('everything inside dies while %s runs: the next contact makes it whole', (verb) => {
    const box = makeProbe();
    tell(box, verb, 'die');
    expect(box.git('push', 'box', 'master').status).not.toBe(0);
    box.must('fetch', '-q', 'box');
    expectOnePiece(box, verb === 'commit' ? 'new' : 'old');
    box.must('push', '-q', 'box', 'master');
    expectOnePiece(box, 'new');
  });
});

describe('a fetch after', () => {
  /** A machine with something new in `one`, which nobody has fetched. */
  const makeChanged = (): { box: TestMachine; binding: string; branch: string } => {
    const box = makeProbe();
    box.must('reset', '-q', '--hard', 'HEAD~1');
    writeFileSync(join(box.inside, 'live/one'), 'from inside\n');
    return { box, binding: join(box.inside, 'var/lib/gitted/bindings/master.one'), branch: insideRef(box, 'refs/heads/master') };
  };
  const expectFetched = (box: TestMachine): void => {
    box.must('pull', '-q', 'box', 'master');
    expect(readFileSync(join(box.root, 'one/value'), 'utf8')).toBe('from inside\n');
    expect(readFileSync(join(box.root, 'two/value'), 'utf8')).toBe('old 2\n');
  };

  test('a git inside was killed: what it locked is free again, and files that only have such names stay', () => {
    const { box, binding } = makeChanged();
    const repository = join(box.inside, 'local.repository.git');
    const locks = ['refs/heads/master.lock', 'refs/gitted/state/master/one.lock', 'packed-refs.lock', 'config.lock'].map((name) => join(repository, name));
    const names = [...locks, join(binding, 'live.index.lock'), join(box.inside, 'var/lib/gitted/graft.index.lock'), join(box.inside, 'var/lib/gitted/lock.info')];
    for (const name of names) writeFileSync(name, '');
    writeFileSync(join(binding, 'live/package.lock'), 'somebody\'s own');
    expectFetched(box);
    expect(names.filter((name) => existsSync(name))).toEqual([]);
    expect(readFileSync(join(box.root, 'one/package.lock'), 'utf8')).toBe('somebody\'s own');
  });

  test('git could not take in what was exported: nothing is taken for deleted, and the next fetch has it', () => {
    const { box, binding, branch } = makeChanged();
    rmSync(join(binding, 'live.index'));
    mkdirSync(join(binding, 'live.index'));
    const said = box.git('fetch', 'box');
    expect(said.status).not.toBe(0);
    expect(said.text).toContain('one was exported, but git could not take it in; the branch is as it was.');
    expect(insideRef(box, 'refs/heads/master')).toBe(branch);
    rmSync(join(binding, 'live.index'), { recursive: true });
    expectFetched(box);
  });
});

describe('a push that fails', () => {
  test.each(['stage', 'verify'])('%s fails on the last binding: rejected, nothing changed, the reason is told', (verb) => {
    const box = makeProbe();
    tell(box, verb, 'fail');
    const said = box.git('push', 'box', 'master');
    expect(said.text).toContain(`the probe was told to fail at ${verb}`);
    expect(said.text).toContain('pre-receive hook declined');
    expectOnePiece(box, 'old');
    untell(box, verb, 'fail');
    box.must('push', '-q', 'box', 'master');
    expectOnePiece(box, 'new');
  });

  test('the commit of the last binding fails: those before it are taken back', () => {
    const box = makeProbe();
    tell(box, 'commit', 'fail');
    const said = box.git('push', 'box', 'master');
    expect(said.status).not.toBe(0);
    expect(said.text).toContain('two could not be made live');
    expectOnePiece(box, 'old');
    untell(box, 'commit', 'fail');
    box.must('push', '-q', 'box', 'master');
    expectOnePiece(box, 'new');
  });

  test('a write inside between export and import is not lost', async () => {
    const box = makeProbe();
    tell(box, 'verify', 'pause');
    const push = pushInBackground(box);
    await converge('the probe is reached', () => reached(box, 'verify'));
    writeFileSync(join(box.inside, 'live/one'), 'written meanwhile\n');
    untell(box, 'verify', 'pause');
    const { status, text } = await push.ended;
    expect(status).not.toBe(0);
    expect(text).toContain('The container changed while you pushed (one): git pull box master');
    expect(lives(box)).toEqual(['written meanwhile\n', 'old 2\n']);
  });

  test('of two pushes at once, the second is told who is at work', async () => {
    const box = makeProbe();
    tell(box, 'verify', 'pause');
    const first = pushInBackground(box);
    await converge('the probe is reached', () => reached(box, 'verify'));
    const second = box.git('push', 'box', 'master');
    expect(second.status).not.toBe(0);
    expect(second.text).toMatch(/Someone else is at work in box \(push to box, since 20\d\d-.*: verifying two\)/);
    untell(box, 'verify', 'pause');
    expect((await first.ended).status).toBe(0);
    expectOnePiece(box, 'new');
  });
});

test('first contacts at once make one repository', async () => {
  const box = makeProbe();
  for (const made of ['local.repository.git', 'var/lib/gitted']) rmSync(join(box.inside, made), { recursive: true });
  const fetches = Array.from({ length: 5 }, () => promisify(execFile)('git', ['fetch', '-q', 'box'], { cwd: box.root, env: process.env }));
  expect(await Promise.all(fetches)).toEqual(fetches.map(() => ({ stdout: '', stderr: expect.not.stringContaining('could not') })));
  expect(readFileSync(join(box.inside, 'local.repository.git/config'), 'utf8').match(/hooksPath/g)).toHaveLength(1);
});

describe('what must not come in or out', () => {
  const cases: [title: string, change: (box: TestMachine) => void, said: RegExp][] = [
    ['an unknown engine', (box) => box.commit({ 'sysconf/actual/tree/etc/gitted/sync/master.files.conf': 'GITTED_ENGINE=oracle\n' }), /master\.files\.conf: there is no handler "oracle", expected one of: .*files/],
    ['a binding without an engine', (box) => box.commit({ 'sysconf/actual/tree/etc/gitted/sync/master.files.conf': 'GITTED_DATA_PATH=files\n' }), /GITTED_ENGINE is missing/],
    ['a missing variable', (box) => box.commit({ 'sysconf/actual/tree/etc/gitted/sync/master.files.conf': 'GITTED_ENGINE=files\n', 'files/tree/hello.txt': 'x\n' }), /GITTED_FILES_PATH is "", expected an absolute path/],
    ['a data path outside', (box) => box.commit({ 'sysconf/actual/tree/etc/gitted/sync/master.files.conf': 'GITTED_ENGINE=files\nGITTED_DATA_PATH=../x\nGITTED_FILES_PATH=/srv/files\n' }), /GITTED_DATA_PATH is "\.\.\/x", expected a path inside/],
    ['a bad line in the manifest', (box) => box.commit({ 'files/manifest.tsv': 'f\t0644\troot\troot\thello.txt\nnonsense\n' }), /manifest\.tsv:2: not understood, expected type/],
    ['a path that leads out', (box) => box.commit({ 'files/manifest.tsv': 'f\t0644\troot\troot\t../hello.txt\n' }), /manifest\.tsv:1: the path is "\.\.\/hello\.txt", expected one inside/],
    ['a file beside the tree', (box) => box.commit({ 'files/stray.txt': 'x\n' }), /stray\.txt:1: this file does not belong here, expected manifest\.tsv or tree/],
    ['a name that an export would write differently', (box) => box.commit({ 'files/tree/50%.txt': 'x\n' }), /tree\/50%\.txt:1: this name is written differently here, expected tree\/50%25\.txt/],
    ['a line without its file', (box) => box.commit({ 'files/manifest.tsv': 'f\t0644\troot\troot\tghost.txt\nf\t0644\troot\troot\thello.txt\n' }), /manifest\.tsv:1: tree\/ghost\.txt is missing, expected the file's content/],
    ['a symbolic link', (box) => (box.must('rm', '-q', 'files/tree/hello.txt'), box.must('-c', 'core.symlinks=true', 'update-index', '--add', '--cacheinfo', `120000,${linkBlob(box)},files/tree/hello.txt`), box.must('commit', '-q', '-m', 'link'), undefined), /files\/tree\/hello\.txt: a symbolic link, expected a file/],
    ['names that differ only in case', (box) => box.commit({ 'files/manifest.tsv': 'f\t0644\troot\troot\tHello.txt\nf\t0644\troot\troot\thello.txt\n', 'files/tree/Hello.txt': 'x\n' }), /differs only in case from/],
    ['a push without the data', (box) => (box.must('rm', '-r', '-q', 'files'), box.must('commit', '-q', '-m', 'drop'), undefined), /all of files would be dropped.*git push -o allow-drop=files/],
    ['a circle of profiles', (box) => box.commit({ 'sysconf/sysconf.base/deps': 'actual\n' }), /in a circle: actual -> sysconf\.gitted\.files -> sysconf\.gitted -> sysconf\.base -> actual/],
    ['a missing profile', (box) => box.commit({ 'sysconf/actual/deps': 'sysconf.gitted.nothing\n' }), /There is no profile .*sysconf\.gitted\.nothing, which actual depends on/],
  ];
  const linkBlob = (box: TestMachine): string => {
    write(box.root, '.git/target', '/etc/passwd');
    return box.must('hash-object', '-w', '.git/target').stdout.trim();
  };

  test.each(cases)('%s is refused with the place and what was expected', (_title, change, said) => {
    const box = makeMachine();
    box.must('push', '-q', 'box', 'master');
    const before = insideRef(box, 'refs/heads/master');
    change(box);
    const refused = box.git('push', 'box', 'master');
    expect(refused.status).not.toBe(0);
    expect(refused.text).toMatch(said);
    expect(insideRef(box, 'refs/heads/master')).toBe(before);
    expect(box.liveText('hello.txt')).toBe('hello\n');
    // What was refused leaves nothing behind: the state from before can be pushed upon again.
    box.must('reset', '-q', '--hard', before);
    box.commit({ 'files/tree/hello.txt': 'good again\n' });
    box.must('push', '-q', 'box', 'master');
    expect(box.liveText('hello.txt')).toBe('good again\n');
  });

  test('a symbolic link that a handler left in its directory does not come out', () => {
    const box = makeMachine({ engines: [], files: { 'data/value': 'x\n' } });
    const script = join('sysconf/actual/tree/usr/share/gitted/export/evil');
    write(box.root, script, '#!/bin/sh\nln -s /etc/passwd link\n');
    chmodSync(join(box.root, script), 0o755);
    box.commit({ 'sysconf/actual/tree/etc/gitted/sync/master.data.conf': 'GITTED_ENGINE=evil\n' });
    box.git('push', 'box', 'master');
    const said = box.git('pull', 'box', 'master');
    expect(said.status).not.toBe(0);
    expect(said.text).toContain('data/link: a symbolic link, expected a file');
  });

  test.each(['..', 'a;b', '-x', 'a b', 'A', ''])('the name %j is refused before anything is made', (name) => {
    const box = makeMachine();
    const said = box.client('init', '--driver', 'local', '--', name);
    expect(said.status).toBe(2);
    expect(said.text).toContain('cannot be the name of a container');
    mkdirSync(join(box.root, 'x'));
  });
});
