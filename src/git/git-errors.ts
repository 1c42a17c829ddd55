/** Turns what git wrote on standard error into a kind, a sentence and a hint. */
import { GitsyncError } from '../errors.ts';
import { maskCredentials, printable } from '../log.ts';
import { accessRules, brokenLineRules, connectionRules, localRules, type Rule } from './git-error-rules.ts';

const progress = /^(Enumerating|Counting|Compressing|Receiving|Writing|Resolving|Checking|Unpacking|Updating|Filtering|Delta compression|Total \d)/;
const noise = /^(hint:|To |From |@@@|Please make sure you have the correct access rights|and the repository exists|Warning: Permanently added|error: failed to push some refs|fatal: Could not read from remote repository)/;

/** Lines that were rewritten by carriage returns count as lines of their own. */
function linesOf(stderr: string): string[] {
  return stderr.split(/[\r\n]+/).map((line) => line.trim()).filter((line) => line !== '');
}

function shorten(lines: readonly string[], separator: string): string {
  return printable(maskCredentials(lines.join(separator))).slice(0, 400);
}

/** The lines of git's output that say something, at most three. */
export function essenceOf(stderr: string): string {
  const lines = linesOf(stderr).filter((line) => line !== 'remote:' && !progress.test(line.replace(/^remote: */, '')));
  const telling = lines.filter((line) => !noise.test(line));
  return shorten((telling.length === 0 ? lines : telling).slice(-3), '; ');
}

/** What the server itself said (hooks speak through `remote:` lines), or ''. */
export function remoteWordsOf(stderr: string): string {
  const words = linesOf(stderr).filter((line) => line.startsWith('remote: ')).map((line) => line.slice(8).trim());
  return shorten(words.filter((line) => /[\p{L}\p{N}]/u.test(line) && !progress.test(line)).slice(0, 4), ' ');
}

function findRule(stderr: string, toRemote: boolean): Rule | undefined {
  // What the server says of its own disk and objects is not about ours.
  const ours = linesOf(stderr).filter((line) => !line.startsWith('remote: ')).join('\n');
  const all = linesOf(stderr).join('\n');
  const match = (rules: readonly Rule[], text: string): Rule | undefined => rules.find(({ pattern }) => pattern.test(text));
  if (!toRemote) return match(localRules, ours);
  return match(accessRules, all) ?? match(connectionRules, all) ?? match(localRules, ours) ?? match(brokenLineRules, all);
}

/** The hint with what ssh itself suggests for a changed key in place of our general words. */
function hintOf(rule: Rule, stderr: string): string | undefined {
  if (rule.kind !== 'host-key-changed') return rule.hint;
  // Narrow, since a server's banner could hold a command of its own choice.
  const command = /^\s*(ssh-keygen -f (["'])[\w./@:~+-]+\2 -R \2[\w.:[\]-]+\2)\s*$/m.exec(stderr)?.[1];
  return command === undefined ? rule.hint : rule.hint?.replace('ssh-keygen -R HOST', command);
}

const remoteSteps = /^(clone|fetch|ls-remote|pull|push|connect|lfs)\b/;

/**
 * What git's complaint means. `what` names the step ("push to origin"); only
 * steps that begin with the name of a command that talks to a remote are
 * explained by networks and servers.
 */
export function classifyGitFailure(what: string, exitCode: number, stderr: string): GitsyncError {
  const rule = findRule(stderr, remoteSteps.test(what));
  const essence = essenceOf(stderr);
  if (rule === undefined) return new GitsyncError('failed', `git ${what} failed (exit code ${exitCode})${essence === '' ? '.' : `: ${essence}`}`);
  const hint = hintOf(rule, stderr);
  return new GitsyncError(rule.kind, rule.sentence, { cause: new Error(`git ${what}: ${essence}`), ...(hint === undefined ? {} : { hint }) });
}
