import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { exitCodes } from '../../src/errors.ts';

const root = new URL('../..', import.meta.url).pathname;

test('docs/exit-codes.md lists every exit code by its name, and no other', () => {
  const text = readFileSync(`${root}docs/exit-codes.md`, 'utf8').split('\n## ')[0] as string;
  const listed = [...text.matchAll(/^\| (\d+) \| (\S+) \|/gm)].map(([, code, name]) => [name, Number(code)]);
  expect(Object.fromEntries(listed)).toEqual(exitCodes);
});

test('the service is not restarted for what trying again does not mend', () => {
  const unit = readFileSync(`${root}systemd/gitsync.service`, 'utf8');
  const codes = /^RestartPreventExitStatus=(.*)$/m.exec(unit)?.[1]?.split(' ').map(Number);
  expect(codes).toEqual([exitCodes.usage, exitCodes.config, exitCodes.locked]);
});
