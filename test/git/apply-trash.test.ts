import { closeSync, copyFileSync, existsSync, ftruncateSync, mkdirSync, openSync, readdirSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { applyLate, checkTrash, hasOpenUpdate } from '../../src/git/apply.ts';
import { converge } from '../helpers/converge.ts';
import { describeWith } from '../helpers/requires.ts';
import { read, sh, tempDir, write } from '../helpers/repos.ts';
import { applied, filesOfCommit, filesOnDisk, historyOf, makeFixture, openFixture, statusOf, type Fixture } from './apply-fixture.ts';

function trashOf(fixture: Fixture): string[] {
  const apply = join(fixture.repo.ownDir, 'apply');
  return readdirSync(apply).flatMap((update) => readdirSync(join(apply, update, 'trash')));
}

async function emptyTrash(fixture: Fixture): Promise<string[]> {
  const late: string[] = [];
  await converge('the trash is empty', async () => {
    const report = await checkTrash(fixture.repo);
    late.push(...report.late);
    return report.waiting === 0;
  });
  return late;
}

function lateRequest(fixture: Fixture) {
  return { ref: 'refs/heads/main', from: sh(fixture.root, 'rev-parse', 'main'), keep: new Set<never>(), rules: [] };
}

describe('the trash', () => {
  test('is empty after the second look, and nothing else is left of the update', async () => {
    const fixture = await makeFixture({ 'a.txt': 'one\n', 'b.txt': 'two\n', link: { mode: '120000', content: 'a.txt' } });
    applied(await fixture.apply(fixture.incoming({ 'a.txt': 'ONE\n', 'b.txt': null, link: null })));
    expect(trashOf(fixture)).toHaveLength(3);
    expect((await checkTrash(fixture.repo)).waiting).toBe(3);
    expect(await emptyTrash(fixture)).toEqual([]);
    expect(readdirSync(join(fixture.repo.ownDir, 'apply'))).toEqual([]);
    expect(await hasOpenUpdate(fixture.repo)).toBe(false);
    expect(statusOf(fixture.root)).toBe('');
  });

  test('of one update whose removal was killed half-way does not keep that of others from being looked at', async () => {
    const fixture = await makeFixture({ 'a.txt': 'one\n' });
    applied(await fixture.apply(fixture.incoming({ 'a.txt': 'two\n' })));
    const apply = join(fixture.repo.ownDir, 'apply');
    mkdirSync(join(apply, 'update-000000'));
    copyFileSync(join(apply, readdirSync(apply).at(-1) as string, 'trash.json'), join(apply, 'update-000000/trash.json'));
    await emptyTrash(fixture);
    expect(readdirSync(apply)).toEqual([]);
  });

  test('keeps a file that somebody has open for writing, and saves what they write to it in the end', async () => {
    const fixture = await makeFixture({ 'notes.txt': 'old\n', 'b.txt': 'b\n' });
    const editor = openSync(join(fixture.root, 'notes.txt'), 'r+');
    applied(await fixture.apply(fixture.incoming({ 'notes.txt': 'old\ntheirs\n', 'b.txt': 'B\n' })));
    await converge('the other file is gone', async () => (await checkTrash(fixture.repo)).waiting === 1);
    expect(trashOf(fixture)).toHaveLength(1);
    ftruncateSync(editor, 0);
    writeSync(editor, 'mine\nold\n', 0);
    expect(await checkTrash(fixture.repo)).toEqual({ waiting: 1, late: [] });
    closeSync(editor);

    const late = await emptyTrash(fixture);
    expect(late).toHaveLength(1);
    expect(historyOf(fixture.root, 'notes.txt')).toContain('mine\nold\n');
    const outcome = await applyLate(fixture.repo, fixture.index, lateRequest(fixture));
    expect(outcome?.kind).toBe('applied');
    expect(read(fixture.root, 'notes.txt')).toBe('mine\nold\ntheirs\n');
    expect(statusOf(fixture.root)).toBe('');
    // Once the branch has it, the ref goes.
    expect(await applyLate(fixture.repo, fixture.index, lateRequest(fixture))).toBeUndefined();
    expect(sh(fixture.root, 'for-each-ref', 'refs/gitsync/late')).toBe('');
  });

  test('saves what is written to a file that was removed', async () => {
    const fixture = await makeFixture({ 'gone.txt': 'old\n' });
    const editor = openSync(join(fixture.root, 'gone.txt'), 'r+');
    applied(await fixture.apply(fixture.incoming({ 'gone.txt': null, 'b.txt': 'b\n' })));
    writeSync(editor, 'still here\n', 0);
    closeSync(editor);
    expect(await emptyTrash(fixture)).toHaveLength(1);
    await applyLate(fixture.repo, fixture.index, lateRequest(fixture));
    expect(read(fixture.root, 'gone.txt')).toBe('still here\n');
    expect(statusOf(fixture.root)).toBe('');
  });

  test('does not mistake an edit that was saved already for a late one', async () => {
    const fixture = await makeFixture({ 'a.txt': 'old\n', '.gitattributes': '*.crlf text eol=crlf\n', 'w.crlf': 'one\n' });
    write(fixture.root, 'a.txt', 'mine\n');
    write(fixture.root, 'w.crlf', 'one\r\nmine\r\n');
    expect(applied(await fixture.apply(fixture.incoming({ 'a.txt': 'theirs\n', 'w.crlf': 'zero\none\n' }))).unseen).toHaveLength(2);
    expect(await emptyTrash(fixture)).toEqual([]);
    expect(sh(fixture.root, 'for-each-ref', 'refs/gitsync')).toBe('');
  });

  test('belongs to its branch: late edits of another one wait until it is checked out', async () => {
    const fixture = await makeFixture({ 'a.txt': 'old\n' });
    const editor = openSync(join(fixture.root, 'a.txt'), 'r+');
    applied(await fixture.apply(fixture.incoming({ 'a.txt': 'theirs\n' })));
    writeSync(editor, 'mine\n', 0);
    closeSync(editor);
    await emptyTrash(fixture);
    sh(fixture.root, 'checkout', '-q', '-b', 'side');
    expect(await applyLate(fixture.repo, fixture.index, { ...lateRequest(fixture), ref: 'refs/heads/side' })).toBeUndefined();
    expect(sh(fixture.root, 'for-each-ref', '--format=%(refname)', 'refs/gitsync/late')).toMatch(/^refs\/gitsync\/late\/main\/[0-9a-f]{12}$/);
  });
});

describeWith(['tmpfs'], 'a repository on another file system than its work tree', () => {
  const undo: (() => void)[] = [];
  afterEach(() => undo.splice(0).forEach((each) => each()));

  test('stages in the work tree, in a folder that git does not see and that goes away', async () => {
    const outside = tempDir('separate');
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'gitsync-test', outside]);
    undo.push(() => execFileSync('umount', [outside]));
    const { root, from } = await makeFixture({ 'a.txt': 'one\n', 'b.txt': 'two\n' });
    renameAcross(join(root, '.git'), join(outside, 'git'));
    sh(root, 'init', '-q', `--separate-git-dir=${outside}/git`);
    const fixture = await openFixture(root);
    let during = '';
    const to = fixture.incoming({ 'a.txt': 'ONE\n', 'b.txt': null, 'c.txt': 'three\n' });
    applied(await fixture.apply(to, { onStep: (step) => void (step === 'branch moved' && (during = sh(root, 'ls-files', '--others', '--exclude-standard'))) }));
    expect(during).not.toContain('.gitsync-stage');
    expect(existsSync(join(root, '.gitsync-stage'))).toBe(true);
    expect(statusOf(root)).toBe('');
    await emptyTrash(fixture);
    expect(filesOnDisk(root)).toEqual(filesOfCommit(root, to));
    expect(existsSync(join(root, '.gitsync-stage'))).toBe(false);
    expect(from).not.toBe(to);
  });
});

function renameAcross(source: string, target: string): void {
  execFileSync('cp', ['-a', source, target]);
  renameSync(source, `${source}.moved`);
  execFileSync('rm', ['-r', `${source}.moved`]);
}
