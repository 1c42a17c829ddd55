/** Exported live state is merged by what it means, the same on every machine, whether or not a merge driver is registered there. */
import { describe, expect, test } from '@jest/globals';
import { sh, write } from '../helpers/repos.ts';
import { integrateBoth, makeLab, type Content, type Lab } from '../helpers/merge-lab.ts';
import { openRepo } from '../../src/git/repository.ts';
import { integrate } from '../../src/git/integrate.ts';

const manifest = 'gitted-rows\t1\nengine\tpostgresql\nserver\t15\ntable\twiki\tpublic\twiki\tint:13\tid\tid,title\ntable\tlog\tpublic\tlog\thash:7\t-\tline\n';
const rows = (...lines: string[]): string => lines.map((line) => `${line}\n`).join('');
const chunk = 'postgresql/app/data/wiki/00000000.copy';
const database = (files: Record<string, Content>): Record<string, Content> => ({ '.gitattributes': '*.copy merge=gitted-rows\n*.tsv merge=gitted-rows\n', 'postgresql/app/manifest.tsv': manifest, ...files });
/** On machine two a driver is registered that would fail; on machine one none is. */
const lab = (base: Record<string, Content>, a: Record<string, Content>, b: Record<string, Content>): Lab => {
  const made = makeLab(base, a, b);
  sh(made.two, 'config', 'merge.gitted-rows.driver', 'echo wrong >%A; true');
  return made;
};

describe('rows', () => {
  test('of neighbours that both sides changed are both there', async () => {
    const { files, conflicts } = await integrateBoth(lab(database({ [chunk]: rows('1\tHome', '2\tAbout', '3\tNews') }), { [chunk]: rows('1\tStart', '2\tAbout', '3\tNews', '4\tfrom a') }, { [chunk]: rows('1\tHome', '2\tAbout us', '5\tfrom b') }));
    expect(files[chunk]).toBe(rows('1\tStart', '2\tAbout us', '4\tfrom a', '5\tfrom b'));
    expect(conflicts).toEqual([]);
  });

  test('that both sides changed differently: the newer side keeps its row, the other row lies outside of the data, and all other rows of both sides are there', async () => {
    const result = await integrateBoth(lab(database({ [chunk]: rows('1\tHome', '2\tAbout', '3\tNews') }), { [chunk]: rows('1\tHome a', '2\tAbout a', '3\tNews') }, { [chunk]: rows('1\tHome b', '2\tAbout', '3\tNews b') }));
    expect(result.files[chunk]).toBe(rows('1\tHome b', '2\tAbout a', '3\tNews b'));
    expect(result.conflicts).toMatchObject([{ path: chunk, kind: 'content', winner: 'b' }]);
    const copy = result.conflicts[0]?.copy as string;
    expect(copy).toMatch(/^gitsync-conflicts\/postgresql\/app\/data\/wiki\/00000000\.conflict-\d{8}-\d{6}-Test-Person-[0-9a-f]{7}\.copy$/);
    expect(result.files[copy]).toBe(rows('1\tHome a'));
    expect(Object.keys(result.files).filter((path) => path.startsWith('postgresql/')).sort()).toEqual([chunk, 'postgresql/app/manifest.tsv']);
  });

  test('follow a rule for their files', async () => {
    const made = lab(database({ [chunk]: rows('1\tHome', '2\tAbout') }), { [chunk]: rows('1\ta', '2\tAbout') }, { [chunk]: rows('1\tb', '2\tAbout b') });
    const ours = await integrate(await openRepo(made.one), { local: made.a, remote: made.b, rules: [{ glob: 'postgresql/**', policy: 'ours' }] });
    if (ours.kind !== 'merged') throw new Error(ours.kind);
    expect(sh(made.one, 'show', `${ours.commit}:${chunk}`)).toBe('1\ta\n2\tAbout b');
    expect(sh(made.one, 'ls-tree', '-r', '--name-only', ours.commit)).not.toContain('gitsync-conflicts');
    expect(await integrate(await openRepo(made.one), { local: made.a, remote: made.b, rules: [{ glob: undefined, policy: 'pause' }] })).toMatchObject({ kind: 'stopped', paths: [chunk] });
  });

  test('that one side deleted and the other changed stay, in a file that one side removed altogether too', async () => {
    const { files, conflicts } = await integrateBoth(lab(database({ [chunk]: rows('1\tHome', '2\tAbout', '3\tNews') }), { [chunk]: null }, { [chunk]: rows('1\tHome', '2\tAbout us', '3\tNews') }));
    expect(files[chunk]).toBe(rows('2\tAbout us'));
    expect(conflicts).toEqual([]);
  });

  test('that both sides added to a file that was not there', async () => {
    const { files, conflicts } = await integrateBoth(lab(database({}), { [chunk]: rows('2\ta') }, { [chunk]: rows('1\tb') }));
    expect(files[chunk]).toBe(rows('1\tb', '2\ta'));
    expect(conflicts).toEqual([]);
  });

  test('without a key are counted', async () => {
    const log = 'postgresql/app/data/log/first.copy';
    const { files } = await integrateBoth(lab(database({ [log]: rows('x', 'y') }), { [log]: rows('x', 'x', 'y') }, { [log]: rows('x', 'z') }));
    expect([...(files[log] as string)].filter((c) => c !== '\n').sort().join('')).toBe('xxz');
  });

  test('of counters: the greater one', async () => {
    const sequences = 'postgresql/app/sequences.tsv';
    const { files, conflicts } = await integrateBoth(lab(database({ [sequences]: rows('public\twiki_id_seq\t10\tt') }), { [sequences]: rows('public\twiki_id_seq\t12\tt') }, { [sequences]: rows('public\twiki_id_seq\t11\tt') }));
    expect(files[sequences]).toBe(rows('public\twiki_id_seq\t12\tt'));
    expect(conflicts).toEqual([]);
  });

  test.each(['a', 'b'] as const)('of a table whose columns %s changed are not mixed: its whole table stays, and rows that the other wrote meanwhile lie beside the data', async (who) => {
    const second = 'postgresql/app/data/wiki/00000001.copy';
    const base = database({ [chunk]: rows('1\tHome', '2\tAbout'), [second]: rows('8200\tFar') });
    const reshaped = { [chunk]: rows('1\tHome\tme', '2\tAbout\tme'), [second]: rows('8200\tFar\tme'), 'postgresql/app/manifest.tsv': manifest.replace('id,title', 'id,title,author') };
    const edited = { [chunk]: rows('1\tStart', '2\tAbout'), 'postgresql/app/data/wiki/00000002.copy': rows('17000\tNew') };
    const { files, conflicts } = await integrateBoth(who === 'a' ? lab(base, reshaped, edited) : lab(base, edited, reshaped));
    expect(Object.fromEntries(Object.entries(files).filter(([path]) => path.startsWith('postgresql/')))).toEqual(reshaped);
    expect(conflicts).toMatchObject([{ path: chunk, kind: 'content', winner: who }]);
    expect(conflicts[0]?.copy).toMatch(/^gitsync-conflicts\//);
    expect(files[conflicts[0]?.copy as string]).toBe(rows('1\tStart', '17000\tNew'));
  });

  test('a file with the attribute that is no table is merged by lines', async () => {
    const attributes = { '.gitattributes': '*.tsv merge=gitted-rows\n' };
    const { files, conflicts } = await integrateBoth(lab({ ...attributes, 'list.tsv': 'a\nb\nc\nd\ne\nf\n' }, { 'list.tsv': 'A\nb\nc\nd\ne\nf\n' }, { 'list.tsv': 'a\nb\nc\nd\ne\nF\n' }));
    expect(files['list.tsv']).toBe('A\nb\nc\nd\ne\nF\n');
    expect(conflicts).toEqual([]);
  });
});

describe('a table that the two sides cut differently', () => {
  const boundary = '00000000000000f0';
  const named = 'gitted-rows\t1\nengine\tpostgresql\nserver\t15\ntable\ttag\tpublic\ttag\thash:4\tname\tname,text\n';
  const at = (file: string): string => `postgresql/app/data/tag/${file}.copy`;
  const tags = (files: Record<string, Content>): Record<string, Content> => ({ '.gitattributes': '*.copy merge=gitted-rows\n', 'postgresql/app/manifest.tsv': named, ...files });
  const tableOf = (files: Record<string, string>): Record<string, string> => Object.fromEntries(Object.entries(files).filter(([path]) => path.startsWith('postgresql/app/data/')));

  test('is merged as a whole: a row that one side edited and the other moved to a new file is there once', async () => {
    const base = tags({ [at('first')]: rows('a\t1', 'c\t1', 'd\t1') });
    const { files, conflicts } = await integrateBoth(lab(base, { [at('first')]: rows('a\t1'), [at(boundary)]: rows('b\tnew', 'c\t1', 'd\t1') }, { [at('first')]: rows('a\t1', 'c\tedited', 'd\t1', 'e\tnew') }));
    expect(tableOf(files)).toEqual({ [at('first')]: rows('a\t1'), [at(boundary)]: rows('b\tnew', 'c\tedited', 'd\t1', 'e\tnew') });
    expect(conflicts).toEqual([]);
  });

  test('has a row that both added once, though no file of both sides differs', async () => {
    const numbered = named.replace('hash:4', 'int:3').replace('\tname\tname', '\tid\tid');
    const base = { ...tags({ [at('00000000')]: rows('1\ta') }), 'postgresql/app/manifest.tsv': numbered };
    const made = lab(base, { [at('00000001')]: rows('9\tboth') }, { [at('00000000')]: rows('1\ta', '9\tboth'), 'postgresql/app/manifest.tsv': numbered.replace('int:3', 'int:4') });
    for (const root of [made.one, made.two]) write(root, '.gitattributes', '*.copy merge=gitted-rows\n');
    const { files } = await integrateBoth(made);
    expect(tableOf(files)).toEqual({ [at('00000000')]: rows('1\ta', '9\tboth') });
  });

  test('keeps the row that gives way outside of the data, wherever the row is by then', async () => {
    const base = tags({ [at('first')]: rows('a\t1', 'c\t1') });
    const result = await integrateBoth(lab(base, { [at('first')]: rows('a\t1'), [at(boundary)]: rows('b\tnew', 'c\tfrom a') }, { [at('first')]: rows('a\t1', 'c\tfrom b') }));
    expect(tableOf(result.files)).toEqual({ [at('first')]: rows('a\t1'), [at(boundary)]: rows('b\tnew', 'c\tfrom b') });
    expect(result.conflicts).toMatchObject([{ path: at(boundary), kind: 'content', winner: 'b' }]);
    expect(result.files[result.conflicts[0]?.copy as string]).toBe(rows('c\tfrom a'));
  });

  test('follows a rule that wants a person', async () => {
    const base = tags({ [at('first')]: rows('a\t1', 'c\t1') });
    const made = lab(base, { [at('first')]: rows('a\t1'), [at(boundary)]: rows('b\tnew', 'c\tfrom a') }, { [at('first')]: rows('a\t1', 'c\tfrom b') });
    expect(await integrate(await openRepo(made.one), { local: made.a, remote: made.b, rules: [{ glob: undefined, policy: 'pause' }] })).toMatchObject({ kind: 'stopped', paths: [at(boundary)] });
  });

  test('may be one of documents, which their _id tells apart', async () => {
    const line = (id: number, text: string): string => `{"_id":{"$numberInt":"${id}"},"text":"${text}"}`;
    const file = (name: string): string => `mongodb/app/data/tag/${name}.json`;
    const base = { 'mongodb/app/manifest.tsv': 'gitted-rows\t1\nengine\tmongodb\nserver\t7.0\ntable\ttag\t\ttag\thash:4\t-\tdocument\n', [file('first')]: rows(line(1, 'one'), line(3, 'three'), line(10, 'ten')) };
    const { files, conflicts } = await integrateBoth(
      lab(base, { [file('first')]: rows(line(1, 'one')), [file(boundary)]: rows(line(2, 'new'), line(3, 'three'), line(10, 'ten')) }, { [file('first')]: rows(line(1, 'one'), line(3, 'edited'), line(10, 'ten'), line(11, 'more')) }),
    );
    expect(Object.fromEntries(Object.entries(files).filter(([path]) => path.includes('/data/')))).toEqual({ [file('first')]: rows(line(1, 'one')), [file(boundary)]: rows(line(2, 'new'), line(3, 'edited'), line(10, 'ten'), line(11, 'more')) });
    expect(conflicts).toEqual([]);
    const neighbours = await integrateBoth(lab(base, { [file('first')]: rows(line(1, 'ONE'), line(3, 'three'), line(10, 'from a')) }, { [file('first')]: rows(line(1, 'one'), line(3, 'THREE'), line(10, 'from b')) }));
    expect(neighbours.files[file('first')]).toBe(rows(line(1, 'ONE'), line(3, 'THREE'), line(10, 'from b')));
    expect(neighbours.files[neighbours.conflicts[0]?.copy as string]).toBe(rows(line(10, 'from a')));
  });

  test('leaves files that neither side touched as they are', async () => {
    const [one, two] = ['0000000000000010', '0000000000000020'];
    const base = tags({ [at('first')]: rows('a\t1'), [at(one)]: rows('b\t1', 'c\t1'), [at(two)]: rows('m\t1', 'n\t1') });
    const { files } = await integrateBoth(lab(base, { [at('first')]: rows('a\t1', 'c\t1'), [at(one)]: null }, { [at(one)]: rows('b\t1', 'c\tedited') }));
    expect(tableOf(files)).toEqual({ [at('first')]: rows('a\t1', 'c\tedited'), [at(two)]: rows('m\t1', 'n\t1') });
  });
});

describe('a directory of files', () => {
  const line = (path: string, mode = '0644'): string => `f\t${mode}\twww-data\twww-data\t${path}\n`;
  const files = (paths: Record<string, string>): Record<string, string> => ({ 'files/manifest.tsv': Object.keys(paths).sort().map((path) => line(path)).join(''), ...Object.fromEntries(Object.entries(paths).map(([path, text]) => [`files/tree/${path}`, text])) });

  test('to which both sides added has both files, and a manifest with both lines', async () => {
    const result = await integrateBoth(lab(files({ m: 'm' }), files({ m: 'm', a: 'a' }), files({ m: 'm', b: 'b' })));
    expect(result.files).toEqual(files({ a: 'a', b: 'b', m: 'm' }));
    expect(result.conflicts).toEqual([]);
  });

  test('in which one side deleted a file that the other edited has the file, and its line', async () => {
    const both = { ...files({ x: 'old', y: 'y' }) };
    const result = await integrateBoth(lab(both, { 'files/manifest.tsv': line('y'), 'files/tree/x': null }, { 'files/tree/x': 'edited' }));
    expect(result.files).toEqual(files({ x: 'edited', y: 'y' }));
  });

  test('in which both sides edited a file differently keeps copies out of it', async () => {
    const both = files({ 'page.html': 'old' });
    const result = await integrateBoth(lab(both, { 'files/tree/page.html': 'a' }, { 'files/tree/page.html': 'b' }));
    expect(result.files).toMatchObject({ 'files/tree/page.html': 'b' });
    expect(result.conflicts[0]?.copy).toMatch(/^gitsync-conflicts\/files\/tree\/page\.conflict-.*\.html$/);
    expect(Object.keys(result.files).filter((path) => path.startsWith('files/'))).toEqual(['files/manifest.tsv', 'files/tree/page.html']);
  });

  test('that only a binding names is known as live state too', async () => {
    const binding = { 'sysconf/actual/tree/etc/gitted/sync/master.settings.conf': 'GITTED_ENGINE=app\nGITTED_DATA_PATH="settings"\n' };
    const result = await integrateBoth(lab({ ...binding, 'settings/app.ini': 'old' }, { 'settings/app.ini': 'a' }, { 'settings/app.ini': 'b' }));
    expect(result.conflicts[0]?.copy).toMatch(/^gitsync-conflicts\/settings\/app\.conflict-.*\.ini$/);
  });
});
