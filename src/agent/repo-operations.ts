/** The operations on one repository by name, the same for the agent's socket and for a command without an agent. */
import { GitsyncError } from '../errors.ts';
import { adoptRemote, allowPath, ignorePath, resolveConflict, restorePath, undoLast, type ResolveKeep } from './operations.ts';
import type { RepoSession } from './repo-session.ts';

function text(args: Record<string, unknown>, name: string): string {
  const value = args[name];
  if (typeof value !== 'string') throw new GitsyncError('usage', `"${name}" is missing.`);
  return value;
}

/** Runs one operation; `args.path` is relative to the work tree. */
export async function runRepoOperation(session: RepoSession, op: string, args: Record<string, unknown>): Promise<unknown> {
  switch (op) {
    case 'resolve':
      return resolveConflict(session, text(args, 'path'), text(args, 'keep') as ResolveKeep);
    case 'restore':
      return restorePath(session, text(args, 'path'), text(args, 'at'));
    case 'undo':
      return undoLast(session);
    case 'adopt':
      return adoptRemote(session, typeof args['remote'] === 'string' ? args['remote'] : undefined);
    case 'allow':
      return allowPath(session, text(args, 'path'));
    case 'ignore':
      return ignorePath(session, text(args, 'path'));
    default:
      throw new GitsyncError('usage', `The agent does not know "${op}".`, { hint: 'is it older than this command? restart it' });
  }
}
