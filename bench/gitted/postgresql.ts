/**
 * The PostgreSQL handler against the engine's own tools, same machine, same run.
 * Usage: tsx bench/gitted/postgresql.ts [rows], as root or as a user who may run initdb.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const rows = Number(process.argv[2] ?? 1_000_000);
const root = new URL('../..', import.meta.url).pathname;
const home = mkdtempSync('/tmp/gitsync-bench-');
const bin = join('/usr/lib/postgresql', readdirSync('/usr/lib/postgresql').sort().at(-1) as string, 'bin');
const asServer = process.getuid?.() === 0 ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups'] : [];
const server = (program: string, ...args: string[]): void => {
  const [command, ...rest] = [...asServer, join(bin, program), ...args];
  execFileSync(command as string, rest, { cwd: '/', stdio: 'ignore' });
};
const share = join(root, 'sysconf/sysconf.gitted.postgresql/tree/usr/share/gitted');
const env = { ...process.env, PGHOST: home, PGUSER: 'postgres', GITTED_LIB: join(root, 'sysconf/sysconf.gitted/tree/usr/share/gitted/lib'), GITTED_POSTGRESQL_LIB: join(share, 'lib/postgresql') };

/** Runs a shell command and returns its time in seconds, the best of several. */
function seconds(command: string, times = 3, more: Record<string, string> = {}, before = ''): number {
  let best = Infinity;
  for (let i = 0; i < times; i++) {
    if (before !== '') execFileSync('sh', ['-c', before], { env: { ...env, ...more }, stdio: 'ignore' });
    const start = process.hrtime.bigint();
    const { status, stderr } = spawnSync('sh', ['-ec', command], { env: { ...env, ...more }, encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
    if (status !== 0) throw new Error(`${command}: ${stderr}`);
    best = Math.min(best, Number(process.hrtime.bigint() - start) / 1e9);
  }
  return best;
}

const table: [string, number, string, number][] = [];
const handler = join(share, 'handlers/postgresql');
const bound = (database: string): Record<string, string> => {
  const state = join(home, `state-${database}`);
  mkdirSync(state, { recursive: true });
  return { GITTED_POSTGRESQL_DATABASE: database, GITTED_STATE: state };
};

try {
  chmodSync(home, 0o755);
  mkdirSync(join(home, 'data'), { mode: 0o700 });
  if (asServer.length > 0) execFileSync('chown', ['-R', 'postgres:', join(home, 'data'), home]);
  server('initdb', '-D', join(home, 'data'), '-U', 'postgres', '-A', 'trust', '--locale=C.UTF-8', '--no-sync');
  appendFileSync(join(home, 'data/postgresql.conf'), `listen_addresses=''\nunix_socket_directories='${home}'\nshared_buffers=256MB\nmax_wal_size=4GB\n`);
  server('pg_ctl', '-D', join(home, 'data'), '-l', join(home, 'log'), '-w', 'start');
  execFileSync('psql', ['-qX', '-d', 'postgres', '-c', 'CREATE DATABASE live'], { env });
  execFileSync('psql', ['-qX', '-d', 'live', '-c', `CREATE TABLE big (id bigserial PRIMARY KEY, owner int, name text, at timestamptz, body text);
    INSERT INTO big (owner, name, at, body) SELECT g % 1000, 'name ' || g, '2020-01-01'::timestamptz + g * interval '1 minute', md5(g::text) || md5((g + 1)::text) || md5((g + 2)::text) || md5((g + 3)::text) FROM generate_series(1, ${rows}) g;
    CREATE INDEX ON big (owner); ANALYZE;`], { env });
  const tree = join(home, 'tree');
  mkdirSync(tree);
  const live = bound('live');
  const copy = `psql -qX -d live -c 'COPY (SELECT * FROM ONLY big ORDER BY id) TO STDOUT' > ${home}/floor`;
  table.push(['first export', seconds(`rm -rf ${tree}/*; ${handler} export ${tree}`, 1, live), 'COPY', seconds(copy)]);
  table.push(['token', seconds(`${handler} token`, 5, live), 'psql SELECT 1', seconds(`psql -qX -d live -c 'SELECT 1'`, 5)]);
  const update = `psql -qX -d live -c "UPDATE big SET name = md5(random()::text) WHERE id % ${Math.floor(rows / 10)} = 5"`;
  table.push(['export, 10 rows changed', seconds(`${handler} export ${tree}`, 3, live, update), 'COPY', seconds(copy)]);
  const next = join(home, 'next');
  cpSync(tree, next, { recursive: true, preserveTimestamps: true });
  const changed = readdirSync(join(next, 'data/big')).slice(0, 10).map((name) => `data/big/${name}`);
  for (const path of changed) writeFileSync(join(next, path), readFileSync(join(next, path), 'utf8').replace(/^(\d+\t\d+\t)\w+/, '$1edited'));
  writeFileSync(join(home, 'changed'), changed.map((path) => `M\t${path}\n`).join(''));
  const push = (dir: string): string => ['stage', 'verify', 'recheck', 'commit', 'rollback'].map((verb) => `${handler} ${verb} ${dir}`).join(' && ');
  const token = readFileSync(join(live['GITTED_STATE'] as string, 'token.new'), 'utf8').trim();
  table.push(['push, 10 rows changed', seconds(push(next), 1, { ...live, GITTED_OLD_DIR: tree, GITTED_CHANGED: join(home, 'changed'), GITTED_TOKEN: token }), 'UPDATE', seconds(update)]);
  execFileSync('sh', ['-c', `pg_dump live > ${home}/dump.sql`], { env });
  table.push(['full import', seconds(push(tree), 1, bound('other')), 'psql -1', seconds(`psql -qX -1 -d plain -f ${home}/dump.sql`, 1, {}, `psql -qX -d postgres -c 'CREATE DATABASE plain'`)]);
  console.log(`| ${rows} rows | ours, s | theirs | s | ratio |\n|---|---|---|---|---|`);
  for (const [what, ours, whose, theirs] of table) console.log(`| ${what} | ${ours.toFixed(2)} | ${whose} | ${theirs.toFixed(2)} | ${(ours / theirs).toFixed(1)} |`);
} finally {
  server('pg_ctl', '-D', join(home, 'data'), '-m', 'immediate', 'stop');
  rmSync(home, { recursive: true, force: true });
}
