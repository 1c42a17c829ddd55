/** Watching below a root that is not trusted: everything inside is noticed, and nothing leads out. */
import { closeSync, mkdirSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { openConfined, pathOfDescriptor } from '../../src/watch/confined-directory.ts';
import { watchConfined, type ConfinedWatcher } from '../../src/watch/confined-watcher.ts';
import { converge } from '../helpers/converge.ts';
import { tempDir } from '../helpers/repos.ts';
import { describeWith } from '../helpers/requires.ts';

describeWith(['linux'], 'a confined directory', () => {
  let watcher: ConfinedWatcher | undefined;
  afterEach(() => watcher?.close());

  const whereIs = (root: string, path: string): string => {
    const descriptor = openConfined(root, path);
    try {
      return realpathSync(pathOfDescriptor(descriptor));
    } finally {
      closeSync(descriptor);
    }
  };

  test('is opened through links as the inside sees them, and never outside of the root', () => {
    const root = realpathSync(tempDir('root'));
    const outside = realpathSync(tempDir('outside'));
    mkdirSync(join(root, 'srv/www'), { recursive: true });
    mkdirSync(join(root, 'etc'));
    symlinkSync('/srv', join(root, 'absolute'));
    symlinkSync('../srv/www', join(root, 'etc/relative'));
    symlinkSync(outside, join(root, 'escape'));
    symlinkSync('../../../../../../..', join(root, 'up'));
    symlinkSync('loop', join(root, 'loop'));
    expect(whereIs(root, '/absolute/www')).toBe(join(root, 'srv/www'));
    expect(whereIs(root, '/etc/relative')).toBe(join(root, 'srv/www'));
    expect(whereIs(root, '/srv/../../../srv')).toBe(join(root, 'srv'));
    expect(whereIs(root, '/up')).toBe(root);
    expect(() => whereIs(root, '/escape')).toThrow(/ENOENT/);
    expect(() => whereIs(root, '/loop')).toThrow(/too many links/);
  });

  test('tells of files at any depth, of new directories, and of one that comes later or takes another\'s place', async () => {
    const root = tempDir('root');
    let touched = 0;
    watcher = watchConfined(root, '/srv/files', () => (touched += 1), { checkMs: 50 });
    const noticed = async (what: string, act: () => void): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 150));
      const before = touched;
      act();
      await converge(what, () => touched > before);
    };
    await noticed('it comes', () => mkdirSync(join(root, 'srv/files/deep/er'), { recursive: true }));
    await converge('watched', () => watcher?.isWatching === true);
    await noticed('a file', () => writeFileSync(join(root, 'srv/files/a'), 'a'));
    await noticed('a file deep down', () => writeFileSync(join(root, 'srv/files/deep/er/b'), 'b'));
    await noticed('a new directory', () => mkdirSync(join(root, 'srv/files/new')));
    await noticed('a file in it', () => writeFileSync(join(root, 'srv/files/new/c'), 'c'));
    await noticed('another one takes its place', () => {
      renameSync(join(root, 'srv/files'), join(root, 'srv/old'));
      mkdirSync(join(root, 'srv/files'));
    });
    await noticed('a file in that', () => writeFileSync(join(root, 'srv/files/d'), 'd'));
    await noticed('it goes', () => rmSync(join(root, 'srv/files'), { recursive: true }));
  });

  test('tells nothing of what a link leads to outside', async () => {
    const root = tempDir('root');
    const outside = tempDir('outside');
    mkdirSync(join(root, 'srv'));
    symlinkSync(outside, join(root, 'srv/link'));
    let touched = 0;
    watcher = watchConfined(root, '/srv', () => (touched += 1), { checkMs: 20 });
    writeFileSync(join(outside, 'secret'), 'x');
    // What is inside comes after it, and alone.
    writeFileSync(join(root, 'srv/a'), 'a');
    await converge('the one inside', () => touched > 0);
    const before = touched;
    writeFileSync(join(outside, 'secret'), 'y');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(touched).toBe(before);
  });
});
