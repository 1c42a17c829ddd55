/**
 * Paths as git and the kernel see them: bytes. A RawPath holds one byte per
 * character (latin1), so that names which are not UTF-8 survive unchanged;
 * it is relative to the work tree, with `/` between parts.
 */
import { printable } from '../log.ts';

export type RawPath = string & { readonly __raw: unique symbol };

/** From what a person typed (UTF-8) to bytes. */
export function rawFromText(text: string): RawPath {
  return Buffer.from(text, 'utf8').toString('latin1') as RawPath;
}

/** From bytes that git or the kernel gave us. */
export function rawFromBytes(bytes: Buffer): RawPath {
  return bytes.toString('latin1') as RawPath;
}

/** The text of a path (UTF-8), not yet safe for a terminal; for program use and JSON. */
export function rawToText(path: RawPath): string {
  return Buffer.from(path, 'latin1').toString('utf8');
}

/** The path for people: UTF-8 where it is UTF-8, control characters escaped. */
export function rawToDisplay(path: RawPath): string {
  return printable(rawToText(path));
}

/** Whether the path survives a trip through a JavaScript argument string. */
export function isUtf8(path: RawPath): boolean {
  return Buffer.from(rawToText(path), 'utf8').toString('latin1') === path;
}

/** The absolute path for file system calls. */
export function absoluteOf(root: string, path: RawPath): Buffer {
  return path === '' ? Buffer.from(root) : Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, 'latin1')]);
}

/** The directory part ('' for the root) and the last part. */
export function splitRaw(path: RawPath): { directory: RawPath; name: RawPath } {
  const slash = path.lastIndexOf('/');
  return { directory: (slash < 0 ? '' : path.slice(0, slash)) as RawPath, name: path.slice(slash + 1) as RawPath };
}

/** Puts a name into a directory ('' is the root). */
export function joinRaw(directory: RawPath, name: string): RawPath {
  return (directory === '' ? name : `${directory}/${name}`) as RawPath;
}

/** Every directory above the paths, the root ('') among them, each once. */
export function directoriesAbove(paths: Iterable<RawPath>): RawPath[] {
  const directories = new Set<RawPath>();
  for (const path of paths) {
    let { directory } = splitRaw(path);
    while (!directories.has(directory)) {
      directories.add(directory);
      if (directory !== '') directory = splitRaw(directory).directory;
    }
  }
  return [...directories];
}

/** Splits NUL-terminated output of git into its fields. */
export function splitNul(bytes: Buffer): RawPath[] {
  if (bytes.length === 0) return [];
  const fields = bytes.toString('latin1').split('\0');
  if (fields.at(-1) === '') fields.pop();
  return fields as RawPath[];
}

/** Joins fields with a NUL after each, as bytes for git's standard input. */
export function joinNul(fields: readonly string[]): Buffer {
  return Buffer.from(fields.map((field) => `${field}\0`).join(''), 'latin1');
}
