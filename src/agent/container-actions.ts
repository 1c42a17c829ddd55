/** The loop's talk with a container: what came of it as an event, and a word in the log when that is news. */
import type { Event } from '../core/repo-state.ts';
import { retryOf, toGitsyncError } from '../errors.ts';
import { forgetTarget, integratedTip, trackingRef } from '../git/fetch.ts';
import { readRef } from '../git/ref-file.ts';
import { fetchFromContainer, lookAt, openContainer, pushToContainer, type Away, type Container, type MachineView } from '../remote/container.ts';
import { changeOwnState } from './own-state.ts';
import { failureOf, type RepoSession } from './repo-session.ts';
import type { LoopTarget } from './targets.ts';

/** What a session keeps of a container. */
export interface ContainerHandle {
  container: Container;
  view: MachineView | undefined;
  /** The failure that was told last: repeats are whispered. */
  told: string | undefined;
}

/** The container's handle, opened where it is not yet. @throws GitsyncError `config` when it is not registered */
export async function handleOf(session: RepoSession, name: string): Promise<ContainerHandle> {
  const known = session.containers.get(name);
  // `ready` and the rest may have changed since; where none of it did, reading it again costs one git command.
  const container = await openContainer(session.repo, name, known?.container.project);
  const handle: ContainerHandle = { container, view: known?.view, told: known?.told };
  session.containers.set(name, handle);
  return handle;
}

/** One look at the machine, remembered for the status. */
export async function refreshView(session: RepoSession, name: string): Promise<MachineView | undefined> {
  const handle = session.containers.get(name) ?? (await handleOf(session, name).catch(() => undefined));
  if (handle === undefined) return undefined;
  handle.view = await lookAt(handle.container, Date.now()).catch(() => handle.view);
  return handle.view;
}

/** An address may change; looking it up at every pull that finds nothing would cost as much as the pull. */
const viewLastsMs = 10 * 60_000;

/** Looks at the machine after a talk, unless the talk has shown that it is as it was. */
async function noteView(session: RepoSession, name: string, event: Event): Promise<void> {
  const view = session.containers.get(name)?.view;
  const isFresh = view?.state === 'running' && view.address !== undefined && Date.now() - view.atMs < viewLastsMs;
  if (event.type !== 'fetched' || event.tip === null || !isFresh) await refreshView(session, name);
}

function awayEvent(name: string, { state }: Away, repoPath: string, branch: string, wasThere: boolean): Event & { type: 'remote-failed' } {
  const git = `git -C ${repoPath} push ${name} ${branch}`;
  const failure =
    state === 'stopped'
      ? { kind: 'container-stopped' as const, sentence: `${name} is stopped.`, hint: `gitsync container start ${name}` }
      : { kind: 'container-absent' as const, sentence: state === 'partial' ? `${name} was left half made.` : wasThere ? `${name} is gone.` : `${name} was not made yet.`, hint: `${git}   (makes it)` };
  // Its start is told by the watcher, unless it was away for so short a time that nobody saw it go.
  return { type: 'remote-failed', remote: name, failure, retry: 'backoff', random: Math.random() };
}

/** Whether the container ever had the branch: one that was destroyed is not made again unasked. */
async function wasThere(session: RepoSession, target: LoopTarget): Promise<boolean> {
  return ((await readRef(session.repo, trackingRef(target))) ?? (await integratedTip(session.repo, target))) !== undefined;
}

async function fetchTarget(session: RepoSession, target: LoopTarget, handle: ContainerHandle, signal: AbortSignal): Promise<Event> {
  const { repo, config } = session;
  const start = target.container?.start ?? false;
  const outcome = await fetchFromContainer(repo, handle.container, target, { start, signal });
  const remote = target.key;
  if (outcome.kind === 'away') {
    const before = await wasThere(session, target);
    // It is made by the first push, where that is allowed.
    if (outcome.state !== 'stopped' && start && !before) return { type: 'fetched', remote, tip: null };
    return awayEvent(target.remote, outcome, config.path, target.branch, before);
  }
  if (outcome.kind === 'fetched') {
    if (outcome.moved) repo.log.info('Fetched', { remote: target.remote, tip: outcome.tip.slice(0, 10) });
    return { type: 'fetched', remote, tip: outcome.tip };
  }
  // Made anew under the same name: what it held is in history here, and goes in again.
  if (outcome.seenBefore !== undefined) {
    await forgetTarget(repo, target);
    repo.log.info('The container is a new one; what the branch holds goes in', { container: target.remote });
  }
  return { type: 'fetched', remote, tip: null };
}

async function pushTarget(session: RepoSession, target: LoopTarget, handle: ContainerHandle, commit: string, signal: AbortSignal): Promise<Event> {
  const { repo, config } = session;
  const start = target.container?.start ?? false;
  const startedAt = performance.now();
  const before = await wasThere(session, target);
  const outcome = await pushToContainer(repo, handle.container, target, commit, { start, make: start && !before, signal });
  const remote = target.key;
  switch (outcome.kind) {
    case 'pushed':
      repo.log.info('Pushed', { remote: target.remote, commit: commit.slice(0, 10), ms: Math.round(performance.now() - startedAt) });
      return { type: 'pushed', remote, commit, fallback: false };
    case 'rejected':
      repo.log.debug('The container has newer state', { container: target.remote });
      return { type: 'push-rejected', remote };
    case 'import-failed':
      return { type: 'import-failed', remote, commit, sentence: outcome.sentence, hint: outcome.hint };
    case 'away':
      return awayEvent(target.remote, outcome, config.path, target.branch, before);
    default:
      return outcome satisfies never;
  }
}

/** Carries out a fetch (no commit) or a push. Never throws: trouble becomes an event. */
export async function talkToContainer(session: RepoSession, target: LoopTarget, commit: string | undefined, signal: AbortSignal): Promise<Event> {
  let event: Event;
  try {
    const handle = await handleOf(session, target.remote);
    event = commit === undefined ? await fetchTarget(session, target, handle, signal) : await pushTarget(session, target, handle, commit, signal);
    await noteTimes(session, target, event);
  } catch (error) {
    const { kind } = toGitsyncError(error);
    // A push or an export of somebody else's takes as long as it takes.
    event = { type: 'remote-failed', remote: target.key, failure: failureOf(error), retry: kind === 'locked' ? 'backoff' : retryOf(kind), random: Math.random() };
  }
  tellOnce(session, target.remote, event);
  await noteView(session, target.remote, event);
  const now = session.targets.get(target.key);
  const isSame = now !== undefined && now.branch === target.branch && now.side === target.side;
  return isSame ? event : { type: 'abandoned', remote: target.key };
}

/** So that a later command, or a round from cron, knows when this was. */
async function noteTimes(session: RepoSession, { remote }: LoopTarget, event: Event): Promise<void> {
  const nowMs = Date.now();
  const change = event.type === 'fetched' ? { pullMs: nowMs } : event.type === 'pushed' ? { pushMs: nowMs } : undefined;
  if (change === undefined) return;
  session.own = await changeOwnState(session.repo, (own) => ({ containers: { ...own.containers, [remote]: { ...own.containers[remote], ...change } } }));
}

/** Says once that something is wrong, and once that it is over. */
function tellOnce(session: RepoSession, name: string, event: Event): void {
  const handle = session.containers.get(name);
  if (handle === undefined || (event.type === 'remote-failed' && event.failure.kind === 'interrupted')) return;
  const { log } = session.repo;
  const sentence = event.type === 'remote-failed' ? event.failure.sentence : event.type === 'import-failed' ? event.sentence : undefined;
  const hint = event.type === 'remote-failed' ? event.failure.hint : event.type === 'import-failed' ? event.hint : undefined;
  if (sentence !== undefined) {
    log[handle.told === sentence ? 'debug' : 'warn'](event.type === 'import-failed' ? 'The container could not import the commit' : 'The container is not in step', { container: name, why: sentence, ...(hint === undefined ? {} : { hint }) });
    handle.told = sentence;
  } else if (handle.told !== undefined && (event.type === 'pushed' || event.type === 'fetched')) {
    log.info('The container can be talked to again', { container: name });
    handle.told = undefined;
  }
}
