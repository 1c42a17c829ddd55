/** What Node says on standard error besides us. */
import { spawnSync } from 'node:child_process';
import { expect, test } from '@jest/globals';

test('only the warning that nobody can do anything about is left out', () => {
  const script = `
    await import(${JSON.stringify(new URL('../../src/gidit/quiet-warnings.ts', import.meta.url).href)});
    process.emitWarning('The Ed25519 Web Crypto API algorithm is an experimental feature and might change at any time', 'ExperimentalWarning');
    process.emitWarning('something else', 'ExperimentalWarning');
    process.emitWarning(new Error('an error'));`;
  const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], { cwd: new URL('../..', import.meta.url).pathname, encoding: 'utf8' });
  expect(stderr).toContain('ExperimentalWarning: something else');
  expect(stderr).toContain('an error');
  expect(stderr).not.toContain('Ed25519');
  expect(status).toBe(0);
});
