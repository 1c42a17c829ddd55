/** Captures that begin before the quiet time is over, and commit when it is. */
import { closeSync, existsSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { rawFromText, type RawPath } from '../../src/core/raw-path.ts';
import type { CaptureReport, CaptureRequest } from '../../src/git/capture.ts';
import { openCapture } from '../helpers/capture.ts';
import { commitFiles, sh, tempRepo, write } from '../helpers/repos.ts';

const paths = (...names: string[]): Set<RawPath> => new Set(names.map(rawFromText));

interface Ahead {
  root: string;
  capture(request?: Partial<CaptureRequest>): Promise<CaptureReport>;
  /** Begins a capture of these paths; `meanwhile` happens when it waits for nothing but the end of the quiet time. */
  captureAhead(scan: Set<RawPath>, meanwhile: () => void, isRested?: boolean): Promise<CaptureReport>;
}

/** A repository of a few files that has been looked at. */
async function openAhead(): Promise<Ahead> {
  const root = tempRepo({ 'a.txt': 'a\n', 'b.txt': 'b\n', 'sub/c.txt': 'c\n' });
  const { capture } = await openCapture(root);
  await capture();
  return {
    root,
    capture,
    async captureAhead(scan, meanwhile, isRested = true) {
      const before = new Set(objectsIn(root));
      let settle: (isRested: boolean) => void = () => undefined;
      const rested = new Promise<boolean>((resolve) => (settle = resolve));
      const capturing = capture({ scan, rested });
      const isMade = (): boolean => objectsIn(root).some((oid) => !before.has(oid) && sh(root, 'cat-file', '-t', oid) === 'commit');
      while (!isMade()) await wait(10);
      meanwhile();
      settle(isRested);
      return capturing;
    },
  };
}

function objectsIn(root: string): string[] {
  return sh(root, 'cat-file', '--batch-all-objects', '--batch-check=%(objectname)').split('\n');
}

describe('a capture that begins ahead of its time', () => {
  test('commits when everything has rested, and not before', async () => {
    const { root, captureAhead } = await openAhead();
    const head = sh(root, 'rev-parse', 'HEAD');
    write(root, 'a.txt', 'aa\n');
    rmSync(join(root, 'b.txt'));
    write(root, 'new/d.txt', 'd\n');
    const { outcome } = await captureAhead(paths('a.txt', 'b.txt', 'new'), () => {
      expect(sh(root, 'rev-parse', 'HEAD')).toBe(head);
      // The person's own git is not kept waiting.
      expect(existsSync(join(root, '.git/index.lock'))).toBe(false);
    });
    expect(outcome).toMatchObject({ kind: 'committed', parent: head });
    expect(sh(root, 'ls-tree', '-r', '--name-only', 'HEAD').split('\n')).toEqual(['a.txt', 'new/d.txt', 'sub/c.txt']);
    expect(sh(root, 'status', '--porcelain')).toBe('');
  });

  test.each<[string, (root: string) => void, boolean]>([
    ['something changed', () => undefined, false],
    ['the file changed, and nobody said so', (root) => write(root, 'a.txt', 'aaa\n'), true],
    ['the file is gone', (root) => rmSync(join(root, 'a.txt')), true],
    ['a deleted file is back', (root) => write(root, 'b.txt', 'b again\n'), true],
    ['the person committed', (root) => void sh(root, 'commit', '-q', '--allow-empty', '-m', 'by hand'), true],
    ['the person checked out a commit without a branch', (root) => void sh(root, 'checkout', '-q', '--detach'), true],
    ['the person began a merge', (root) => writeFileSync(join(root, '.git/MERGE_HEAD'), `${sh(root, 'rev-parse', 'HEAD')}\n`), true],
  ])('leaves no trace when %s, and the next capture finds everything', async (_what, meanwhile, isRested) => {
    const { root, capture, captureAhead } = await openAhead();
    const branch = (): string => sh(root, 'rev-parse', 'main');
    write(root, 'a.txt', 'aa\n');
    rmSync(join(root, 'b.txt'));
    let head = '';
    const { outcome } = await captureAhead(paths('a.txt', 'b.txt'), () => {
      meanwhile(root);
      head = branch();
    }, isRested);
    expect(outcome.kind).toBe('disturbed');
    expect(branch()).toBe(head);
    expect(sh(root, 'diff', '--cached', '--name-only')).toBe('');
    expect(existsSync(join(root, '.git/index.lock'))).toBe(false);
    rmSync(join(root, '.git/MERGE_HEAD'), { force: true });
    sh(root, 'symbolic-ref', 'HEAD', 'refs/heads/main');
    expect((await capture({ scan: paths('a.txt', 'b.txt') })).outcome.kind).toBe('committed');
    expect(sh(root, 'status', '--porcelain')).toBe('');
  });

  test('is in vain for a file that is still being written, which gets its full time', async () => {
    const { root, capture } = await openAhead();
    write(root, 'a.txt', 'aa\n');
    const writer = openSync(join(root, 'a.txt'), 'a');
    const never = new Promise<boolean>(() => undefined);
    expect((await capture({ scan: paths('a.txt'), rested: never })).outcome.kind).toBe('disturbed');
    closeSync(writer);
    expect((await capture({ scan: paths('a.txt') })).outcome.kind).toBe('committed');
  });

  test('is in vain where everything has to be looked at, and where the branch must not move', async () => {
    const { root, capture } = await openAhead();
    const never = new Promise<boolean>(() => undefined);
    write(root, 'a.txt', 'aa\n');
    commitFiles(root, { 'b.txt': 'by hand\n' });
    expect((await capture({ scan: paths('a.txt'), rested: never })).outcome.kind).toBe('disturbed');
    write(root, 'sub/c.txt', 'cc\n');
    sh(root, 'add', 'sub/c.txt');
    expect((await capture({ scan: paths('a.txt'), rested: never })).outcome.kind).toBe('disturbed');
    expect((await capture({ scan: paths('a.txt') })).outcome).toMatchObject({ kind: 'snapshot', why: 'staged' });
    expect(sh(root, 'diff', '--cached', '--name-only')).toBe('sub/c.txt');
  });
});
