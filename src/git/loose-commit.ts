/** Commits as they lie in the object store just after they were made or fetched: read without starting git. */
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { inflate } from 'node:zlib';
import type { Repo } from './git.ts';

/** A commit that is larger is left to git. */
const mostBytes = 1_000_000;

/** The parents of a commit; undefined when it is not there as a file of its own (packed, borrowed, damaged): then git has to say. */
export async function looseParents(repo: Repo, commit: string): Promise<string[] | undefined> {
  try {
    const object = await readFile(`${repo.commonDir}/objects/${commit.slice(0, 2)}/${commit.slice(2)}`);
    const content = (await promisify(inflate)(object, { maxOutputLength: mostBytes })).toString('latin1');
    // "commit SIZE NUL tree ID LF", then a line for each parent.
    const header = /^commit \d+\0tree [0-9a-f]+\n((?:parent [0-9a-f]+\n)*)/.exec(content);
    return header?.[1]?.split('\n').slice(0, -1).map((line) => line.slice('parent '.length));
  } catch {
    return undefined;
  }
}
