import { lstatSync, mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { sh, write } from '../helpers/repos.ts';
import { applied, filesOfCommit, filesOnDisk, leftovers, makeCommit, makeFixture, statusOf, type FileSpec } from './apply-fixture.ts';

const names = ['a', 'b', 'c', 'd'];
const path = fc.array(fc.constantFrom(...names, 'caf\xe9', 'x y\n'), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const file = fc.oneof(
  { weight: 4, arbitrary: fc.string({ maxLength: 40 }).map((text): FileSpec => text) },
  { weight: 1, arbitrary: fc.string({ maxLength: 10 }).map((content): FileSpec => ({ mode: '100755', content })) },
  { weight: 1, arbitrary: fc.constantFrom('a', '../outside', '/nowhere').map((content): FileSpec => ({ mode: '120000', content })) },
);
const tree = fc.dictionary(path, file, { maxKeys: 12, noNullPrototype: true });

/** Of two paths of which one is the other's folder, only the first stays. */
function withoutClashes(files: Record<string, FileSpec>): Record<string, FileSpec> {
  const kept: Record<string, FileSpec> = {};
  for (const [name, spec] of Object.entries(files)) {
    const clashes = Object.keys(kept).some((other) => other.startsWith(`${name}/`) || name.startsWith(`${other}/`));
    if (!clashes) kept[name] = spec;
  }
  return kept;
}

/** Writes regular files where that is possible without removing any; returns their contents. */
function saveAll(root: string, files: Record<string, FileSpec>): string[] {
  const saved: string[] = [];
  for (const [i, name] of Object.keys(files).entries()) {
    const content = `saved ${i}\n`;
    const target = Buffer.from(`${root}/${name}`, 'latin1');
    try {
      if (lstatSync(target, { throwIfNoEntry: false })?.isSymbolicLink()) continue;
      mkdirSync(Buffer.from(`${root}/${name.slice(0, Math.max(0, name.lastIndexOf('/')))}`, 'latin1'), { recursive: true });
      writeFileSync(target, content);
      saved.push(content);
    } catch {
      // A file where a folder is wanted, or the other way round.
    }
  }
  return saved;
}

/** The contents of all blobs that a ref reaches. */
function allVersions(root: string): string[] {
  const commits = sh(root, 'rev-list', '--all').split('\n');
  return commits.flatMap((commit) => Object.values(filesOfCommit(root, commit)).map((each) => each.slice('100644 '.length)));
}

describe('an update', () => {
  test('from any commit to any other makes the work tree hold exactly that one, beside what nobody tracks', async () => {
    await fc.assert(
      fc.asyncProperty(tree, tree, async (before, after) => {
        const [old, wanted] = [withoutClashes(before), withoutClashes(after)];
        const fixture = await makeFixture({ 'readme.txt': 'always here\n', ...old });
        write(fixture.root, 'extra/untracked.txt', 'mine\n');
        const removed = Object.keys(old).filter((name) => !(name in wanted));
        const to = makeCommit(fixture.root, fixture.from, { ...Object.fromEntries(removed.map((name) => [name, null])), ...wanted });

        const outcome = applied(await fixture.apply(to));

        expect(outcome).toMatchObject({ commit: to, unseen: [], blocked: [], conflicts: [] });
        expect(filesOnDisk(fixture.root)).toEqual({ ...filesOfCommit(fixture.root, to), 'extra/untracked.txt': '100644 mine\n' });
        expect(statusOf(fixture.root)).toBe('?? extra/untracked.txt');
        expect(leftovers(fixture.root)).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });

  test('over any unseen changes loses none of them', async () => {
    await fc.assert(
      fc.asyncProperty(tree, tree, tree, async (before, after, unseen) => {
        const [old, wanted, mine] = [withoutClashes(before), withoutClashes(after), withoutClashes(unseen)];
        const fixture = await makeFixture({ 'readme.txt': 'always here\n', ...old });
        const removed = Object.keys(old).filter((name) => !(name in wanted));
        const to = makeCommit(fixture.root, fixture.from, { ...Object.fromEntries(removed.map((name) => [name, null])), ...wanted });
        const saved = saveAll(fixture.root, mine);

        const outcome = applied(await fixture.apply(to));

        const kept = new Set([...allVersions(fixture.root), ...Object.values(filesOnDisk(fixture.root)).map((each) => each.slice('100644 '.length))]);
        expect(saved.filter((content) => !kept.has(content))).toEqual([]);
        expect(outcome.blocked).toEqual([]);
        expect(leftovers(fixture.root)).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });
});
