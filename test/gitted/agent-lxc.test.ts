/**
 * The agent drives two real containers: a folder, a server, container A with
 * PostgreSQL and container B with PostgreSQL and MariaDB all converge by
 * themselves, whoever is killed meanwhile.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { makeMachine as makeProject, manifestOf, runProgram, type Said, type TestMachine } from '../helpers/gitted-machine.ts';
import { makeMachine, program, quickSettings, type Machine } from '../helpers/machine.ts';
import { bareRemote, exists, read, sh, write } from '../helpers/repos.ts';
import { describeWith } from '../helpers/requires.ts';

const longMs = 900_000;
const waitMs = 300_000;

describeWith(['root', 'lxc', 'mmdebstrap'], 'the agent with two containers of LXC', () => {
  const a = `gitsync-test-${process.pid}-a`;
  const b = `gitsync-test-${process.pid}-b`;
  const rows = 'postgresql/app/data/wiki/00000000.copy';
  let project: TestMachine;
  let origin: string;
  let desk: Machine;

  const inside = (container: string, ...command: string[]): Said => runProgram('/', 'lxc-attach', ['-n', container, '--clear-env', '-v', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', '--', ...command]);
  const attempt = (container: string, text: string): Said => inside(container, 'su', 'postgres', '-c', `psql -v ON_ERROR_STOP=1 -qAt app <<'END'\n${text}\nEND`);
  const sql = (container: string, text: string): string => {
    const said = attempt(container, text);
    if (said.status !== 0) throw new Error(said.text);
    return said.stdout;
  };
  const titles = (container: string): string => attempt(container, 'SELECT id, title FROM wiki ORDER BY 1').stdout;
  const atOrigin = (path: string): string => sh(origin, 'show', `master:${path}`);
  const evidence = (): string => `${desk.run('status').stdout}\n${desk.log().split('\n').filter((line) => !/ debug /.test(line)).slice(-30).join('\n')}`;
  const happens = async (what: string, condition: () => boolean): Promise<void> => {
    await converge(what, condition, waitMs).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${evidence()}`);
    });
  };
  const configure = (pull: string, start: 'yes' | 'no'): void => {
    const section = (name: string): string => `[container ${name}]\nrepo = ${project.root}\ndriver = lxc\npush = debounce 1s\npull = ${pull}\nexport_points = /srv/files\nstart = ${start}\n`;
    desk.configure([project.root], quickSettings, section(a) + section(b));
  };
  const everywhere = (text: string): boolean => titles(a) === text && titles(b) === text;

  beforeAll(async () => {
    project = makeProject({ engines: ['postgresql', 'files', 'mysql'], driver: [], name: a, files: { 'files/manifest.tsv': manifestOf(['hello.txt']), 'files/tree/hello.txt': 'hello\n' } });
    // MariaDB in B alone: the profile is in both, the server and the binding are not.
    const only = `case $(cat /etc/gitted/name) in *-b) ;; *) return 0 ;; esac\n`;
    write(project.root, 'sysconf/sysconf.gitted.mysql/setup.rc', `${only}sysconf_require_packages mariadb-server mariadb-client\n`);
    renameSync(join(project.root, 'sysconf/actual/tree/etc/gitted/sync/master.mysql.conf'), join(project.root, 'sysconf/actual/mysql.conf'));
    write(project.root, 'sysconf/actual/setup.rc', `${only}cp /sysconf/actual/mysql.conf /etc/gitted/sync/master.mysql.conf\n`);
    project.commit({}, 'MariaDB in B');
    if (project.client('init', b).status !== 0) throw new Error('init');
    origin = bareRemote();
    sh(project.root, 'remote', 'add', 'origin', origin);
    sh(project.root, 'push', '-q', '-u', 'origin', 'master');
    desk = makeMachine('desk');
    configure('every 2s', 'yes');
    await desk.start([]);
  }, longMs);
  afterAll(async () => {
    await desk?.stop();
    for (const each of [a, b]) runProgram('/', 'lxc-destroy', ['-f', '-n', each]);
  }, longMs);

  test('makes both, and sets them up', async () => {
    await happens('both have the file', () => [a, b].every((container) => inside(container, 'cat', '/srv/files/hello.txt').stdout === 'hello\n'));
    await happens('the status says so', () => (desk.run('status').stdout.match(/ running 10\.[\d.]+ +in step /g) ?? []).length === 2);
  }, longMs);

  test('rows that SQL changes in A are in the work directory, at the server and in B', async () => {
    sql(a, "CREATE TABLE wiki (id int PRIMARY KEY, title text); INSERT INTO wiki VALUES (1, 'Home'), (2, 'About')");
    const startedMs = performance.now();
    await happens('the rows are in B', () => titles(b) === '1|Home\n2|About\n');
    process.stderr.write(`a new table in A, until it is in B: ${Math.round(performance.now() - startedMs)} ms\n`);
    await happens('and here and at the server', () => read(project.root, rows) === '1\tHome\n2\tAbout\n' && atOrigin(rows) === '1\tHome\n2\tAbout');
    const againMs = performance.now();
    sql(a, "INSERT INTO wiki VALUES (3, 'News')");
    await happens('one more row', () => titles(b) === '1|Home\n2|About\n3|News\n');
    process.stderr.write(`one row in A, until it is in B: ${Math.round(performance.now() - againMs)} ms (pull every 2 s, push after 1 s)\n`);
  }, longMs);

  test('a file dropped into an export point of B is in the work directory and in A; rows of MariaDB in B are in the work directory, and A does not mind them', async () => {
    inside(b, 'sh', '-c', 'echo from B >/srv/files/dropped.txt');
    inside(b, 'mariadb', '-e', "CREATE DATABASE IF NOT EXISTS app; CREATE TABLE app.notes (id INT PRIMARY KEY, text VARCHAR(40)) ENGINE=InnoDB; INSERT INTO app.notes VALUES (1, 'in MariaDB')");
    await happens('the file is in A', () => exists(project.root, 'files/tree/dropped.txt') && inside(a, 'cat', '/srv/files/dropped.txt').stdout === 'from B\n');
    await happens('the row is here', () => existsSync(join(project.root, 'mysql/app/data/notes')) && sh(project.root, 'grep', '-h', 'in MariaDB', 'master', '--', 'mysql').includes('in MariaDB'));
  }, longMs);

  test('different rows that both change at once are both there, though the agent is killed meanwhile', async () => {
    sql(a, "UPDATE wiki SET title = 'Home of A' WHERE id = 1");
    sql(b, "UPDATE wiki SET title = 'About B' WHERE id = 2");
    await desk.stop('SIGKILL');
    await desk.start([]);
    await happens('both everywhere', () => everywhere('1|Home of A\n2|About B\n3|News\n'));
    await happens('and at the server', () => atOrigin(rows) === '1\tHome of A\n2\tAbout B\n3\tNews');
    expect(desk.run('conflicts').stdout).toBe('No conflicts.\n');
  }, longMs);

  test('a container that is killed in between comes back, and has what it missed', async () => {
    sql(a, "INSERT INTO wiki VALUES (4, 'While B was killed')");
    runProgram('/', 'lxc-stop', ['-k', '-n', b]);
    await happens('everywhere', () => everywhere('1|Home of A\n2|About B\n3|News\n4|While B was killed\n'));
  }, longMs);

  test('one row that both change is a conflict: one value everywhere, the other kept and shown, and either can be chosen', async () => {
    const inBoth = 'UPDATE wiki SET title =';
    desk.run('pause');
    sql(a, `${inBoth} 'News of A' WHERE id = 3`);
    sql(b, `${inBoth} 'News of B' WHERE id = 3`);
    desk.run('resume');
    await happens('it is shown', () => desk.run('conflicts').stdout.includes('gitsync-conflicts/postgresql/app/data/wiki/'));
    const [, copy = ''] = /other version: (.*)/.exec(desk.run('conflicts').stdout) ?? [];
    // What is in the work directory counts: A may still have its own value until it is pushed to.
    const [, winner = ''] = /^3\tNews of ([AB])$/m.exec(read(project.root, rows)) ?? [];
    const loser = winner === 'A' ? 'B' : 'A';
    await happens('one value everywhere', () => [a, b].every((container) => titles(container).includes(`3|News of ${winner}\n`)));
    expect(read('/', copy.replace('~', desk.home))).toBe(`3\tNews of ${loser}\n`);
    sql(a, "INSERT INTO wiki VALUES (5, 'Later')");
    await happens('later rows travel on', () => titles(b).includes('5|Later\n'));
    const resolved = desk.run('resolve', join(project.root, rows), '--keep', 'copy');
    expect(resolved).toMatchObject({ exitCode: 0 });
    await happens('the other value everywhere, and the later row too', () => [a, b].every((container) => titles(container).includes(`3|News of ${loser}\n`) && titles(container).includes('5|Later\n')));
    expect(desk.run('conflicts').stdout).toBe('No conflicts.\n');
  }, longMs);

  const power = (what: 'stop' | 'start', containers: readonly string[]): void => {
    for (const each of containers) expect(runProgram('/', `lxc-${what}`, [what === 'stop' ? '-k' : '-d', '-n', each])).toMatchObject({ status: 0 });
  };
  const victims: Record<string, () => Promise<void>> = {
    'the agent is': async () => {
      await desk.stop('SIGKILL');
      await desk.start([]);
    },
    'a container is': async () => power('stop', [b]),
    'the agent and both containers are': async () => {
      // The host starts them, later than the agent.
      configure('every 2s', 'no');
      await desk.stop('SIGKILL');
      power('stop', [a, b]);
      await desk.start([]);
      await happens('it is said', () => (desk.run('status').stdout.match(/ stopped +stopped +\S+ is stopped; .*gitsync container start /g) ?? []).length === 2);
      power('start', [a, b]);
    },
  };

  test.each(Object.keys(victims))('all of this comes about, though %s killed while it is under way', async (victim) => {
    const id = 100 * (1 + Object.keys(victims).indexOf(victim));
    desk.run('pause');
    sql(a, `INSERT INTO wiki VALUES (${id}, 'of A'), (${id + 1}, 'last of A')`);
    sql(b, `INSERT INTO wiki VALUES (${id + 2}, 'of B'), (${id + 1}, 'last of B')`);
    inside(b, 'sh', '-c', `echo late >/srv/files/late-${id}.txt`);
    desk.run('resume');
    await happens('something is at work inside', () => [a, b].some((container) => inside(container, 'pgrep', '-f', '/usr/bin/gitted').status === 0));
    await victims[victim]?.();
    await happens('the rows are everywhere', () => [a, b].every((container) => [`${id}|of A\n`, `${id + 2}|of B\n`].every((row) => titles(container).includes(row))));
    await happens('the file is in A', () => inside(a, 'cat', `/srv/files/late-${id}.txt`).stdout === 'late\n');
    const last = (container: string): string | undefined => new RegExp(`^${id + 1}\\|last of ([AB])$`, 'm').exec(titles(container))?.[1];
    await happens('of the row that both wrote, one value is everywhere', () => last(a) !== undefined && last(a) === last(b));
    const [, copy = ''] = /other version: (.*)/.exec(desk.run('conflicts').stdout) ?? [];
    expect(read('/', copy.replace('~', desk.home))).toBe(`${id + 1}\tlast of ${last(a) === 'A' ? 'B' : 'A'}\n`);
    expect(desk.run('resolve', join(project.root, rows), '--keep', 'current')).toMatchObject({ exitCode: 0 });
    await happens('no conflict is left', () => desk.run('conflicts').stdout === 'No conflicts.\n');
  }, longMs);

  test('a file in an export point is found by watching, from the host, though the root file system is an overlay', async () => {
    expect(inside(b, 'stat', '-f', '-c', '%T', '/').stdout).toBe('overlayfs\n');
    configure('every 1h', 'yes');
    await happens('all is in step', () => (desk.run('status').stdout.match(/ in step /g) ?? []).length === 2);
    for (const round of [1, 2]) {
      inside(b, 'sh', '-c', `mkdir -p /srv/files/deep && echo ${round} >/srv/files/deep/watched.txt`);
      await happens('the file is in A', () => inside(a, 'cat', '/srv/files/deep/watched.txt').stdout === `${round}\n`);
    }
  }, longMs);

  test('gitsync container logs, shell and status reach inside', () => {
    expect(desk.run('container', 'logs', a)).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/ systemd\[1\]: /) as unknown });
    const typed = spawnSync(process.execPath, [program, 'container', 'shell', a], { env: desk.env, cwd: desk.home, encoding: 'utf8', input: 'cat /etc/gitted/name\nexit 7\n' });
    expect(typed).toMatchObject({ status: 7, stdout: expect.stringContaining(`${a}\n`) as unknown });
    expect(desk.run('container', 'status', b).stdout).toMatch(/ running 10\.[\d.]+ +in step [\s\S]*postgresql\/app \(postgresql\): as in the branch/);
  }, longMs);
});
