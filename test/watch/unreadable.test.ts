/** Permissions do not bind root, so as root the watcher runs in a child process that has become another user. */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { rawFromText } from '../../src/core/raw-path.ts';
import { tempDir } from '../helpers/repos.ts';
import { put } from './watching.ts';

const nobody = 65_534;

test('says once which directory cannot be read, goes on with the others, and watches it when it can be read', () => {
  const root = tempDir('unreadable');
  put(root, 'closed/inner/file.txt');
  put(root, 'open/file.txt');
  const isRoot = process.getuid?.() === 0;
  if (isRoot) for (const path of ['', 'closed', 'closed/inner', 'closed/inner/file.txt', 'open', 'open/file.txt']) chownSync(join(root, path), nobody, nobody);
  chmodSync(join(root, 'closed'), 0);
  const script = new URL('unreadable.ts', import.meta.url).pathname;
  const temporary = join(tempDir('tmp'), 'tmp');
  mkdirSync(temporary);
  if (isRoot) for (const path of [join(temporary, '..'), temporary]) chownSync(path, nobody, nobody);
  const output = execFileSync(process.execPath, ['--import', 'tsx', script, root], {
    encoding: 'utf8',
    env: { ...process.env, TMPDIR: temporary },
    ...(isRoot ? { uid: nobody, gid: nobody } : {}),
  });
  expect(JSON.parse(output)).toMatchObject({
    uid: isRoot ? nobody : process.getuid?.(),
    problems: [{ kind: 'unreadable', path: rawFromText('closed'), message: expect.stringContaining('closed') }],
    watchedAtFirst: 2,
    watchedAtLast: 4,
  });
});
