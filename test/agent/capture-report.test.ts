/** What the status knows after looks at a few paths only: what is so, not what was so at the last look at everything. */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { performAction } from '../../src/agent/actions.ts';
import { openSession, type RepoSession } from '../../src/agent/repo-session.ts';
import { defaultRepoConfig } from '../../src/config/config.ts';
import { rawFromText } from '../../src/core/raw-path.ts';
import type { CaptureReport } from '../../src/git/capture.ts';
import { silentLog } from '../../src/log.ts';
import { sh, tempRepo, write } from '../helpers/repos.ts';

let root: string;
let session: RepoSession;
beforeEach(async () => {
  root = tempRepo(Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`many/${i}`, `${i}\n`])));
  session = await openSession({ ...defaultRepoConfig(root), maxFileSizeBytes: 1_000 }, silentLog);
  await look('all');
});
afterEach(() => session.close());

async function look(at: 'all' | string[]): Promise<CaptureReport> {
  await performAction(session, { type: 'capture', scan: at === 'all' ? at : new Set(at.map(rawFromText)), overdue: new Set() }, new AbortController().signal);
  return session.lastReport as CaptureReport;
}
const heldPaths = ({ held }: CaptureReport): string[] => held.map(({ path }) => path);

describe('a look at a few paths', () => {
  test('adds what is held there, and keeps what is held elsewhere', async () => {
    write(root, '.env', 'PASSWORD=1\n');
    write(root, 'dir/big', Buffer.alloc(2_000, 1));
    expect(heldPaths(await look(['.env']))).toEqual(['.env']);
    expect(heldPaths(await look(['dir']))).toEqual(['.env', 'dir/big']);
    expect(heldPaths(await look(['other']))).toEqual(['.env', 'dir/big']);
  });

  test('forgets what was taken away, became small enough, or came back', async () => {
    write(root, '.env', 'PASSWORD=1\n');
    write(root, 'dir/big', Buffer.alloc(2_000, 1));
    renameSync(join(root, 'many'), join(root, '.git/away'));
    expect(heldPaths(await look(['.env', 'dir', 'many']))).toHaveLength(42);
    rmSync(join(root, '.env'));
    expect(heldPaths(await look(['.env']))).toHaveLength(41);
    write(root, 'dir/big', 'small\n');
    expect(heldPaths(await look(['dir/big']))).toHaveLength(40);
    renameSync(join(root, '.git/away'), join(root, 'many'));
    expect(heldPaths(await look(['many']))).toEqual([]);
    expect(sh(root, 'ls-tree', '-r', '--name-only', 'HEAD').split('\n')).toHaveLength(41);
  });

  test('knows of a repository inside, and when it is gone', async () => {
    sh(root, 'init', '-q', 'dir/inner');
    sh(root, 'init', '-q', 'other');
    expect((await look(['dir/inner', 'other'])).nested).toEqual(['dir/inner', 'other']);
    expect((await look(['many'])).nested).toEqual(['dir/inner', 'other']);
    rmSync(join(root, 'dir'), { recursive: true });
    expect((await look(['dir'])).nested).toEqual(['other']);
  });

  test('knows of a submodule that moved, and when it is back', async () => {
    const inner = join(root, 'sub');
    mkdirSync(inner);
    sh(inner, 'init', '-q');
    const commit = (): string => sh(inner, 'commit', '-q', '--allow-empty', '-m', 'one');
    commit();
    sh(root, 'add', 'sub');
    sh(root, 'commit', '-q', '-m', 'submodule');
    await look('all');
    commit();
    expect((await look(['sub'])).movedSubmodules).toEqual(['sub']);
    sh(inner, 'reset', '-q', '--hard', 'HEAD~1');
    expect((await look(['sub'])).movedSubmodules).toEqual([]);
  });
});
