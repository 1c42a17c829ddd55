/** A handler of one's own, as the documentation shows it; and the scripts of inside, as shellcheck sees them. */
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { makeMachine, runProgram } from '../helpers/gitted-machine.ts';
import { read, write } from '../helpers/repos.ts';

const root = new URL('../..', import.meta.url).pathname;

/** The code blocks of docs/design/containers.md that say which file they are. */
function filesOfTutorial(): Record<string, string> {
  const text = readFileSync(join(root, 'docs/design/containers.md'), 'utf8');
  return Object.fromEntries([...text.matchAll(/^`(sysconf\/[^`]+)`:\n\n```\w*\n([\s\S]*?)^```/gm)].map((match) => [match[1] as string, match[2] as string]));
}

describe('a handler of one\'s own', () => {
  test('the tutorial\'s files bring settings in and out', () => {
    const files = filesOfTutorial();
    expect(Object.keys(files)).toHaveLength(3);
    const box = makeMachine({ engines: [], files: { 'settings/app.json': '{"title": "Wiki"}\n' } });
    for (const [path, content] of Object.entries(files)) {
      write(box.root, path, content);
      if (content.startsWith('#!')) chmodSync(join(box.root, path), 0o755);
    }
    box.commit({}, 'a handler of our own');
    box.must('push', '-q', 'box', 'master');
    expect(read(box.inside, 'etc/app/app.json')).toBe('{"title": "Wiki"}\n');
    writeFileSync(join(box.inside, 'etc/app/app.json'), '{"title": "Changed"}\n');
    box.must('pull', '-q', 'box', 'master');
    expect(read(box.root, 'settings/app.json')).toBe('{"title": "Changed"}\n');
  });
});

describe('bindings as the original wrote them', () => {
  test('a pair BRANCH.NAME.export and .import that sets its variables itself', () => {
    const box = makeMachine({ engines: [], files: { 'mysql/dump.sql': 'rows\n' } });
    const script = (way: string, work: string): string => `#!/bin/sh\nexport GITTED_MYSQL_DATA_PATH=mysql\n# ${way}\n${work}\n`;
    for (const [way, work] of [['export', 'cp "$GITTED_ROOT/rows" dump.sql'], ['import', 'cp dump.sql "$GITTED_ROOT/rows"']] as const) {
      const path = `sysconf/actual/tree/etc/gitted/sync/master.mysql.${way}`;
      write(box.root, path, script(way, work));
      chmodSync(join(box.root, path), 0o755);
    }
    box.commit({}, 'bindings');
    box.must('push', '-q', 'box', 'master');
    expect(read(box.inside, 'rows')).toBe('rows\n');
    writeFileSync(join(box.inside, 'rows'), 'other rows\n');
    box.must('pull', '-q', 'box', 'master');
    expect(read(box.root, 'mysql/dump.sql')).toBe('other rows\n');
  });
});

test('every script of sysconf/ is clean under shellcheck', () => {
  const files = execFileSync('git', ['ls-files', 'sysconf'], { cwd: root, encoding: 'utf8' }).trim().split('\n');
  const scripts = files.filter((file) => /^#!\/bin\/sh|^# shellcheck shell=sh/.test(readFileSync(join(root, file), 'utf8').slice(0, 40)));
  expect(scripts.length).toBeGreaterThan(10);
  // What a library sets is used by another one: they are checked together, through the program.
  const libraries = (file: string): boolean => file.includes('/sysconf.gitted/tree/usr/share/gitted/lib/');
  for (const file of scripts.filter((each) => !libraries(each))) expect(runProgram(root, 'shellcheck', ['-x', '-S', 'warning', file]).text).toBe('');
});
