/** The status of a repository that no agent watches: what git and our own notes on the disk say, changing nothing. */
import type { RepoConfig } from '../config/config.ts';
import { judgeStatus, type StatusFacts } from '../core/status.ts';
import { newRemote } from '../core/remote-state.ts';
import { rawToDisplay } from '../core/raw-path.ts';
import { silentLog, type Log } from '../log.ts';
import { offBranchReason } from '../git/capture.ts';
import { listConflictCopies } from '../git/conflict-copies.ts';
import { git, type Repo } from '../git/git.ts';
import { publishTargets } from '../git/remotes.ts';
import { resolveCommit } from '../git/refs.ts';
import { openRepo, readHead } from '../git/repository.ts';
import { countUnpublished, emptyFacts, type RepoStatus } from './repo-status.ts';
import { readOwnState } from './own-state.ts';
import { failureOf } from './repo-session.ts';

/** Whether git sees any difference between HEAD, the index and the work tree. */
async function hasChanges(repo: Repo): Promise<boolean> {
  const { stdout } = await git(repo, ['status', '--porcelain', '-z', '--untracked-files=normal', '--ignore-submodules=all']);
  return stdout.length > 0;
}

async function readFacts(config: RepoConfig, base: StatusFacts): Promise<StatusFacts> {
  const repo = await openRepo(config.path, { log: silentLog, hooks: config.hooks });
  const own = await readOwnState(repo);
  const head = await readHead(repo, (name) => resolveCommit(repo, name));
  const branch = head.ref?.replace(/^refs\/heads\//, '');
  const targets = branch === undefined ? [] : await publishTargets(repo, branch, config.remotes);
  const remotes = await Promise.all(
    targets.map(async ({ remote, branch: remoteBranch }) => {
      const tip = (await resolveCommit(repo, `refs/remotes/${remote}/${remoteBranch}`)) ?? null;
      return { name: remote, branch: remoteBranch, state: { ...newRemote(0), tip, lastSyncMs: own.lastSyncMs[remote] } };
    }),
  );
  const local = head.commit ?? null;
  const tips = remotes.flatMap(({ state }) => (typeof state.tip === 'string' ? [state.tip] : []));
  const copies = local === null ? [] : await listConflictCopies(repo, local);
  return {
    ...base,
    branch,
    pausedUntilMs: own.pausedUntilMs ?? Infinity,
    standsStill: offBranchReason(head, config.branch),
    dirty: await hasChanges(repo),
    local,
    remotes,
    unpublished: local === null ? 0 : await countUnpublished(repo, local, tips),
    blocked: own.blocked.map(({ path, why }) => ({ path: rawToDisplay(path), why })),
    conflicts: copies.map(({ path, copy }) => ({ path: rawToDisplay(path), copy: rawToDisplay(copy) })),
  };
}

/** Never `safe`: without an agent, what is saved next stays here. */
export async function statusWithoutAgent(config: RepoConfig, log: Log): Promise<RepoStatus> {
  const base = emptyFacts(config, Date.now());
  try {
    const facts = await readFacts(config, base);
    const line = judgeStatus(facts);
    if (line.state !== 'syncing' && line.state !== 'no agent') return { ...line, facts };
    const parts = [facts.dirty ? 'changes that are not saved' : '', facts.unpublished > 0 ? `${facts.unpublished} commits that are not published` : ''].filter((part) => part !== '');
    if (parts.length === 0) return { ...line, facts };
    return { path: config.path, level: 'unsafe', state: 'NOT SAFE', why: `no agent is running, and there are ${parts.join(' and ')}`, commands: ['gitsync --daemon', 'gitsync sync'], facts };
  } catch (error) {
    log.debug('The status cannot be read', { repo: config.path, error: String(error) });
    const facts = { ...base, unavailable: failureOf(error) };
    return { ...judgeStatus(facts), facts };
  }
}
