/** The agent, a container, or both are killed during each of the things that they do together: everything converges. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { makeMachine as makeProject, manifestOf, type TestMachine } from '../helpers/gitted-machine.ts';
import { localContainer, type LocalContainer } from '../helpers/local-container.ts';
import { makeMachine, quickSettings, type Machine } from '../helpers/machine.ts';
import { bareRemote, exists, read, sh, write } from '../helpers/repos.ts';
import { describeWith } from '../helpers/requires.ts';

const waitMs = 60_000;
const longMs = 600_000;

describeWith(['sqlite3', 'linux'], 'a folder, a server and two containers', () => {
  let project: TestMachine;
  let origin: string;
  let desk: Machine;
  let a: LocalContainer;
  let b: LocalContainer;
  let round = 0;

  const insideOf = (name: string): string => join(project.root, '.git/gitted-machines', name);
  const title = (container: LocalContainer, id: number): string => container.sql(`SELECT title FROM page WHERE id = ${id}`);
  const conflicts = (): string => desk.run('conflicts').stdout;
  const happens = async (what: string, condition: () => boolean): Promise<void> => {
    await converge(what, condition, waitMs).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${desk.run('status').stdout}\n${desk.log().split('\n').filter((line) => !/ debug /.test(line)).slice(-30).join('\n')}`);
    });
  };
  const inStep = (): boolean => {
    const head = sh(project.root, 'rev-parse', 'master');
    return [origin, join(insideOf('a'), 'local.repository.git'), join(insideOf('b'), 'local.repository.git')].every((place) => sh(place, 'rev-parse', 'master') === head);
  };
  const atOrigin = (text: string): boolean => sh(origin, 'grep', '-h', text, 'master', '--', 'sqlite').includes(text);

  beforeAll(async () => {
    project = makeProject({ engines: ['sqlite', 'files'], name: 'a', files: { 'files/manifest.tsv': manifestOf(['hello.txt']), 'files/tree/hello.txt': 'hello\n' } });
    expect(project.client('init', 'b', '--driver', 'local')).toMatchObject({ status: 0 });
    origin = bareRemote();
    sh(project.root, 'remote', 'add', 'origin', origin);
    sh(project.root, 'push', '-q', '-u', 'origin', 'master');
    [a, b] = [localContainer(insideOf('a')), localContainer(insideOf('b'))];
    desk = makeMachine('desk');
    const section = (name: string): string => `[container ${name}]\nrepo = ${project.root}\npush = debounce 200ms\npull = every 1s\nexport_points = /srv/files\nstart = yes\n`;
    desk.configure([project.root], quickSettings, section('a') + section('b'));
    await desk.start();
    await happens('both are made', () => ['a', 'b'].every((name) => exists(insideOf(name), 'srv/files/hello.txt')));
    a.sql('CREATE TABLE page (id INTEGER PRIMARY KEY, title TEXT)');
    await happens('the table is in B', () => b.sql('SELECT count(*) FROM page') === '0');
  }, longMs);
  afterAll(() => desk?.stop());

  /** Kills while something is at work inside, so that there is something to break off; then all run again. Titles say "though ... killed". */
  const victims: Record<string, () => Promise<void>> = {
    'the agent is': async () => {
      await happens('something is at work', () => a.processes().length + b.processes().length > 0);
      await desk.stop('SIGKILL');
      await desk.start();
    },
    'a container is': async () => {
      await happens('something is at work', () => a.processes().length > 0);
      a.kill();
    },
    'both are': async () => {
      await happens('something is at work', () => b.processes().length > 0);
      await desk.stop('SIGKILL');
      a.kill();
      b.kill();
      await desk.start();
    },
  };

  const stories: Record<string, () => { change(): void; isThere(): boolean }> = {
    'rows of A come to B and to the server': () => {
      const id = ++round * 10;
      return {
        change: () => void a.sql(`INSERT INTO page VALUES (${id}, 'row ${id} of A')`),
        isThere: () => title(b, id) === `row ${id} of A` && atOrigin(`row ${id} of A`),
      };
    },
    'a file in an export point of B comes to the work directory and to A': () => {
      const name = `dropped-${++round}.txt`;
      return {
        change: () => write(insideOf('b'), `srv/files/${name}`, name),
        isThere: () => exists(project.root, `files/tree/${name}`) && exists(insideOf('a'), `srv/files/${name}`) && read(insideOf('a'), `srv/files/${name}`) === name,
      };
    },
    'different rows that both change are both there': () => {
      const [x, y] = [++round * 10, round * 10 + 1];
      return {
        change: () => {
          a.sql(`INSERT INTO page VALUES (${x}, 'A ${x}')`);
          b.sql(`INSERT INTO page VALUES (${y}, 'B ${y}')`);
        },
        isThere: () => [a, b].every((container) => title(container, x) === `A ${x}` && title(container, y) === `B ${y}`),
      };
    },
    'a row that both change has one value everywhere, and the other is kept': () => {
      const id = ++round * 10;
      return {
        change: () => {
          a.sql(`INSERT INTO page VALUES (${id}, 'value of A')`);
          b.sql(`INSERT INTO page VALUES (${id}, 'value of B')`);
        },
        isThere: () => {
          const winner = title(a, id);
          const [, copy] = /other version: (.*)/.exec(conflicts()) ?? [];
          const loser = winner === 'value of A' ? 'value of B' : 'value of A';
          return winner === title(b, id) && copy !== undefined && read('/', copy.replace('~', desk.home)) === `${id}\t'${loser}\n`;
        },
      };
    },
  };

  const settleConflicts = async (): Promise<void> => {
    const paths = [...conflicts().matchAll(/^(\S+)$/gm)].map(([path]) => path.replace('~', desk.home));
    // Of the rows, only the one that both changed is in conflict.
    expect(paths).toHaveLength(1);
    expect(desk.run('resolve', paths[0] as string, '--keep', 'current')).toMatchObject({ exitCode: 0 });
    await happens('no conflict is left', () => conflicts() === 'No conflicts.\n');
  };

  test.each(Object.keys(victims))('all of this comes about, though %s killed in the middle of it', async (victim) => {
    const told = Object.entries(stories).map(([what, begin]) => ({ what, ...begin() }));
    desk.run('pause');
    for (const { change } of told) change();
    desk.run('resume');
    await victims[victim]?.();
    for (const { what, isThere } of told) await happens(what, isThere);
    await happens('all are in step', inStep);
    await settleConflicts();
    await happens('all are in step', inStep);
  }, longMs);

  test('a table that is cut by hashes has every row once, though rows of A move others to new files while B edits those', async () => {
    const numbers = (from: number, to: number): string => `WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL SELECT i + 2 FROM n WHERE i + 2 <= ${to})`;
    const files = (): number => Number(sh(project.root, 'ls-tree', '-r', '--name-only', 'master', 'sqlite').split('\n').filter((path) => path.includes('/data/tag/')).length);
    a.sql(`CREATE TABLE tag (name TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID; ${numbers(1, 6000)} INSERT INTO tag SELECT printf('tag %05d', i), hex(randomblob(150)) FROM n`);
    await happens('B has them', () => b.sql('SELECT count(*) FROM tag') === '3000');
    await happens('all are in step', inStep);
    const before = files();
    expect(before).toBeGreaterThan(1);
    desk.run('pause');
    a.sql(`${numbers(2, 6000)} INSERT INTO tag SELECT printf('tag %05d', i), hex(randomblob(150)) FROM n`);
    b.sql("UPDATE tag SET text = 'edited in B' WHERE name LIKE '%7'");
    desk.run('resume');
    const count = (container: LocalContainer): string => container.sql("SELECT count(*), count(DISTINCT name), sum(text = 'edited in B') FROM tag");
    await happens('both have everything', () => [a, b].every((container) => count(container) === '6000|6000|600'));
    await happens('all are in step', inStep);
    expect(files()).toBeGreaterThan(before);
    expect(conflicts()).toBe('No conflicts.\n');
  }, longMs);
});
