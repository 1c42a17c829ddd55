/**
 * Names that git keeps out of every index, since on some file system they mean
 * the repository's own folder (CVE-2014-9390, CVE-2019-1352, CVE-2018-11235).
 * All spellings count on every system: the work tree may lie on any.
 */
import { rawToText, type RawPath } from './raw-path.ts';

/** Code points that HFS+ leaves out when it compares names. */
const ignoredByHfs = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;
/** `.git` and its short name on NTFS, which drops trailing dots and spaces and takes `:` for a stream. */
const gitFolder = /^(\.git|git~1)[. ]*(:.*)?$/is;
const modulesFile = /^(\.gitmodules|gitmod~[1-4]|gi7eba~\d)[. ]*(:.*)?$/is;

/** Whether git refuses to put the path into an index. */
export function isRefusedName(path: RawPath, isSymlink: boolean): boolean {
  const parts = rawToText(path).replace(ignoredByHfs, '').split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..')) return true;
  const names = parts.flatMap((part) => part.split('\\'));
  return names.some((name) => gitFolder.test(name)) || (isSymlink && modulesFile.test(names.at(-1) as string));
}
