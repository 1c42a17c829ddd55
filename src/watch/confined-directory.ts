/**
 * Opens directories below a root that is not trusted (a container's file
 * system), never leaving it: each step is opened from the one before without
 * following links, and what links say is looked up inside the root.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { errnoOf } from '../errors.ts';

const maxLinks = 20;
const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** A path that means exactly the open directory, whatever its name leads to by now. */
export const pathOfDescriptor = (descriptor: number): string => `/proc/self/fd/${descriptor}`;

/** The components of an absolute path, or of one below `base`; `..` never leads above the root. */
function resolveSteps(base: readonly string[], path: string): string[] {
  const steps = path.startsWith('/') ? [] : [...base];
  for (const step of path.split('/')) {
    if (step === '..') steps.pop();
    else if (step !== '' && step !== '.') steps.push(step);
  }
  return steps;
}

/** Opens one directory in another without following a link; a string: it is a link, and this is what it says. */
function openStep(parent: number, name: string): number | { link: string } {
  const path = `${pathOfDescriptor(parent)}/${name}`;
  try {
    return openSync(path, flags);
  } catch (error) {
    const code = errnoOf(error);
    if ((code === 'ELOOP' || code === 'ENOTDIR') && lstatSync(path).isSymbolicLink()) return { link: readlinkSync(path) };
    throw error;
  }
}

/**
 * Opens a directory for reading; the caller closes the descriptor.
 * @param path as the inside of the root knows it, absolute
 * @throws system errors: ENOENT, ENOTDIR, ELOOP (links without end), EACCES
 */
export function openConfined(root: string, path: string): number {
  let steps = resolveSteps([], path);
  for (let links = 0; links <= maxLinks; links++) {
    // The root itself is ours to name: it may be a link of the kernel's.
    let current = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
    let next: string[] | undefined;
    try {
      for (const [index, name] of steps.entries()) {
        const opened = openStep(current, name);
        if (typeof opened !== 'number') {
          next = [...resolveSteps(steps.slice(0, index), opened.link), ...steps.slice(index + 1)];
          break;
        }
        closeSync(current);
        current = opened;
      }
    } catch (error) {
      closeSync(current);
      throw error;
    }
    if (next === undefined) return current;
    closeSync(current);
    steps = next;
  }
  throw Object.assign(new Error(`too many links: ${path}`), { code: 'ELOOP' });
}

/** Opens a subdirectory of an open one; undefined for anything else than a directory. */
export function openBelow(parent: number, name: string): number | undefined {
  try {
    const opened = openStep(parent, name);
    return typeof opened === 'number' ? opened : undefined;
  } catch {
    return undefined;
  }
}

/** The names of the subdirectories of an open directory. */
export function listBelow(descriptor: number): string[] {
  return readdirSync(pathOfDescriptor(descriptor), { withFileTypes: true, encoding: 'utf8' }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}

/** Tells a directory from another one that took its place. */
export function identityOf(descriptor: number): string {
  const { dev, ino } = fstatSync(descriptor, { bigint: true });
  return `${dev}:${ino}`;
}
