/** Syncing without a daemon: each repository once, side by side, until nothing more can be done now. */
import type { RepoConfig } from '../config/config.ts';
import type { Log } from '../log.ts';
import { GitsyncError } from '../errors.ts';
import type { ContainerLine } from '../core/container-status.ts';
import { startRepoLoop, type RepoLoop } from './repo-loop.ts';
import { openSession, type RepoSession } from './repo-session.ts';
import { statusOf, type RepoStatus } from './repo-status.ts';
import { createSlots } from './slots.ts';
import { containersAtOnce, workingAtOnce } from './agent.ts';

/** Syncs the repositories (`byHand`: containers too that wait for a person or a time) and says how they stand afterwards. */
export async function syncOnce(repos: readonly RepoConfig[], log: Log, options: { byHand: boolean } = { byHand: true }): Promise<RepoStatus[]> {
  const [slots, containerSlots] = [createSlots(workingAtOnce), createSlots(containersAtOnce)];
  return Promise.all(
    repos.map(async (config) => {
      const loop = startRepoLoop({ config, log, slots, containerSlots, mode: 'once' });
      await loop.settled();
      // A person wants also what is left to be asked for, and now.
      if (options.byHand && config.containers.length > 0) loop.post({ type: 'sync' });
      await loop.settled();
      // `--once` answers for this moment; whoever asked knows that no agent is running.
      const status = await statusOf(loop, true);
      await loop.close();
      return status;
    }),
  );
}

/** Pushes to or pulls from one container now; undefined where the repository cannot be opened. */
export async function talkOnce(config: RepoConfig, container: string, what: 'push' | 'pull', log: Log): Promise<ContainerLine | undefined> {
  const loop = startRepoLoop({ config, log, slots: createSlots(workingAtOnce), containerSlots: createSlots(containersAtOnce), mode: 'once' });
  try {
    return await talkTo(loop, container, what);
  } finally {
    await loop.close();
  }
}

/** Saves what changed, then pushes to or pulls from one container and waits for what follows from it. */
export async function talkTo(loop: RepoLoop, container: string, what: 'push' | 'pull'): Promise<ContainerLine | undefined> {
  loop.post({ type: 'changed', hint: 'all' });
  await loop.settled();
  loop.post({ type: 'ask', remote: container, what });
  await loop.settled();
  const status = await statusOf(loop, true);
  if (loop.unavailable !== undefined) throw new GitsyncError(loop.unavailable.kind, loop.unavailable.sentence, loop.unavailable.hint === undefined ? {} : { hint: loop.unavailable.hint });
  return status.containers.find(({ name }) => name === container);
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
