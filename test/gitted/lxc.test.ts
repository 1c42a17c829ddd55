/** The story word for word: a real container with systemd and PostgreSQL, made, filled and read with stock git. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeMachine, runProgram, type Said, type TestMachine } from '../helpers/gitted-machine.ts';
import { read, write } from '../helpers/repos.ts';
import { describeWith } from '../helpers/requires.ts';

const longMs = 900_000;

describeWith(['root', 'lxc', 'mmdebstrap'], 'a container of LXC', () => {
  const name = `gitsync-test-${process.pid}`;
  const second = `${name}-b`;
  const rows = 'postgresql/app/data/wiki/00000000.copy';
  let box: TestMachine;
  const inside = (container: string, ...command: string[]): Said => runProgram('/', 'lxc-attach', ['-n', container, '--clear-env', '-v', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', '--', ...command]);
  const sql = (container: string, text: string): string => {
    const said = inside(container, 'su', 'postgres', '-c', `psql -v ON_ERROR_STOP=1 -qAt app <<'END'\n${text}\nEND`);
    if (said.status !== 0) throw new Error(said.text);
    return said.stdout;
  };

  beforeAll(() => {
    box = makeMachine({ engines: ['postgresql', 'files'], driver: [], name });
  });
  afterAll(() => {
    for (const each of [name, second]) runProgram('/', 'lxc-destroy', ['-f', '-n', each]);
  });

  test('is made, started and set up by the first push, which ends with its URL', () => {
    write(box.root, 'sysconf/actual/setup.rc', 'sysconf_require_packages busybox\nmkdir -p /srv/www && echo it works >/srv/www/index.html\npidof busybox >/dev/null || systemd-run -q --unit=www busybox httpd -f -p 80 -h /srv/www\n');
    box.commit({}, 'a page');
    const said = box.must('push', name, 'master').text;
    expect(said).toMatch(/-----> Creating[\s\S]*-----> Starting[\s\S]*Setting up the machine[\s\S]*sysconf\.gitted\.postgresql: done[\s\S]*Importing[\s\S]*postgresql\/app: made, empty/);
    expect(said).toMatch(/=====> http:\/\/[\d.]+\/ answers 200/);
    expect(inside(name, 'cat', '/srv/files/hello.txt').stdout).toBe('hello\n');
    expect(box.client('url', name).stdout).toMatch(/^http:\/\/[\d.]+\/\n$/);
  }, longMs);

  test('a pull brings rows and files that changed inside as a commit', () => {
    // The first push has made the database, empty, since the branch has nothing for it.
    sql(name, "CREATE TABLE wiki (id int PRIMARY KEY, title text); INSERT INTO wiki VALUES (1, 'Home'), (2, 'About')");
    inside(name, 'sh', '-c', 'echo from inside >/srv/files/note.txt');
    box.must('pull', '-q', name, 'master');
    expect(read(box.root, rows)).toBe('1\tHome\n2\tAbout\n');
    expect(read(box.root, 'files/tree/note.txt')).toBe('from inside\n');
  }, longMs);

  test('a changed line that is pushed is a changed row', () => {
    box.commit({ [rows]: '1\tStart\n2\tAbout\n' });
    expect(box.must('push', name, 'master').text).toContain('1 table to import');
    expect(sql(name, 'SELECT * FROM wiki ORDER BY 1')).toBe('1|Start\n2|About\n');
  }, longMs);

  test('a pull when nothing changed makes no commit', () => {
    expect(box.must('pull', name, 'master').text).toContain('Already up to date');
  }, longMs);

  test('neighbouring rows that were edited on both sides do not conflict', () => {
    sql(name, "UPDATE wiki SET title = 'About us' WHERE id = 2");
    box.commit({ [rows]: '1\tWelcome\n2\tAbout\n' });
    box.must('pull', '-q', '--no-rebase', '--no-edit', name, 'master');
    expect(read(box.root, rows)).toBe('1\tWelcome\n2\tAbout us\n');
    box.must('push', '-q', name, 'master');
    expect(sql(name, 'SELECT * FROM wiki ORDER BY 1')).toBe('1|Welcome\n2|About us\n');
  }, longMs);

  test('a container that is killed in the middle of an import is whole after the next contact', () => {
    box.commit({ [rows]: '1\tAfter the crash\n2\tAbout\n', 'files/tree/hello.txt': 'after the crash\n' });
    inside(name, 'sh', '-c', 'mkdir -p /etc/gitted/hook/pre-import.d; printf "#!/bin/sh\\nrm /etc/gitted/hook/pre-import.d/crash; kill -9 -1\\n" >/etc/gitted/hook/pre-import.d/crash; chmod +x /etc/gitted/hook/pre-import.d/crash');
    expect(box.git('push', name, 'master').status).not.toBe(0);
    runProgram('/', 'lxc-stop', ['-k', '-n', name]);
    box.must('push', name, 'master');
    expect(sql(name, 'SELECT title FROM wiki WHERE id = 1')).toBe('After the crash\n');
    expect(inside(name, 'cat', '/srv/files/hello.txt').stdout).toBe('after the crash\n');
  }, longMs);

  test('clone makes a second container from the kept base, with the same rows', () => {
    const startedMs = performance.now();
    const said = box.client('clone', name, second);
    process.stderr.write(`second container, clone to rows: ${Math.round(performance.now() - startedMs)} ms\n`);
    expect(said.text).toContain('an overlay');
    expect(said.status).toBe(0);
    expect(sql(second, 'SELECT * FROM wiki ORDER BY 1')).toBe(sql(name, 'SELECT * FROM wiki ORDER BY 1'));
  }, longMs);

  test('is not taken over by another repository', () => {
    const other = makeMachine({ driver: [], name });
    const said = other.git('push', name, 'master');
    expect(said.status).not.toBe(0);
    expect(said.text).toContain('belongs to another repository');
    expect(said.text).toContain(`gitted-client add ${name} --adopt`);
  }, longMs);

  test('destroy saves what is inside first', () => {
    sql(name, "INSERT INTO wiki VALUES (3, 'Last words')");
    const said = box.client('destroy', name);
    expect(said.status).toBe(0);
    expect(box.must('show', `${name}/master:${rows}`).stdout).toContain('3\tLast words\n');
    expect(box.client('list').stdout).toContain(`${name}\tabsent\tlxc`);
  }, longMs);
});
