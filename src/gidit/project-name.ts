/** Names of projects: they become a directory, a line of a message, and a part of a URL. */
import { GitsyncError } from '../errors.ts';

/** Taken by the store's own files beside and in a project; any case, since some file systems have none. */
const reserved = /^(head|pgp)$/i;

/** Whether this can be the name of a project. */
export function isProjectName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(name) && !name.includes('..') && !/(\.lock|\.)$/.test(name) && !reserved.test(name);
}

/**
 * Checks the name of a project that a person typed.
 * @throws GitsyncError `usage`
 */
export function checkProjectName(name: string): string {
  if (isProjectName(name)) return name;
  const shown = JSON.stringify(name.length > 40 ? `${name.slice(0, 40)}...` : name);
  throw new GitsyncError('usage', `${shown} cannot be the name of a project.`, { hint: 'letters, digits, ".", "_" and "-", at most 100, a letter or digit in front; not "..", not ".lock" at the end, not HEAD or PGP' });
}
