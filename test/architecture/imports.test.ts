/** Keeps the house in order: imports point down only, files stay readable. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const root = new URL('../../src', import.meta.url).pathname;

/** Each room may import from itself, from the rooms named, and from the files at the top of src. */
const mayImport: Record<string, string[]> = {
  '.': ['commands', 'agent', 'gitted', 'gidit', 'config', 'core'],
  commands: ['agent', 'git', 'watch', 'remote', 'gitted', 'gidit', 'config', 'core', 'process'],
  agent: ['git', 'watch', 'remote', 'gitted', 'gidit', 'config', 'core', 'process'],
  gitted: ['git', 'core', 'config', 'process'],
  gidit: ['git', 'core', 'config', 'process'],
  remote: ['git', 'watch', 'gitted', 'gidit', 'core', 'config', 'process'],
  git: ['core', 'process'],
  watch: ['core', 'process'],
  config: ['core'],
  process: [],
  core: [],
};

function sources(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

const roomOf = (file: string): string => (file.includes('/') ? (file.split('/')[0] as string) : '.');
const importsOf = (text: string): string[] => [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map((match) => match[1] as string);

describe('architecture', () => {
  test.each(sources(root))('%s imports downward only', (file) => {
    for (const target of importsOf(readFileSync(join(root, file), 'utf8'))) {
      const room = roomOf(relative(root, join(root, dirname(file), target)));
      const own = roomOf(file);
      if (room === own || (room === '.' && /\/(errors|log|version|program-end)\.ts$/.test(target))) continue;
      expect({ file, target, allowed: mayImport[own]?.includes(room) ?? false }).toEqual({ file, target, allowed: true });
    }
  });

  test.each(sources(root))('%s has at most 400 lines', (file) => {
    expect(readFileSync(join(root, file), 'utf8').split('\n').length).toBeLessThanOrEqual(400);
  });

  test('only src/process starts programs', () => {
    const spawning = sources(root).filter((file) => /from '(node:)?child_process'|(from |import\()'execa'/.test(readFileSync(join(root, file), 'utf8')));
    expect(spawning).toEqual(['process/long-lived.ts', 'process/run.ts']);
  });

  test('core touches no disk, no clock and no process', () => {
    for (const file of sources(root).filter((name) => name.startsWith('core/'))) {
      const text = readFileSync(join(root, file), 'utf8');
      expect({ file, impure: /node:(fs|os|child_process|net)|Date\.now|new Date\(\)|process\.|setTimeout|Math\.random/.test(text) }).toEqual({ file, impure: false });
    }
  });
});
