import { chmodSync, mkdirSync, openSync, closeSync, renameSync, rmSync, symlinkSync, writeFileSync, appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { rawFromText, type RawPath } from '../../src/core/raw-path.ts';
import { saveHeld } from '../../src/git/snapshot.ts';
import type { CaptureReport } from '../../src/git/capture.ts';
import { captureOnce, openCapture, type OpenCapture } from '../helpers/capture.ts';
import { commitFiles, exists, sh, tempDir, tempRepo, write } from '../helpers/repos.ts';

const paths = (...names: string[]): Set<RawPath> => new Set(names.map(rawFromText));
const filesAt = (root: string, commit = 'HEAD'): string[] => sh(root, 'ls-tree', '-r', '--name-only', commit).split('\n').filter((name) => name !== '');

describe('capture', () => {
  test('commits what was added, changed and removed, and leaves a clean status', async () => {
    const root = tempRepo({ 'keep.txt': 'a\n', 'change.txt': 'b\n', 'remove.txt': 'c\n' });
    write(root, 'change.txt', 'changed\n');
    write(root, 'new/deep.txt', 'new\n');
    rmSync(join(root, 'remove.txt'));
    const { outcome } = await captureOnce(root);
    expect(outcome.kind).toBe('committed');
    expect(filesAt(root)).toEqual(['change.txt', 'keep.txt', 'new/deep.txt']);
    expect(sh(root, 'show', 'HEAD:change.txt')).toBe('changed');
    expect(sh(root, 'status', '--porcelain')).toBe('');
    expect(sh(root, 'log', '-1', '--format=%s')).toMatch(/^desk: .*\+1 ~1 -1/);
    expect(sh(root, 'log', '-1', '--format=%(trailers:key=Gitsync-Host,valueonly)').trim()).toBe('desk');
  });

  test('does nothing when nothing differs, even if times do', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    write(root, 'a.txt', 'a\n');
    const head = sh(root, 'rev-parse', 'HEAD');
    expect((await captureOnce(root)).outcome.kind).toBe('nothing');
    expect(sh(root, 'rev-parse', 'HEAD')).toBe(head);
  });

  test('makes the first commit on an unborn branch', async () => {
    const root = tempRepo();
    write(root, 'a.txt', 'a\n');
    expect((await captureOnce(root)).outcome.kind).toBe('committed');
    expect(sh(root, 'rev-list', '--count', 'HEAD')).toBe('1');
    expect(sh(root, 'status', '--porcelain')).toBe('');
  });

  test('goes on where a new branch was begun before its commit and is checked out after it', async () => {
    const root = tempRepo({ 'a.txt': 'a\n', 'gone.txt': 'gone\n' });
    const { capture } = await openCapture(root);
    await capture();
    write(root, 'before.txt', 'before\n');
    rmSync(join(root, 'gone.txt'));
    expect((await capture()).outcome.kind).toBe('committed');
    // What `git switch -c` does, which takes no lock of the index.
    sh(root, 'branch', 'new', 'main~1');
    sh(root, 'symbolic-ref', 'HEAD', 'refs/heads/new');
    write(root, 'after.txt', 'after\n');
    expect((await capture()).outcome.kind).toBe('committed');
    expect(filesAt(root, 'main')).toEqual(['a.txt', 'before.txt']);
    expect(filesAt(root, 'new')).toEqual(['a.txt', 'after.txt', 'before.txt']);
    expect(sh(root, 'status', '--porcelain')).toBe('');
    // The same on one branch is the person's wish.
    sh(root, 'reset', '-q', '--soft', 'HEAD~1');
    expect((await capture()).outcome).toMatchObject({ kind: 'snapshot', why: 'staged' });
  });

  test('looks only at the paths it was told, once it knows the rest', async () => {
    const root = tempRepo({ 'a.txt': 'a\n', 'b.txt': 'b\n' });
    const { capture } = await openCapture(root);
    await capture();
    write(root, 'a.txt', 'aa\n');
    write(root, 'b.txt', 'bb\n');
    const { outcome } = await capture({ scan: paths('a.txt') });
    expect(outcome.kind === 'committed' && outcome.paths).toEqual(['a.txt']);
    expect(sh(root, 'status', '--porcelain')).toBe(' M b.txt');
  });

  test('finds everything below a directory it was told of', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    const { capture } = await openCapture(root);
    await capture();
    for (let i = 0; i < 20; i++) write(root, `new/sub${i % 3}/f${i}.txt`, String(i));
    const { outcome } = await capture({ scan: paths('new') });
    expect(outcome.kind === 'committed' && outcome.paths.length).toBe(20);
  });

  test('keeps executable bits and symbolic links, also ones that lead out of the tree', async () => {
    const root = tempRepo({ 'run.sh': '#!/bin/sh\n' });
    chmodSync(join(root, 'run.sh'), 0o755);
    symlinkSync('/etc/hostname', join(root, 'out'));
    await captureOnce(root);
    expect(sh(root, 'ls-tree', 'HEAD')).toContain('100755 blob');
    expect(sh(root, 'ls-tree', 'HEAD', 'out')).toMatch(/^120000/);
    expect(sh(root, 'show', 'HEAD:out')).toBe('/etc/hostname');
  });

  test('takes a file that became a directory, and a directory that became a file or a link', async () => {
    const root = tempRepo({ a: 'file\n', 'b/x': 'x\n', 'c/y': 'y\n', 'd/z': 'z\n' });
    rmSync(join(root, 'a'));
    write(root, 'a/inside', 'now a directory\n');
    rmSync(join(root, 'b'), { recursive: true });
    write(root, 'b', 'now a file\n');
    renameSync(join(root, 'c'), join(root, 'c2'));
    symlinkSync('d', join(root, 'c'));
    await captureOnce(root);
    expect(filesAt(root)).toEqual(['a/inside', 'b', 'c', 'c2/y', 'd/z']);
    expect(sh(root, 'status', '--porcelain')).toBe('');
  });

  test('never commits editors\' temporary files, with no .gitignore', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    for (const name of ['4913', '.a.txt.swp', 'a.txt~', '.#a.txt', '~$letter.docx', 'film.part', 'x.crdownload', '.goutputstream-AB12CD']) write(root, name, 'temporary');
    write(root, 'b.txt', 'b\n');
    await captureOnce(root);
    expect(filesAt(root)).toEqual(['a.txt', 'b.txt']);
  });

  test('respects .gitignore and .git/info/exclude', async () => {
    const root = tempRepo({ '.gitignore': '*.log\nbuild/\n' });
    write(root, '.git/info/exclude', 'private\n');
    for (const name of ['x.log', 'build/out', 'private', 'kept.txt']) write(root, name, 'x');
    await captureOnce(root);
    expect(filesAt(root)).toEqual(['.gitignore', 'kept.txt']);
  });

  test('reports a repository inside, and does not add it, with or without a commit', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    mkdirSync(join(root, 'empty-inner'));
    sh(join(root, 'empty-inner'), 'init', '-q');
    mkdirSync(join(root, 'inner'));
    sh(join(root, 'inner'), 'init', '-q');
    commitFiles(join(root, 'inner'), { 'x.txt': 'x\n' });
    write(root, 'b.txt', 'b\n');
    const report = await captureOnce(root);
    expect(report.outcome.kind).toBe('committed');
    expect(report.nested.sort()).toEqual(['empty-inner', 'inner']);
    expect(filesAt(root)).toEqual(['a.txt', 'b.txt']);
  });

  test('a file that someone has open for writing waits, and the others go ahead', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    const descriptor = openSync(join(root, 'log.txt'), 'w');
    try {
      write(root, 'b.txt', 'b\n');
      const { capture } = await openCapture(root);
      const report = await capture();
      expect(report.waiting).toEqual(['log.txt']);
      expect(filesAt(root)).toEqual(['a.txt', 'b.txt']);
      const late = await capture({ overdue: paths('log.txt') });
      expect(late.outcome.kind).toBe('committed');
      expect(filesAt(root)).toEqual(['a.txt', 'b.txt', 'log.txt']);
    } finally {
      closeSync(descriptor);
    }
  });

  test('a file that cannot be read does not stop the others', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    write(root, 'b.txt', 'b\n');
    sh(root, 'config', 'filter.broken.clean', 'false');
    sh(root, 'config', 'filter.broken.required', 'true');
    write(root, '.gitattributes', '*.bad filter=broken\n');
    write(root, 'x.bad', 'x\n');
    const report = await captureOnce(root);
    expect(report.failed.map(({ path }) => path)).toEqual(['x.bad']);
    expect(filesAt(root)).toEqual(['.gitattributes', 'a.txt', 'b.txt']);
  });

  test('a file over which git was killed is tried again; where git is killed each time, it does not stop the others', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    const mark = join(tempDir('mark'), 'mark');
    sh(root, 'config', 'filter.once.clean', `if [ -e '${mark}' ]; then cat; else : > '${mark}'; kill -9 $PPID; fi`);
    sh(root, 'config', 'filter.always.clean', 'kill -9 $PPID');
    write(root, '.gitattributes', '*.once filter=once\n*.always filter=always\n');
    for (const name of ['b.txt', 'x.once', 'x.always']) write(root, name, `${name}\n`);
    const report = await captureOnce(root);
    expect(report.failed).toEqual([{ path: 'x.always', why: expect.stringContaining('killed by SIGKILL') as unknown as string }]);
    expect(filesAt(root)).toEqual(['.gitattributes', 'a.txt', 'b.txt', 'x.once']);
  });

  test('a file whose filter hangs does not stop the others', async () => {
    process.env['GITSYNC_HASH_DEADLINE_MS'] = '1500';
    const root = tempRepo({ 'a.txt': 'a\n' });
    write(root, 'b.txt', 'b\n');
    sh(root, 'config', 'filter.hangs.clean', 'sleep 1000');
    write(root, '.gitattributes', '*.bad filter=hangs\n');
    write(root, 'x.bad', 'x\n');
    try {
      const report = await captureOnce(root);
      expect(report.failed).toEqual([{ path: 'x.bad', why: expect.stringContaining('no answer in time') as unknown as string }]);
      expect(filesAt(root)).toEqual(['.gitattributes', 'a.txt', 'b.txt']);
    } finally {
      delete process.env['GITSYNC_HASH_DEADLINE_MS'];
    }
  });

  test('a large file that cannot be read does not stop the others, although it may be one that was moved', async () => {
    const root = tempRepo({ 'a.txt': 'a\n', 'old.bad': 'x'.repeat(100), '.gitattributes': '*.bad filter=broken\n' });
    sh(root, 'config', 'filter.broken.clean', 'false');
    sh(root, 'config', 'filter.broken.required', 'true');
    renameSync(join(root, 'old.bad'), join(root, 'new.bad'));
    write(root, 'b.txt', 'b\n');
    const report = await captureOnce(root, { limits: { maxFileSizeBytes: 10, maxBatchBytes: 1_000_000 } });
    expect(report.held.map(({ path }) => path)).toEqual(['new.bad']);
    expect(filesAt(root)).toEqual(['.gitattributes', 'a.txt', 'b.txt']);
  });

  test('a secret that cannot be read does not keep the others from being kept', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    sh(root, 'config', 'filter.broken.clean', 'false');
    sh(root, 'config', 'filter.broken.required', 'true');
    write(root, '.gitattributes', '*.env filter=broken\n');
    for (const name of ['one.env', 'two.netrc', 'three.netrc']) write(root, name, 'secret\n');
    const { repo } = await openCapture(root);
    await saveHeld(repo, [...paths('one.env', 'two.netrc', 'three.netrc')]);
    expect(filesAt(root, 'refs/gitsync/held')).toEqual(['three.netrc', 'two.netrc']);
    await saveHeld(repo, [...paths('one.env')]);
    expect(filesAt(root, 'refs/gitsync/held')).toEqual(['three.netrc', 'two.netrc']);
  });

  test('names with newlines, quotes, spaces, 255 bytes, not UTF-8, NFC and NFD twins', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    const names = [Buffer.from('new\nline.txt'), Buffer.from('quo"te \\ tab\t.txt'), Buffer.from('n'.repeat(251) + '.txt'), Buffer.from([0x66, 0xff, 0xfe, 0x2e, 0x74]), Buffer.from('caf\u00e9.txt'), Buffer.from('cafe\u0301.txt'), Buffer.from('Case.txt'), Buffer.from('case.txt'), Buffer.from('-leading.txt'), Buffer.from(':(glob)x')];
    for (const name of names) writeFileSync(Buffer.concat([Buffer.from(`${root}/`), name]), name);
    const { outcome } = await captureOnce(root);
    expect(outcome.kind === 'committed' && outcome.paths.length).toBe(names.length);
    expect(sh(root, 'status', '--porcelain')).toBe('');
    const { capture } = await openCapture(root);
    await capture();
    for (const name of names) appendFileSync(Buffer.concat([Buffer.from(`${root}/`), name]), 'more');
    const again = await capture({ scan: new Set(names.map((name) => name.toString('latin1') as RawPath)) });
    expect(again.outcome.kind === 'committed' && again.outcome.paths.length).toBe(names.length);
  });
});

describe('capture holds back', () => {
  test('a new file above the limit, and names the limit', async () => {
    const root = tempRepo({ 'a.txt': 'a\n' });
    write(root, 'big.bin', Buffer.alloc(2_000));
    write(root, 'small.txt', 's\n');
    const report = await captureOnce(root, { limits: { maxFileSizeBytes: 1_000, maxBatchBytes: 1_000_000 } });
    expect(report.held).toMatchObject([{ path: 'big.bin', reason: 'too-large' }]);
    expect(filesAt(root)).toEqual(['a.txt', 'small.txt']);
    expect((await captureOnce(root, { limits: { maxFileSizeBytes: 1_000, maxBatchBytes: 1_000_000 }, allowed: paths('big.bin') })).outcome.kind).toBe('committed');
  });

  test('secrets by name and by content, but not what was there before', async () => {
    const token = `ghp_${'x7Kq9ZtR2mWv4LpYc8NdJ3sHb6FgQ5aE1uTi'}`;
    const root = tempRepo({ 'old.txt': `${token}\n` });
    write(root, '.env', 'PASSWORD=1\n');
    write(root, 'notes.txt', `my token is ${token}\n`);
    write(root, 'old.txt', `${token}\nand a line\n`);
    const report = await captureOnce(root);
    expect(report.held.map(({ path, reason }) => [path, reason]).sort()).toEqual([['.env', 'secret-name'], ['notes.txt', 'secret-content']]);
    expect(sh(root, 'show', 'HEAD:old.txt')).toContain('and a line');
  });

  test('a mass deletion, but lets everything else through', async () => {
    const files = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`dir/f${i}.txt`, `${i}\n`]));
    const root = tempRepo({ ...files, 'stay.txt': 's\n' });
    rmSync(join(root, 'dir'), { recursive: true });
    write(root, 'stay.txt', 'changed\n');
    const report = await captureOnce(root);
    expect(report.held.filter(({ reason }) => reason === 'mass-deletion').length).toBe(40);
    expect(filesAt(root).length).toBe(41);
    expect(sh(root, 'show', 'HEAD:stay.txt')).toBe('changed');
    await captureOnce(root, { allowed: new Set(report.held.map(({ path }) => path)) });
    expect(filesAt(root)).toEqual(['stay.txt']);
  });

  describe('a mass deletion that comes in pieces, each small enough to go', () => {
    const names = Array.from({ length: 40 }, (_, i) => `f${i}.txt`);
    const at = (seconds: number): Date => new Date(Date.UTC(2026, 10, 20) + seconds * 1000);
    const openWithFiles = async (): Promise<OpenCapture & { root: string; removeFiles(from: number, to: number): void }> => {
      const root = tempRepo(Object.fromEntries(names.map((name) => [name, `${name}\n`])));
      return { root, removeFiles: (from, to) => names.slice(from, to).forEach((name) => rmSync(join(root, name))), ...(await openCapture(root)) };
    };
    const deletions = ({ held }: CaptureReport): number => held.filter(({ reason }) => reason === 'mass-deletion').length;

    test('from where it is one', async () => {
      const { root, capture, removeFiles } = await openWithFiles();
      removeFiles(0, 12);
      expect((await capture({ now: at(0) })).outcome.kind).toBe('committed');
      removeFiles(12, 20);
      expect((await capture({ now: at(20) })).outcome.kind).toBe('committed');
      removeFiles(20, 32);
      const report = await capture({ now: at(40) });
      expect(report.outcome.kind).toBe('nothing');
      expect(report.held[0]?.detail).toBe('32 of 40 files disappeared, 20 of them in commits just before (gitsync log)');
      expect(deletions(report)).toBe(12);
      expect((await capture({ now: at(50), allowed: paths(...names) })).held).toEqual([]);
      expect(filesAt(root)).toHaveLength(8);
      // What was let through counts no more.
      removeFiles(32, 40);
      expect(deletions(await capture({ now: at(60), allowed: paths(...names.slice(0, 32)) }))).toBe(8);
    });

    test('whatever is looked at alone while others wait', async () => {
      const { root, capture, removeFiles } = await openWithFiles();
      await capture();
      removeFiles(0, 25);
      const { held } = await capture();
      expect(held).toHaveLength(25);
      removeFiles(30, 31);
      expect(await capture({ scan: paths('f30.txt'), heldBefore: held })).toMatchObject({ outcome: { kind: 'nothing' }, held: [{ path: 'f30.txt', detail: '26 of 40 files disappeared' }] });
      expect((await capture({ scan: paths('f30.txt'), heldBefore: held, allowed: paths(...names.slice(0, 25)) })).outcome).toMatchObject({ kind: 'committed', paths: ['f30.txt'] });
      expect(filesAt(root)).toHaveLength(39);
    });

    test('not after a pause, nor after a commit of the person', async () => {
      const { root, capture, removeFiles } = await openWithFiles();
      removeFiles(0, 18);
      await capture({ now: at(0) });
      removeFiles(18, 28);
      expect(deletions(await capture({ now: at(61) }))).toBe(0);
      commitFiles(root, { 'own.txt': 'own\n' });
      removeFiles(28, 38);
      expect(deletions(await capture({ now: at(62) }))).toBe(0);
      expect(filesAt(root)).toEqual(['f38.txt', 'f39.txt', 'own.txt']);
    });

    test('not where new files come in their place', async () => {
      const { root, capture, removeFiles } = await openWithFiles();
      for (let i = 0; i < 4; i += 1) {
        removeFiles(i * 10, i * 10 + 10);
        for (let j = 0; j < 10; j += 1) write(root, `new-${i}-${j}.txt`, `${i} ${j}\n`);
        expect(deletions(await capture({ now: at(i) }))).toBe(0);
      }
    });
  });

  test('not a directory that was only moved', async () => {
    const files = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`dir/f${i}.txt`, `content ${i}\n`]));
    const root = tempRepo(files);
    renameSync(join(root, 'dir'), join(root, 'moved'));
    const report = await captureOnce(root);
    expect(report.held).toEqual([]);
    expect(filesAt(root).every((name) => name.startsWith('moved/'))).toBe(true);
  });

  test('not a large file that was only renamed', async () => {
    const root = tempRepo({ 'film.bin': Buffer.alloc(5_000, 1) });
    renameSync(join(root, 'film.bin'), join(root, 'movie.bin'));
    const report = await captureOnce(root, { limits: { maxFileSizeBytes: 1_000, maxBatchBytes: 1_000_000 } });
    expect(report.held).toEqual([]);
    expect(filesAt(root)).toEqual(['movie.bin']);
  });

  test('every deletion when the root is another directory than before', async () => {
    const root = tempRepo({ 'a.txt': 'a\n', 'b.txt': 'b\n' });
    rmSync(join(root, 'a.txt'));
    const report = await captureOnce(root, { rootChanged: true });
    expect(report.held).toMatchObject([{ path: 'a.txt', reason: 'mass-deletion' }]);
    expect(exists(root, 'b.txt')).toBe(true);
  });
});
