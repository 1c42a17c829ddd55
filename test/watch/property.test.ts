/** Whatever happens to files, what is reported sends a reader to every path that differs from before. */
import { readdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync, type Dirent } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { tempDir } from '../helpers/repos.ts';
import { closeAllWatchers, isCovered, put, raw, untilEditsAreNamed, untilQuiet, watching } from './watching.ts';

afterAll(closeAllWatchers);

const name = fc.constantFrom('a', 'b', 'c');
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const operation = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('write' as const), path, content: fc.string({ maxLength: 4 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('rename' as const), path, to: path }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), path }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('link' as const), path, to: path }) },
  // Lets the watcher look in between.
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pause' as const), turns: fc.integer({ min: 1, max: 5 }) }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

async function perform(root: string, step: Operation): Promise<void> {
  if (step.kind === 'pause') {
    for (let i = 0; i < step.turns; i += 1) await new Promise((resolve) => setImmediate(resolve));
    return;
  }
  try {
    const absolute = join(root, step.path);
    if (step.kind === 'write') put(root, step.path, step.content);
    else if (step.kind === 'delete') rmSync(absolute, { recursive: true, force: true });
    else if (step.kind === 'rename') renameSync(absolute, join(root, step.to));
    else symlinkSync(join(root, step.to), absolute);
  } catch {
    // A file where a directory is needed, nothing to rename: such a step does nothing.
  }
}

/** Everything below, links not followed (newer Node's own recursion follows them). */
function entriesBelow(directory: string): Dirent[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => [entry, ...(entry.isDirectory() ? entriesBelow(join(directory, entry.name)) : [])]);
}

/** Every file and link with its content. */
function snapshot(root: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const entry of entriesBelow(root)) {
    const absolute = join(entry.parentPath, entry.name);
    if (entry.isFile()) found.set(relative(root, absolute), readFileSync(absolute, 'utf8'));
    else if (entry.isSymbolicLink()) found.set(relative(root, absolute), readlinkSync(absolute));
  }
  return found;
}

function differences(before: Map<string, string>, after: Map<string, string>): string[] {
  return [...new Set([...before.keys(), ...after.keys()])].filter((key) => before.get(key) !== after.get(key));
}

function directoriesBelow(root: string): string[] {
  return entriesBelow(root).filter((entry) => entry.isDirectory()).map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

test('covers every path that differs, and ends with every directory watched under its own name', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 12 }), fc.array(operation, { minLength: 1, maxLength: 40 }), async (first, then) => {
      const root = tempDir('property');
      for (const step of first) await perform(root, step);
      const watched = await watching(root);
      const before = snapshot(root);
      for (const step of then) await perform(root, step);
      await untilQuiet(watched);
      const missed = differences(before, snapshot(root)).filter((path) => !isCovered(watched.reported, raw(path)));
      expect(missed).toEqual([]);

      const directories = directoriesBelow(root);
      expect(watched.watcher.watchCount).toBe(1 + directories.length);
      watched.forget();
      for (const directory of directories) await untilEditsAreNamed(watched, `${directory}/edited`);
      await watched.watcher.close();
      rmSync(root, { recursive: true });
    }),
    // A failure prints its seed and path.
    { numRuns: 60, interruptAfterTimeLimit: 30_000, verbose: 1 },
  );
});
