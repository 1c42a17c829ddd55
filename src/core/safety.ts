/**
 * What waits for a person before it is committed: too large, too much at once,
 * looks like a secret, or a deletion of so much that it may be an accident.
 * Only what is held waits; everything else goes ahead.
 */
import { formatByteSize } from './byte-size.ts';
import type { RawPath } from './raw-path.ts';
import { secretName } from './secrets.ts';

/** A path whose content differs from the last commit. */
export interface Candidate {
  path: RawPath;
  kind: 'add' | 'modify' | 'delete';
  /** Of the new content; 0 for a deletion. */
  sizeBytes: number;
  /** Object id of the content that was committed last; of a deletion, it lets a move be recognised. */
  oldOid?: string;
  /** Object id of the new content, where it is known already. */
  newOid?: string;
}

export interface SafetyLimits {
  /** A new file larger than this is held. */
  maxFileSizeBytes: number;
  /** New and changed content beyond this sum is held, the largest files first. */
  maxBatchBytes: number;
}

export type HoldReason = 'too-large' | 'batch' | 'secret-name' | 'secret-content' | 'mass-deletion';

/** A path that waits, and why. */
export interface Held {
  path: RawPath;
  reason: HoldReason;
  /** One clause for people: "bigger than 50 MB (120 MB)". */
  detail: string;
}

export interface SafetyContext {
  limits: SafetyLimits;
  /** How many files the repository tracks now. */
  trackedCount: number;
  /** How many files went in the commits just before (`core/sweep.ts`): they count with those that go now. */
  goneBefore?: number;
  /** How many other deletions wait already: they count, too. */
  deletionsWaiting?: number;
  /** The work tree's root is another directory than before (device or inode): a drive is not mounted, say. */
  rootChanged: boolean;
  /** Some directory could not be read, so that what looks deleted may only be unreadable. */
  readFailed: boolean;
  /** Paths that a person let through: nothing holds them. */
  allowed: ReadonlySet<RawPath>;
  checkSecrets: boolean;
  /** Paths that an earlier batch left behind: they wait on, else the next round would just take the next slice. */
  heldForBatch?: ReadonlySet<RawPath>;
}

/** A deletion of more files than this, and of more than a quarter of all, is held. */
const massDeletionAbove = 20;

const byPath = (a: Candidate, b: Candidate): number => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0);

/** Pairs each deletion with an added file of the same content, one to one: a moved file loses nothing and brings nothing new. */
function findMoves(candidates: readonly Candidate[]): Set<Candidate> {
  const added = new Map<string, Candidate[]>();
  for (const candidate of candidates.filter(({ kind }) => kind === 'add').sort(byPath)) {
    if (candidate.newOid === undefined) continue;
    added.set(candidate.newOid, [...(added.get(candidate.newOid) ?? []), candidate]);
  }
  const moves = new Set<Candidate>();
  for (const candidate of candidates.filter(({ kind }) => kind === 'delete').sort(byPath)) {
    const target = candidate.oldOid === undefined ? undefined : added.get(candidate.oldOid)?.shift();
    if (target !== undefined) moves.add(candidate).add(target);
  }
  return moves;
}

/** Why deletions wait, or undefined; `count` are those now that no added file makes up for. */
function judgeDeletions(count: number, context: SafetyContext): string | undefined {
  if (context.rootChanged) return 'the folder is not the one it was: is a drive not mounted?';
  if (context.readFailed) return 'a part of the folder could not be read';
  const { trackedCount, goneBefore = 0, deletionsWaiting = 0 } = context;
  const [gone, of] = [count + goneBefore + deletionsWaiting, trackedCount + goneBefore];
  if (count === 0 || gone <= massDeletionAbove || gone * 4 <= of) return undefined;
  const when = goneBefore > 0 ? `, ${goneBefore} of them in commits just before (gitsync log)` : deletionsWaiting > 0 ? '' : ' at once';
  return `${gone} of ${of} files disappeared${when}`;
}

function judgeAlone({ path, kind, sizeBytes }: Candidate, { limits, checkSecrets }: SafetyContext): Held | undefined {
  if (kind !== 'add') return undefined;
  if (sizeBytes > limits.maxFileSizeBytes) {
    return { path, reason: 'too-large', detail: `bigger than ${formatByteSize(limits.maxFileSizeBytes)} (${formatByteSize(sizeBytes)})` };
  }
  const why = checkSecrets ? secretName(path) : undefined;
  return why === undefined ? undefined : { path, reason: 'secret-name', detail: why };
}

/** Holds what does not fit into the batch: the smallest files go ahead, so that the most paths do. */
function judgeBatch(candidates: readonly Candidate[], { limits, heldForBatch }: SafetyContext): Held[] {
  const isLeftBehind = ({ path }: Candidate): boolean => heldForBatch?.has(path) ?? false;
  const total = candidates.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const detail = `more than ${formatByteSize(limits.maxBatchBytes)} changed at once (${formatByteSize(total)})`;
  const hold = ({ path }: Candidate): Held => ({ path, reason: 'batch', detail });
  const fresh = candidates.filter((candidate) => !isLeftBehind(candidate)).sort((a, b) => a.sizeBytes - b.sizeBytes || byPath(a, b));
  let sum = 0;
  const firstBeyond = fresh.findIndex(({ sizeBytes }) => (sum += sizeBytes) > limits.maxBatchBytes);
  const beyond = firstBeyond < 0 ? [] : fresh.slice(firstBeyond);
  return [...candidates.filter(isLeftBehind), ...beyond].map(hold);
}

/**
 * Decides which candidates go ahead and which are held; both keep the given
 * order. A moved file (deleted here, added there with the same content) is
 * never held for its size or its name and counts as no deletion, but waits
 * with the others when the folder itself is in doubt.
 */
export function judge(candidates: readonly Candidate[], context: SafetyContext): { go: Candidate[]; held: Held[] } {
  const moves = findMoves(candidates);
  const questioned = candidates.filter(({ path }) => !context.allowed.has(path));
  const held = new Map<RawPath, Held>();

  const deletions = questioned.filter(({ kind }) => kind === 'delete');
  const losses = deletions.filter((candidate) => !moves.has(candidate));
  const whyNotDelete = judgeDeletions(losses.length, context);
  if (whyNotDelete !== undefined) {
    const inDoubt = context.rootChanged || context.readFailed ? deletions : losses;
    for (const { path } of inDoubt) held.set(path, { path, reason: 'mass-deletion', detail: whyNotDelete });
  }

  const arrivals = questioned.filter((candidate) => candidate.kind !== 'delete' && !moves.has(candidate));
  for (const arrival of arrivals) {
    const hold = judgeAlone(arrival, context);
    if (hold !== undefined) held.set(arrival.path, hold);
  }
  for (const hold of judgeBatch(arrivals.filter(({ path }) => !held.has(path)), context)) held.set(hold.path, hold);

  return {
    go: candidates.filter(({ path }) => !held.has(path)),
    held: candidates.flatMap(({ path }) => held.get(path) ?? []),
  };
}
