/** The small parts that the host side is made of. */
import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { quoteWord } from '../../src/gitted/directory-driver.ts';
import { endFrame, frame } from '../../src/gitted/frames.ts';
import { checkName } from '../../src/gitted/name.ts';
import { findMirror } from '../../src/gitted/mirror.ts';
import { archive } from '../../src/gitted/tar.ts';
import { clientFile, makeMachine, runProgram } from '../helpers/gitted-machine.ts';
import { read, tempDir, write } from '../helpers/repos.ts';

describe('names', () => {
  test.each(['a', '0', 'my-wiki', 'a'.repeat(63)])('%s may be one', (name) => expect(checkName(name)).toBe(name));
  test.each(['', '-a', 'A', 'a.b', '..', 'a/b', 'a b', 'a;b', 'é', 'a'.repeat(64), 'a\n'])('%j may not', (name) => expect(() => checkName(name)).toThrow('cannot be the name'));
});

test('frames carry any bytes and lengths through the relay inside', async () => {
  const relay = new URL('../../sysconf/sysconf.gitted/tree/usr/share/gitted/lib/supervise.pl', import.meta.url).pathname;
  const data = Buffer.from(Array.from({ length: 300_001 }, (_, index) => (index * 7) % 256));
  const directory = tempDir('frames');
  const child = spawn('perl', [relay, join(directory, 'decision'), 'cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const parts: Buffer[] = [];
  child.stdout.on('data', (part: Buffer) => parts.push(part));
  child.stdin.write(Buffer.concat([frame(data), endFrame])); // and stays open, as the host keeps it
  const status = await new Promise((resolve) => child.on('close', resolve));
  expect({ status, same: Buffer.concat(parts).equals(data) }).toEqual({ status: 0, same: true });
});

test('the relay gives up when the stream ends without its end', () => {
  const relay = new URL('../../sysconf/sysconf.gitted/tree/usr/share/gitted/lib/supervise.pl', import.meta.url).pathname;
  const directory = tempDir('frames');
  writeFileSync(join(directory, 'input'), frame(Buffer.from('half')));
  const said = runProgram(directory, 'sh', ['-c', 'perl "$1" decision sh -c "cat; sleep 30" <input', 'sh', relay]);
  expect(said.status).toBe(75);
  expect(said.text).toContain('gave up before the commit point');
});

test('archives are read by tar, with modes and long paths', () => {
  const directory = tempDir('tar');
  const deep = `${'long-directory-name/'.repeat(6)}file`;
  writeFileSync(join(directory, 'a.tar'), archive([{ path: deep, mode: 0o644, content: Buffer.from('x') }, { path: 'bin/run', mode: 0o755, content: Buffer.alloc(1000, 1) }]));
  execFileSync('tar', ['-xf', 'a.tar'], { cwd: directory });
  expect(read(directory, deep)).toBe('x');
  expect(runProgram(directory, 'stat', ['-c', '%a %s', 'bin/run']).stdout).toBe('755 1000\n');
});

test('words go through a shell as they are', () => {
  const words = ['plain', 'a b', `'`, '$x', '\\', '', '*', '\n'];
  expect(execFileSync('sh', ['-c', `printf '[%s]' ${words.map(quoteWord).join(' ')}`], { encoding: 'utf8' })).toBe(words.map((word) => `[${word}]`).join(''));
});

test('a mirror is always found, and its lines are of the release', async () => {
  const { lines } = await findMirror('bookworm');
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) expect(line).toMatch(/^deb https?:\/\/\S+ bookworm(-updates|-security)? main$/);
});

describe('the program', () => {
  test.each(['{"type":"module"}', '{"type":"commonjs"}', '{}'])('runs beside a package.json that says %s', (text) => {
    const directory = tempDir('program');
    writeFileSync(join(directory, 'package.json'), text);
    execFileSync('cp', [clientFile, join(directory, 'glxc-client')]);
    expect(runProgram(directory, join(directory, 'glxc-client'), ['help']).stdout).toContain('init NAME');
  });

  test.each(['gitted/sysconf', 'glxc/sysconf', 'gitted', 'glxc'])('an older layout with its profiles in %s works, under the older name too', (folder) => {
    const box = makeMachine();
    runProgram(box.root, 'mkdir', ['-p', dirname(folder)]);
    box.must('mv', 'sysconf', folder);
    box.must('mv', `${folder}/gitted-client`, `${folder}/glxc-client`);
    box.commit({}, 'older layout');
    expect(runProgram(box.root, join(box.root, folder, 'glxc-client'), ['init', 'old', '--driver', 'local'])).toMatchObject({ status: 0 });
    box.must('push', '-q', 'old', 'master');
    const inside = join(box.root, '.git/gitted-machines/old');
    expect(read(inside, 'srv/files/hello.txt')).toBe('hello\n');
    write(inside, 'srv/files/hello.txt', 'from inside\n');
    write(inside, 'sysconf/actual/note', 'a setting\n');
    box.must('pull', '-q', 'old', 'master');
    expect(read(box.root, 'files/tree/hello.txt')).toBe('from inside\n');
    expect(read(box.root, `${folder}/actual/note`)).toBe('a setting\n');
  });

  test('scaffold completes a repository that names its profiles, and adds what is asked for later', () => {
    const root = tempDir('project');
    execFileSync('git', ['init', '-q', '-b', 'master'], { cwd: root });
    write(root, 'sysconf/actual/deps', 'app # our own\n');
    write(root, 'sysconf/app/deps', 'sysconf.gitted.sqlite\n');
    expect(runProgram(root, clientFile, ['scaffold'])).toMatchObject({ status: 0 });
    expect(runProgram(root, 'ls', ['sysconf']).stdout.split('\n')).toEqual(['actual', 'app', 'gitted-client', 'sysconf.base', 'sysconf.gitted', 'sysconf.gitted.sqlite', 'type', '']);
    expect(runProgram(root, clientFile, ['scaffold', '--with', 'files,sqlite'])).toMatchObject({ status: 0 });
    expect(read(root, 'sysconf/actual/deps')).toBe('app # our own\nsysconf.gitted.files\n');
    write(root, 'sysconf/app/deps', 'nobody\n');
    expect(runProgram(root, clientFile, ['scaffold'])).toMatchObject({ status: 10, text: expect.stringContaining('names the profile nobody') });
  });

  test('scaffold adds to the attributes that are there how rows are merged, once, and leaves what a person has said of it', () => {
    const root = tempDir('project');
    execFileSync('git', ['init', '-q', '-b', 'master'], { cwd: root });
    write(root, '.gitattributes', '* text=auto\n*.tsv -merge');
    for (let i = 0; i < 2; i += 1) expect(runProgram(root, clientFile, ['scaffold'])).toMatchObject({ status: 0 });
    expect(read(root, '.gitattributes')).toBe('* text=auto\n*.tsv -merge\n*.copy merge=gitted-rows\n**/data/*/*.json merge=gitted-rows\n');
    expect(runProgram(root, 'git', ['check-attr', 'merge', 'mongodb/app/data/people/first.json', 'data/people/first.json', 'mongodb/app/schema/people.json']).stdout).toBe(
      'mongodb/app/data/people/first.json: merge: gitted-rows\ndata/people/first.json: merge: gitted-rows\nmongodb/app/schema/people.json: merge: unspecified\n',
    );
  });

  test('says which command it does not know', () => {
    const box = makeMachine();
    expect(box.client('explode')).toMatchObject({ status: 2, text: expect.stringContaining('There is no command "explode".') });
    expect(box.client('scaffold', '--with', 'oracle').text).toContain('There is no profile for oracle');
    expect(box.client('start', 'nobody').text).toContain('There is no container remote "nobody"');
  });
});
