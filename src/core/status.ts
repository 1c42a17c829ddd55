/** What a person is told about one repository: safe or not, why, and the command that helps. */
import type { ContainerFacts } from './container-status.ts';
import type { RemoteState } from './remote-state.ts';
import { shellQuote } from './shell-quote.ts';

export type SafetyLevel = 'safe' | 'attention' | 'unsafe';

/** One branch on one remote. */
export interface RemoteFacts {
  name: string;
  branch: string;
  state: RemoteState;
  /** The commit of the branch here, where it is not the checked-out one. */
  local?: string | null | undefined;
}

function isBehind(facts: StatusFacts, remote: RemoteFacts): boolean {
  return remote.state.tip !== ('local' in remote ? remote.local : facts.local);
}

/** Everything that the verdict depends on. Times are epoch milliseconds. */
export interface StatusFacts {
  path: string;
  branch: string | undefined;
  nowMs: number;
  /** Why the repository cannot be worked on at all. */
  unavailable: { kind?: string; sentence: string; hint: string | undefined } | undefined;
  /** Why the last capture failed. */
  captureError: { sentence: string; hint: string | undefined } | undefined;
  pausedUntilMs: number;
  /** What keeps the branch from moving: 'merge', 'staged', 'detached', ... */
  standsStill: string | undefined;
  /** Whether changes are known that no commit holds yet. */
  dirty: boolean;
  local: string | null | undefined;
  remotes: readonly RemoteFacts[];
  containers: readonly ContainerFacts[];
  /** Commits that no remote has. */
  unpublished: number;
  held: readonly { path: string; reason: string; detail: string }[];
  blocked: readonly { path: string; why: string }[];
  failed: readonly { path: string; why: string }[];
  nested: readonly string[];
  movedSubmodules: readonly string[];
  /** Conflict copies that lie in the work tree, each with the file that it belongs to. */
  conflicts: readonly { path: string; copy: string }[];
  watchProblem: { message: string; hint: string | undefined } | undefined;
  /** No agent watches this repository now. */
  agentRuns: boolean;
}

export interface StatusLine {
  path: string;
  level: SafetyLevel;
  /** One or two words: `safe`, `1 conflict`, `held 1`, `NOT SAFE`. */
  state: string;
  why: string;
  /** Commands that help, most useful first. */
  commands: string[];
}

/** Work that waits longer than this for a remote is no longer just on its way. */
const onItsWayMs = 60_000;

/** `1 file`, `2 files`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** `just now`, `2 min`, `3 h`, `5 d`. */
export function formatAge(ms: number): string {
  if (ms < 59_500) return ms < 5_000 ? 'just now' : `${Math.round(ms / 1000)} s`;
  if (ms < 3_570_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 171_000_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} d`;
}

/** `just now`, `2 min ago`. */
export function ago(sinceMs: number, nowMs: number): string {
  const age = formatAge(nowMs - sinceMs);
  return age === 'just now' ? age : `${age} ago`;
}

type Verdict = Omit<StatusLine, 'path'>;

function unsafeVerdict(facts: StatusFacts): Verdict | undefined {
  const unsafe = (why: string, ...commands: (string | undefined)[]): Verdict => ({ level: 'unsafe', state: 'NOT SAFE', why, commands: commands.filter((command) => command !== undefined) });
  // Whoever has it in hand syncs it; how well, it does not say.
  if (facts.unavailable?.kind === 'locked') return { level: 'attention', state: 'busy', why: facts.unavailable.sentence, commands: ['gitsync status'] };
  if (facts.unavailable !== undefined) return unsafe(facts.unavailable.sentence, facts.unavailable.hint);
  if (facts.captureError !== undefined) return unsafe(`changes are not being saved: ${facts.captureError.sentence}`, facts.captureError.hint);
  if (facts.failed.length > 0) return unsafe(`${facts.failed[0]?.path} cannot be saved: ${facts.failed[0]?.why}`);
  const broken = facts.remotes.find((remote) => remote.state.failure !== undefined && isBehind(facts, remote));
  if (broken !== undefined && broken.state.failure !== undefined) {
    const { failure } = broken.state;
    const age = formatAge(facts.nowMs - failure.sinceMs);
    const count = facts.unpublished > 0 ? `${plural(facts.unpublished, 'commit')} not published${age === 'just now' ? '' : ` for ${age}`}: ` : '';
    const kept = failure.kind === 'refused' && broken.state.fallbackTip === facts.local ? 'kept there on a branch of our own; ' : '';
    const verdict = unsafe(`${count}${kept}${failure.sentence}`, failure.hint);
    return kept === '' ? verdict : { ...verdict, level: 'attention', state: 'refused' };
  }
  return undefined;
}

type Attention = (state: string, why: string, ...commands: (string | undefined)[]) => Verdict;

function heldVerdict({ path, held }: StatusFacts, attention: Attention, inside: (path: string) => string): Verdict {
  const state = `held ${held.length}`;
  const deletions = held.filter(({ reason }) => reason === 'mass-deletion');
  const [first] = deletions.length > 0 ? deletions : held;
  const more = held.length > 1 ? ` (and ${held.length - 1} more)` : '';
  if (deletions.length > 0) {
    const here = shellQuote(path);
    // The last one was judged with the others in mind.
    return attention(state, `${deletions.at(-1)?.detail}: ${first?.path}${more}; here only, not published`, `gitsync restore ${here} --at now`, `gitsync allow ${here}`);
  }
  const saved = first?.reason.startsWith('secret') ? 'saved here, not pushed' : 'not saved';
  return attention(state, `${first?.path} ${first?.detail}${more}; ${saved}`, `gitsync allow ${inside(first?.path ?? '')}`, `gitsync ignore ${inside(first?.path ?? '')}`);
}

function attentionVerdict(facts: StatusFacts): Verdict | undefined {
  const attention: Attention = (state, why, ...commands) => ({ level: 'attention', state, why, commands: commands.filter((command) => command !== undefined) });
  const here = shellQuote(facts.path);
  const inside = (path: string | undefined): string => shellQuote(`${facts.path}/${path ?? ''}`);
  if (facts.pausedUntilMs > facts.nowMs) {
    const until = Number.isFinite(facts.pausedUntilMs) ? `for another ${formatAge(facts.pausedUntilMs - facts.nowMs)}` : 'until resumed';
    return attention('paused', `nothing is saved or published, ${until}`, `gitsync resume ${here}`);
  }
  if (facts.conflicts.length > 0) {
    const [first] = facts.conflicts;
    return attention(plural(facts.conflicts.length, 'conflict'), first?.copy ?? '', `gitsync resolve ${inside(first?.path)} --keep current|copy|both`);
  }
  if (facts.blocked.length > 0) {
    const [first] = facts.blocked;
    return attention(`waiting ${facts.blocked.length}`, `${first?.path}: ${first?.why}`, `gitsync resolve ${inside(first?.path)} --keep current|copy|both`);
  }
  if (facts.held.length > 0) return heldVerdict(facts, attention, inside);
  if (facts.standsStill !== undefined) return standsStillVerdict(facts.standsStill, attention);
  const behind = facts.remotes.find(({ state }) => state.failure !== undefined);
  if (behind?.state.failure !== undefined) return attention('offline', `${behind.state.failure.sentence} since ${ago(behind.state.failure.sinceMs, facts.nowMs)}`, behind.state.failure.hint);
  if (facts.movedSubmodules.length > 0) return attention('submodule', `${facts.movedSubmodules[0]} stands at another commit: that is yours to commit`, `git -C ${here} add ${shellQuote(facts.movedSubmodules[0] ?? '')} && git -C ${here} commit`);
  if (facts.nested.length > 0) return attention('nested', `${facts.nested[0]} is a repository of its own and is not synced with this one`, `gitsync add ${inside(facts.nested[0])}`, `gitsync ignore ${inside(facts.nested[0])}`);
  if (facts.watchProblem !== undefined) return attention('slow', facts.watchProblem.message, facts.watchProblem.hint);
  if (facts.remotes.length === 0) return attention('local only', 'saved on this machine only: there is no remote', `gitsync init ${here} --remote URL`);
  return undefined;
}

const standStillTexts: Record<string, readonly [string, string]> = {
  staged: ['you have staged changes', 'git commit, or git restore --staged .'],
  detached: ['HEAD is detached', 'git switch BRANCH'],
  'other-branch': ['another branch than the configured one is checked out', 'git switch BRANCH'],
};

function standsStillVerdict(reason: string, attention: Attention): Verdict {
  const [what, command] = standStillTexts[reason] ?? [`a ${reason} is open`, `git ${reason === 'am' ? 'am' : reason} --continue, or --abort`];
  return attention('standing by', `${what}; your work is kept in snapshots and goes on when you are done`, command);
}

function safeVerdict(facts: StatusFacts): Verdict {
  const onItsWay = facts.dirty || facts.local === undefined || facts.remotes.some((remote) => isBehind(facts, remote));
  const since = Math.min(...facts.remotes.map(({ state }) => state.lastSyncMs ?? Infinity));
  if (onItsWay) {
    const late = Number.isFinite(since) && facts.nowMs - since > onItsWayMs && facts.unpublished > 0;
    const why = facts.unpublished > 0 ? `${plural(facts.unpublished, 'commit')} on the way` : 'changes on the way';
    return late ? { level: 'unsafe', state: 'NOT SAFE', why: `${plural(facts.unpublished, 'commit')} not published for ${formatAge(facts.nowMs - since)}`, commands: ['gitsync sync'] } : { level: 'attention', state: 'syncing', why, commands: [] };
  }
  if (facts.local === null) return { level: 'safe', state: 'safe', why: 'nothing in it yet', commands: [] };
  const where = facts.remotes.map(({ name, branch }) => `${name}/${branch}`).join(', ');
  return { level: 'safe', state: 'safe', why: `everything on ${where}${Number.isFinite(since) ? `, ${ago(since, facts.nowMs)}` : ''}`, commands: [] };
}

/** The verdict for one repository. Never `safe` while something is unpublished. */
export function judgeStatus(facts: StatusFacts): StatusLine {
  const verdict = unsafeVerdict(facts) ?? attentionVerdict(facts) ?? safeVerdict(facts);
  if (!facts.agentRuns && verdict.level === 'safe') {
    return { path: facts.path, level: 'attention', state: 'no agent', why: `${verdict.why}, but no agent is running: new changes stay here`, commands: ['gitsync --daemon'] };
  }
  return { path: facts.path, ...verdict };
}
