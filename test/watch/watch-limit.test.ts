import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { afterAll, expect, test } from '@jest/globals';
import { tempDir } from '../helpers/repos.ts';
import { describeWith } from '../helpers/requires.ts';
import { put } from './watching.ts';

const machineLimits = (): string[] => ['watches', 'instances'].map((name) => readFileSync(`/proc/sys/fs/inotify/max_user_${name}`, 'utf8').trim());

interface Report { result: { kind?: string; atFirst?: unknown; problems: unknown }; machineLimit: string }

/** Plays a story of limited.ts with 30 directories, in a user namespace whose limits are its own. */
function play(story: string): Report['result'] {
  const root = tempDir('limited');
  for (let i = 0; i < 30; i += 1) put(root, `d${i}/file.txt`);
  const script = new URL('limited.ts', import.meta.url).pathname;
  const output = execFileSync('unshare', ['-Ur', process.execPath, '--import', 'tsx', script, root, readlinkSync('/proc/self/ns/user'), story], { encoding: 'utf8' });
  return (JSON.parse(output) as Report).result;
}

describeWith(['linux', 'userns'], 'at the kernel\'s limits', () => {
  const before = machineLimits();
  // The limits of the machine are not the tests' to change.
  afterAll(() => expect(machineLimits()).toEqual(before));

  test('says which sysctl helps, holds no watches, reports everything from time to time, and watches again when the limit is raised', () => {
    const { atFirst, problems } = play('start');
    expect(problems).toBe(1);
    expect(atFirst).toMatchObject({
      kind: 'scan-only',
      watchCount: 0,
      problems: [{
        kind: 'watch-limit',
        message: expect.stringMatching(/user\.max_inotify_watches=20\), and .* has 31\./),
        hint: 'sudo sysctl user.max_inotify_watches=512; to keep it: echo user.max_inotify_watches=512 | sudo tee /etc/sysctl.d/60-gitsync.conf',
      }],
    });
  });

  test('begins to scan when the limit is reached while it watches', () => {
    expect(play('later')).toMatchObject({ atFirst: 'directories', problems: [{ kind: 'watch-limit' }] });
  });

  test('scans when the kernel lets the user have no further inotify instance', () => {
    expect(play('instances')).toMatchObject({ kind: 'scan-only', problems: [{ kind: 'watch-limit', hint: expect.stringContaining('user.max_inotify_instances=512') }] });
  });
});
