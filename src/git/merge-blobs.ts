/** Reading and writing the contents of several files with one git process. */
import { git, type Repo } from './git.ts';

/**
 * Reads objects by name (`OID`, or `TREE:PATH` with the path as bytes), in the
 * order asked. Undefined for what does not exist or is no file.
 */
export async function readBlobs(repo: Repo, names: readonly string[]): Promise<(Buffer | undefined)[]> {
  if (names.length === 0) return [];
  const input = Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1');
  const { stdout } = await git(repo, ['cat-file', '--batch', '-z'], { input });
  let at = 0;
  return names.map((name) => {
    const header = /^[0-9a-f]+ (blob|tree|commit|tag) (\d+)\n/.exec(stdout.toString('latin1', at, at + 120));
    if (header === null) {
      // `NAME missing`; the name may hold newlines.
      at = stdout.indexOf('\n', at + name.length) + 1;
      return undefined;
    }
    const start = at + header[0].length;
    const end = start + Number(header[2]);
    at = end + 1;
    return header[1] === 'blob' ? stdout.subarray(start, end) : undefined;
  });
}

/** Stores files of a directory as they are (no filters) and returns their object ids, in order. */
export async function storeFiles(repo: Repo, directory: string, names: readonly string[]): Promise<string[]> {
  if (names.length === 0) return [];
  const input = names.map((name) => `${name}\n`).join('');
  // The directory as work tree: names then count from there, wherever the repository lies.
  const { stdout } = await git(repo, ['hash-object', '-w', '--no-filters', '--stdin-paths'], { input, cwd: directory, env: { GIT_WORK_TREE: directory } });
  return stdout.toString().trimEnd().split('\n');
}
