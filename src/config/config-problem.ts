/** What is wrong with a line of the config file, and what was expected there. */
import { closest, distance } from 'fastest-levenshtein';
import { printable } from '../log.ts';

export interface ConfigProblem {
  file: string;
  /** From 1; 0 where the file as a whole is meant. */
  line: number;
  message: string;
  /** What would have been right. */
  expected: string;
  /** A step that helps: `did you mean "quiet"?`, or a command. */
  hint?: string;
  severity: 'error';
  /** The only repository that this concerns (its path, as well as it could be read); undefined: the whole file. */
  scope: string | undefined;
}

/** A problem as it is found, before it is known whose it is. */
export type Finding = Pick<ConfigProblem, 'line' | 'message' | 'expected' | 'hint'>;

/** Takes a finding and the repository that it concerns alone (undefined: the whole file). */
export type Report = (finding: Finding, scope: string | undefined) => void;

/** The problem as one line: `FILE:LINE: message; expected ...; did you mean "..."?`, safe for a terminal. */
export function formatProblem(problem: ConfigProblem): string {
  const place = problem.line > 0 ? `${problem.file}:${problem.line}` : problem.file;
  const parts = [problem.message, `expected ${problem.expected}`, ...(problem.hint === undefined ? [] : [problem.hint])];
  return printable(`${place}: ${parts.join('; ')}`);
}

/** `did you mean "quiet"?` when one of the candidates is near enough to be meant. */
export function suggest(word: string, candidates: readonly string[]): string | undefined {
  const wanted = word.toLowerCase().replaceAll('-', '_');
  // An edit distance takes time that grows with the square of a long word, and such a word is no slip of the finger.
  if (candidates.length === 0 || wanted.length > 40) return undefined;
  const nearest = closest(wanted, candidates);
  // Two for a swap of neighbours, except in words so short that two edits make any word of them.
  const allowed = nearest.length > 3 ? Math.max(2, Math.floor(nearest.length / 3)) : 1;
  return distance(wanted, nearest) <= allowed ? `did you mean "${nearest}"?` : undefined;
}
