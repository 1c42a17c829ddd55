/** What every failing command owes a person. */
import { expect } from '@jest/globals';
import type { CommandResult } from '../helpers/machine.ts';

/** Says on standard error what is wrong and what to do next, in one line each, and has the documented exit code. */
export function expectError(result: CommandResult, exitCode: number, message: RegExp, hint: RegExp): void {
  expect(result).toMatchObject({ exitCode, stdout: '' });
  const lines = result.stderr.trimEnd().split('\n');
  expect(lines[0]).toMatch(/^Error: /);
  expect(lines[0]).toMatch(message);
  expect(lines.at(-1)).toMatch(/^Hint: /);
  expect(lines.at(-1)).toMatch(hint);
  expectPrintable(result);
}

/** No control characters but the line breaks between lines. */
export function expectPrintable({ stdout, stderr }: CommandResult): void {
  expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
}
