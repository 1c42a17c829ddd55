/** Carries out the state machine's actions on one repository; each ends with the event that it led to. */
import { retryOf, toGitsyncError } from '../errors.ts';
import { rawToDisplay } from '../core/raw-path.ts';
import type { Action, Event } from '../core/repo-state.ts';
import { hasOpenUpdate, recoverApply } from '../git/apply.ts';
import { isOtherEnd } from '../gidit/fork-mark.ts';
import { fetchBranch, integratedTip, noteIntegrated, type FetchOutcome } from '../git/fetch.ts';
import { integrate, type Integration } from '../git/integrate.ts';
import { publishBranch, publishFallback } from '../git/publish.ts';
import { readRef } from '../git/ref-file.ts';
import { isAncestor, ownRefs, setOwnRef } from '../git/refs.ts';
import type { HeadState } from '../git/repository.ts';
import { keepRewritten } from '../git/snapshot.ts';
import { logReport, rememberReport } from './capture-report.ts';
import { performTidy } from './tidy.ts';
import { hasLeftovers, updateWorkTree } from './update-work-tree.ts';
import { rootInode } from './own-state.ts';
import { talkToContainer } from './container-actions.ts';
import { forgetMovedRemotes, readChangedUrls } from './remote-urls.ts';
import { failureOf, refreshTargets, type RepoSession } from './repo-session.ts';
import { isCheckedOutElsewhere, moveSideBranch } from './side-branch.ts';
import { findTargets, readSides, setupOf, type LoopTarget } from './targets.ts';

/** A race with the person's own git is tried again this soon. */
const raceRetryMs = 250;

/**
 * Carries out one action. Never throws: trouble becomes an event.
 * @param rested resolves whether everything lay at rest when a capture's time came that was begun ahead of it.
 */
export async function performAction(session: RepoSession, action: Action, signal: AbortSignal, rested?: Promise<boolean>): Promise<Event[]> {
  try {
    // What goes on in the work tree waits for the indexes; what goes on with a remote does not.
    if (action.type !== 'fetch' && action.type !== 'publish') await session.index.ready();
    switch (action.type) {
      case 'capture':
        return await performCapture(session, action, rested);
      case 'fetch': {
        const target = targetOf(session, action.remote);
        return [await (target.container === undefined ? performFetch(session, target, signal) : talkToContainer(session, target, undefined, signal))];
      }
      case 'integrate':
        return [await performIntegrate(session, targetOf(session, action.remote), action.tip)];
      case 'tidy':
        return [await performTidy(session)];
      case 'publish': {
        const target = targetOf(session, action.remote);
        return [await (target.container === undefined ? performPublish(session, target, action, signal) : talkToContainer(session, target, action.commit, signal))];
      }
      default:
        return action satisfies never;
    }
  } catch (error) {
    const known = toGitsyncError(error);
    if (known.kind === 'bug') session.repo.log.error('Unexpected failure', { action: action.type, error: (error as Error).stack ?? String(error) });
    if (action.type === 'capture') {
      session.lastError = failureOf(error);
      return [{ type: 'capture-failed', retryMs: known.kind === 'locked' ? raceRetryMs : undefined, random: Math.random() }];
    }
    if (action.type === 'tidy') {
      session.repo.log.warn('The upkeep failed; it is tried again later', { error: known.message });
      return [{ type: 'tidied', local: undefined, again: false }];
    }
    return [{ type: 'remote-failed', remote: action.remote, failure: failureOf(error), retry: retryOf(known.kind), random: Math.random() }];
  }
}

function targetOf(session: RepoSession, key: string): LoopTarget {
  return session.targets.get(key) ?? { remote: key, branch: session.branch ?? 'main', key, side: undefined, container: undefined };
}

async function performCapture(session: RepoSession, action: Action & { type: 'capture' }, rested: Promise<boolean> | undefined): Promise<Event[]> {
  const { repo, config } = session;
  // A work tree between two commits must not be taken for the person's doing.
  if (await hasOpenUpdate(repo)) await recoverApply(repo, session.index, config.conflict, { host: session.host, sign: config.sign });
  const inode = rootInode(repo);
  // While files are looked at, since what a person sees afterwards waits for it. What goes wrong is told when it is read again.
  const targetsAhead = session.branch === undefined ? undefined : findTargets(repo, config, session.branch).catch(() => undefined);
  const report = await session.capturer.capture({
    scan: action.scan,
    overdue: action.overdue,
    allowed: new Set(session.own.allowed),
    keep: new Set(session.own.blocked.map(({ path }) => path)),
    heldBefore: session.lastReport?.held ?? [],
    rootChanged: session.own.rootInode !== undefined && session.own.rootInode !== inode,
    limits: { maxFileSizeBytes: config.maxFileSizeBytes, maxBatchBytes: config.maxBatchBytes },
    checkSecrets: config.secrets,
    host: session.host,
    branch: config.branch,
    template: config.message,
    sign: config.sign,
    now: new Date(),
    rested,
  });
  session.lastError = undefined;
  if (report.outcome.kind === 'disturbed') return [{ type: 'disturbed' }];
  await rememberReport(session, report, action.scan, inode);
  logReport(session, report);
  const { outcome, head } = report;
  await noteHead(session, head, outcome.kind === 'committed' ? outcome.commit : head.commit);
  if (outcome.kind === 'snapshot' && (outcome.why === 'index-lock' || outcome.why === 'moved')) {
    return [{ type: 'capture-failed', retryMs: raceRetryMs, random: Math.random() }];
  }
  const events: Event[] = [];
  const branch = head.ref?.replace(/^refs\/heads\//, '');
  const isOther = await refreshTargets(session, branch, branch === session.branch ? await targetsAhead : undefined);
  const targets = [...session.targets.values()];
  if (isOther) events.push({ type: 'targets', remotes: await Promise.all(targets.map((target) => setupOf(repo, config, target, session.own, session.mode))) });
  if (targets.some(({ side }) => side !== undefined)) events.push({ type: 'sides', tips: await readSides(repo, targets) });
  const local = outcome.kind === 'committed' ? outcome.commit : (head.commit ?? null);
  events.push({ type: 'captured', local, standsStill: outcome.kind === 'snapshot', waiting: report.waiting, complete: report.complete, leftovers: hasLeftovers(session), failed: report.failed.length > 0 });
  return events;
}

/** A branch that a person has rewritten by hand no longer leads to what it held. */
async function noteHead(session: RepoSession, head: HeadState, commit: string | undefined): Promise<void> {
  const { repo, lastHead } = session;
  if (head.ref === undefined || head.commit === undefined || commit === undefined) return;
  session.lastHead = { ref: head.ref, commit };
  if (lastHead?.ref !== head.ref || lastHead.commit === head.commit) return;
  try {
    if (!(await isAncestor(repo, lastHead.commit, head.commit))) await keepRewritten(repo, head, lastHead.commit);
  } catch (error) {
    repo.log.debug('A former state of the branch could not be kept', { commit: lastHead.commit.slice(0, 10), error: String(error) });
  }
}

/** Fetches; once more where the remote's name stands for another place by now, since what was known of the old one counted. */
async function fetchFromItsPlace(session: RepoSession, target: LoopTarget, signal: AbortSignal): Promise<FetchOutcome> {
  const fetch = (): Promise<FetchOutcome> => fetchBranch(session.repo, target, { signal, url: session.own.remoteUrls[target.remote] });
  const fetching = fetch();
  const looking = readChangedUrls(session);
  await Promise.allSettled([fetching, looking]);
  const urls = await looking;
  const forgotten = urls === undefined ? [] : await forgetMovedRemotes(session, urls);
  return forgotten.includes(target.remote) ? fetch() : fetching;
}

async function performFetch(session: RepoSession, target: LoopTarget, signal: AbortSignal): Promise<Event> {
  const { key: remote } = target;
  const outcome = await fetchFromItsPlace(session, target, signal);
  if (outcome.kind === 'fetched') {
    if (outcome.moved) session.repo.log.info('Fetched', { remote: target.remote, tip: outcome.tip.slice(0, 10) });
    return { type: 'fetched', remote, tip: outcome.tip };
  }
  // Deleting a remote's only branch leaves it empty: that too is never undone in silence.
  if (outcome.seenBefore !== undefined) {
    const failure = {
      kind: 'branch-missing' as const,
      sentence: `The branch ${target.branch} is gone from ${target.remote}.`,
      hint: `git push ${target.remote} ${target.side ?? session.branch ?? target.branch}:${target.branch}   (to make it again)`,
    };
    return { type: 'remote-failed', remote, failure, retry: 'on-change', random: Math.random() };
  }
  return { type: 'fetched', remote, tip: null };
}

async function performIntegrate(session: RepoSession, target: LoopTarget, tip: string): Promise<Event> {
  const { repo, config } = session;
  const ref = `refs/heads/${target.side ?? session.branch ?? ''}`;
  if (target.side !== undefined && (await isCheckedOutElsewhere(repo, ref))) return stopped(target.key, 'stopped', `${target.side} is checked out in another work tree, whose files would not follow.`, 'git worktree list');
  const local = await readRef(repo, ref);
  const before = await integratedTip(repo, target);
  const isInTip = before === undefined || local === undefined || (await isAncestor(repo, before, tip));
  // A project of peers that two devices published apart from each other shows its other end: nobody rewrote anything.
  const isRewritten = !isInTip && !(await isOtherEnd(repo.commonDir, tip));
  const isAhead = local === undefined || (local === before && isInTip && tip !== local);
  const result: Integration = isAhead ? { kind: 'fast-forward', commit: tip } : await integrate(repo, { local, remote: tip, rules: config.conflict, ...(isRewritten ? { rewrittenFrom: before } : {}) });
  switch (result.kind) {
    case 'up-to-date':
      await noteIntegrated(repo, target, tip);
      return { type: 'integrated', remote: target.key, local: local as string };
    case 'unrelated':
      return stopped(target.key, 'unrelated', `${target.remote} and this folder have no common history (it begins with ${result.remoteRoots[0]?.slice(0, 10) ?? '?'}, ours with ${result.localRoots[0]?.slice(0, 10) ?? '?'}).`, `gitsync adopt ${config.path}`);
    case 'stopped':
      return performStopped(session, target, result, local as string);
    case 'fast-forward':
    case 'merged':
    case 'rewritten':
      return bringIn(session, target, tip, ref, local, result);
    default:
      return result satisfies never;
  }
}

function stopped(remote: string, kind: 'unrelated' | 'stopped', sentence: string, hint: string): Event {
  return { type: 'remote-failed', remote, failure: { kind, sentence, hint }, retry: 'on-change', random: Math.random() };
}

/** A conflict that the policy leaves to the person: with `branch`, our side leaves the machine all the same. */
async function performStopped(session: RepoSession, target: LoopTarget, result: Integration & { kind: 'stopped' }, local: string): Promise<Event> {
  const paths = result.paths.map(rawToDisplay).join(', ');
  const byHand = `git merge ${target.remote}/${target.branch}`;
  if (result.policy === 'pause') return stopped(target.key, 'stopped', `Both sides changed ${paths}; the policy says to wait.`, byHand);
  // A container would have no use for a branch of ours.
  if (target.container !== undefined) return stopped(target.key, 'stopped', `Both sides changed ${paths}; the policy says to merge nothing.`, byHand);
  const pushed = await publishFallback(session.repo, target.remote, session.host, target.branch, local);
  return stopped(target.key, 'stopped', `Both sides changed ${paths}; ours is on ${target.remote} as ${pushed.branch}.`, byHand);
}

async function bringIn(session: RepoSession, target: LoopTarget, tip: string, ref: string, local: string | undefined, result: Integration & { kind: 'fast-forward' | 'merged' | 'rewritten' }): Promise<Event> {
  const { repo } = session;
  if (result.kind === 'rewritten' && local !== undefined) {
    await setOwnRef(repo, `${ownRefs}/rescue/${target.side ?? session.branch ?? 'HEAD'}/${local.slice(0, 12)}`, local, `before ${target.remote} was rewritten`);
    repo.log.warn('The remote was rewritten; our former state is kept', { remote: target.remote, rescue: local.slice(0, 12), reapplied: result.reapplied });
  }
  const outcome = target.side === undefined ? await updateWorkTree(session, { ref, from: local, to: result.commit }) : await moveSideBranch(repo, ref, local, result.commit);
  if (outcome.kind !== 'applied') return { type: 'not-integrated', remote: target.key, why: outcome.kind };
  await noteIntegrated(repo, target, tip);
  const conflicts = [...(result.kind === 'fast-forward' ? [] : result.conflicts), ...outcome.conflicts];
  repo.log.info(result.kind === 'fast-forward' ? 'Brought in changes' : 'Merged', { remote: target.remote, commit: outcome.commit.slice(0, 10), paths: outcome.changed, conflicts: conflicts.length });
  return { type: 'integrated', remote: target.key, local: outcome.commit };
}

async function performPublish(session: RepoSession, target: LoopTarget, action: Action & { type: 'publish' }, signal: AbortSignal): Promise<Event> {
  const { remote: key, commit } = action;
  const { remote } = target;
  const startedAt = performance.now();
  if (action.fallback) {
    const outcome = await publishFallback(session.repo, remote, session.host, target.branch, commit);
    if (outcome.kind === 'refused') throw outcome.error;
    session.repo.log.warn('Published on a branch of our own, since the remote refuses the other', { remote, branch: outcome.branch });
    return { type: 'pushed', remote: key, commit, fallback: true };
  }
  const outcome = await publishBranch(session.repo, target, commit, { signal, ...(session.branch === undefined || target.side !== undefined ? {} : { setUpstreamFor: session.branch }) });
  switch (outcome.kind) {
    case 'pushed':
      session.repo.log.info('Pushed', { remote, commit: commit.slice(0, 10), ms: Math.round(performance.now() - startedAt) });
      return { type: 'pushed', remote: key, commit, fallback: false };
    case 'up-to-date':
      return { type: 'pushed', remote: key, commit, fallback: false };
    case 'rejected':
      return { type: 'push-rejected', remote: key };
    case 'refused':
      session.repo.log.warn('The remote refuses the branch', { remote, branch: target.branch, reason: outcome.reason });
      return { type: 'push-refused', remote: key, sentence: `${remote} refuses ${target.branch}: ${outcome.reason}` };
    default:
      return outcome satisfies never;
  }
}
