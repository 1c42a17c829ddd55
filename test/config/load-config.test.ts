import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { checkDirectory } from '../../src/config/check-directory.ts';
import type { Config } from '../../src/config/config.ts';
import { formatProblem } from '../../src/config/config-problem.ts';
import { findConfigFile, userConfigFile } from '../../src/config/find-config.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { bareRemote, sh, tempDir, tempRepo } from '../helpers/repos.ts';

async function load(text: string): Promise<Config> {
  const file = join(tempDir(), 'config');
  writeFileSync(file, text);
  return loadConfig(file);
}

describe('finding the config file', () => {
  const home = tempDir();
  const system = join(tempDir(), 'gitsync.cfg');

  test('takes the one asked for, then the user\'s, then the system\'s, and none where there is none', () => {
    const env = { HOME: home };
    expect(findConfigFile(env, undefined, system)).toBeUndefined();
    writeFileSync(system, '');
    expect(findConfigFile(env, undefined, system)).toBe(system);
    mkdirSync(join(home, '.config'));
    writeFileSync(join(home, '.config/gitsync'), '');
    expect(findConfigFile(env, undefined, system)).toBe(join(home, '.config/gitsync'));
    expect(findConfigFile(env, '/some/file', system)).toBe('/some/file');
    expect(findConfigFile(env, 'file', system)).toBe(join(process.cwd(), 'file'));
  });

  test('respects XDG_CONFIG_HOME where it is absolute', () => {
    expect(userConfigFile({ HOME: '/h', XDG_CONFIG_HOME: '/x' })).toBe('/x/gitsync');
    expect(userConfigFile({ HOME: '/h', XDG_CONFIG_HOME: 'x' })).toBe('/h/.config/gitsync');
    expect(userConfigFile({ HOME: '/h', XDG_CONFIG_HOME: '' })).toBe('/h/.config/gitsync');
    expect(userConfigFile({})).toBe(`${homedir()}/.config/gitsync`);
  });
});

describe('loadConfig', () => {
  test('takes work trees, linked work trees and symbolic links to them', async () => {
    const repo = tempRepo({ 'a.txt': 'a' });
    const linked = join(tempDir(), 'linked');
    sh(repo, 'worktree', 'add', '-q', linked);
    const link = join(tempDir(), 'link');
    symlinkSync(tempRepo(), link);
    const { repos, problems } = await load(`[gitsync]\nwork_dir = ${repo} ${linked} ${link}\n`);
    expect(problems).toEqual([]);
    expect(repos.map(({ path }) => path)).toEqual([repo, linked, link]);
  });

  test('names each directory that cannot be kept in sync, with the step that helps, and takes the others', async () => {
    const good = tempRepo();
    const plain = tempDir();
    const bare = bareRemote();
    const outer = tempRepo({ 'sub/dir/a.txt': 'a' });
    const file = join(plain, 'file');
    writeFileSync(file, '');
    const empty = join(plain, 'empty');
    mkdirSync(join(empty, '.git'), { recursive: true });
    const dangling = join(plain, 'dangling');
    mkdirSync(dangling);
    writeFileSync(join(dangling, '.git'), 'gitdir: /nowhere\n');
    const config = await load(['[gitsync]', 'work_dir =', ...[`${plain}/gone`, plain, bare, `${outer}/sub/dir`, good].map((path) => `  ${path}`), `[repo ${file}]`, `[repo ${empty}]`, `[repo ${dangling}]`].join('\n'));
    expect(config.repos.map(({ path }) => path)).toEqual([good]);
    expect(config.problems.map((problem) => [problem.scope, formatProblem(problem).slice(config.file.length)])).toEqual([
      [`${plain}/gone`, expect.stringMatching(/^:3: .*\/gone lies inside .* \(line 4\); /)],
      [plain, expect.stringMatching(/^:4: .* is not a git repository; expected the top of a git work tree; gitsync init /)],
      [bare, expect.stringMatching(/^:5: .* is a bare repository, .*; git clone /)],
      [`${outer}/sub/dir`, `:6: ${outer}/sub/dir lies inside the work tree ${outer}; expected the top of a git work tree; gitsync add ${outer}`],
      [file, expect.stringMatching(/^:8: .* lies inside /)],
      [empty, expect.stringMatching(/^:9: .* lies inside /)],
      [dangling, expect.stringMatching(/^:10: .* lies inside /)],
    ]);
  });

  test('says what is wrong with a directory by itself', async () => {
    const plain = tempDir();
    writeFileSync(join(plain, 'file'), '');
    mkdirSync(join(plain, 'empty/.git'), { recursive: true });
    mkdirSync(join(plain, 'dangling'));
    writeFileSync(join(plain, 'dangling/.git'), 'gitdir: /nowhere\n');
    symlinkSync('loop', join(plain, 'loop'));
    const { repos, problems } = await load(['file', 'file/below', 'empty', 'dangling', 'gone', 'loop'].map((name) => `[repo ${join(plain, name)}]`).join('\n').replace(`[repo ${plain}/file/below]\n`, ''));
    expect(repos).toEqual([]);
    expect(problems.map(({ message, hint }) => [message.slice(plain.length + 1), hint])).toEqual([
      ['file is not a directory', undefined],
      ['empty/.git is not a repository', `gitsync doctor ${plain}/empty`],
      ['dangling/.git is not a repository', `gitsync doctor ${plain}/dangling`],
      ['gone does not exist', `is a drive not mounted? else: gitsync rm ${plain}/gone`],
      ['loop cannot be read (ELOOP)', undefined],
    ]);
  });

  test('sees through symbolic links that two paths are one place, or one inside the other', async () => {
    const outer = tempRepo();
    const inner = join(outer, 'inner');
    mkdirSync(inner);
    sh(inner, 'init', '-q');
    const links = tempDir();
    symlinkSync(outer, join(links, 'same'));
    symlinkSync(inner, join(links, 'inner'));
    const { repos, problems } = await load(`[gitsync]\nwork_dir = ${outer}\n  ${links}/same\n  ${links}/inner\n`);
    expect(repos.map(({ path }) => path)).toEqual([outer]);
    expect(problems.map(({ scope, line, message }) => [scope, line, message])).toEqual([
      [`${links}/same`, 3, `${links}/same is the same directory as ${outer} on line 2`],
      [`${links}/inner`, 4, `${links}/inner lies inside ${outer} (line 2)`],
    ]);
  });

  test('keeps the problems of the text beside those of the directories, by line', async () => {
    const { problems } = await load('[gitsync]\nwork_dir = /nowhere/a\nquite = 1s\n[repo /nowhere/b]\n');
    expect(problems.map(({ line, scope }) => [line, scope])).toEqual([[2, '/nowhere/a'], [3, undefined], [4, '/nowhere/b']]);
  });

  test('throws only when the file cannot be read, and says what to do', async () => {
    const directory = tempDir();
    writeFileSync(join(directory, 'big'), Buffer.alloc(1_000_001, '#'));
    await expect(loadConfig(join(directory, 'none'))).rejects.toMatchObject({ kind: 'config', message: `There is no config file ${directory}/none.`, hint: 'begin with: gitsync init PATH' });
    await expect(loadConfig(directory)).rejects.toMatchObject({ kind: 'config', message: `${directory} is a directory.` });
    await expect(loadConfig(join(directory, 'big'))).rejects.toMatchObject({ kind: 'config', hint: 'name the right file with --config' });
  });
});

describe('checkDirectory', () => {
  test('does not wait for ever for a file system that does not answer', async () => {
    const directory = join(tempDir(), 'repo');
    mkdirSync(directory);
    // Opening a pipe that nobody writes to blocks in the same way as a dead server does.
    execFileSync('mkfifo', [join(directory, '.git')]);
    const check = await checkDirectory(directory, 50);
    // Lets the blocked read end.
    writeFileSync(join(directory, '.git'), '');
    expect(check).toEqual({ trouble: { message: `${directory} does not answer`, expected: 'a directory that can be read', hint: 'is its server down?' } });
  });
});

describe('containers', () => {
  const registered = (...names: string[]): string => {
    const repo = tempRepo();
    for (const name of names) sh(repo, 'config', `gitted.${name}.driver`, 'local');
    return repo;
  };

  test('are taken where gitted-client registered them, also for a linked work tree', async () => {
    const repo = registered('wiki');
    sh(repo, 'commit', '-q', '--allow-empty', '-m', 'first');
    const linked = join(tempDir(), 'linked');
    sh(repo, 'worktree', 'add', '-q', linked);
    for (const path of [repo, linked]) {
      const { repos, problems } = await load(`[repo ${path}]\n[container wiki]\nrepo = ${path}\ndriver = local\n`);
      expect(problems).toEqual([]);
      expect(repos[0]?.containers.map(({ name }) => name)).toEqual(['wiki']);
    }
  });

  test('that are not there, or of another kind, are named with what helps, and stop neither the repository nor the others', async () => {
    const repo = registered('wiki', 'shop');
    const { repos, problems } = await load(`[repo ${repo}]\n[container wiky]\nrepo = ${repo}\n[container feed]\nrepo = ${repo}\ndriver = local\n[container shop]\nrepo = ${repo}\ndriver = lxc\n[container wiki]\nrepo = ${repo}\n`);
    expect(repos[0]?.containers.map(({ name }) => name)).toEqual(['wiki']);
    expect(problems.map((problem) => formatProblem(problem).replace(/^.*?:(\d+): /, '$1: ').replaceAll(repo, 'REPO'))).toEqual([
      '2: REPO has no container "wiky"; expected one of wiki, shop; did you mean "wiki"?',
      '4: REPO has no container "feed"; expected one of wiki, shop; to make it: cd REPO && gitted-client init feed --driver local',
      '7: driver: "shop" is of kind local, not lxc; expected local; see git -C REPO config gitted.shop.driver',
    ]);
  });
});
