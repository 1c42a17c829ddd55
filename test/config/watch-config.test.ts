import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { watchConfig } from '../../src/config/watch-config.ts';
import { converge } from '../helpers/converge.ts';
import { tempDir } from '../helpers/repos.ts';

const open: { close(): void }[] = [];
afterEach(() => {
  for (const watcher of open.splice(0)) watcher.close();
});

function countChanges(file: string): { expectMore: (what: string) => Promise<void>; count: () => number } {
  let seen = 0;
  let expected = 0;
  open.push(watchConfig(file, () => seen++));
  return {
    count: () => seen,
    async expectMore(what) {
      await converge(what, () => seen > expected, 5000);
      expected = seen;
    },
  };
}

describe('watchConfig', () => {
  test('hears every way of saving', async () => {
    const file = join(tempDir(), 'config');
    writeFileSync(file, 'one');
    const { expectMore } = countChanges(file);
    writeFileSync(file, 'two');
    await expectMore('written in place');
    writeFileSync(`${file}.tmp`, 'three');
    renameSync(`${file}.tmp`, file);
    await expectMore('renamed over');
    renameSync(file, `${file}~`);
    writeFileSync(file, 'four');
    await expectMore('the old one moved away, as vim does');
    writeFileSync(file, 'five');
    await expectMore('written in place after a rename');
    rmSync(file);
    await expectMore('removed');
    writeFileSync(file, 'six');
    await expectMore('made again');
  });

  test('waits for a file whose directories do not exist yet, and for them to come back', async () => {
    const root = tempDir();
    const file = join(root, 'home/.config/gitsync');
    const { expectMore } = countChanges(file);
    mkdirSync(join(root, 'home/.config'), { recursive: true });
    writeFileSync(file, 'one');
    await expectMore('made');
    rmSync(join(root, 'home'), { recursive: true });
    await expectMore('removed with its directory');
    mkdirSync(join(root, 'home/.config'), { recursive: true });
    writeFileSync(file, 'two');
    await expectMore('made again');
    writeFileSync(file, 'three');
    await expectMore('changed in the new directory');
  });

  test('follows symbolic links: a new target, and changes of the target', async () => {
    const root = tempDir();
    mkdirSync(join(root, 'dotfiles'));
    mkdirSync(join(root, 'config'));
    writeFileSync(join(root, 'dotfiles/gitsync'), 'one');
    symlinkSync('../dotfiles/gitsync', join(root, 'config/gitsync'));
    const { expectMore } = countChanges(join(root, 'config/gitsync'));
    writeFileSync(join(root, 'dotfiles/new'), 'two');
    renameSync(join(root, 'dotfiles/new'), join(root, 'dotfiles/gitsync'));
    await expectMore('the target was replaced');
    writeFileSync(join(root, 'dotfiles/other'), 'three');
    symlinkSync('../dotfiles/other', join(root, 'config/link'));
    renameSync(join(root, 'config/link'), join(root, 'config/gitsync'));
    await expectMore('the link was replaced');
    writeFileSync(join(root, 'dotfiles/other'), 'four');
    await expectMore('the new target was written');
  });

  test('tells a burst of writes once, and nothing about other files', async () => {
    const root = tempDir();
    const file = join(root, 'config');
    writeFileSync(file, '0');
    const { expectMore, count } = countChanges(file);
    for (let index = 0; index < 50; index++) {
      writeFileSync(file, String(index));
      writeFileSync(join(root, 'other'), String(index));
    }
    await expectMore('the burst');
    writeFileSync(join(root, 'other'), 'last');
    const before = count();
    // Events keep their order, so once a later change is told, anything about "other" would have been told too.
    writeFileSync(file, 'last');
    await expectMore('the last write');
    expect([before, count()]).toEqual([1, 2]);
  });

  test('says nothing after it is closed', async () => {
    const file = join(tempDir(), 'config');
    writeFileSync(file, 'one');
    const { count } = countChanges(file);
    const { expectMore } = countChanges(file);
    writeFileSync(file, 'two');
    open[0]?.close();
    await expectMore('the other watcher');
    expect(count()).toBe(0);
  });
});
