import { describe, expect, test } from '@jest/globals';
import { rawFromText } from '../../src/core/raw-path.ts';
import { isRefusedName } from '../../src/core/refused-name.ts';

describe('names that git refuses', () => {
  test.each(['.git', '.GIT/config', 'a/.Git/hooks/x', 'git~1', 'GIT~1/x', '.git ', '.git...', '.git::$INDEX_ALLOCATION/x', 'a\\.git\\config', '.g\u200cit/x', '\ufeff.git', '..', 'a/../b', './a', 'a//b', '/a'])('%j is one', (path) => {
    expect(isRefusedName(rawFromText(path), false)).toBe(true);
  });

  test.each(['.gitignore', '.github/x', 'git', 'git~2', '.git2', 'a.git', 'x/.gitmodules', '...', 'a..b', 'digit~1', '.git-stuff/x', 'caf\u00e9/.gitkeep'])('%j is none', (path) => {
    expect(isRefusedName(rawFromText(path), false)).toBe(false);
  });

  test('.gitmodules may be a file, but no symbolic link', () => {
    expect(isRefusedName(rawFromText('.gitmodules'), false)).toBe(false);
    expect(isRefusedName(rawFromText('.gitmodules'), true)).toBe(true);
    expect(isRefusedName(rawFromText('GITMOD~1'), true)).toBe(true);
  });
});
