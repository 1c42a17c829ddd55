/** How all repositories are, in one line for `systemctl status`. */
import type { StatusLine } from './status.ts';

const count = (number: number): string => `${number} ${number === 1 ? 'repository' : 'repositories'}`;

/** `3 repositories safe`, or how many of them, and the first that is not. */
export function describeAll(repos: readonly StatusLine[]): string {
  if (repos.length === 0) return 'No repository to watch';
  const safe = repos.filter(({ level }) => level === 'safe').length;
  if (safe === repos.length) return `${count(safe)} safe`;
  const [first] = [...repos.filter(({ level }) => level === 'unsafe'), ...repos.filter(({ level }) => level === 'attention')];
  return `${safe} of ${count(repos.length)} safe; ${first?.path}: ${first?.state}`;
}
