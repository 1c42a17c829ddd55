/** A MariaDB server of one test file: own data, own socket, no network. */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { converge } from './converge.ts';
import { children } from './hermetic-env.ts';

const isRoot = process.getuid?.() === 0;
const path = `${process.env['PATH']}:/usr/sbin:/sbin`;

export interface TestMariadb {
  socket: string;
  /** What the handler needs to reach it. */
  env: { GITTED_MYSQL_SOCKET: string };
  /** Runs SQL in a database (or none) and returns the rows, fields divided by tabs. */
  sql(database: string, text: string): string;
  /** A connection that stays open; `say` resolves when it was carried out. */
  session(database: string): { say(text: string): Promise<void>; end(): void };
  create(database: string): void;
  drop(database: string): void;
  stop(): Promise<void>;
}

/** Starts a server; it ends with the test process at the latest. */
export async function startMariadb(): Promise<TestMariadb> {
  // Its own user may not enter the temporary directory of the tests.
  const home = mkdtempSync('/tmp/gitsync-test-mariadb-');
  const data = join(home, 'data');
  const socket = join(home, 'sock');
  chmodSync(home, 0o755);
  mkdirSync(data, { mode: 0o700 });
  if (isRoot) execFileSync('chown', ['-R', 'mysql:', home]);
  const env = { ...process.env, PATH: path, TMPDIR: home };
  const who = isRoot ? ['--user=mysql'] : [];
  execFileSync('mariadb-install-db', ['--no-defaults', ...who, `--tmpdir=${home}`, `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db'], { env, stdio: 'ignore' });
  const log = openSync(join(home, 'log'), 'a');
  const child = spawn(
    'mariadbd',
    ['--no-defaults', ...who, `--datadir=${data}`, `--socket=${socket}`, '--skip-networking', '--innodb-flush-log-at-trx-commit=0', '--innodb-buffer-pool-size=64M', '--character-set-server=utf8mb4', '--collation-server=utf8mb4_general_ci'],
    { env, stdio: ['ignore', log, log] },
  );
  const ended = new Promise((resolve) => child.on('exit', resolve));
  children.add(child);
  const sql = (database: string, text: string): string =>
    execFileSync('mariadb', ['--no-defaults', '-uroot', `-S${socket}`, '-N', '-B', '--raw', '--default-character-set=utf8mb4', database], { input: text, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'], maxBuffer: 1 << 28 }).replace(/\n$/, '');
  await converge(`mariadbd answers (see ${home}/log)`, () => sql('mysql', 'SELECT 1;') === '1', 60_000);
  return {
    socket,
    env: { GITTED_MYSQL_SOCKET: socket },
    sql,
    session(database) {
      const client = spawn('mariadb', ['--no-defaults', '-uroot', `-S${socket}`, '-N', '-B', '--unbuffered', database], { stdio: ['pipe', 'pipe', 'inherit'] });
      children.add(client);
      return {
        async say(text) {
          client.stdin.write(`${text}\nSELECT 'said';\n`);
          for await (const chunk of client.stdout.iterator({ destroyOnReturn: false })) if (String(chunk).includes('said')) return;
        },
        end: () => client.stdin.end(),
      };
    },
    create: (database) => void sql('mysql', `CREATE DATABASE \`${database}\`;`),
    drop: (database) => void sql('mysql', `DROP DATABASE IF EXISTS \`${database}\`;`),
    async stop() {
      child.kill('SIGKILL');
      await ended;
      rmSync(home, { recursive: true, force: true });
    },
  };
}
