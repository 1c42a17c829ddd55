import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { addWorkDir, removeWorkDir } from '../../src/config/edit-config.ts';
import { dropPath, insertWorkDir, listPaths } from '../../src/config/edit-text.ts';
import { parseConfig } from '../../src/config/parse-config.ts';
import { replaceFile } from '../../src/config/replace-file.ts';
import type { Config } from '../../src/config/config.ts';
import { describeWith } from '../helpers/requires.ts';
import { tempDir, tempRepo } from '../helpers/repos.ts';

const home = '/home/me';
const drop = (text: string, path: string): string | undefined => dropPath(text, home, (listed) => listed === path);

describe('adding a directory to the text', () => {
  test.each([
    ['', '# What gitsync keeps in sync; every key is explained by: gitsync config --help\n\n[gitsync]\nwork_dir = /new\n'],
    ['# mine\n', '# mine\n\n[gitsync]\nwork_dir = /new\n'],
    ['[repo /a]\nsign = yes', '[repo /a]\nsign = yes\n\n[gitsync]\nwork_dir = /new\n'],
    ['[gitsync]\nnotify = no\n', '[gitsync]\nwork_dir = /new\nnotify = no\n'],
    ['[gitsync]', '[gitsync]\nwork_dir = /new\n'],
    ['[gitsync]\nwork_dir =\n', '[gitsync]\nwork_dir = /new\n'],
    ['[gitsync]\nwork_dir = # none yet\n', '[gitsync]\nwork_dir = /new # none yet\n'],
    ['[gitsync]\nwork_dir=#none\n', '[gitsync]\nwork_dir= /new #none\n'],
    ['[gitsync]\nwork_dir=/a\n', '[gitsync]\nwork_dir=/a, /new\n'],
    ['[gitsync]\nwork_dir=/a /b # two\n', '[gitsync]\nwork_dir=/a /b /new # two\n'],
    ['[gitsync]\nwork_dir = /a, /b\n', '[gitsync]\nwork_dir = /a, /b, /new\n'],
    ['[gitsync]\nwork_dir = /a,\n    /b # b\n\nquiet = 1s\n', '[gitsync]\nwork_dir = /a,\n    /b, # b\n    /new\n\nquiet = 1s\n'],
    ['[gitsync]\nwork_dir =\n\t/a\n\t/b', '[gitsync]\nwork_dir =\n\t/a\n\t/b\n\t/new\n'],
    ['[gitsync]\n  work_dir[] = /a\nquiet = 1s\n', '[gitsync]\n  work_dir[] = /a\n  work_dir[] = /new\nquiet = 1s\n'],
    ['\ufeff[gitsync]\r\nwork_dir = /a\r\n', '\ufeff[gitsync]\r\nwork_dir = /a, /new\r\n'],
    ['[gitsync]\r\nnotify = no', '[gitsync]\r\nwork_dir = /new\r\nnotify = no\r\n'],
    ['[gitsync]\nwork_dir = /a\\\n', '[gitsync]\nwork_dir = "/a\\\\", /new\n'],
  ])('%j keeps its layout', (text, expected) => expect(insertWorkDir(text, '/new')).toBe(expected));
});

describe('taking a directory out of the text', () => {
  test.each([
    ['[gitsync]\nwork_dir = /x\n', '[gitsync]\nwork_dir =\n'],
    ['[gitsync]\nwork_dir = /x # mine\n', '[gitsync]\nwork_dir = # mine\n'],
    ['[gitsync]\nwork_dir = /x, /a\n', '[gitsync]\nwork_dir = /a\n'],
    ['[gitsync]\nwork_dir = /a, "/x", /b # c\n', '[gitsync]\nwork_dir = /a, /b # c\n'],
    ['[gitsync]\nwork_dir = /a /x/ # c\n', '[gitsync]\nwork_dir = /a # c\n'],
    ['[gitsync]\nwork_dir =\n  /a,\n  /x, # gone\n  /b\n', '[gitsync]\nwork_dir =\n  /a,\n  /b\n'],
    ['[gitsync]\nwork_dir = /x,\n  /b\n', '[gitsync]\nwork_dir =\n  /b\n'],
    ['[gitsync]\nwork_dir[] = /a\nwork_dir[] = /x\n', '[gitsync]\nwork_dir[] = /a\n'],
    ['[gitsync]\r\nwork_dir = /x\r\nquiet = 1s\r\n', '[gitsync]\r\nwork_dir =\r\nquiet = 1s\r\n'],
    ['[gitsync]\nwork_dir = /x /x/ /a\n[repo /x]\nsign = yes\n', '[gitsync]\nwork_dir = /a\n'],
    ['[repo /a]\nsign = yes\n\n# about x\n[repo /x]\n# why\nquiet = 1s\n#hooks = yes\n\n# about b\n[repo /b]\n', '[repo /a]\nsign = yes\n\n# about x\n\n# about b\n[repo /b]\n'],
    ['[repo /x]\nquiet = 1s\n# about b\n[repo /b]\n', '# about b\n[repo /b]\n'],
    ['[gitsync]\nwork_dir = /x, /a\n[container wiki]\nrepo = /x\npush = manual\n[container wiki]\nrepo = /a\n', '[gitsync]\nwork_dir = /a\n[container wiki]\nrepo = /a\n'],
    ['[repo /a]\n\n[repo /x]\nquiet = 1s\n\n[repo /b]\n', '[repo /a]\n\n[repo /b]\n'],
  ])('%j loses nothing else', (text, expected) => expect(drop(text, '/x')).toBe(expected));

  test('says when there is nothing to take out', () => expect(drop('[gitsync]\nwork_dir = /a, /xy\n[repo /x/y]\n', '/x')).toBeUndefined());
});

describe('adding and then taking out again', () => {
  const layout = fc.constantFrom(
    '', '# only a comment\n', '[gitsync]\n', '[gitsync]\nwork_dir =\n', '[gitsync]\nwork_dir = /a\n', '[gitsync]\nwork_dir = /a /b # c\nquiet = 1s\n', '[gitsync]\nwork_dir = /a,\n   "/b c",\n\n   /d\n[repo /a]\nsign=yes',
    '[gitsync]\nwork_dir[] = /a\nwork_dir[] = /b\n', '[repo /a]\nquiet = 2s\n', '[gitsync]\r\nwork_dir = /a\r\n', 'junk\n[gitsync]\nwork_dir = "/a\n', '[gitsync]\nwork_dir = /a\\', '[gitsync]\nwork_dir = /a\n/b\n~/c',
  );
  const anything = fc.array(fc.oneof(layout, fc.string({ unit: fc.constantFrom(...'[gitsync]work_dir=/ab,"\'\\ \t#\n\r~{}') }))).map((parts) => parts.join('\n'));
  const path = fc.string({ unit: fc.oneof(fc.constantFrom(...' ,"\'\\#;=[]{}~é笔\t\n'), fc.string({ unit: 'binary', minLength: 1, maxLength: 1 })), maxLength: 10 })
    .map((name) => `/new${name.replace(/[/\0.]/g, '-')}`);
  const meaning = (text: string): Omit<Config, 'problems'> & { problems: string[] } => {
    const config = parseConfig(text, 'test.ini', home);
    return { ...config, repos: config.repos.map((repo) => ({ ...repo, line: 0 })), problems: config.problems.map(({ message }) => message.replace(/line \d+/, 'line N')) };
  };

  test('adds the directory and leaves the meaning of everything else alone', () => {
    fc.assert(fc.property(anything, path, (text, added) => {
      fc.pre(!text.includes('\ufffd') && !listPaths(text, home).includes(added));
      const before = listPaths(text, home);
      const after = listPaths(insertWorkDir(text, added), home);
      expect([...after].sort()).toEqual([...before, added].sort());
    }), { numRuns: 1000 });
  });

  test('gives back an equivalent config', () => {
    fc.assert(fc.property(anything, path, (text, added) => {
      fc.pre(!text.includes('\ufffd') && !added.includes('\ufffd') && !listPaths(text, home).includes(added));
      expect(meaning(drop(insertWorkDir(text, added), added) as string)).toEqual(meaning(text));
    }), { numRuns: 1000 });
  });
});

describe('addWorkDir and removeWorkDir', () => {
  test('make a missing file and its parents, and write ~ for what lies in the home directory', async () => {
    const file = join(homedir(), '.config/new/gitsync');
    await addWorkDir(file, join(homedir(), 'My Notes'));
    await addWorkDir(file, '/srv/articles');
    expect(readFileSync(file, 'utf8')).toMatch(/\n\[gitsync\]\nwork_dir = "~\/My Notes", \/srv\/articles\n$/);
    expect(await removeWorkDir(file, '/srv/articles/')).toBe(true);
    expect(await removeWorkDir(file, '/srv/articles')).toBe(false);
    expect(readdirSync(dirname(file))).toEqual(['gitsync']);
  });

  test('change nothing when the directory is listed already, by whatever name', async () => {
    const repo = tempRepo();
    const link = join(tempDir(), 'link');
    symlinkSync(repo, link);
    const file = join(tempDir(), 'config');
    const text = `[repo ${link}]\n`;
    writeFileSync(file, text);
    await addWorkDir(file, link);
    await addWorkDir(file, repo);
    expect(readFileSync(file, 'utf8')).toBe(text);
    expect(await removeWorkDir(file, repo)).toBe(true);
    expect(readFileSync(file, 'utf8')).toBe('');
  });

  test('take out a directory that is gone from the disk', async () => {
    const file = join(tempDir(), 'config');
    writeFileSync(file, '[gitsync]\nwork_dir = /mnt/gone, /b\n');
    expect(await removeWorkDir(file, '/mnt/gone')).toBe(true);
    expect(readFileSync(file, 'utf8')).toBe('[gitsync]\nwork_dir = /b\n');
  });

  test('do not make a file in order to take something out of it', async () => {
    const file = join(tempDir(), 'sub/config');
    expect(await removeWorkDir(file, '/a')).toBe(false);
    expect(existsSync(dirname(file))).toBe(false);
  });

  test('keep the mode and follow a chain of symbolic links to the real file', async () => {
    const directory = tempDir();
    mkdirSync(join(directory, 'dotfiles'));
    const real = join(directory, 'dotfiles/gitsync.ini');
    writeFileSync(real, '[gitsync]\nwork_dir = /a\n');
    chmodSync(real, 0o640);
    symlinkSync('dotfiles/gitsync.ini', join(directory, 'middle'));
    symlinkSync('middle', join(directory, 'config'));
    await addWorkDir(join(directory, 'config'), '/b');
    expect(readFileSync(real, 'utf8')).toBe('[gitsync]\nwork_dir = /a, /b\n');
    expect(statSync(real).mode & 0o7777).toBe(0o640);
    expect(lstatSync(join(directory, 'config')).isSymbolicLink()).toBe(true);
  });

  test('make the target of a link that points nowhere yet', async () => {
    const directory = tempDir();
    symlinkSync('dotfiles/gitsync', join(directory, 'config'));
    await addWorkDir(join(directory, 'config'), '/a');
    expect(readFileSync(join(directory, 'dotfiles/gitsync'), 'utf8')).toContain('work_dir = /a\n');
  });

  test('lose no change when many write at the same time', async () => {
    const file = join(tempDir(), 'config');
    const paths = Array.from({ length: 20 }, (_, index) => `/srv/${index}`);
    await Promise.all(paths.map((path) => addWorkDir(file, path)));
    expect(listPaths(readFileSync(file, 'utf8'), home).sort()).toEqual(paths.sort());
  });

  test('say so when another program holds the lock, and leave that lock alone', async () => {
    const file = join(tempDir(), 'config');
    writeFileSync(`${file}.lock`, 'somebody');
    await expect(replaceFile(file, () => Promise.resolve('mine'), 50)).rejects.toMatchObject({ kind: 'locked', hint: expect.stringContaining(`rm ${file}.lock`) as unknown });
    expect(readFileSync(`${file}.lock`, 'utf8')).toBe('somebody');
    expect(existsSync(file)).toBe(false);
  });

  test('leave a file that is not UTF-8 as it is', async () => {
    const file = join(tempDir(), 'config');
    const bytes = Buffer.from('# R\xe9glages\n[gitsync]\nwork_dir = /a\n', 'latin1');
    writeFileSync(file, bytes);
    await expect(addWorkDir(file, '/b')).rejects.toMatchObject({ kind: 'config' });
    expect(readFileSync(file).equals(bytes)).toBe(true);
    expect(existsSync(`${file}.lock`)).toBe(false);
  });
});

describeWith(['root'], 'as root', () => {
  test('the config of another user stays theirs', async () => {
    const file = join(tempDir(), 'config');
    writeFileSync(file, '[gitsync]\n');
    chownSync(file, 12345, 12346);
    await addWorkDir(file, '/a');
    expect([statSync(file).uid, statSync(file).gid]).toEqual([12345, 12346]);
  });
});
