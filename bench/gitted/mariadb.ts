/**
 * The MariaDB handler and the whole way with git against the engine's own tools, same machine, same run.
 * Usage: npm run build && tsx bench/gitted/mariadb.ts [rows], as root.
 */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { benchFramework, editTen, handlerPaths, makeBench, pushOf } from './measure.ts';

const rows = Number(process.argv[2] ?? 1_000_000);
const home = mkdtempSync('/tmp/gitsync-bench-');
const socket = join(home, 'sock');
const { handler, env: ours } = handlerPaths('mysql');
const env = { ...process.env, ...ours, PATH: `${process.env['PATH']}:/usr/sbin:/sbin`, GITTED_MYSQL_SOCKET: socket };
const bench = makeBench(`MariaDB, ${rows} rows`, env);
const client = `mariadb --no-defaults -uroot -S${socket}`;
const sql = (database: string, text: string): string => execFileSync('sh', ['-c', `${client} -N -B ${database}`], { env, input: text, encoding: 'utf8' });
const bound = (database: string): Record<string, string> => {
  const state = join(home, `state-${database}`);
  mkdirSync(state, { recursive: true });
  return { GITTED_MYSQL_DATABASE: database, GITTED_STATE: state };
};
const edit = (text: string): string => text.replace(/^(\d+\t\d+\t)(\w+)/, '$1edited $2');

chmodSync(home, 0o755);
mkdirSync(join(home, 'data'), { mode: 0o700 });
execFileSync('chown', ['-R', 'mysql:', home]);
execFileSync('mariadb-install-db', ['--no-defaults', '--user=mysql', `--tmpdir=${home}`, `--datadir=${home}/data`, '--auth-root-authentication-method=normal', '--skip-test-db'], { env, stdio: 'ignore' });
const log = openSync(join(home, 'log'), 'a');
const server = spawn('mariadbd', ['--no-defaults', '--user=mysql', `--datadir=${home}/data`, `--socket=${socket}`, '--skip-networking', '--innodb-buffer-pool-size=512M', '--innodb-log-file-size=512M', '--local-infile=1', '--secure-file-priv='], { env, stdio: ['ignore', log, log] });

async function isUp(): Promise<void> {
  for (const until = Date.now() + 60_000; Date.now() < until; await new Promise((resolve) => setTimeout(resolve, 100))) {
    try {
      sql('', 'SELECT 1;');
      return;
    } catch {
      // Not yet.
    }
  }
  throw new Error(`mariadbd does not answer, see ${home}/log`);
}

try {
  await isUp();
  sql('', 'CREATE DATABASE app; CREATE DATABASE plain;');
  const create = 'CREATE TABLE big (id BIGINT AUTO_INCREMENT PRIMARY KEY, owner INT, name VARCHAR(60), at DATETIME, body TEXT, KEY (owner)) ENGINE=InnoDB;';
  sql('app', `${create} INSERT INTO big (owner, name, at, body) SELECT seq % 1000, CONCAT('name ', seq), '2020-01-01' + INTERVAL seq MINUTE, CONCAT(MD5(seq), MD5(seq + 1), MD5(seq + 2), MD5(seq + 3)) FROM seq_1_to_${rows}; ANALYZE TABLE big;`);
  const tree = join(home, 'tree');
  mkdirSync(tree);
  const live = bound('app');
  const select = `${client} -N -B --quick app -e 'SELECT * FROM big ORDER BY id' > ${home}/floor`;
  const query = `${client} app -e 'SELECT 1'`;
  const update = `${client} app -e "UPDATE big SET name = MD5(RAND()) WHERE id % ${Math.floor(rows / 10)} = 5"`;
  bench.row('first export, handler alone', bench.seconds(`${handler} export ${tree}`, 1, live), 'SELECT', bench.seconds(select), '');
  bench.row('token', bench.seconds(`${handler} token`, 7, live), 'SELECT 1', bench.seconds(query, 7), 'one query');
  bench.row('export, 10 rows changed, handler alone', bench.seconds(`${handler} export ${tree}`, 3, live, update), 'SELECT', bench.seconds(select), '1.5x');
  const next = join(home, 'next');
  const changed = editTen(tree, next, 'big', edit);
  writeFileSync(join(home, 'changed'), changed.map((path) => `M\t${path}\n`).join(''));
  bench.row('push, 10 rows changed, handler alone', bench.seconds(pushOf(handler, next), 1, { ...live, GITTED_OLD_DIR: tree, GITTED_CHANGED: join(home, 'changed') }), 'UPDATE', bench.seconds(update), '');
  // What the server itself writes and reads again.
  const file = join(home, 'big.txt');
  sql('app', `SELECT * FROM big INTO OUTFILE '${file}';`);
  const load = `${client} plain -e "LOAD DATA INFILE '${file}' INTO TABLE big"`;
  const theirs = bench.seconds(load, 2, {}, `${client} plain -e 'DROP TABLE IF EXISTS big; ${create}'`);
  bench.row('full import', bench.seconds(pushOf(handler, tree), 2, bound('other'), `${client} -e 'DROP DATABASE IF EXISTS other'`), 'LOAD DATA', theirs, '1.3x');
  sql('', 'DROP DATABASE other; DROP DATABASE plain;');
  benchFramework(bench, home, 'mysql', { GITTED_MYSQL_SOCKET: socket }, 'big', update, edit, query);
} catch (error) {
  console.error(readFileSync(join(home, 'log'), 'utf8').split('\n').slice(-5).join('\n'));
  throw error;
} finally {
  bench.print();
  server.kill('SIGKILL');
  await new Promise((resolve) => server.on('exit', resolve));
  rmSync(home, { recursive: true, force: true });
}
