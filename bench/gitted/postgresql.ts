/**
 * The PostgreSQL handler and the whole way with git against the engine's own tools, same machine, same run.
 * Usage: npm run build && tsx bench/gitted/postgresql.ts [rows], as root or as a user who may run initdb.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { benchFramework, editTen, handlerPaths, makeBench, pushOf } from './measure.ts';

const rows = Number(process.argv[2] ?? 1_000_000);
const home = mkdtempSync('/tmp/gitsync-bench-');
const bin = join('/usr/lib/postgresql', readdirSync('/usr/lib/postgresql').sort().at(-1) as string, 'bin');
const asServer = process.getuid?.() === 0 ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups'] : [];
const server = (program: string, ...args: string[]): void => {
  const [command, ...rest] = [...asServer, join(bin, program), ...args];
  execFileSync(command as string, rest, { cwd: '/', stdio: 'ignore' });
};
const { handler, env: ours } = handlerPaths('postgresql');
const env = { ...process.env, ...ours, PGHOST: home, PGUSER: 'postgres', PATH: `${bin}:${process.env['PATH']}` };
const bench = makeBench(`PostgreSQL, ${rows} rows`, env);
const bound = (database: string): Record<string, string> => {
  const state = join(home, `state-${database}`);
  mkdirSync(state, { recursive: true });
  return { GITTED_POSTGRESQL_DATABASE: database, GITTED_STATE: state };
};
const edit = (text: string): string => text.replace(/^(\d+\t\d+\t)(\w+)/, '$1edited $2');

try {
  chmodSync(home, 0o755);
  mkdirSync(join(home, 'data'), { mode: 0o700 });
  if (asServer.length > 0) execFileSync('chown', ['-R', 'postgres:', join(home, 'data'), home]);
  server('initdb', '-D', join(home, 'data'), '-U', 'postgres', '-A', 'trust', '--locale=C.UTF-8', '--no-sync');
  appendFileSync(join(home, 'data/postgresql.conf'), `listen_addresses=''\nunix_socket_directories='${home}'\nshared_buffers=256MB\nmax_wal_size=4GB\nautovacuum=off\n`);
  server('pg_ctl', '-D', join(home, 'data'), '-l', join(home, 'log'), '-w', 'start');
  execFileSync('psql', ['-qX', '-d', 'postgres', '-c', 'CREATE DATABASE app'], { env });
  execFileSync('psql', ['-qX', '-d', 'app', '-c', `CREATE TABLE big (id bigserial PRIMARY KEY, owner int, name text, at timestamptz, body text);
    INSERT INTO big (owner, name, at, body) SELECT g % 1000, 'name ' || g, '2020-01-01'::timestamptz + g * interval '1 minute', md5(g::text) || md5((g + 1)::text) || md5((g + 2)::text) || md5((g + 3)::text) FROM generate_series(1, ${rows}) g;
    CREATE INDEX ON big (owner); ANALYZE;`], { env });
  const tree = join(home, 'tree');
  mkdirSync(tree);
  const live = bound('app');
  const copy = `psql -qX -d app -c 'COPY (SELECT * FROM ONLY big ORDER BY id) TO STDOUT' > ${home}/floor`;
  const select = `psql -qX -d app -c 'SELECT 1'`;
  const update = `psql -qX -d app -c "UPDATE big SET name = md5(random()::text) WHERE id % ${Math.floor(rows / 10)} = 5"`;
  bench.row('first export, handler alone', bench.seconds(`${handler} export ${tree}`, 1, live), 'COPY', bench.seconds(copy), '');
  bench.row('token', bench.seconds(`${handler} token`, 7, live), 'SELECT 1', bench.seconds(select, 7), 'one query');
  bench.row('export, 10 rows changed, handler alone', bench.seconds(`${handler} export ${tree}`, 3, live, update), 'COPY', bench.seconds(copy), '1.5x');
  const next = join(home, 'next');
  const changed = editTen(tree, next, 'big', edit);
  writeFileSync(join(home, 'changed'), changed.map((path) => `M\t${path}\n`).join(''));
  const token = readFileSync(join(live['GITTED_STATE'] as string, 'token.new'), 'utf8').trim();
  bench.row('push, 10 rows changed, handler alone', bench.seconds(pushOf(handler, next), 1, { ...live, GITTED_OLD_DIR: tree, GITTED_CHANGED: join(home, 'changed'), GITTED_TOKEN: token }), 'UPDATE', bench.seconds(update), '');
  execFileSync('sh', ['-c', `pg_dump app > ${home}/dump.sql`], { env });
  const plain = `psql -qX -d postgres -c 'DROP DATABASE IF EXISTS plain' -c 'CREATE DATABASE plain' -c CHECKPOINT`;
  const other = `psql -qX -d postgres -c 'DROP DATABASE IF EXISTS other' -c CHECKPOINT`;
  bench.row('full import', bench.seconds(pushOf(handler, tree), 2, bound('other'), other), 'psql -1', bench.seconds(`psql -qX -1 -d plain -f ${home}/dump.sql`, 2, {}, plain), '1.3x');
  execFileSync('psql', ['-qX', '-d', 'postgres', '-c', 'DROP DATABASE other', '-c', 'DROP DATABASE plain'], { env });
  benchFramework(bench, home, 'postgresql', { PGHOST: home, PGUSER: 'postgres' }, 'big', update, edit, select);
} finally {
  bench.print();
  server('pg_ctl', '-D', join(home, 'data'), '-m', 'immediate', 'stop');
  rmSync(home, { recursive: true, force: true });
}
