import { describe, expect, test } from '@jest/globals';
import { readContainerWords } from '../../src/core/container-words.ts';

const declined = '!\tabc:refs/heads/master\t[remote rejected] (pre-receive hook declined)\n';

describe('what a container says', () => {
  test('when it cannot import: the handler\'s words, without phases, padding and git\'s own', () => {
    const said = `remote: -----> Importing        \nremote:        files: 1 file to import        \nremote: manifest.tsv:1: not understood        \nremote: Error: files was not imported; nothing was changed.        \nTo ext::x\n${declined}error: failed to push some refs to 'ext::x'\n`;
    expect(readContainerWords(said)).toEqual({ kind: 'refused', sentence: 'manifest.tsv:1: not understood files was not imported; nothing was changed.', hint: undefined });
  });

  test.each([
    [`remote: Error: The container changed while you pushed (files): git pull box master\n${declined}`, 'changed'],
    ['Error: Someone else is at work in box (push to box, since 2026-11-20T10:00:00Z: started). Try again when it is done.\nfatal: Could not read from remote repository.\n', 'locked'],
    ['Error: box is stopped.\nHint: gitted-client start box\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.\n', 'stopped'],
    ['Error: There is no machine box yet.\nHint: git push box BRANCH\n', 'absent'],
    ['Error: postgresql could not be exported; the branch and the live state are as they were.\n', 'failed'],
  ] as const)('%j means %s', (said, kind) => expect(readContainerWords(said)?.kind).toBe(kind));

  test('hands on the command that helps, and not what git says besides', () => {
    expect(readContainerWords('Error: box is stopped.\nHint: gitted-client start box\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.\n')).toEqual({ kind: 'stopped', sentence: 'box is stopped.', hint: 'gitted-client start box' });
  });

  test('nothing where only git speaks', () => expect(readContainerWords('To ext::x\n ! [rejected] master -> master (fetch first)\n')).toBeUndefined());
});
