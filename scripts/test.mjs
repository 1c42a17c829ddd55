// `npm test`: everything. The last line is "N passed, N failed" (", N skipped").
// Arguments go to jest: npm test -- test/git
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bringPackages } from './system-packages.mjs';

const root = join(import.meta.dirname, '..');
const jestDeadlineMs = 75 * 60_000;

function run(args, options) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: root, ...options });
    let said = '';
    child.stdout?.on('data', (chunk) => (said += chunk));
    child.stderr?.on('data', (chunk) => (said += chunk));
    child.on('error', (error) => resolve({ status: 1, said: String(error) }));
    child.on('close', (status, signal) => resolve({ status: status ?? 1, said: signal ? `${said}\nended by ${signal}` : said }));
  });
}

/** A step that counts as one test: quiet when it passes. */
async function check(name, args) {
  const { status, said } = await run(args, { stdio: ['ignore', 'pipe', 'pipe'] });
  console.log(status === 0 ? `PASS ${name}` : `${said.trimEnd()}\n`);
  return { name, passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1, skipped: 0 };
}

/** All jest projects; a file that could not run counts as one failed test. */
async function runJest(directory) {
  const outputFile = join(directory, 'jest.json');
  const { status } = await run(['scripts/jest.mjs', '--json', `--outputFile=${outputFile}`, ...process.argv.slice(2)], {
    stdio: 'inherit',
    timeout: jestDeadlineMs,
    // Built already, by the step before.
    env: { ...process.env, GITSYNC_SKIP_BUILD: '1' },
  });
  let report;
  try {
    report = JSON.parse(readFileSync(outputFile, 'utf8'));
  } catch {
    console.log('jest ended without a report.');
    return { passed: 0, failed: 1, skipped: 0 };
  }
  for (const test of report.testResults.flatMap((file) => file.assertionResults)) {
    if (test.status !== 'passed') console.log(`${test.status === 'failed' ? 'FAIL' : 'SKIP'} ${test.fullName}`);
  }
  const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
  return {
    passed: report.numPassedTests,
    // jest may fail for another reason than a test (a handle that stays open, a global set-up).
    failed: failed === 0 && status !== 0 ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

bringPackages();
// A server that the last of the tests need takes minutes to build the first time: beside the others. Whoever needs it
// waits for it, and says what went wrong.
if (process.argv.length === 2) spawn(process.execPath, ['scripts/ferretdb.mjs'], { cwd: root, stdio: 'ignore' }).on('error', () => {}).unref();
const directory = mkdtempSync(join(tmpdir(), 'gitsync-test-report-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

const bin = (path) => join('node_modules', path);
const counts = await Promise.all([
  check('build', ['scripts/build.mjs']),
  check('types', [bin('typescript/bin/tsc'), '--noEmit']),
  check('lint', [bin('eslint/bin/eslint.js'), '--max-warnings', '0', 'src', 'test']),
]);
counts.push(await runJest(directory));

for (const { name, failed } of counts) if (failed > 0 && name !== undefined) console.log(`FAIL ${name}`);
const sum = (key) => counts.reduce((total, count) => total + count[key], 0);
const skipped = sum('skipped');
process.exitCode = sum('failed') === 0 ? 0 : 1;
console.log(`${sum('passed')} passed, ${sum('failed')} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`);
