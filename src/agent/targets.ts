/** Where the branches of a repository go: ordinary remotes, and containers with triggers of their own. */
import type { ContainerConfig, RepoConfig } from '../config/config.ts';
import { ordinaryTriggers, type RemoteTriggers } from '../core/remote-triggers.ts';
import type { RemoteSetup } from '../core/remote-state.ts';
import { trackingRef } from '../git/fetch.ts';
import type { Repo } from '../git/git.ts';
import { readRef } from '../git/ref-file.ts';
import { publishTargets, type PublishTarget } from '../git/remotes.ts';
import { steadyNow } from '../process/steady-clock.ts';
import type { OwnState } from './own-state.ts';

/** One branch on one remote, as the loop knows it. */
export interface LoopTarget extends PublishTarget {
  /** The loop's name for it: the remote's, and for a branch beside the checked-out one that too. */
  key: string;
  /** The branch here, where it is not the checked-out one. */
  side: string | undefined;
  container: ContainerConfig | undefined;
}

/** How long a container's export points rest before it is asked, where its push has no quiet time. */
const defaultHintQuietMs = 5_000;
/** No round from cron lasts as long. */
const onceMs = 7 * 24 * 3_600_000;

/** The targets of the checked-out branch, then those of other branches that containers run. */
export async function findTargets(repo: Repo, config: RepoConfig, branch: string | undefined): Promise<LoopTarget[]> {
  const containers = config.containers.flatMap((container): LoopTarget[] => {
    const followed = container.branch ?? branch;
    return followed === undefined ? [] : [{ remote: container.name, branch: followed, key: container.name, side: followed === branch ? undefined : followed, container }];
  });
  const ordinary = branch === undefined ? [] : await publishTargets(repo, branch, config.remotes);
  const sides = [...new Set(containers.flatMap(({ side }) => side ?? []))];
  // What a container on another branch changes goes on to the ordinary remotes as well.
  const besides = await Promise.all(sides.map(async (side) => (await publishTargets(repo, side, config.remotes)).map((target): LoopTarget => ({ ...target, key: `${target.remote} ${side}`, side, container: undefined }))));
  return [...ordinary.map((target): LoopTarget => ({ ...target, key: target.remote, side: undefined, container: undefined })), ...besides.flat(), ...containers];
}

/** Which of the containers' cron expressions open what. */
export function cronTriggers(config: RepoConfig): { remote: string; what: 'push' | 'pull'; expression: string }[] {
  return config.containers.flatMap(({ name, push, pull }) => [
    ...(push.kind === 'cron' ? [{ remote: name, what: 'push' as const, expression: push.expression }] : []),
    ...(pull.kind === 'cron' ? [{ remote: name, what: 'pull' as const, expression: pull.expression }] : []),
  ]);
}

function containerTriggers({ push, pull, exportPoints }: ContainerConfig, mode: 'daemon' | 'once'): RemoteTriggers {
  const hintQuietMs = exportPoints.length === 0 ? undefined : push.kind === 'debounce' ? push.quietMs : defaultHintQuietMs;
  // One round from cron waits for nothing: what a person did not keep to themselves is due.
  const pushTrigger = push.kind === 'debounce' ? (mode === 'once' ? { kind: 'at-once' as const } : push) : push.kind === 'cron' ? { kind: mode === 'once' ? ('at-once' as const) : ('scheduled' as const) } : push;
  const pullTrigger = pull.kind === 'cron' ? (mode === 'once' ? { kind: 'every' as const, everyMs: onceMs } : { kind: 'scheduled' as const }) : pull;
  return { push: pushTrigger, pull: pullTrigger, hintQuietMs, apart: true };
}

/** What the state machine is told of a target. */
export async function setupOf(repo: Repo, config: RepoConfig, target: LoopTarget, own: OwnState, mode: 'daemon' | 'once'): Promise<RemoteSetup> {
  const { key, side, container } = target;
  const triggers = container === undefined ? ordinaryTriggers({ pollMs: config.pollMs, scheduled: config.schedule !== undefined && mode === 'daemon' }) : containerTriggers(container, mode);
  const base: RemoteSetup = { name: key, triggers, ...(side === undefined ? {} : { side }) };
  if (container === undefined) return base;
  const isAsked = triggers.pull.kind === 'every' || triggers.pull.kind === 'poll';
  const pulledMs = mode === 'once' && container.pull.kind === 'every' ? own.containers[container.name]?.pullMs : undefined;
  const lastPullMs = pulledMs === undefined ? undefined : steadyNow() - Math.max(0, Date.now() - pulledMs);
  // One that is not asked at the start is where it was left; a push finds out if it is not.
  return isAsked && lastPullMs === undefined ? base : { ...base, knownTip: (await readRef(repo, trackingRef(target))) ?? null, ...(lastPullMs === undefined ? {} : { lastPullMs }) };
}

/** Where the branches beside the checked-out one are. */
export async function readSides(repo: Repo, targets: Iterable<LoopTarget>): Promise<Map<string, string | null>> {
  const sides = new Set([...targets].flatMap(({ side }) => side ?? []));
  return new Map(await Promise.all([...sides].map(async (side) => [side, (await readRef(repo, `refs/heads/${side}`)) ?? null] as const)));
}
