/**
 * A mark in a repository whose project is forked. To git the other end of a
 * fork looks as if somebody had rewritten the remote; the agent has to know that
 * it is nothing but the work of another device, to be merged.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const suffix = '.other-end';

/** Notes what the other end of a fork points to; undefined: there is no fork (any more). */
export async function markFork(file: string, ids: readonly string[] | undefined): Promise<void> {
  if (ids === undefined) return rm(`${file}${suffix}`, { force: true });
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(`${file}${suffix}`, `${ids.join('\n')}\n`);
}

/** Whether a commit came from the other end of a fork of one's own. */
export async function isOtherEnd(gitDir: string, id: string): Promise<boolean> {
  const directory = join(gitDir, 'gidit');
  const names = (await readdir(directory).catch(() => [])).filter((name) => name.endsWith(suffix));
  for (const name of names) if ((await readFile(join(directory, name), 'latin1').catch(() => '')).split('\n').includes(id)) return true;
  return false;
}
