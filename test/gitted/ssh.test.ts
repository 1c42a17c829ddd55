/** The story over ssh: a machine that one can log into. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { makeMachine } from '../helpers/gitted-machine.ts';
import { read, tempDir } from '../helpers/repos.ts';
import { describeWith } from '../helpers/requires.ts';
import { startSshd, type TestSshd } from '../helpers/sshd.ts';

describeWith(['ssh'], 'a machine over ssh', () => {
  let sshd: TestSshd;
  beforeAll(async () => void (sshd = await startSshd()));
  afterAll(() => sshd.stop());

  test('takes a push and gives back what changed', () => {
    const place = join(tempDir('ssh machine'), 'm');
    const box = makeMachine({ driver: ['--host', '127.0.0.1', '--path', place, '--ssh', `${sshd.sshCommand} -p ${sshd.port}`] });
    box.must('push', '-q', 'box', 'master');
    expect(readFileSync(join(place, 'srv/files/hello.txt'), 'utf8')).toBe('hello\n');
    writeFileSync(join(place, 'srv/files/hello.txt'), 'changed there\n');
    box.must('pull', '-q', 'box', 'master');
    expect(read(box.root, 'files/tree/hello.txt')).toBe('changed there\n');
    expect(box.client('status').text).toContain('box  running  ssh  127.0.0.1');
  });
});
