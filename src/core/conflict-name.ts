/**
 * The name of a conflict copy: `STEM.conflict-YYYYMMDD-HHMMSS-HOST-OID7.EXT`.
 * It is made from content and history only, so that the same conflict met
 * twice, or by two machines, gives one copy.
 */
import { joinRaw, splitRaw, type RawPath } from './raw-path.ts';

/** What the name of a copy is made from. */
export interface CopySource {
  /** The path whose other version the copy holds; may be a conflict copy itself. */
  path: RawPath;
  /** When the copied side last changed the path, in seconds since 1970. */
  timeSeconds: number;
  /** Where that happened; made safe here. */
  host: string;
  /** Object id of the copied content. */
  oid: string;
}

/** What file systems allow for one name. */
const maxNameBytes = 255;
const maxHostLength = 32;
/** Longer or stranger "extensions" are part of the name (`Dr. Smith's letter`). */
const extensionPattern = /^.+?((?:\.tar)?\.[A-Za-z0-9_+-]{1,16})$/s;
const copyMark = /\.conflict-\d{8}-\d{6}-[A-Za-z0-9_-]+?-[0-9a-f]{7,64}(?:-\d+)?(?=\.|$)/g;

/** The host as a part of a file name: only `[A-Za-z0-9-_]` (a dot would make the mark ambiguous), at most 32 characters, never empty. */
export function sanitizeHost(host: string): string {
  const safe = host.replace(/[^A-Za-z0-9_]+/g, '-').replace(/^-/, '').slice(0, maxHostLength).replace(/-$/, '');
  return safe === '' ? 'unknown' : safe;
}

/** `20261120-101500`, in UTC; dates outside the years 1970-9999 become the nearest of these. */
function formatTime(timeSeconds: number): string {
  const seconds = Number.isFinite(timeSeconds) ? Math.min(Math.max(Math.trunc(timeSeconds), 0), 253_402_300_799) : 0;
  return new Date(seconds * 1000).toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-');
}

/** Splits off the extension that programs go by; a dot file's name is no extension. */
function splitExtension(name: string): { stem: string; extension: string } {
  const extension = extensionPattern.exec(name)?.[1] ?? '';
  return { stem: name.slice(0, name.length - extension.length), extension };
}

/** At most `maxBytes` of a raw name (one character is one byte), not cut inside a UTF-8 character. */
function cutBytes(name: string, maxBytes: number): string {
  if (name.length <= maxBytes) return name;
  const isContinuation = (index: number): boolean => (name.charCodeAt(index) & 0xc0) === 0x80;
  let end = maxBytes;
  while (end > maxBytes - 4 && isContinuation(end)) end -= 1;
  return name.slice(0, isContinuation(end) ? maxBytes : end);
}

/**
 * Where copies go whose file lies in exported live state: beside it, they would
 * be files that do not belong, and the import of everything there would fail.
 */
export const asideDirectory = 'gitsync-conflicts';

/** The path that a conflict copy is a copy of (however often it was copied); any other path as it is. */
export function originalOfCopy(path: RawPath): RawPath {
  const { directory, name } = splitRaw(path);
  const original = name.replace(copyMark, '');
  if (original === '' || original === name) return path;
  return joinRaw((directory === asideDirectory ? '' : directory.startsWith(`${asideDirectory}/`) ? directory.slice(asideDirectory.length + 1) : directory) as RawPath, original);
}

/** Whether the name is that of a conflict copy. */
export function isConflictCopy(path: RawPath): boolean {
  return originalOfCopy(path) !== path;
}

/**
 * The path for a conflict copy, beside the original, or `aside` under the same path in a directory of its own.
 * @param attempt 0 for the usual name; higher where that one is taken by other
 *   content: more digits of the object id, then a counter.
 */
export function conflictCopyPath(source: CopySource, attempt = 0, aside = false): RawPath {
  const { directory, name } = splitRaw(originalOfCopy(source.path));
  const { stem, extension } = splitExtension(name);
  const digits = [7, 16][attempt] ?? source.oid.length;
  const counter = attempt > 2 ? `-${attempt - 1}` : '';
  const tail = `.conflict-${formatTime(source.timeSeconds)}-${sanitizeHost(source.host)}-${source.oid.slice(0, digits)}${counter}${extension}`;
  const place = aside ? joinRaw(asideDirectory as RawPath, directory) : directory;
  return joinRaw((place.endsWith('/') ? place.slice(0, -1) : place) as RawPath, cutBytes(stem, maxNameBytes - tail.length) + tail);
}
