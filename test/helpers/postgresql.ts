/** A PostgreSQL server of one test file: own data, own socket, no network. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { children } from './hermetic-env.ts';

const isRoot = process.getuid?.() === 0;

export interface TestPostgresql {
  /** What a client needs to reach it. */
  env: { PGHOST: string; PGUSER: string };
  /** Runs SQL in a database and returns the rows, fields divided by tabs. */
  sql(database: string, text: string): string;
  /** Runs a file of SQL. */
  file(database: string, path: string): void;
  /** Standard output of psql as bytes. */
  bytes(database: string, text: string): Buffer;
  create(database: string): void;
  drop(database: string): void;
  stop(): void;
}

function binaries(): string {
  const versions = readdirSync('/usr/lib/postgresql').sort((a, b) => Number(a) - Number(b));
  return join('/usr/lib/postgresql', versions.at(-1) as string, 'bin');
}

// The server refuses to run as root.
function asServer(program: string, ...args: string[]): void {
  const command = isRoot ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups', program, ...args] : [program, ...args];
  execFileSync(command[0] as string, command.slice(1), { cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Starts a server; it ends with the test process at the latest. */
export function startPostgresql(settings = ''): TestPostgresql {
  // Its own user may not enter the temporary directory of the tests.
  const home = mkdtempSync('/tmp/gitsync-test-postgresql-');
  const data = join(home, 'data');
  const bin = binaries();
  chmodSync(home, 0o755);
  mkdirSync(data, { mode: 0o700 });
  if (isRoot) execFileSync('chown', ['-R', 'postgres:', home]);
  asServer(join(bin, 'initdb'), '-D', data, '-U', 'postgres', '-A', 'trust', '--locale=C.UTF-8', '-E', 'UTF8', '--no-sync');
  appendFileSync(join(data, 'postgresql.conf'), `listen_addresses=''\nunix_socket_directories='${home}'\nfsync=off\n${settings}\n`);
  asServer(join(bin, 'pg_ctl'), '-D', data, '-l', join(home, 'log'), '-w', 'start');
  const env = { PGHOST: home, PGUSER: 'postgres' };
  const pid = Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]);
  const child = { kill: (signal: NodeJS.Signals): boolean => process.kill(pid, signal === 'SIGKILL' ? 'SIGQUIT' : signal) };
  children.add(child);
  const stop = (): void => {
    children.delete(child);
    asServer(join(bin, 'pg_ctl'), '-D', data, '-m', 'immediate', '-w', 'stop');
    rmSync(home, { recursive: true, force: true });
  };
  const psql = (database: string, args: string[], input: string): Buffer =>
    execFileSync('psql', ['-X', '-q', '-A', '-t', '-F', '\t', '-v', 'ON_ERROR_STOP=1', '-d', database, ...args], {
      env: { ...process.env, ...env, PGOPTIONS: '-c client_min_messages=warning' },
      input,
      stdio: ['pipe', 'pipe', 'pipe'],
      maxBuffer: 1 << 28,
    });
  return {
    env,
    sql: (database, text) => psql(database, [], text).toString('utf8').trimEnd(),
    file: (database, path) => void psql(database, ['-f', path], ''),
    bytes: (database, text) => psql(database, [], text),
    create: (database) => void psql('postgres', [], `CREATE DATABASE "${database}";`),
    drop: (database) => void psql('postgres', [], `DROP DATABASE IF EXISTS "${database}" WITH (FORCE);`),
    stop,
  };
}

/** What /etc/gitted/sync/BRANCH.NAME.conf says to bind the database `app` of this server. */
export const bindingOf = ({ env }: TestPostgresql): string => `GITTED_ENGINE=postgresql\nGITTED_DATA_PATH=postgresql/app\nGITTED_POSTGRESQL_DATABASE=app\nPGHOST=${env.PGHOST}\nPGUSER=${env.PGUSER}\n`;
