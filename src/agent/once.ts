/** Syncing without a daemon: each repository once, side by side, until nothing more can be done now. */
import type { RepoConfig } from '../config/config.ts';
import type { Log } from '../log.ts';
import { startRepoLoop } from './repo-loop.ts';
import { openSession, type RepoSession } from './repo-session.ts';
import { statusOf, type RepoStatus } from './repo-status.ts';
import { createSlots } from './slots.ts';
import { workingAtOnce } from './agent.ts';

/** Syncs the repositories and says how they stand afterwards. */
export async function syncOnce(repos: readonly RepoConfig[], log: Log): Promise<RepoStatus[]> {
  const slots = createSlots(workingAtOnce);
  return Promise.all(
    repos.map(async (config) => {
      const loop = startRepoLoop({ config, log, slots, mode: 'once' });
      await loop.settled();
      // `--once` answers for this moment; whoever asked knows that no agent is running.
      const status = await statusOf(loop, true);
      await loop.close();
      return status;
    }),
  );
}

/** Opens one repository, does something with it, and lets go of it. */
export async function withRepository<T>(config: RepoConfig, log: Log, work: (session: RepoSession) => Promise<T>): Promise<T> {
  const session = await openSession(config, log);
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}
