/** A temporary directory for one merge, in our own folder. */
import { mkdtemp, rm } from 'node:fs/promises';
import type { Repo } from './git.ts';

/** Runs `work` with an empty directory that is gone afterwards. */
export async function withScratch<T>(repo: Repo, work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(`${repo.ownDir}/tmp-merge-`);
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
