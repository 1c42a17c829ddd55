/** The status of a repository that no agent watches: what git and our own notes on the disk say, changing nothing. */
import type { RepoConfig } from '../config/config.ts';
import type { ContainerFacts } from '../core/container-status.ts';
import { plural, type StatusFacts } from '../core/status.ts';
import { ordinaryTriggers } from '../core/remote-triggers.ts';
import { newRemote } from '../core/remote-state.ts';
import { rawToText } from '../core/raw-path.ts';
import { silentLog, type Log } from '../log.ts';
import { offBranchReason } from '../git/capture.ts';
import { listConflictCopies } from '../git/conflict-copies.ts';
import { git, type Repo } from '../git/git.ts';
import { trackingRef } from '../git/fetch.ts';
import { resolveCommit } from '../git/refs.ts';
import { openRepo, readHead } from '../git/repository.ts';
import { lookAt, openContainer } from '../remote/container.ts';
import { countUnpublished, emptyFacts, judgeRepo, type RepoStatus } from './repo-status.ts';
import { readOwnState, type OwnState } from './own-state.ts';
import { failureOf } from './repo-session.ts';
import { findTargets, setupOf, type LoopTarget } from './targets.ts';

/** Whether git sees any difference between HEAD, the index and the work tree. */
async function hasChanges(repo: Repo): Promise<boolean> {
  const { stdout } = await git(repo, ['status', '--porcelain', '-z', '--untracked-files=normal', '--ignore-submodules=all']);
  return stdout.length > 0;
}

/** What git and our notes say of a container, and one look at the machine. */
async function readContainer(repo: Repo, config: RepoConfig, own: OwnState, target: LoopTarget, head: string | null): Promise<ContainerFacts> {
  const { remote: name, branch, side } = target;
  const local = side === undefined ? head : ((await resolveCommit(repo, `refs/heads/${side}`)) ?? null);
  const tip = (await resolveCommit(repo, trackingRef(target))) ?? null;
  const container = await openContainer(repo, name).catch(() => undefined);
  const view = container === undefined ? undefined : await lookAt(container, Date.now()).catch(() => undefined);
  const isEqual = tip === local || tip === null || local === null;
  const [ahead, behind] = isEqual ? [0, 0] : await Promise.all([countUnpublished(repo, local, [tip]), countUnpublished(repo, tip, [local])]);
  const { triggers } = await setupOf(repo, config, target, own, 'daemon');
  return {
    name, branch, driver: container?.settings.driver, machine: view?.state, address: view?.address, state: { ...newRemote(0, { triggers }), tip },
    local, ahead, behind, lastPushMs: own.containers[name]?.pushMs, lastPullMs: own.containers[name]?.pullMs,
  };
}

async function readFacts(config: RepoConfig, base: StatusFacts): Promise<StatusFacts> {
  const repo = await openRepo(config.path, { log: silentLog, hooks: config.hooks });
  const own = await readOwnState(repo);
  const head = await readHead(repo);
  const branch = head.ref?.replace(/^refs\/heads\//, '');
  const targets = await findTargets(repo, config, branch);
  const remotes = await Promise.all(
    targets.filter(({ container, side }) => container === undefined && side === undefined).map(async ({ remote, branch: remoteBranch }) => {
      const tip = (await resolveCommit(repo, `refs/remotes/${remote}/${remoteBranch}`)) ?? null;
      return { name: remote, branch: remoteBranch, state: { ...newRemote(0, { triggers: ordinaryTriggers({ pollMs: config.pollMs, scheduled: false }) }), tip, lastSyncMs: own.lastSyncMs[remote] } };
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
    containers: await Promise.all(targets.filter(({ container }) => container !== undefined).map((target) => readContainer(repo, config, own, target, local))),
    unpublished: local === null ? 0 : await countUnpublished(repo, local, tips),
    blocked: own.blocked.map(({ path, why }) => ({ path: rawToText(path), why })),
    conflicts: copies.map(({ path, copy }) => ({ path: rawToText(path), copy: rawToText(copy) })),
  };
}

/** Never `safe`: without an agent, what is saved next stays here. */
export async function statusWithoutAgent(config: RepoConfig, log: Log): Promise<RepoStatus> {
  const base = emptyFacts(config, Date.now());
  try {
    const facts = await readFacts(config, base);
    const line = judgeRepo(facts);
    if (line.state !== 'syncing' && line.state !== 'no agent') return line;
    const parts = [facts.dirty ? 'changes not saved' : '', facts.unpublished > 0 ? `${plural(facts.unpublished, 'commit')} not published` : ''].filter((part) => part !== '');
    if (parts.length === 0) return line;
    return { ...line, path: config.path, level: 'unsafe', state: 'NOT SAFE', why: `${parts.join(' and ')}, and no agent is running`, commands: ['gitsync --daemon', 'gitsync sync'] };
  } catch (error) {
    log.debug('The status cannot be read', { repo: config.path, error: String(error) });
    const facts = { ...base, unavailable: failureOf(error) };
    return judgeRepo(facts);
  }
}
