/** What git, ssh, curl and well-known servers say when something fails, and what it means. */
import type { ErrorKind } from '../errors.ts';

export interface Rule {
  pattern: RegExp;
  kind: ErrorKind;
  sentence: string;
  hint?: string;
}

/** Why a server let us not in, or does not take what we send. In hints, SERVER stands for the words after `ssh` and REMOTE for the remote's name. */
export const accessRules: readonly Rule[] = [
  { pattern: /REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for .* has changed/i, kind: 'host-key-changed', sentence: 'The server shows another host key than before.', hint: 'if the server was really re-installed: ssh-keygen -R HOST, then ssh SERVER once, by hand' },
  { pattern: /Host key verification failed|No .*host key is known/i, kind: 'host-unknown', sentence: 'The server is not known to ssh yet.', hint: 'ssh SERVER   (once, by hand: compare the fingerprint)' },
  { pattern: /SSL certificate problem|certificate verification failed|self.signed certificate|unable to get local issuer|no alternative certificate subject name/i, kind: 'host-unknown', sentence: "The server's certificate is not trusted.", hint: 'git ls-remote REMOTE, and see http.sslCAInfo in git help config' },
  { pattern: /GH001|exceeds GitHub's file size limit|file size limit|size limit exceeded|pack exceeds maximum allowed size|over its (data|size|bandwidth) (limit|quota)|LFS budget|(returned error:|HTTP) 413/i, kind: 'too-large', sentence: 'The remote refuses a file of this size.', hint: 'put large files into git LFS, or ignore them: gitsync ignore PATH' },
  { pattern: /^remote: .*(No space left on device|Disk quota exceeded)/im, kind: 'no-space', sentence: "The remote's disk is full.", hint: 'make room on the remote; gitsync goes on by itself' },
  { pattern: /^remote: .*insufficient permission|protected branch|GH006|GH013|repository rule violations|not allowed to (push|force|update|upload)|You are not allowed|refusing to (update checked out branch|allow an?)|(Permission|access) to .* denied|denied (to|by) |marked as read.?only|read-only (repository|access)|archived|write access|service not enabled|deny updating|deletion prohibited/im, kind: 'protected', sentence: 'The remote does not let us write this branch.', hint: 'ask whoever runs the remote, or name another with `remotes = ` in the configuration' },
  { pattern: /Permission denied \(|Permission denied, please try|Authentication failed|could not read (Username|Password)|terminal prompts disabled|unable to get password from user|user interactivity has been disabled|Invalid (username|credentials)|(returned error:|HTTP) 40[137]|agent refused|Too many authentication failures|HTTP Basic: Access denied|Authentication required|Support for password authentication was removed/i, kind: 'auth', sentence: 'The server did not accept our credentials.', hint: 'ssh-add, or once by hand: git push REMOTE' },
  { pattern: /transport '.*' not allowed/i, kind: 'config', sentence: 'git is set not to use this kind of remote.', hint: 'see protocol.allow in git help config' },
  { pattern: /'remote-[^']*' is not a git command|Unable to find remote helper/i, kind: 'config', sentence: 'git has no program for this kind of remote.', hint: 'git remote -v, and check the URL' },
  { pattern: /strange (hostname|pathname|port) .* blocked|unable to update url base from redirection|no path specified|URL (using|rejected)|URL .*malformed/i, kind: 'config', sentence: 'The URL of the remote is not usable.', hint: 'git remote -v, and check the URL' },
  { pattern: /does not support .*hash algorithm|mismatched algorithms/i, kind: 'config', sentence: 'The remote repository uses another kind of object id (SHA-1 or SHA-256).', hint: 'make a new remote with the object format of this repository' },
  { pattern: /Bad owner or permissions on|Bad configuration option|bad configuration options/i, kind: 'config', sentence: 'ssh does not accept its own configuration.', hint: 'ssh SERVER, and repair what it names' },
  { pattern: /Unable to negotiate with|no matching (host key type|key exchange method|cipher|MAC) found/i, kind: 'config', sentence: 'ssh and the server have no method in common.', hint: 'ssh SERVER, and update the older one of the two' },
  { pattern: /shallow update not allowed/i, kind: 'config', sentence: 'The remote does not take the history of a shallow clone.', hint: 'git fetch --unshallow' },
  { pattern: /fsck error/i, kind: 'halted', sentence: 'The remote sent objects that git calls malformed or dangerous.', hint: 'to take them all the same: git fetch REMOTE, by hand' },
  { pattern: /repository corruption on the remote side|^remote: .*(is corrupt|is empty|bad object|unable to read)/im, kind: 'failed', sentence: 'The remote repository is damaged.', hint: 'git fsck, on the remote' },
  { pattern: /^remote: .*(\.lock': File exists|Another git process)/im, kind: 'locked', sentence: 'Somebody else is writing to the remote at this moment.' },
  { pattern: /remote unpack failed: unable to create temporary object directory|^remote: .*(Read-only file system|Permission denied)/im, kind: 'failed', sentence: 'The remote repository cannot be written.', hint: 'look at its owner, its rights and its disk' },
];

/** The line to the server; certain signs of it. */
export const connectionRules: readonly Rule[] = [
  { pattern: /gidit daemon is not running/i, kind: 'offline', sentence: 'The gidit daemon is not running, so no peer can be reached.', hint: 'systemctl --user enable --now git-gidit-daemon' },
  { pattern: /Nobody (who can be reached )?holds|no peer is connected/i, kind: 'offline', sentence: 'No peer that holds the project can be reached.', hint: 'git gidit status' },
  { pattern: /(returned error:|HTTP) (429|5\d\d)/i, kind: 'offline', sentence: 'The server has trouble at the moment.' },
  { pattern: /Could not resolve (host|proxy)|Temporary failure in name resolution|Name or service not known|No address associated|nodename nor servname|Network is (unreachable|down)|No route to host|Connection (refused|timed out|reset|aborted|closed)|Connection to .* (closed|timed out)|Operation timed out|Failed to connect|Couldn't connect|unable to connect to|Timeout, server .* not responding|(kex|ssh)_exchange_identification|banner exchange|ssh: connect to host|handshake|SSL_ERROR|(SSL|TLS) connection|Empty reply from server|HTTP\/?2 (framing|stream)|curl \d+ |client_loop: send disconnect/i, kind: 'offline', sentence: 'The remote cannot be reached.' },
];

/** What a broken line also looks like, when nothing else explains it. */
export const brokenLineRules: readonly Rule[] = [
  { pattern: /does not appear to be a git repository|Repository not found|repository '.*' (not found|does not exist)|returned error: 404|not found: did you run|not exported|project you were looking for could not be found|Could not find repository|No such file or directory|does not exist/i, kind: 'not-found', sentence: 'The remote repository does not exist.', hint: 'git remote -v, and check the URL' },
  { pattern: /couldn't find remote ref/i, kind: 'not-found', sentence: 'The remote has no such branch.', hint: 'git ls-remote REMOTE' },
  { pattern: /hook declined|hook rejected|pre-push|pre-receive/i, kind: 'hook', sentence: 'A hook refused it.' },
  { pattern: /fetch first|non-fast-forward|stale info|failed to update ref/i, kind: 'rejected', sentence: 'The branch has moved meanwhile.' },
  { pattern: /The remote end hung up|early EOF|Broken pipe|unexpected disconnect|Could not read from remote repository/i, kind: 'offline', sentence: 'The connection to the remote broke.' },
];

/** Our own repository and machine. */
export const localRules: readonly Rule[] = [
  { pattern: /No space left on device|Disk quota exceeded|Out of diskspace|ENOSPC/i, kind: 'no-space', sentence: 'The disk is full.', hint: 'free some space; gitsync goes on by itself' },
  { pattern: /Read-only file system/i, kind: 'read-only', sentence: 'The file system is read-only.' },
  { pattern: /dubious ownership/i, kind: 'not-a-repository', sentence: 'The repository belongs to someone else, and git refuses to work in it.', hint: 'git config --global --add safe.directory PATH' },
  { pattern: /insufficient permission for adding an object/i, kind: 'failed', sentence: 'A part of .git belongs to someone else.', hint: 'sudo chown -R "$(id -un)" .git' },
  { pattern: /'lfs' is not a git command|git-lfs.*not found/i, kind: 'config', sentence: 'The repository needs git-lfs, which is not installed.', hint: 'install git-lfs' },
  { pattern: /cannot lock ref .*(but expected|reference already exists)|incorrect old value|reference already exists/i, kind: 'rejected', sentence: 'The branch has moved meanwhile.' },
  { pattern: /gpg failed to sign|error: gpg|Couldn't load public key|ssh-keygen.*sign|signing failed/i, kind: 'signing', sentence: 'The commit could not be signed.', hint: 'unlock the key, or set sign = no' },
  { pattern: /\.lock': File exists|Another git process/i, kind: 'locked', sentence: 'Another git process holds a lock.' },
  { pattern: /index file (corrupt|smaller|open failed)|index uses|bad signature 0x|bad index|unknown index|object file .* is empty|(loose|packed) object .* is corrupt|corrupt loose object|corrupted|inflate: |missing (blob|tree|commit)|unable to read (tree|sha1|object)|bad (tree )?object |unknown object type|packfile .* (cannot|is far too|index)|pack has bad object/i, kind: 'corrupt', sentence: 'The repository is damaged.', hint: 'gitsync doctor --fix' },
  { pattern: /not a git repository/i, kind: 'not-a-repository', sentence: 'This is no git repository.', hint: 'gitsync init PATH' },
];
