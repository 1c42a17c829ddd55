/** Sockets and locks of running programs: in a directory that only its owner may enter. */
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { GitsyncError } from '../errors.ts';

/**
 * The person's runtime directory: what the environment says, else what the login
 * manager made. Cron jobs and `su` have the second, a service has both, and
 * they must meet at the same socket.
 */
export function findRuntimeDirectory(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const named = env['XDG_RUNTIME_DIR'];
  if (named !== undefined && named !== '') return named;
  const usual = `/run/user/${process.getuid?.()}`;
  return statSync(usual, { throwIfNoEntry: false })?.uid === process.getuid?.() ? usual : undefined;
}

/** A unix socket's path must fit into `sockaddr_un` (unix(7): 108 bytes with the final NUL). */
const maxSocketPathBytes = 107;

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 10);
}

/** Makes the directory and makes sure that nobody else owns or may enter it. */
function securePrivateDirectory(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const info = lstatSync(path);
  if (!info.isDirectory() || info.uid !== process.getuid?.() || (info.mode & 0o077) !== 0) {
    throw new GitsyncError('failed', `${path} is not a private directory of yours.`, { hint: `look who made it, then: rm -r ${path}` });
  }
  return path;
}

/** The socket and lock of the program `kind` that works with a file or directory; the same one always gives the same names. */
export function runtimePaths(kind: string, worksWith: string, env: NodeJS.ProcessEnv = process.env): { socket: string; lock: string } {
  const name = `${kind}-${shortHash(worksWith)}`;
  const runtime = findRuntimeDirectory(env);
  const preferred = runtime === undefined ? undefined : `${runtime}/gitsync`;
  const fits = preferred !== undefined && Buffer.byteLength(`${preferred}/${name}.sock`) <= maxSocketPathBytes;
  const fallback = `${tmpdir()}/gitsync-${process.getuid?.() ?? 0}${preferred === undefined ? '' : `-${shortHash(preferred)}`}`;
  const directory = securePrivateDirectory(fits ? preferred : fallback);
  return { socket: `${directory}/${name}.sock`, lock: `${directory}/${name}.lock` };
}
