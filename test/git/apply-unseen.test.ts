import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { ApplyOutcome } from '../../src/git/apply.ts';
import { read, sh, write } from '../helpers/repos.ts';
import { applied, filesOfCommit, filesOnDisk, historyOf, leftovers, makeCommit, makeFixture, raw, statusOf, type Fixture } from './apply-fixture.ts';

const lines = (from: number, to: number): string => Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i}\n`).join('');

/** The steps that an update of one changed file goes through. */
async function stepsOf(make: () => Promise<{ fixture: Fixture; to: string }>): Promise<string[]> {
  const { fixture, to } = await make();
  const steps: string[] = [];
  await fixture.apply(to, { onStep: (step) => void steps.push(step) });
  return steps;
}

/** Saves as many editors do: a new file, renamed over the old one. */
function saveByRename(root: string, path: string, content: string): void {
  writeFileSync(join(root, `${path}.tmp`), content);
  renameSync(join(root, `${path}.tmp`), join(root, path));
}

const saves = { 'by rename': saveByRename, 'in place': write };

/** Everything that the branch and the work tree hold is the same, and clean. */
function expectSettled(fixture: Fixture, outcome: ApplyOutcome): void {
  const { commit } = applied(outcome);
  expect(sh(fixture.root, 'rev-parse', 'refs/heads/main')).toBe(commit);
  expect(filesOnDisk(fixture.root)).toEqual(filesOfCommit(fixture.root, commit));
  expect(statusOf(fixture.root)).toBe('');
  expect(leftovers(fixture.root)).toEqual([]);
}

describe('an edit that nobody has seen yet', () => {
  test.each(Object.entries(saves))('saved %s before the update is merged with what comes in', async (_, save) => {
    const fixture = await makeFixture({ 'a.md': lines(1, 9) });
    save(fixture.root, 'a.md', lines(1, 9).replace('line 2', 'my line 2'));
    const to = fixture.incoming({ 'a.md': lines(1, 9).replace('line 8', 'their line 8') });

    const outcome = await fixture.apply(to);

    expect(applied(outcome).unseen).toEqual([raw('a.md')]);
    expect(read(fixture.root, 'a.md')).toBe(lines(1, 9).replace('line 2', 'my line 2').replace('line 8', 'their line 8'));
    expect(sh(fixture.root, 'merge-base', '--is-ancestor', to, 'main')).toBe('');
    expectSettled(fixture, outcome);
  });

  test('that collides keeps both versions', async () => {
    const fixture = await makeFixture({ 'a.txt': lines(1, 3), 'other.txt': 'x\n' });
    write(fixture.root, 'a.txt', 'mine\n');
    const outcome = await fixture.apply(fixture.incoming({ 'a.txt': 'theirs\n', 'other.txt': 'y\n' }));
    expect(applied(outcome).conflicts).toHaveLength(1);
    const contents = Object.values(filesOnDisk(fixture.root));
    expect(contents).toEqual(expect.arrayContaining(['100644 mine\n', '100644 theirs\n', '100644 y\n']));
    expectSettled(fixture, outcome);
  });

  test('survives the removal of its file', async () => {
    const fixture = await makeFixture({ 'd/a.txt': 'old\n', 'd/b.txt': 'b\n' });
    write(fixture.root, 'd/a.txt', 'mine\n');
    const outcome = await fixture.apply(fixture.incoming({ 'd/a.txt': null, 'd/b.txt': null }));
    expect(filesOnDisk(fixture.root)).toEqual({ 'd/a.txt': '100644 mine\n' });
    expectSettled(fixture, outcome);
  });

  test('that says the same as what comes in is none', async () => {
    const fixture = await makeFixture({ 'a.txt': 'old\n' });
    write(fixture.root, 'a.txt', 'same\n');
    write(fixture.root, 'new.txt', 'same too\n');
    const to = fixture.incoming({ 'a.txt': 'same\n', 'new.txt': 'same too\n' });
    const outcome = await fixture.apply(to);
    expect(applied(outcome)).toMatchObject({ commit: to, unseen: [] });
    expectSettled(fixture, outcome);
  });

  test('as a new file where one comes in is kept beside it', async () => {
    const fixture = await makeFixture({ 'a.txt': 'a\n' });
    write(fixture.root, 'new.txt', 'mine\n');
    const outcome = await fixture.apply(fixture.incoming({ 'new.txt': 'theirs\n' }));
    expect(applied(outcome).unseen).toEqual([raw('new.txt')]);
    expect(Object.values(filesOnDisk(fixture.root)).sort()).toEqual(['100644 a\n', '100644 mine\n', '100644 theirs\n']);
    expectSettled(fixture, outcome);
  });

  test('as a removal gives way to an edit that comes in', async () => {
    const fixture = await makeFixture({ 'a.txt': 'a\n', 'd/b.txt': 'b\n' });
    unlinkSync(join(fixture.root, 'a.txt'));
    rmSync(join(fixture.root, 'd'), { recursive: true });
    const outcome = await fixture.apply(fixture.incoming({ 'a.txt': 'A\n', 'd/b.txt': 'B\n' }));
    expect(filesOnDisk(fixture.root)).toEqual({ 'a.txt': '100644 A\n', 'd/b.txt': '100644 B\n' });
    expectSettled(fixture, outcome);
  });

  test('as a file where a folder comes in, and as a folder where a file comes in, keeps both', async () => {
    const fixture = await makeFixture({ 'x.txt': 'x\n' });
    write(fixture.root, 'name', 'my file\n');
    write(fixture.root, 'other/mine.txt', 'in my folder\n');
    const outcome = await fixture.apply(fixture.incoming({ 'name/theirs.txt': 'in their folder\n', other: 'their file\n' }));
    expect(applied(outcome).blocked).toEqual([]);
    expect(Object.values(filesOnDisk(fixture.root)).sort()).toEqual(['100644 in my folder\n', '100644 in their folder\n', '100644 my file\n', '100644 their file\n', '100644 x\n']);
    expectSettled(fixture, outcome);
  });

  test('that replaced a file by a folder or a link keeps all of it', async () => {
    const fixture = await makeFixture({ a: 'a\n', b: 'b\n' });
    unlinkSync(join(fixture.root, 'a'));
    write(fixture.root, 'a/inside.txt', 'mine\n');
    unlinkSync(join(fixture.root, 'b'));
    symlinkSync('a', join(fixture.root, 'b'));
    const outcome = await fixture.apply(fixture.incoming({ a: 'A\n', b: 'B\n' }));
    expect(applied(outcome).blocked).toEqual([]);
    const contents = Object.values(filesOnDisk(fixture.root));
    expect(contents).toEqual(expect.arrayContaining(['100644 mine\n', '100644 A\n']));
    expect(contents.some((content) => content === '100644 B\n') || historyOf(fixture.root, 'b').includes('B\n')).toBe(true);
    expect(contents.some((content) => content === '120000 a') || historyOf(fixture.root, 'b').includes('a')).toBe(true);
    expectSettled(fixture, outcome);
  });

  test('with a name that is not UTF-8 is merged too', async () => {
    const fixture = await makeFixture({ 'caf\xe9\n.md': lines(1, 9) });
    writeFileSync(Buffer.from(`${fixture.root}/caf\xe9\n.md`, 'latin1'), lines(1, 9).replace('line 2', 'mine'));
    const outcome = await fixture.apply(fixture.incoming({ 'caf\xe9\n.md': lines(1, 9).replace('line 8', 'theirs') }));
    expect(Object.values(filesOnDisk(fixture.root))).toEqual([`100644 ${lines(1, 9).replace('line 2', 'mine').replace('line 8', 'theirs')}`]);
    expectSettled(fixture, outcome);
  });

  test('on an empty branch stays, and what came in is in history', async () => {
    const fixture = await makeFixture({ 'a.txt': 'theirs\n' });
    const to = fixture.from;
    sh(fixture.root, 'update-ref', '-d', 'refs/heads/main');
    sh(fixture.root, 'read-tree', '--empty');
    write(fixture.root, 'a.txt', 'mine\n');
    const outcome = await fixture.apply(to, { from: undefined });
    expect(read(fixture.root, 'a.txt')).toBe('mine\n');
    expect(historyOf(fixture.root, 'a.txt').sort()).toEqual(['mine\n', 'theirs\n']);
    expectSettled(fixture, outcome);
  });

  test('is not merged where the rules want a person for it: theirs stays checked out', async () => {
    const fixture = await makeFixture({ 'a.txt': 'old\n', 'b.txt': 'b\n' });
    write(fixture.root, 'a.txt', 'mine\n');
    const to = fixture.incoming({ 'a.txt': 'theirs\n', 'b.txt': 'B\n' });
    const outcome = await fixture.apply(to, { rules: [{ glob: undefined, policy: 'pause' }] });
    expect(filesOnDisk(fixture.root)).toEqual({ 'a.txt': '100644 mine\n', 'b.txt': '100644 b\n' });
    expect(applied(outcome).commit).not.toBe(to);
    expect(sh(fixture.root, 'rev-parse', 'main~1')).toBe(fixture.from);
    expectSettled(fixture, outcome);
  });

  test('follows a history that was replaced, without bringing the old one back', async () => {
    const fixture = await makeFixture({ 'a.md': lines(1, 9), 'secret.txt': 'purge me\n' });
    const purged = makeCommit(fixture.root, undefined, { 'a.md': lines(1, 9).replace('line 8', 'their line 8') });
    write(fixture.root, 'a.md', lines(1, 9).replace('line 2', 'my line 2'));
    const outcome = await fixture.apply(purged);
    expect(read(fixture.root, 'a.md')).toBe(lines(1, 9).replace('line 2', 'my line 2').replace('line 8', 'their line 8'));
    expect(existsSync(join(fixture.root, 'secret.txt'))).toBe(false);
    expect(() => sh(fixture.root, 'merge-base', '--is-ancestor', fixture.from, 'main')).toThrow();
    expect(sh(fixture.root, 'for-each-ref', 'refs/gitsync/rescue')).not.toBe('');
    expectSettled(fixture, outcome);
  });
});

describe('a save at any step of the update', () => {
  const make = async (): Promise<{ fixture: Fixture; to: string }> => {
    const fixture = await makeFixture({ 'a.md': lines(1, 9), 'gone.md': 'old\n' });
    return { fixture, to: fixture.incoming({ 'a.md': lines(1, 9).replace('line 8', 'their line 8'), 'gone.md': null, 'new.md': 'their new file\n' }) };
  };
  const inWorkTreeOrHistory = (root: string, path: string, content: string): boolean =>
    (existsSync(join(root, path)) && read(root, path) === content) || historyOf(root, path).includes(content);

  test.each([
    ['by rename', saveByRename, ['a.md', 'gone.md', 'new.md']],
    ['in place', write, ['a.md']],
  ] as const)('%s: nothing is lost, and git sees either the save or nothing', async (_, save, paths) => {
    const steps = await stepsOf(make);
    expect(steps.length).toBeGreaterThan(10);
    for (let i = 0; i < steps.length; i += 1) {
      for (const path of paths) {
        const { fixture, to } = await make();
        const content = `saved at step ${i}\n${lines(1, 9)}`;
        let passed = 0;
        const outcome = applied(await fixture.apply(to, { onStep: () => void ((passed += 1) === i + 1 && save(fixture.root, path, content)) }));
        expect({ step: steps[i], path, kept: inWorkTreeOrHistory(fixture.root, path, content) }).toEqual({ step: steps[i], path, kept: true });
        expect(sh(fixture.root, 'merge-base', '--is-ancestor', to, 'main')).toBe('');
        expect(leftovers(fixture.root)).toEqual([]);
        // Either it was seen and committed, or git shows it as a change of that file.
        if (outcome.unseen.length > 0) expectSettled(fixture, outcome);
        else expect(statusOf(fixture.root)).toMatch(new RegExp(`^(|( M|\\?\\?) ${path})$`));
      }
    }
  });

  test('a file that is saved at every step keeps the last version, and the update ends', async () => {
    const { fixture, to } = await make();
    const saved: string[] = [];
    applied(
      await fixture.apply(to, {
        onStep: () => {
          saved.push(`version ${saved.length}\n`);
          saveByRename(fixture.root, 'a.md', saved.at(-1) as string);
        },
      }),
    );
    expect(read(fixture.root, 'a.md')).toBe(saved.at(-1));
    expect(sh(fixture.root, 'merge-base', '--is-ancestor', to, 'main')).toBe('');
    expect(leftovers(fixture.root)).toEqual([]);
  });

  test('a file that is removed and made again at every step does not keep the update from ending', async () => {
    const { fixture, to } = await make();
    let n = 0;
    const outcome = await fixture.apply(to, {
      onStep: () => {
        rmSync(join(fixture.root, 'new.md'), { force: true, recursive: true });
        n += 1;
        if (n % 3 === 0) mkdirSync(join(fixture.root, 'new.md'));
        else if (n % 3 === 1) writeFileSync(join(fixture.root, 'new.md'), `version ${n}\n`);
      },
    });
    expect(outcome.kind).toBe('applied');
    expect(sh(fixture.root, 'merge-base', '--is-ancestor', to, 'main')).toBe('');
  });
});

