/** Gathers what the verdict on one repository depends on, from a running loop or from the disk alone. */
import { judgeContainer, type ContainerFacts, type ContainerLine } from '../core/container-status.ts';
import { localOf } from '../core/repo-state.ts';
import { judgeStatus, type RemoteFacts, type StatusFacts, type StatusLine } from '../core/status.ts';
import { isClean } from '../core/batch.ts';
import type { RemoteState } from '../core/remote-state.ts';
import { rawToText } from '../core/raw-path.ts';
import type { RepoConfig } from '../config/config.ts';
import { knownStep } from '../git/commit-step.ts';
import { listConflictCopies, type ConflictCopy } from '../git/conflict-copies.ts';
import { git, type Repo } from '../git/git.ts';
import { resolveCommit } from '../git/refs.ts';
import { steadyNow } from '../process/steady-clock.ts';
import { refreshView } from './container-actions.ts';
import type { RepoLoop } from './repo-loop.ts';
import type { RepoSession } from './repo-session.ts';
import type { LoopTarget } from './targets.ts';

export interface RepoStatus extends StatusLine {
  facts: StatusFacts;
  containers: ContainerLine[];
}

/** The verdict on a repository and on each of its containers. */
export function judgeRepo(facts: StatusFacts): RepoStatus {
  return { ...judgeStatus(facts), facts, containers: facts.containers.map((container) => judgeContainer(container, facts.path, facts.nowMs)) };
}

/** The last list of each repository: with many files, it takes long to look at all of them. */
const lastCopies = new Map<string, { commit: string; copies: ConflictCopy[] }>();

async function conflictsAt(repo: Repo, commit: string): Promise<ConflictCopy[]> {
  const known = lastCopies.get(repo.gitDir);
  if (known?.commit === commit) return known.copies;
  const copies = await listConflictCopies(repo, commit, known);
  lastCopies.set(repo.gitDir, { commit, copies });
  return copies;
}

/** How many commits of `local` none of the tips has. */
export async function countUnpublished(repo: Repo, local: string, tips: readonly string[]): Promise<number> {
  if (tips.some((tip) => knownStep(repo, local, tip) !== undefined)) return 0;
  const { stdout, exitCode } = await git(repo, ['rev-list', '--count', local, '--not', ...tips], { expect: [0, 128] });
  return exitCode === 0 ? Number(stdout.toString().trim()) : 1;
}

/** Facts of which nothing is known yet. */
export function emptyFacts(config: RepoConfig, nowMs: number): StatusFacts {
  return {
    path: config.path, branch: undefined, nowMs, unavailable: undefined, captureError: undefined, pausedUntilMs: 0, standsStill: undefined, dirty: false,
    local: undefined, remotes: [], containers: [], unpublished: 0, held: [], blocked: [], failed: [], nested: [], movedSubmodules: [], conflicts: [], watchProblem: undefined, agentRuns: false,
  };
}

/** The status of a repository that a loop drives; `look`: containers are looked at now, not only remembered. */
export async function statusOf(loop: RepoLoop, agentRuns: boolean, look = true): Promise<RepoStatus> {
  return judgeRepo(await factsOf(loop, agentRuns, look, steadyNow()));
}

/** What is known of a remote from earlier runs, where this one could not ask it yet. */
async function withMemory({ repo, own }: RepoSession, { key, remote: name, branch }: LoopTarget, state: RemoteState): Promise<RemoteState> {
  const isUnasked = state.tip === undefined && state.failure !== undefined;
  const tip = isUnasked ? await resolveCommit(repo, `refs/remotes/${name}/${branch}`) : state.tip;
  return { ...state, tip, lastSyncMs: state.lastSyncMs ?? own.lastSyncMs[key] };
}

async function containerFacts(session: RepoSession, target: LoopTarget, state: RemoteState, local: string | null | undefined, look: boolean): Promise<ContainerFacts> {
  const { repo, own } = session;
  const view = look ? await refreshView(session, target.remote) : session.containers.get(target.remote)?.view;
  const known = await withMemory(session, target, state);
  const isEqual = known.tip === local || typeof known.tip !== 'string' || typeof local !== 'string';
  const [ahead, behind] = isEqual ? [0, 0] : await Promise.all([countUnpublished(repo, local as string, [known.tip as string]), countUnpublished(repo, known.tip as string, [local as string])]);
  const times = own.containers[target.remote];
  return {
    name: target.remote, branch: target.branch, driver: session.containers.get(target.remote)?.container.settings.driver, machine: view?.state, address: view?.address,
    state: known, local, ahead, behind, lastPushMs: times?.pushMs, lastPullMs: times?.pullMs,
  };
}

async function factsOf(loop: RepoLoop, agentRuns: boolean, look: boolean, nowMs: number): Promise<StatusFacts> {
  const { session, state, config } = loop;
  const base = { ...emptyFacts(config, nowMs), agentRuns };
  if (session === undefined || state === undefined) return { ...base, unavailable: loop.unavailable };
  const report = session.lastReport;
  const known = [...session.targets.values()].flatMap((target) => {
    const remote = state.remotes.get(target.key);
    return remote === undefined ? [] : [{ target, remote, side: target.side === undefined ? {} : { local: localOf(state, remote) } }];
  });
  const remotes = await Promise.all(
    known.filter(({ target }) => target.container === undefined).map(async ({ target, remote, side }): Promise<RemoteFacts> => ({ name: target.remote, branch: target.branch, state: await withMemory(session, target, remote), ...side })),
  );
  const containers = await Promise.all(known.filter(({ target }) => target.container !== undefined).map(({ target, remote }) => containerFacts(session, target, remote, localOf(state, remote), look)));
  const { local } = state;
  const behind = remotes.filter((remote) => !('local' in remote) && remote.state.tip !== local);
  const tips = remotes.flatMap(({ state: remote }) => (typeof remote.tip === 'string' ? [remote.tip] : []));
  return {
    ...base,
    branch: session.branch,
    captureError: session.lastError?.kind === 'locked' ? undefined : session.lastError,
    pausedUntilMs: state.pausedUntilMs,
    standsStill: report?.outcome.kind === 'snapshot' ? report.outcome.why : undefined,
    dirty: !isClean(state.dirty) || state.busy?.type === 'capture',
    local,
    remotes,
    containers,
    unpublished: behind.length > 0 && typeof local === 'string' ? await countUnpublished(session.repo, local, tips) : 0,
    held: (report?.held ?? []).map(({ path, reason, detail }) => ({ path: rawToText(path), reason, detail })),
    blocked: session.own.blocked.map(({ path, why }) => ({ path: rawToText(path), why })),
    failed: (report?.failed ?? []).map(({ path, why }) => ({ path: rawToText(path), why })),
    nested: (report?.nested ?? []).map(rawToText),
    movedSubmodules: (report?.movedSubmodules ?? []).map(rawToText),
    conflicts: typeof local === 'string' ? (await conflictsAt(session.repo, local)).map(({ path, copy }) => ({ path: rawToText(path), copy: rawToText(copy) })) : [],
    watchProblem: [...session.watchProblems.values()].map(({ message, hint }) => ({ message, hint }))[0],
  };
}
