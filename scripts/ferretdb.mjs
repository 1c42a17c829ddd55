// Builds FerretDB, which speaks MongoDB's wire protocol, once; Debian has neither it nor MongoDB.
// Needs Go and its module proxy. The program is kept outside the clone: ~/.cache/gitsync/ferretdb-VERSION.
//   node scripts/ferretdb.mjs          prints the program's path
//   node scripts/ferretdb.mjs --can    whether that will work: exit code 0 or 1, in a moment
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const version = '1.24.2';
const moduleAtVersion = `github.com/FerretDB/FerretDB@v${version}`;
const moduleSum = 'h1:trrUU0LbmusMbyubhPS1IELncvrIwKrsRT2LW1UUWCw=';
const buildDeadlineMs = 20 * 60_000;

// Tests have a home of their own; what is built is for all of them.
const home = userInfo().homedir;
const cache = join(home, '.cache/gitsync');
const program = join(cache, `ferretdb-${version}`);
const lock = `${program}.lock`;
// Where Go's own installer puts it, which is on no PATH by itself.
const path = `${process.env.PATH}:/usr/local/go/bin`;

function runGo(work, args, options = {}) {
  const env = { ...process.env, PATH: path, HOME: home, GOMODCACHE: join(work, 'mod'), GOCACHE: join(work, 'cache'), GOTMPDIR: work, GOFLAGS: '-modcacherw', GOWORK: 'off', GOGC: '400', CGO_ENABLED: '0' };
  // Lowest priority: tests that run beside it have deadlines.
  const { status, stdout, stderr, error } = spawnSync('nice', ['-n', '15', 'go', ...args], { env, encoding: 'utf8', maxBuffer: 1 << 26, timeout: buildDeadlineMs, ...options });
  return { isDone: status === 0, stdout: stdout ?? '', stderr: `${stderr ?? ''}${error ? error.message : ''}` };
}

/** The module as the proxy has it: its directory, or what was said instead. */
function download(work) {
  // The proxy serves this version only so; `go install` would refuse the module's replacements, too.
  const { stdout, stderr } = runGo(work, ['mod', 'download', '-json', moduleAtVersion], { cwd: work, timeout: 60_000 });
  try {
    const { Dir: directory, Sum: sum, Error: problem } = JSON.parse(stdout);
    if (problem !== undefined) return { problem };
    return sum === moduleSum ? { directory } : { problem: `${moduleAtVersion} has the checksum ${sum}, expected ${moduleSum}` };
  } catch {
    return { problem: stderr.trim() || 'go mod download gave no answer' };
  }
}

function inWorkDirectory(what) {
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, 'build-'));
  try {
    return what(work);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function build(work) {
  const { directory, problem } = download(work);
  if (problem !== undefined) return problem;
  const source = join(work, 'source');
  cpSync(directory, source, { recursive: true });
  // Made by its own build system from git, which a module has no more.
  writeFileSync(join(source, 'build/version/version.txt'), `v${version}\n`);
  const built = join(work, 'ferretdb');
  const result = runGo(work, ['build', '-trimpath', '-buildvcs=false', '-tags', 'ferretdb_no_postgresql', '-ldflags', '-s -w', '-o', built, './cmd/ferretdb'], { cwd: source });
  if (!result.isDone) return result.stderr.trim().split('\n').slice(-20).join('\n');
  renameSync(built, program);
  return undefined;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Takes the lock, or says that another process has it; one that died leaves it to us. */
function takeLock() {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    const pid = Number(existsSync(lock) ? readFileSync(lock, 'utf8') : '');
    if (pid > 0 && !isAlive(pid)) rmSync(lock, { force: true });
    return false;
  }
}

/** Whether there is a FerretDB, or could be one after a few minutes. */
function canHaveFerretdb() {
  if (process.env.GITSYNC_FERRETDB || existsSync(program) || existsSync(lock)) return true;
  if (spawnSync('go', ['version'], { stdio: 'ignore', env: { ...process.env, PATH: path } }).status !== 0) return false;
  return inWorkDirectory((work) => download(work).problem === undefined);
}

/** The program's path; builds it where that was not done yet, or waits for the process that does. */
async function bringFerretdb() {
  if (process.env.GITSYNC_FERRETDB) return process.env.GITSYNC_FERRETDB;
  mkdirSync(cache, { recursive: true });
  const until = Date.now() + buildDeadlineMs;
  while (!existsSync(program)) {
    if (takeLock()) {
      try {
        const problem = existsSync(program) ? undefined : inWorkDirectory(build);
        if (problem !== undefined) throw new Error(`FerretDB was not built: ${problem}`);
      } finally {
        rmSync(lock, { force: true });
      }
    } else if (Date.now() > until) {
      throw new Error(`FerretDB was not built in time by the process in ${lock}.`);
    } else {
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
  return program;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv[2] === '--can') process.exitCode = canHaveFerretdb() ? 0 : 1;
  else console.log(await bringFerretdb());
}
