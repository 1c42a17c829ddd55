import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { recoverApply } from '../../src/git/apply.ts';
import { openPrivateIndex } from '../../src/git/private-index.ts';
import { openRepo } from '../../src/git/repository.ts';
import { read, sh, write } from '../helpers/repos.ts';
import { bundleChild, copyOf } from './kill-at-call.ts';
import { everyKind, filesOfCommit, filesOnDisk, historyOf, leftovers, makeCommit, makeFixture, statusOf } from './apply-fixture.ts';

let child = '';
beforeAll(() => {
  child = bundleChild();
});

/** Runs the child; returns the step that it killed itself at, or undefined when it came to its end. */
function runChild(what: 'apply' | 'recover', root: string, from: string, to: string, killAt: number, ...waiting: string[]): string | undefined {
  const result = spawnSync(process.execPath, [child, what, root, from, to, String(killAt), ...waiting], { encoding: 'utf8' });
  if (result.signal === 'SIGKILL') return result.stdout.trim();
  if (result.status !== 0) throw new Error(`the child failed: ${result.stderr}`);
  return undefined;
}

async function recover(root: string, onStep?: (step: string) => void): Promise<string> {
  const repo = await openRepo(root);
  return recoverApply(repo, openPrivateIndex(repo), [], onStep === undefined ? {} : { onStep });
}

/** Saves that a person may make between the crash and the restart. */
const saves: { path: string; save(root: string, content: string): void }[] = [
  { path: 'edit.md', save: (root, content) => write(root, 'edit.md', content) },
  { path: 'edit.md', save: (root, content) => saveByRename(root, 'edit.md', content) },
  { path: 'gone.txt', save: (root, content) => write(root, 'gone.txt', content) },
  { path: 'deep/new.txt', save: (root, content) => saveByRename(root, 'deep/new.txt', content) },
  { path: 'swap/mine.txt', save: (root, content) => saveByRename(root, 'swap/mine.txt', content) },
];

function saveByRename(root: string, path: string, content: string): void {
  const parent = join(root, dirname(path));
  // A file in the place of the folder: the person makes room.
  if (lstatSync(parent, { throwIfNoEntry: false })?.isFile()) rmSync(parent);
  write(root, `${path}.tmp`, content);
  renameSync(join(root, `${path}.tmp`), join(root, path));
}

describe('an update that is killed', () => {
  let origin = '';
  let from = '';
  let to = '';
  /** The repositories as they were when the process died, in the order of its steps. */
  const crashed: { step: string; root: string }[] = [];

  beforeAll(async () => {
    const fixture = await makeFixture({
      ...everyKind.before,
      'dir/b': 'in a folder too\n',
      'kept.txt': 'kept\n',
      'same.txt': 'never touched\n',
    });
    ({ root: origin, from } = fixture);
    to = fixture.incoming({
      ...everyKind.incoming,
      'dir/b': null,
      'kept.txt': 'theirs\n',
    });
    for (let killAt = 1; ; killAt += 1) {
      const root = copyOf(origin);
      const step = runChild('apply', root, from, to, killAt);
      if (step === undefined) return;
      crashed.push({ step, root });
    }
  });

  /** What the work tree holds after the update. */
  function expected(): Record<string, string> {
    return { ...filesOfCommit(origin, to), 'kept.txt': '100644 kept\n' };
  }

  function expectTidy(root: string): void {
    expect(leftovers(root)).toEqual([]);
    expect(existsSync(join(root, '.git/index.lock'))).toBe(false);
    expect(readFileSync(join(root, '.git/HEAD'), 'utf8')).toBe('ref: refs/heads/main\n');
  }

  test('is finished at the next start, at whichever step it was', async () => {
    expect(crashed.length).toBeGreaterThan(20);
    for (const { step, root: dead } of crashed) {
      const root = copyOf(dead);
      const outcome = await recover(root);
      const before = ['locked', 'staged', 'journal closed'].includes(step);
      expect({ step, outcome }).toEqual({ step, outcome: before ? 'nothing' : 'finished' });
      if (step === 'locked' || step === 'staged') {
        expect(filesOnDisk(root)).toEqual(filesOnDisk(origin));
        continue;
      }
      expect({ step, files: filesOnDisk(root) }).toEqual({ step, files: expected() });
      expect(sh(root, 'rev-parse', 'main')).toBe(to);
      expect({ step, status: statusOf(root) }).toEqual({ step, status: ' M kept.txt' });
      expectTidy(root);
    }
  });

  test('and edited before the next start loses nothing', async () => {
    for (const [i, { step, root: dead }] of crashed.entries()) {
      const root = copyOf(dead);
      const { path, save } = saves[i % saves.length] as (typeof saves)[number];
      const content = `saved after ${step}\n`;
      save(root, content);
      await recover(root);
      const kept = (existsSync(join(root, path)) && read(root, path) === content) || historyOf(root, path).includes(content);
      expect({ step, path, kept }).toEqual({ step, path, kept: true });
      if (step !== 'locked' && step !== 'staged') {
        expect(sh(root, 'merge-base', '--is-ancestor', to, 'main')).toBe('');
        expectTidy(root);
      }
    }
  });

  test('and killed again while it recovers is finished all the same', async () => {
    for (const [i, { root: dead }] of crashed.entries()) {
      if (i % 4 !== 3) continue;
      const root = copyOf(dead);
      runChild('recover', root, from, to, (i * 5) % 17 + 1);
      await recover(root);
      expect(filesOnDisk(root)).toEqual(expected());
      expect(sh(root, 'rev-parse', 'main')).toBe(to);
      expect(statusOf(root)).toBe(' M kept.txt');
      expectTidy(root);
    }
  });

  /** The crashed repository, after the person has removed the stale lock and committed something else. */
  function withPersonsCommit(dead: string): { root: string; mine: string } {
    const root = copyOf(dead);
    rmSync(join(root, '.git/index.lock'), { force: true });
    const mine = makeCommit(root, from, { 'same.txt': 'my commit\n' });
    sh(root, 'update-ref', 'refs/heads/main', mine);
    sh(root, 'read-tree', mine);
    writeFileSync(join(root, 'same.txt'), 'my commit\n');
    return { root, mine };
  }

  test('is taken back where the person has committed on the branch since', async () => {
    for (const { step, root: dead } of crashed) {
      if (sh(dead, 'rev-parse', 'main') !== from) continue;
      const { root, mine } = withPersonsCommit(dead);
      const outcome = await recover(root);
      expect({ step, outcome }).toEqual({ step, outcome: ['locked', 'staged'].includes(step) ? 'nothing' : 'undone' });
      expect({ step, files: filesOnDisk(root) }).toEqual({ step, files: filesOfCommit(root, mine) });
      expect(sh(root, 'rev-parse', 'main')).toBe(mine);
      expect(sh(root, 'status', '--porcelain')).toBe('');
      if (outcome === 'undone') expectTidy(root);
    }
  });

  test('and stopped again while it is taken back is taken back all the same', async () => {
    const dead = crashed.filter(({ root }) => sh(root, 'rev-parse', 'main') === from).at(-1)?.root as string;
    for (const stopAt of ['going back', 'new files taken out', 'old files given back']) {
      const { root, mine } = withPersonsCommit(dead);
      const stop = (step: string): void => {
        if (step === stopAt) throw new Error(step);
      };
      await expect(recover(root, stop)).rejects.toThrow(stopAt);
      // Even if the branch is where it was by now: what goes back goes back.
      sh(root, 'update-ref', 'refs/heads/main', from);
      expect(await recover(root)).toBe('undone');
      expect(filesOnDisk(root)).toEqual({ ...filesOfCommit(root, from), 'same.txt': '100644 my commit\n' });
      expect(mine).not.toBe(from);
      expectTidy(root);
    }
  });
});

describe('an update in several rounds, with a path that had to wait before, that is killed', () => {
  test('is finished at the next start, at whichever step it was', async () => {
    const fixture = await makeFixture({ '.gitignore': '.env\n', 'a.md': 'one\ntwo\nthree\n' });
    write(fixture.root, '.env', 'SECRET\n');
    const first = fixture.incoming({ '.env': 'theirs\n' });
    await fixture.apply(first);
    rmSync(join(fixture.root, '.env'));
    const to = makeCommit(fixture.root, first, { 'a.md': 'one\ntwo\nTHREE\n', 'b.md': 'new\n' });
    write(fixture.root, 'a.md', 'ONE\ntwo\nthree\n');
    const steps: string[] = [];
    for (;;) {
      const root = copyOf(fixture.root);
      const step = runChild('apply', root, first, to, steps.length + 1, '.env');
      if (step === undefined) break;
      steps.push(step);
      if ((await recover(root)) !== 'finished') continue;
      expect({ step, files: filesOnDisk(root) }).toEqual({
        step,
        files: { '.env': '100644 theirs\n', '.gitignore': '100644 .env\n', 'a.md': '100644 ONE\ntwo\nTHREE\n', 'b.md': '100644 new\n' },
      });
      expect(sh(root, 'status', '--porcelain')).toBe('');
      expect(leftovers(root)).toEqual([]);
    }
    expect(steps.filter((step) => step === 'journal written')).toHaveLength(2);
  });
});
