/** Every row of the conflict table, integrated on both machines, which must make the same commit. */
import { describe, expect, test } from '@jest/globals';
import { integrateBoth, makeLab, type Content } from '../helpers/merge-lab.ts';

/** Twelve lines, some of them replaced. */
function lines(changes: Record<number, string> = {}, label = 'old'): string {
  return Array.from({ length: 12 }, (_, i) => `${changes[i + 1] ?? `${label} line ${i + 1}`}\n`).join('');
}

const executable = (content: string): Content => ({ mode: '100755', content });
const link = (content: string): Content => ({ mode: '120000', content });
const submodule = (digit: string): Content => ({ mode: '160000', content: digit.repeat(40) });
const commitId = (digit: string): string => `@${digit.repeat(40)}`;

type Files = Record<string, Content>;
type Row = { name: string; base: Files; a: Files; b: Files; expected: Record<string, string>; conflicts: string[] };

/** `b` acts a minute after `a`, so `b` is the newer side. The id in a copy's name is written as OID. */
const rows: Row[] = [
  {
    name: 'both edited, different places: the three-way result',
    base: { 'n.md': lines() },
    a: { 'n.md': lines({ 2: 'from a' }) },
    b: { 'n.md': lines({ 11: 'from b' }) },
    expected: { 'n.md': lines({ 2: 'from a', 11: 'from b' }) },
    conflicts: [],
  },
  {
    name: 'both edited the same place, prose: the newer side with the hunks of the other that do not collide, and the whole other file',
    base: { 'n.md': lines() },
    a: { 'n.md': lines({ 2: 'only a', 6: 'from a' }) },
    b: { 'n.md': lines({ 6: 'from b', 11: 'only b' }) },
    expected: { 'n.md': lines({ 2: 'only a', 6: 'from b', 11: 'only b' }), 'n.conflict-20261120-100000-Test-Person-OID.md': lines({ 2: 'only a', 6: 'from a' }) },
    conflicts: ['content n.md b + n.conflict-20261120-100000-Test-Person-OID.md'],
  },
  {
    name: 'both edited the same place, no prose: the newer side untouched, and the whole other file',
    base: { 'n.ts': lines() },
    a: { 'n.ts': lines({ 2: 'only a', 6: 'from a' }) },
    b: { 'n.ts': lines({ 6: 'from b' }) },
    expected: { 'n.ts': lines({ 6: 'from b' }), 'n.conflict-20261120-100000-Test-Person-OID.ts': lines({ 2: 'only a', 6: 'from a' }) },
    conflicts: ['content n.ts b + n.conflict-20261120-100000-Test-Person-OID.ts'],
  },
  {
    name: 'both edited a binary file: the newer, and the other beside it, even where the name promises prose',
    base: { 'n.md': `\0${lines()}` },
    a: { 'n.md': `\0${lines({ 2: 'from a' })}` },
    b: { 'n.md': `\0${lines({ 11: 'from b' })}` },
    expected: { 'n.md': `\0${lines({ 11: 'from b' })}`, 'n.conflict-20261120-100000-Test-Person-OID.md': `\0${lines({ 2: 'from a' })}` },
    conflicts: ['content n.md b + n.conflict-20261120-100000-Test-Person-OID.md'],
  },
  {
    name: 'both added, different content: the newer, and the other beside it',
    base: { other: '' },
    a: { 'n.md': 'from a\n' },
    b: { 'n.md': 'from b\n' },
    expected: { other: '', 'n.md': 'from b\n', 'n.conflict-20261120-100000-Test-Person-OID.md': 'from a\n' },
    conflicts: ['both-added n.md b + n.conflict-20261120-100000-Test-Person-OID.md'],
  },
  {
    name: 'both added the same content: that content, executable if either says so',
    base: { other: '' },
    a: { run: executable('same\n'), plain: 'same\n' },
    b: { run: 'same\n', plain: 'same\n' },
    expected: { other: '', plain: 'same\n', 'run+x': 'same\n' },
    conflicts: [],
  },
  {
    name: 'one made it executable, both edited the same place: the newer content, executable',
    base: { run: lines() },
    a: { run: executable(lines({ 6: 'from a' })) },
    b: { run: lines({ 6: 'from b' }) },
    expected: { 'run+x': lines({ 6: 'from b' }), 'run.conflict-20261120-100000-Test-Person-OID+x': lines({ 6: 'from a' }) },
    conflicts: ['content run b + run.conflict-20261120-100000-Test-Person-OID'],
  },
  {
    name: 'edit against delete: the edit stays, also where the deletion is newer',
    base: { 'n.md': lines(), 'm.md': lines({}, 'm') },
    a: { 'n.md': lines({ 6: 'from a' }), 'm.md': null },
    b: { 'n.md': null, 'm.md': lines({ 6: 'from b' }, 'm') },
    expected: { 'n.md': lines({ 6: 'from a' }), 'm.md': lines({ 6: 'from b' }, 'm') },
    conflicts: ['edit-delete m.md b', 'edit-delete n.md a'],
  },
  {
    name: 'emptied against edited: the newer; an empty copy is left out',
    base: { 'n.txt': lines() },
    a: { 'n.txt': '' },
    b: { 'n.txt': lines({ 6: 'from b' }) },
    expected: { 'n.txt': lines({ 6: 'from b' }) },
    conflicts: ['content n.txt b'],
  },
  {
    name: 'renamed by one, edited by the other: the edit follows the new name',
    base: { 'n.md': lines() },
    a: { 'n.md': null, 'sub/m.md': lines({ 2: 'from a' }) },
    b: { 'n.md': lines({ 11: 'from b' }) },
    expected: { 'sub/m.md': lines({ 2: 'from a', 11: 'from b' }) },
    conflicts: [],
  },
  {
    name: 'renamed by one, both edited the same place: both versions at the new name',
    base: { n: lines() },
    a: { n: null, m: lines({ 6: 'from a' }) },
    b: { n: lines({ 6: 'from b' }) },
    expected: { m: lines({ 6: 'from b' }), 'm.conflict-20261120-100000-Test-Person-OID': lines({ 6: 'from a' }) },
    conflicts: ['content m b + m.conflict-20261120-100000-Test-Person-OID'],
  },
  {
    name: 'renamed two ways: every new name is kept',
    base: { n: lines() },
    a: { n: null, m: lines({ 6: 'from a' }) },
    b: { n: null, o: lines({ 6: 'from b' }) },
    expected: { m: lines({ 6: 'from a' }), o: lines({ 6: 'from b' }) },
    conflicts: ['rename o b + m'],
  },
  {
    name: 'renamed two ways, each onto a name that the other made: all four files',
    base: { n: lines() },
    a: { n: null, m: lines({ 6: 'from a' }), o: 'made by a\n' },
    b: { n: null, o: lines({ 6: 'from b' }), m: 'made by b\n' },
    expected: {
      m: 'made by b\n',
      'm.conflict-20261120-100000-Test-Person-OID': lines({ 6: 'from a' }),
      o: lines({ 6: 'from b' }),
      'o.conflict-20261120-100000-Test-Person-OID': 'made by a\n',
    },
    conflicts: ['both-added m b + m.conflict-20261120-100000-Test-Person-OID', 'both-added o b + o.conflict-20261120-100000-Test-Person-OID'],
  },
  {
    name: 'renamed against deleted: the new name is kept',
    base: { 'n.md': lines(), other: '' },
    a: { 'n.md': null, 'm.md': lines() },
    b: { 'n.md': null },
    expected: { other: '', 'm.md': lines() },
    conflicts: ['rename m.md a'],
  },
  {
    name: 'two files renamed to one name: the newer, and the other beside it',
    base: { n: lines(), m: lines({}, 'm') },
    a: { n: null, both: lines() },
    b: { m: null, both: lines({}, 'm') },
    expected: { both: lines({}, 'm'), 'both.conflict-20261120-100000-Test-Person-OID': lines() },
    conflicts: ['both-added both b + both.conflict-20261120-100000-Test-Person-OID'],
  },
  {
    name: 'two files renamed to one name and edited by both in the same places: four files, no markers',
    base: { n: lines(), m: lines({}, 'm') },
    a: { n: null, both: lines({ 6: 'n by a' }), m: lines({ 6: 'm by a' }, 'm') },
    b: { m: null, both: lines({ 6: 'm by b' }, 'm'), n: lines({ 6: 'n by b' }) },
    expected: {
      both: lines({ 6: 'm by b' }, 'm'),
      'both.conflict-20261120-100000-Test-Person-OID': lines({ 6: 'm by a' }, 'm'),
      'both.conflict-20261120-100000-Test-Person-OID (2)': lines({ 6: 'n by a' }),
      'both.conflict-20261120-100100-Test-Person-OID': lines({ 6: 'n by b' }),
    },
    conflicts: [
      'both-added both b + both.conflict-20261120-100000-Test-Person-OID',
      'both-added both b + both.conflict-20261120-100000-Test-Person-OID (2)',
      'both-added both b + both.conflict-20261120-100100-Test-Person-OID',
    ],
  },
  {
    name: 'file against directory: the directory has the name, the file goes beside it, also where it is newer',
    base: { other: '' },
    a: { 'n/x.md': 'in a\n', m: 'from a\n' },
    b: { n: 'from b\n', 'm/x.md': 'in b\n' },
    expected: { other: '', 'm/x.md': 'in b\n', 'm.conflict-20261120-100000-Test-Person-OID': 'from a\n', 'n/x.md': 'in a\n', 'n.conflict-20261120-100100-Test-Person-OID': 'from b\n' },
    conflicts: ['file-directory m b + m.conflict-20261120-100000-Test-Person-OID', 'file-directory n a + n.conflict-20261120-100100-Test-Person-OID'],
  },
  {
    name: 'an edited file against a directory in its place: the edit goes beside the directory',
    base: { n: lines() },
    a: { n: lines({ 6: 'from a' }) },
    b: { n: null, 'n/x.md': 'in b\n' },
    expected: { 'n/x.md': 'in b\n', 'n.conflict-20261120-100000-Test-Person-OID': lines({ 6: 'from a' }) },
    conflicts: ['file-directory n b + n.conflict-20261120-100000-Test-Person-OID'],
  },
  {
    name: 'a file renamed to where the other made a directory, edited by both: merged beside the directory, or both versions',
    base: { n: lines(), o: lines({}, 'o') },
    a: { n: null, dir: lines({ 2: 'from a' }), o: null, dir2: lines({ 6: 'from a' }, 'o') },
    b: { n: lines({ 11: 'from b' }), 'dir/x': 'x\n', o: lines({ 6: 'from b' }, 'o'), 'dir2/x': 'x\n' },
    expected: {
      'dir/x': 'x\n',
      'dir.conflict-20261120-100000-Test-Person-OID': lines({ 2: 'from a', 11: 'from b' }),
      'dir2/x': 'x\n',
      'dir2.conflict-20261120-100000-Test-Person-OID': lines({ 6: 'from a' }, 'o'),
      'dir2.conflict-20261120-100100-Test-Person-OID': lines({ 6: 'from b' }, 'o'),
    },
    conflicts: [
      'file-directory dir b + dir.conflict-20261120-100000-Test-Person-OID',
      'file-directory dir2 b + dir2.conflict-20261120-100100-Test-Person-OID',
      'file-directory dir2 b + dir2.conflict-20261120-100000-Test-Person-OID',
    ],
  },
  {
    name: 'file against symlink: the newer has the name',
    base: { n: lines(), m: lines({}, 'm') },
    a: { n: lines({ 6: 'from a' }), m: link('elsewhere') },
    b: { n: link('target'), m: lines({ 6: 'from b' }, 'm') },
    expected: { n: '->target', 'n.conflict-20261120-100000-Test-Person-OID': lines({ 6: 'from a' }), m: lines({ 6: 'from b' }, 'm'), 'm.conflict-20261120-100000-Test-Person-OID': '->elsewhere' },
    conflicts: ['type m b + m.conflict-20261120-100000-Test-Person-OID', 'type n b + n.conflict-20261120-100000-Test-Person-OID'],
  },
  {
    name: 'two targets of one symlink: the newer, and the other beside it',
    base: { n: link('old') },
    a: { n: link('from-a') },
    b: { n: link('from-b') },
    expected: { n: '->from-b', 'n.conflict-20261120-100000-Test-Person-OID': '->from-a' },
    conflicts: ['content n b + n.conflict-20261120-100000-Test-Person-OID'],
  },
  {
    name: 'symlink against directory: the directory has the name',
    base: { other: '' },
    a: { n: link('target') },
    b: { 'n/x': 'x\n' },
    expected: { other: '', 'n/x': 'x\n', 'n.conflict-20261120-100000-Test-Person-OID': '->target' },
    conflicts: ['file-directory n b + n.conflict-20261120-100000-Test-Person-OID'],
  },
  {
    name: 'two commits of one submodule: the newer side, no copy',
    base: { n: submodule('1') },
    a: { n: submodule('2') },
    b: { n: submodule('3') },
    expected: { n: commitId('3') },
    conflicts: ['submodule n b'],
  },
  {
    name: 'submodule against file or symlink: the submodule is a directory and has the name',
    base: { other: '' },
    a: { n: submodule('2'), m: submodule('2') },
    b: { n: 'from b\n', m: link('target') },
    expected: { other: '', n: commitId('2'), m: commitId('2'), 'n.conflict-20261120-100100-Test-Person-OID': 'from b\n', 'm.conflict-20261120-100100-Test-Person-OID': '->target' },
    conflicts: ['type m a + m.conflict-20261120-100100-Test-Person-OID', 'type n a + n.conflict-20261120-100100-Test-Person-OID'],
  },
  {
    name: 'submodule against directory: the files have the name; a commit id makes no copy',
    base: { other: '' },
    a: { n: submodule('2') },
    b: { 'n/x': 'x\n' },
    expected: { other: '', 'n/x': 'x\n' },
    conflicts: ['file-directory n b'],
  },
  {
    name: 'submodule moved against removed: it stays',
    base: { n: submodule('1'), other: '' },
    a: { n: submodule('2') },
    b: { n: null },
    expected: { other: '', n: commitId('2') },
    conflicts: ['edit-delete n a'],
  },
  {
    name: 'structured files that parsed on both sides and do not after the merge: the newer untouched, and the whole other file',
    base: {
      'n.json': '[[\n1,\n2,\n3,\n4,\n5\n]]\n',
      'n.yaml': 'a: 1\nb: 2\nc: 3\nd: 4\ne: 5\n',
      'n.toml': 'a = 1\nb = 2\nc = 3\nd = 4\ne = 5\n',
    },
    a: {
      'n.json': '[\n1,\n2,\n3,\n4,\n5\n]\n',
      'n.yaml': 'z: 1\na: 1\nb: 2\nc: 3\nd: 4\ne: 5\n',
      'n.toml': 'z = 1\na = 1\nb = 2\nc = 3\nd = 4\ne = 5\n',
    },
    b: {
      'n.json': '[[\n1,\n2,\n3],[\n4,\n5\n]]\n',
      'n.yaml': 'a: 1\nb: 2\nc: 3\nd: 4\ne: 5\nz: 2\n',
      'n.toml': 'a = 1\nb = 2\nc = 3\nd = 4\ne = 5\nz = 2\n',
    },
    expected: {
      'n.json': '[[\n1,\n2,\n3],[\n4,\n5\n]]\n',
      'n.conflict-20261120-100000-Test-Person-OID.json': '[\n1,\n2,\n3,\n4,\n5\n]\n',
      'n.yaml': 'a: 1\nb: 2\nc: 3\nd: 4\ne: 5\nz: 2\n',
      'n.conflict-20261120-100000-Test-Person-OID.yaml': 'z: 1\na: 1\nb: 2\nc: 3\nd: 4\ne: 5\n',
      'n.toml': 'a = 1\nb = 2\nc = 3\nd = 4\ne = 5\nz = 2\n',
      'n.conflict-20261120-100000-Test-Person-OID.toml': 'z = 1\na = 1\nb = 2\nc = 3\nd = 4\ne = 5\n',
    },
    conflicts: [
      'invalid-result n.json b + n.conflict-20261120-100000-Test-Person-OID.json',
      'invalid-result n.toml b + n.conflict-20261120-100000-Test-Person-OID.toml',
      'invalid-result n.yaml b + n.conflict-20261120-100000-Test-Person-OID.yaml',
    ],
  },
  {
    name: 'a structured file that is renamed by one: still checked',
    base: { 'n.yaml': 'a: 1\nb: 2\nc: 3\nd: 4\ne: 5\n' },
    a: { 'n.yaml': null, 'm.yaml': 'z: 1\na: 1\nb: 2\nc: 3\nd: 4\ne: 5\n' },
    b: { 'n.yaml': 'a: 1\nb: 2\nc: 3\nd: 4\ne: 5\nz: 2\n' },
    expected: { 'm.yaml': 'a: 1\nb: 2\nc: 3\nd: 4\ne: 5\nz: 2\n', 'm.conflict-20261120-100000-Test-Person-OID.yaml': 'z: 1\na: 1\nb: 2\nc: 3\nd: 4\ne: 5\n' },
    conflicts: ['invalid-result m.yaml b + m.conflict-20261120-100000-Test-Person-OID.yaml'],
  },
  {
    name: 'a structured file that never parsed (comments in JSON) or still parses: the three-way result',
    base: { 'n.json': '{\n // why\n "a": 1,\n "b": 2,\n "c": 3,\n "d": 4\n}\n', 'm.json': '{\n "a": 1,\n "b": 2,\n "c": 3,\n "d": 4\n}\n' },
    a: { 'n.json': '{\n // why\n "a": 9,\n "b": 2,\n "c": 3,\n "d": 4\n}\n', 'm.json': '{\n "a": 9,\n "b": 2,\n "c": 3,\n "d": 4\n}\n' },
    b: { 'n.json': '{\n // why\n "a": 1,\n "b": 2,\n "c": 3,\n "d": 9\n}\n', 'm.json': '{\n "a": 1,\n "b": 2,\n "c": 3,\n "d": 9\n}\n' },
    expected: { 'n.json': '{\n // why\n "a": 9,\n "b": 2,\n "c": 3,\n "d": 9\n}\n', 'm.json': '{\n "a": 9,\n "b": 2,\n "c": 3,\n "d": 9\n}\n' },
    conflicts: [],
  },
];

/** Object ids in copies' names vary with the content; two copies of one time are told apart by their order. */
function withoutIds(names: readonly string[]): Map<string, string> {
  const seen = new Map<string, number>();
  return new Map(
    [...names].map((name) => {
      const plain = name.replace(/(\.conflict-\d{8}-\d{6}-[A-Za-z0-9_-]+-)[0-9a-f]{7}(?=[.+]|$)/, '$1OID');
      const count = (seen.get(plain) ?? 0) + 1;
      seen.set(plain, count);
      return [name, count === 1 ? plain : `${plain} (${count})`];
    }),
  );
}

describe('the conflict table, the same commit on both machines', () => {
  test.each(rows)('$name', async ({ base, a, b, expected, conflicts }) => {
    const result = await integrateBoth(makeLab(base, a, b));
    const names = withoutIds(Object.keys(result.files));
    const nameOf = (path: string): string => names.get(path) ?? names.get(`${path}+x`)?.replace(/\+x$/, '') ?? path;
    expect(Object.fromEntries(Object.entries(result.files).map(([path, text]) => [nameOf(path), text]))).toEqual(expected);
    const said = result.conflicts.map(({ kind, path, winner, copy }) => `${kind} ${path} ${winner}${copy === undefined ? '' : ` + ${nameOf(copy)}`}`);
    expect(said.sort()).toEqual([...conflicts].sort());
  });
});
