/** The second look at what updates replaced, another try at what was blocked, and the repository's upkeep. */
import type { Event } from '../core/repo-state.ts';
import { checkTrash, type ApplyOutcome } from '../git/apply.ts';
import { clearStaleLocks } from '../git/stale-locks.ts';
import { dropOldRefs, dropUnfinished, packObjects } from '../git/upkeep.ts';
import { resolveCommit } from '../git/refs.ts';
import { changeOwnState } from './own-state.ts';
import type { RepoSession } from './repo-session.ts';
import { applyLateEdits, hasLeftovers, updateWorkTree } from './update-work-tree.ts';

/** How often the repository is packed and old snapshots are let go. */
const upkeepEveryMs = 24 * 60 * 60_000;

export async function performTidy(session: RepoSession): Promise<Event> {
  const { waiting } = await checkTrash(session.repo);
  const outcome = await bringInLeftovers(session);
  await doUpkeep(session, Date.now());
  // What was replaced just now wants its second look too.
  return { type: 'tidied', local: outcome?.commit, again: waiting > 0 || (outcome?.changed ?? 0) > 0 };
}

/** Late edits, and versions that could not be put into place before. */
async function bringInLeftovers(session: RepoSession): Promise<(ApplyOutcome & { kind: 'applied' }) | undefined> {
  if (session.branch === undefined) return undefined;
  const ref = `refs/heads/${session.branch}`;
  const from = await resolveCommit(session.repo, ref);
  if (from === undefined) return undefined;
  const late = await applyLateEdits(session, ref, from);
  if (late?.kind === 'applied') return late;
  if (!hasLeftovers(session)) return undefined;
  const again = await updateWorkTree(session, { ref, from, to: from });
  return again.kind === 'applied' ? again : undefined;
}

/** After a longer break than this, the clock may just as well have jumped: nothing is let go before the next upkeep. */
const longestBreakMs = 8 * upkeepEveryMs;

async function doUpkeep(session: RepoSession, nowMs: number): Promise<void> {
  const sinceMs = nowMs - session.own.lastUpkeepMs;
  // In the future: the clock was set back since.
  if (sinceMs >= 0 && sinceMs < upkeepEveryMs) return;
  if (sinceMs >= 0 && sinceMs < longestBreakMs) {
    await dropOldRefs(session.repo, nowMs - session.config.keepMs);
    await dropUnfinished(session.repo, nowMs - 2 * upkeepEveryMs);
  }
  // With the lock of one that was killed, git would skip its upkeep from then on, without a word.
  await clearStaleLocks(session.repo);
  await packObjects(session.repo);
  session.own = await changeOwnState(session.repo, () => ({ lastUpkeepMs: nowMs }));
}
