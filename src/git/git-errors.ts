/** Turns what git wrote on standard error into a kind, a sentence and a hint. */
import { GitsyncError, type ErrorKind } from '../errors.ts';
import { maskCredentials, printable } from '../log.ts';

interface Rule {
  pattern: RegExp;
  kind: ErrorKind;
  sentence: string;
  hint?: string;
}

/** First match wins; the more particular stands before the more general. */
const rules: readonly Rule[] = [
  { pattern: /REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for .* has changed/i, kind: 'host-key-changed', sentence: 'The server shows another host key than before.', hint: 'if the server was really re-installed: ssh-keygen -R HOST, then ssh HOST once' },
  { pattern: /Host key verification failed|No .* host key is known/i, kind: 'host-unknown', sentence: 'The server is not known to ssh yet.', hint: 'ssh HOST once, by hand, and compare the fingerprint' },
  { pattern: /Permission denied \(|Authentication failed|could not read (Username|Password)|terminal prompts disabled|Invalid username or password|HTTP 40[13]|returned error: 40[13]|agent refused|no keys|Too many authentication failures/i, kind: 'auth', sentence: 'The server did not accept our credentials.', hint: 'ssh-add, or git push once by hand' },
  { pattern: /Could not resolve host(name)?|Temporary failure in name resolution|Name or service not known|Network is unreachable|No route to host|Connection (refused|timed out|reset|closed)|Operation timed out|Failed to connect|unable to access .*(timed out|SSL)|kex_exchange_identification|The remote end hung up|early EOF|Broken pipe|ssh: connect to host/i, kind: 'offline', sentence: 'The remote cannot be reached.' },
  { pattern: /No space left on device|Disk quota exceeded|ENOSPC|unable to write.*(space|quota)/i, kind: 'no-space', sentence: 'The disk is full.', hint: 'free some space; gitsync goes on by itself' },
  { pattern: /Read-only file system/i, kind: 'read-only', sentence: 'The file system is read-only.' },
  { pattern: /exceeds GitHub's file size limit|file size limit|pack exceeds maximum allowed size|unpack.*too large|RPC failed; HTTP 413/i, kind: 'too-large', sentence: 'The remote refuses a file of this size.' },
  { pattern: /protected branch|GH006|not allowed to (push|force|update)|refusing to update checked out branch|You are not allowed|denied (to|by)|update hook declined|deny updating|insufficient permission|read-only repository/i, kind: 'protected', sentence: 'The remote does not let us write this branch.' },
  { pattern: /pre-push|hook declined|hook rejected|\(pre-receive/i, kind: 'hook', sentence: 'A hook refused it.' },
  { pattern: /fetch first|non-fast-forward|stale info|cannot lock ref .*(but expected|is at)|failed to update ref|incorrect old value|reference already exists/i, kind: 'rejected', sentence: 'The branch has moved meanwhile.' },
  { pattern: /gpg failed to sign|failed to write commit object|error: gpg|Couldn't load public key|ssh-keygen.*sign|signing failed/i, kind: 'signing', sentence: 'The commit could not be signed.', hint: 'unlock the key, or set sign = no' },
  { pattern: /\.lock': File exists|Unable to create .*\.lock|index\.lock|Another git process/i, kind: 'locked', sentence: 'Another git process holds a lock.' },
  { pattern: /index file (corrupt|smaller|uses|open failed)|bad signature 0x|bad index|unknown index|object file .* is empty|loose object .* is corrupt|inflate|corrupt|missing (blob|tree|commit)|unable to read (tree|sha1|object)|bad object|packfile .* (cannot|is far too)|index-pack died/i, kind: 'corrupt', sentence: 'The repository is damaged.', hint: 'gitsync doctor --fix' },
  { pattern: /does not appear to be a git repository|Repository not found|repository '.*' (not found|does not exist)|returned error: 404|not found: did you run|No such file or directory|does not exist/i, kind: 'not-found', sentence: 'The remote repository does not exist.', hint: 'git remote -v, and check the URL' },
  { pattern: /not a git repository/i, kind: 'not-a-repository', sentence: 'This is no git repository.', hint: 'gitsync init PATH' },
];

/** The lines of git's output that say something, without progress and "remote:" noise, at most three. */
export function essenceOf(stderr: string): string {
  const lines = maskCredentials(stderr).split(/[\r\n]+/).map((line) => line.trim()).filter((line) => line !== '' && !/^(hint:|To |remote: *$|Warning: Permanently added)/.test(line));
  return printable(lines.slice(-3).join('; ')).slice(0, 400);
}

/** What git's complaint means. `what` names the step: "push to origin". */
export function classifyGitFailure(what: string, exitCode: number, stderr: string): GitsyncError {
  const rule = rules.find(({ pattern }) => pattern.test(stderr));
  const essence = essenceOf(stderr);
  if (rule === undefined) return new GitsyncError('failed', `git ${what} failed (exit code ${exitCode}): ${essence}`);
  return new GitsyncError(rule.kind, rule.sentence, {
    cause: new Error(`git ${what}: ${essence}`),
    ...(rule.hint === undefined ? {} : { hint: rule.hint }),
  });
}
