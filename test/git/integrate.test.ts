/** How two commits stand to each other, and what must not change the answer. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { integrate } from '../../src/git/integrate.ts';
import { openRepo } from '../../src/git/repository.ts';
import { silentLog } from '../../src/log.ts';
import { copyRepo, filesOf, importBranches, integrateBoth, makeLab, morning, type Lab } from '../helpers/merge-lab.ts';
import { commitFiles, sh, tempDir, tempRepo, write } from '../helpers/repos.ts';

const lines = (changes: Record<number, string> = {}): string => Array.from({ length: 12 }, (_, i) => `${changes[i + 1] ?? `line ${i + 1}`}\n`).join('');

/** Everything in a repository that integrating must leave alone. */
function untouchable(root: string): unknown {
  return [sh(root, 'for-each-ref'), sh(root, 'status', '--porcelain=v2', '--branch', '--untracked-files=all'), sh(root, 'ls-files', '--stage', '--debug'), sh(root, 'stash', 'list'), readdirSync(root), readdirSync(`${root}/.git/gitsync`)];
}

describe('how the sides stand to each other', () => {
  test('equal or ahead: up to date; behind: fast-forward; no common commit: both roots', async () => {
    const root = tempRepo({ 'a.md': '1\n' });
    const first = sh(root, 'rev-parse', 'HEAD');
    const second = commitFiles(root, { 'a.md': '2\n' });
    const repo = await openRepo(root);
    expect(await integrate(repo, { local: first, remote: first, rules: [] })).toEqual({ kind: 'up-to-date' });
    expect(await integrate(repo, { local: second, remote: first, rules: [] })).toEqual({ kind: 'up-to-date' });
    expect(await integrate(repo, { local: first, remote: second, rules: [] })).toEqual({ kind: 'fast-forward', commit: second });
    importBranches(root, [{ name: 'other', commits: [{ files: { x: 'x\n' }, time: morning }, { files: { y: 'y\n' }, time: morning }] }]);
    const [tip = '', root2 = ''] = sh(root, 'rev-list', 'other').split('\n');
    expect(await integrate(repo, { local: second, remote: tip, rules: [] })).toEqual({ kind: 'unrelated', localRoots: [first], remoteRoots: [root2] });
  });

  test('unrelated histories merge when asked to: what both have gives copies, the same commit on both machines', async () => {
    const one = tempDir('one');
    sh(one, 'init', '-q', '-b', 'main');
    importBranches(one, [
      { name: 'a', commits: [{ files: { 'n.md': 'from a\n', same: 'same\n', 'only-a': '' }, time: morning }] },
      { name: 'b', commits: [{ files: { 'n.md': 'from b\n', same: 'same\n', 'only-b': '' }, time: morning + 1 }] },
    ]);
    const [a = '', b = ''] = sh(one, 'rev-parse', 'a', 'b').split('\n');
    const result = await integrateBoth({ one, two: copyRepo(one), base: '', a, b }, [], true);
    const [{ copy = '' } = {}] = result.conflicts;
    expect(result.files).toEqual({ 'n.md': 'from b\n', [copy]: 'from a\n', same: 'same\n', 'only-a': '', 'only-b': '' });
  });

  test('nothing but objects is written: no ref, index, work tree, stash or leftover file', async () => {
    const root = tempRepo({ 'a.md': lines(), 'b.ts': lines() });
    const base = sh(root, 'rev-parse', 'HEAD');
    commitFiles(root, { 'a.md': lines({ 6: 'other' }), 'b.ts': lines({ 6: 'other' }) });
    const remote = sh(root, 'rev-parse', 'HEAD');
    sh(root, 'reset', '-q', '--hard', base);
    const local = commitFiles(root, { 'a.md': lines({ 6: 'mine' }), 'b.ts': lines({ 6: 'mine' }) });
    write(root, 'a.md', 'not saved yet');
    write(root, 'staged', 'staged');
    sh(root, 'add', 'staged');
    const repo = await openRepo(root);
    const before = untouchable(root);
    expect(await integrate(repo, { local, remote, rules: [] })).toMatchObject({ kind: 'merged', conflicts: [{ path: 'a.md' }, { path: 'b.ts' }] });
    expect(untouchable(root)).toEqual(before);
  });

  test('a clean merge takes four git processes, one more where lines of one file were merged', async () => {
    const count = async (lab: Lab): Promise<number> => {
      let started = 0;
      const log = { ...silentLog, debug: (sentence: string) => void (started += Number(sentence.startsWith('git '))) };
      expect(await integrate(await openRepo(lab.one, { log }), { local: lab.a, remote: lab.b, rules: [] })).toMatchObject({ kind: 'merged', conflicts: [] });
      return started;
    };
    expect(await count(makeLab({ a: '0\n', b: '0\n' }, { a: '1\n' }, { b: '1\n' }))).toBe(4);
    expect(await count(makeLab({ a: lines() }, { a: lines({ 2: 'a' }) }, { a: lines({ 11: 'b' }) }))).toBe(5);
  });
});

describe('the same commit everywhere', () => {
  test('sorted parents, fixed people, the later committer date, no signature', async () => {
    const lab = makeLab({ f: '0\n' }, [{ files: { a: 'a\n' }, time: morning, committed: morning + 500 }], [{ files: { b: 'b\n' }, time: morning + 100 }]);
    const { commit } = await integrateBoth(lab);
    const [first, second] = [lab.a, lab.b].sort();
    const text = sh(lab.one, 'cat-file', 'commit', commit);
    expect(text.split('\n').slice(1, 5)).toEqual([`parent ${first}`, `parent ${second}`, `author gitsync <gitsync@localhost> ${morning + 500} +0000`, `committer gitsync <gitsync@localhost> ${morning + 500} +0000`]);
    expect(text).not.toContain('gpgsig');
  });

  test('whatever a person has set: names, signing, encodings, merge and diff settings, global attributes, uncommitted attributes', async () => {
    const base = { 'n.md': lines(), 'n.ts': lines(), old: lines(), 'd/x': lines() };
    const lab = makeLab(base, { 'n.md': lines({ 6: 'a' }), 'n.ts': lines({ 6: 'a' }), old: null, new: lines({ 2: 'a' }), 'd/x': null, 'e/x': lines() }, { 'n.md': lines({ 6: 'b' }), 'n.ts': lines({ 6: 'b' }), old: lines({ 11: 'b' }), 'd/new': 'new\n' });
    const settings = {
      'user.name': 'Someone Else', 'user.email': 'else@example.org', 'commit.gpgSign': 'true', 'gpg.program': '/bin/false',
      'i18n.commitEncoding': 'ISO-8859-1', 'i18n.logOutputEncoding': 'ISO-8859-1', 'merge.conflictStyle': 'zdiff3', 'merge.renames': 'false', 'merge.directoryRenames': 'true',
      'merge.renormalize': 'true', 'merge.default': 'union', 'diff.renames': 'false', 'diff.algorithm': 'patience', 'log.showRoot': 'false', 'log.showSignature': 'true', 'log.date': 'relative', 'core.quotePath': 'true',
      'diff.noPrefix': 'true', 'diff.relative': 'true', 'format.pretty': 'oneline', 'grep.patternType': 'fixed', 'core.attributesFile': `${lab.two}/attributes`, 'notes.displayRef': '*',
    };
    for (const [key, value] of Object.entries(settings)) sh(lab.two, 'config', key, value);
    write(lab.two, 'attributes', '* merge=union\n');
    write(lab.two, '.gitattributes', '* merge=union\n');
    const result = await integrateBoth(lab);
    expect(result.files).toMatchObject({ new: lines({ 2: 'a', 11: 'b' }), 'd/new': 'new\n', 'e/x': lines() });
    expect(result.conflicts.map(({ path }) => path)).toEqual(['n.md', 'n.ts']);
  });

  test('merge drivers of committed attributes count, at the root and below: union, binary, and one of a person\'s own', async () => {
    const attributes = { '.gitattributes': '/u.md merge=union\n/b.md -merge\n', 'sub/.gitattributes': 'u.md merge=union\nown.txt merge=own\n' };
    const base = { ...attributes, 'u.md': lines(), 'b.md': lines(), 'sub/u.md': lines(), 'sub/b.md': lines(), 'sub/own.txt': 'base\n' };
    const edit = (who: string, at: number): Record<string, string> => ({ 'u.md': lines({ 6: who }), 'b.md': lines({ [at]: who }), 'sub/u.md': lines({ 6: who }), 'sub/b.md': lines({ [at]: who }), 'sub/own.txt': `${who}\n` });
    const lab = makeLab(base, edit('a', 2), edit('b', 11));
    for (const root of [lab.one, lab.two]) sh(root, 'config', 'merge.own.driver', 'cat %A %B | sort > %A.new && mv %A.new %A');
    const before = readdirSync(lab.one);
    const result = await integrateBoth(lab);
    const both = [...lines().split('\n').slice(0, 5), 'a', 'b', ...lines().split('\n').slice(6)].sort();
    expect(result.files['u.md']?.split('\n').sort()).toEqual(both);
    expect(result.files['sub/u.md']?.split('\n').sort()).toEqual(both);
    expect(result.files).toMatchObject({ 'b.md': lines({ 11: 'b' }), 'sub/b.md': lines({ 2: 'a', 11: 'b' }), 'sub/own.txt': 'a\nb\n' });
    expect(result.conflicts).toMatchObject([{ path: 'b.md', winner: 'b', copy: expect.stringMatching(/^b\.conflict-/) }]);
    expect(readdirSync(lab.one)).toEqual(before);
  });

  test('a submodule that only one machine has checked out, and could move forward', async () => {
    const library = tempRepo({ f: '1\n' }, 'library');
    const first = sh(library, 'rev-parse', 'HEAD');
    const second = commitFiles(library, { f: '2\n' });
    const third = commitFiles(library, { f: '3\n' });
    const gitmodules = `[submodule "lib"]\n\tpath = lib\n\turl = ${library}\n`;
    const at = (content: string): { mode: '160000'; content: string } => ({ mode: '160000', content });
    const lab = makeLab({ '.gitmodules': gitmodules, lib: at(first) }, { lib: at(third) }, { lib: at(second) });
    sh(lab.one, 'checkout', '-q', 'a');
    sh(lab.one, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'update', '--init');
    const result = await integrateBoth(lab);
    expect(result.files['lib']).toBe(`@${second}`);
    expect(result.conflicts).toEqual([{ path: 'lib', copy: undefined, kind: 'submodule', winner: 'b' }]);
    // Git alone would have gone forward here, and only here.
    expect(execFileSync('git', ['merge-tree', '--write-tree', '--messages', lab.a, lab.b], { cwd: lab.one, encoding: 'utf8' })).toMatch(/Fast-forwarding submodule/);
  });

  test('in a repository with SHA-256 object ids', async () => {
    const one = tempDir('sha256');
    sh(one, 'init', '-q', '-b', 'base', '--object-format=sha256');
    importBranches(one, [
      { name: 'base', commits: [{ files: { 'n.md': lines(), empty: lines() }, time: morning }] },
      { name: 'a', from: 'base', commits: [{ files: { 'n.md': lines({ 6: 'a' }), empty: '' }, time: morning }] },
      { name: 'b', from: 'base', commits: [{ files: { 'n.md': lines({ 6: 'b' }), empty: lines({ 6: 'b' }) }, time: morning + 1 }] },
    ]);
    const [a = '', b = ''] = sh(one, 'rev-parse', 'a', 'b').split('\n');
    const result = await integrateBoth({ one, two: copyRepo(one), base: '', a, b });
    expect(Object.keys(result.files)).toEqual(['empty', expect.stringMatching(/^n\.conflict-.*-[0-9a-f]{7}\.md$/), 'n.md']);
  });
});

describe('who is newer', () => {
  test('the last commit of a side that touched the path, not the side\'s last commit; through renames; ties by object id', async () => {
    const lab = makeLab(
      { f: lines(), g: lines({ 1: 'g' }), tie: '0\n' },
      [{ files: { f: lines({ 6: 'a' }) }, time: morning + 60 }, { files: { other: 'late\n', g: null, h: lines({ 1: 'g', 6: 'a' }) }, time: morning + 1000 }, { files: { tie: 'a\n' }, time: morning + 2000 }],
      [{ files: { f: lines({ 6: 'b' }) }, time: morning + 120 }, { files: { g: lines({ 1: 'g', 6: 'b' }) }, time: morning + 500 }, { files: { tie: 'b\n' }, time: morning + 2000 }],
    );
    const { conflicts } = await integrateBoth(lab);
    const tie = sh(lab.one, 'rev-parse', 'a:tie') > sh(lab.one, 'rev-parse', 'b:tie') ? 'a' : 'b';
    expect(conflicts.map(({ path, winner }) => [path, winner])).toEqual([['f', 'b'], ['h', 'a'], ['tie', tie]]);
  });

  test('a date from the future does not win: a commit is not younger than when it was committed, nor than what was committed on top', async () => {
    const nextYear = morning + 365 * 86_400;
    const lab = makeLab(
      { f: lines(), g: lines() },
      [{ files: { f: lines({ 6: 'a' }) }, time: nextYear, committed: morning }, { files: { g: lines({ 6: 'a' }) }, time: nextYear, committed: nextYear }, { files: { x: '' }, time: morning + 60 }],
      [{ files: { f: lines({ 6: 'b' }), g: lines({ 6: 'b' }) }, time: morning + 120 }],
    );
    const { conflicts } = await integrateBoth(lab);
    expect(conflicts.map(({ path, winner, copy }) => [path, winner, copy?.slice(0, 26)])).toEqual([['f', 'b', 'f.conflict-20261120-100000'], ['g', 'b', 'g.conflict-20261120-100100']]);
  });

  test('a merge counts where its result is its own', async () => {
    const lab = makeLab({ f: lines() }, [{ files: { f: lines({ 6: 'a' }) }, time: morning }], [{ files: { f: lines({ 6: 'b' }) }, time: morning + 60 }]);
    importBranches(lab.one, [
      { name: 'side', from: 'base', commits: [{ files: { f: lines({ 2: 'side' }) }, time: morning }] },
      { name: 'merged', from: 'a', commits: [{ files: { f: lines({ 2: 'side', 6: 'a' }) }, time: morning + 120, merges: ['side'] }] },
    ]);
    const merged: Lab = { ...lab, two: copyRepo(lab.one), a: sh(lab.one, 'rev-parse', 'merged') };
    expect((await integrateBoth(merged)).conflicts).toMatchObject([{ path: 'f', winner: 'a' }]);
  });
});

describe('copies', () => {
  const host = (name: string): string => `change\n\nGitsync-Host: ${name}\n`;

  test('carry the losing side\'s machine; a name that is taken by other content gets more of the object id, by the same content none', async () => {
    const change = (who: string, time: number, name: string): { files: Record<string, string>; time: number; message: string } => ({ files: { 'n.md': `${who}\n` }, time, message: host(name) });
    const lab = makeLab({ 'n.md': '0\n' }, [change('a', morning, 'de sk/../top')], [change('b', morning + 1, 'laptop')]);
    const { conflicts } = await integrateBoth(lab);
    const name = `n.conflict-20261120-100000-de-sk-top-${sh(lab.one, 'rev-parse', 'a:n.md').slice(0, 7)}.md`;
    expect(conflicts.map(({ copy }) => copy)).toEqual([name]);

    const taken = makeLab({ 'n.md': '0\n', [name]: 'mine\n' }, [change('a', morning, 'de sk/../top')], [change('b', morning + 1, 'laptop')]);
    const longer = (await integrateBoth(taken)).conflicts[0]?.copy as string;
    expect(longer).toBe(`n.conflict-20261120-100000-de-sk-top-${sh(lab.one, 'rev-parse', 'a:n.md').slice(0, 16)}.md`);

    const there = makeLab({ 'n.md': '0\n', [name]: 'a\n' }, [change('a', morning, 'de sk/../top')], [change('b', morning + 1, 'laptop')]);
    const result = await integrateBoth(there);
    expect(result.conflicts[0]?.copy).toBe(name);
    expect(Object.keys(result.files)).toHaveLength(2);
  });

  test('a conflict on a copy gives another copy of the first file, however often', async () => {
    const copy = 'n.conflict-20261119-100000-desk-0123456.md';
    const lab = makeLab({ [copy]: '0\n' }, { [copy]: 'a\n' }, { [copy]: 'b\n' });
    const { files } = await integrateBoth(lab);
    expect(Object.keys(files).sort()).toEqual([copy, expect.stringMatching(/^n\.conflict-20261120-100000-Test-Person-[0-9a-f]{7}\.md$/)]);
  });

  test('a name of 255 bytes conflicts like any other', async () => {
    const name = `${'ü'.repeat(126)}.md`;
    const raw = Buffer.from(name).toString('latin1');
    expect(raw).toHaveLength(255);
    const lab = makeLab({ [raw]: '0\n' }, { [raw]: 'a\n' }, { [raw]: 'b\n' });
    const { conflicts, files } = await integrateBoth(lab);
    expect(Buffer.byteLength(conflicts[0]?.copy as string)).toBeLessThanOrEqual(255);
    expect(conflicts[0]?.copy).toMatch(/^ü+\.conflict-/);
    expect(files[name]).toBe('b\n');
  });

  test('in a linked work tree and below a directory with an odd name', async () => {
    const root = tempRepo({ f: lines() });
    const odd = `${tempDir('odd')}/ü "quoted" $HOME`;
    mkdirSync(odd);
    sh(root, 'worktree', 'add', '-q', '-b', 'linked', `${odd}/tree`);
    commitFiles(`${odd}/tree`, { f: lines({ 6: 'linked' }), 'n.md': 'x\n' });
    commitFiles(root, { f: lines({ 6: 'main' }), 'n.md': 'y\n' });
    const [local = '', remote = ''] = sh(root, 'rev-parse', 'linked', 'main').split('\n');
    const result = await integrate(await openRepo(`${odd}/tree`), { local, remote, rules: [] }).catch(String);
    expect(result).toMatchObject({ kind: 'merged', conflicts: [{ path: 'f' }, { path: 'n.md' }] });
    if (typeof result === 'object' && result.kind === 'merged') expect(Object.keys(await filesOf(root, result.commit))).toHaveLength(4);
  });
});
