/** What a person is told about one container: whether it runs, what is newer on which side, and the command that helps. */
import type { RemoteState } from './remote-state.ts';
import { shellQuote } from './shell-quote.ts';
import { ago, formatAge, plural, type SafetyLevel } from './status.ts';

/** Everything that the line depends on. */
export interface ContainerFacts {
  name: string;
  branch: string;
  driver: string | undefined;
  /** Undefined: not looked at. */
  machine: 'absent' | 'partial' | 'stopped' | 'running' | undefined;
  address: string | undefined;
  state: RemoteState;
  /** The commit of its branch here. */
  local: string | null | undefined;
  /** Commits that it does not have yet. */
  ahead: number;
  /** Commits of it that are not here yet. */
  behind: number;
  lastPushMs: number | undefined;
  lastPullMs: number | undefined;
}

export interface ContainerLine {
  name: string;
  level: SafetyLevel;
  /** `running 10.0.3.7`, `stopped`. */
  machine: string;
  /** `in step`, `NOT SAFE`, `2 to push`. */
  state: string;
  why: string;
  commands: string[];
}

type Verdict = Pick<ContainerLine, 'level' | 'state' | 'why' | 'commands'>;

/** Trouble that does not put what is inside at risk. */
const passing: readonly string[] = ['locked', 'offline', 'timeout', 'interrupted'];

function failureVerdict({ name, state, ahead, local }: ContainerFacts, repo: string, nowMs: number): Verdict | undefined {
  const { failure } = state;
  if (failure === undefined) return undefined;
  const age = formatAge(nowMs - failure.sinceMs);
  const since = age === 'just now' ? '' : ` (for ${age})`;
  const hint = failure.hint === undefined ? [] : [failure.hint];
  if (failure.kind === 'container-stopped' || failure.kind === 'container-absent') {
    const waits = state.tip !== undefined && state.tip !== local;
    const what = ahead > 0 ? `${plural(ahead, 'commit')} to push` : waits ? 'what is here waits for it' : 'it had everything';
    return { level: waits || failure.kind === 'container-absent' ? 'attention' : 'safe', state: failure.kind === 'container-stopped' ? 'stopped' : 'not there', why: `${failure.sentence.replace(/\.$/, '')}; ${what}`, commands: hint };
  }
  if (failure.kind === 'import') return { level: 'unsafe', state: 'NOT SAFE', why: `it could not import ${state.failedCommit?.slice(0, 10) ?? 'the commit'}${since}: ${failure.sentence}`, commands: [...hint, `gitsync container push ${name}`] };
  if (passing.includes(failure.kind)) return { level: 'attention', state: failure.kind === 'locked' ? 'busy' : 'away', why: `${failure.sentence}${since}`, commands: hint };
  return { level: 'unsafe', state: 'NOT SAFE', why: `what changes inside is not saved${since}: ${failure.sentence}`, commands: [...hint, `gitsync sync ${shellQuote(repo)}`] };
}

function waitVerdict({ name, state, ahead, behind, local }: ContainerFacts): Verdict | undefined {
  if (behind > 0 || state.toIntegrate !== undefined) return { level: 'attention', state: 'newer inside', why: behind > 0 ? `${plural(behind, 'commit')} to bring in` : 'newer state to bring in', commands: [] };
  if (state.tip === undefined) return { level: 'attention', state: 'not asked yet', why: 'nothing is known of it yet', commands: [`gitsync container pull ${name}`] };
  if (state.tip === local) return undefined;
  const count = ahead > 0 ? `${plural(ahead, 'commit')} to push` : 'to be pushed';
  const { push } = state.triggers;
  // A person chose that these wait.
  if (push.kind === 'manual' && !state.urgent) return { level: 'safe', state: 'waits', why: `${count}, when you say so`, commands: [`gitsync container push ${name}`] };
  if (push.kind === 'scheduled' && state.pushAtMs === Infinity) return { level: 'safe', state: 'waits', why: `${count}, at its next time`, commands: [`gitsync container push ${name}`] };
  return { level: 'attention', state: 'syncing', why: `${count}${state.busy ? ', under way' : ''}`, commands: [] };
}

/** The line of one container of a repository. */
export function judgeContainer(facts: ContainerFacts, repo: string, nowMs: number): ContainerLine {
  const times = [
    ...(facts.lastPushMs === undefined ? [] : [`pushed ${ago(facts.lastPushMs, nowMs)}`]),
    ...(facts.lastPullMs === undefined ? [] : [`pulled ${ago(facts.lastPullMs, nowMs)}`]),
  ].join(', ');
  const verdict = failureVerdict(facts, repo, nowMs) ?? waitVerdict(facts) ?? { level: 'safe' as const, state: 'in step', why: `has everything of ${facts.branch}`, commands: [] };
  const machine = facts.machine === undefined ? (facts.driver ?? '') : facts.machine === 'partial' ? 'half made' : facts.machine === 'absent' ? 'not there' : `${facts.machine}${facts.address === undefined ? '' : ` ${facts.address}`}`;
  return { name: facts.name, machine, ...verdict, why: times === '' ? verdict.why : `${verdict.why}; ${times}` };
}
