/** Words that newer versions of git have for the same: seen with 2.55, put here into the mouth of the git that is installed. */
import { execFileSync } from 'node:child_process';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { fetchBranch, noteIntegrated } from '../../src/git/fetch.ts';
import { publishBranch } from '../../src/git/publish.ts';
import { openRepo } from '../../src/git/repository.ts';
import { commitFiles, sh, tempDir, twoMachines } from '../helpers/repos.ts';

const path = process.env['PATH'];
beforeEach(() => {
  const bin = tempDir('bin');
  const real = execFileSync('/bin/sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim();
  const prune = `s/^error: cannot lock ref .* cannot create .*/error: some local refs could not be updated; try running\\n 'git remote prune origin' to remove any old, conflicting branches/`;
  const script = `#!/bin/bash
set -o pipefail
case " $* " in
*" push "*) { ${real} "$@" 2>&3 | sed "s/(failed to update ref)$/($REASON)/"; } 3>&2 ;;
*" fetch "*) ${real} "$@" 2> >(sed "${prune}" >&2) ;;
*) exec ${real} "$@" ;;
esac
`;
  writeFileSync(join(bin, 'git'), script);
  chmodSync(join(bin, 'git'), 0o755);
  process.env['PATH'] = `${bin}:${path}`;
});
afterEach(() => {
  process.env['PATH'] = path;
  delete process.env['REASON'];
});

test('a stale tracking ref in the way is cleared', async () => {
  const { a, b, remote } = twoMachines();
  sh(a, 'push', '-q', 'origin', 'main:x');
  sh(b, 'fetch', '-q');
  sh(remote, 'branch', '-m', 'x', 'x/y');
  expect(await fetchBranch(await openRepo(b), { remote: 'origin', branch: 'x/y' })).toMatchObject({ kind: 'fetched', moved: true });
});

test('a push to a branch that is locked at the server is tried again', async () => {
  const { a, remote } = twoMachines();
  const repo = await openRepo(a);
  const commit = commitFiles(a, { x: '1' });
  process.env['REASON'] = 'reference already exists';
  writeFileSync(`${remote}/refs/heads/main.lock`, '');
  await expect(publishBranch(repo, { remote: 'origin', branch: 'main' }, commit)).rejects.toMatchObject({ kind: 'locked' });
  rmSync(`${remote}/refs/heads/main.lock`);
  expect(await publishBranch(repo, { remote: 'origin', branch: 'main' }, commit)).toMatchObject({ kind: 'pushed' });
});

test('a branch that was deleted in the moment before a push is not made again, and nothing else in its place', async () => {
  const { a, remote } = twoMachines();
  const repo = await openRepo(a, { hooks: true });
  await noteIntegrated(repo, { remote: 'origin', branch: 'main' }, sh(a, 'rev-parse', 'main'));
  const commit = commitFiles(a, { x: '1' });
  process.env['REASON'] = 'reference does not exist';
  writeFileSync(`${a}/.git/hooks/pre-push`, `#!/bin/sh\ngit --git-dir='${remote}' update-ref -d refs/heads/main\n`, { mode: 0o755 });
  await expect(publishBranch(repo, { remote: 'origin', branch: 'main' }, commit)).rejects.toMatchObject({ kind: 'failed', message: 'The remote could not move the branch.' });
  expect(sh(remote, 'for-each-ref')).toBe('');
});
