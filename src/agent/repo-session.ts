/** One opened repository: what the loop's actions work with. Opening it repairs what a crash left behind. */
import { readdir, rm } from 'node:fs/promises';
import { homedir, hostname } from 'node:os';
import type { RepoConfig } from '../config/config.ts';
import { GitsyncError, toGitsyncError } from '../errors.ts';
import type { Log } from '../log.ts';
import { recoverApply } from '../git/apply.ts';
import type { Conflict } from '../git/integrate.ts';
import { createCapturer, type Capturer, type CaptureReport } from '../git/capture.ts';
import { git, gitText, type Repo } from '../git/git.ts';
import { openPrivateIndex, type PrivateIndex } from '../git/private-index.ts';
import { repairIndex } from '../git/repair.ts';
import { openRepo } from '../git/repository.ts';
import { clearStaleLocks } from '../git/stale-locks.ts';
import type { WatchProblem } from '../watch/watcher.ts';
import { readOwnState, type OwnState } from './own-state.ts';
import { takeLock, type HeldLock } from '../process/process-lock.ts';
import type { ContainerHandle } from './container-actions.ts';
import { findTargets, type LoopTarget } from './targets.ts';

export interface RepoSession {
  repo: Repo;
  config: RepoConfig;
  /** This machine's name in messages, conflict copies and fallback branches. */
  host: string;
  index: PrivateIndex;
  capturer: Capturer;
  own: OwnState;
  /** Short name of the checked-out branch, once it was looked at. */
  branch: string | undefined;
  /** Where the checked-out branch was when it was last looked at. */
  lastHead: { ref: string; commit: string } | undefined;
  /** Where the branches go, by the loop's name for it. */
  targets: ReadonlyMap<string, LoopTarget>;
  /** Containers that were opened, by name. */
  containers: Map<string, ContainerHandle>;
  /** `once`: nothing is waited for. */
  mode: 'daemon' | 'once';
  lastReport: CaptureReport | undefined;
  /** Conflicts met since the session began, newest first. */
  conflicts: Conflict[];
  /** Why the last capture failed; undefined when it did not. */
  lastError: ReturnType<typeof failureOf> | undefined;
  /** Trouble with watching, by kind. */
  watchProblems: Map<string, WatchProblem>;
  /** Files outside the work tree that say what git ignores. */
  ignoreFiles: readonly string[];
  /** What was warned of once already. */
  warned: Set<string>;
  close(): Promise<void>;
}

/** This machine's short name, safe for file and branch names. */
export function hostName(): string {
  const name = process.env['GITSYNC_HOST'] ?? hostname().split('.')[0] ?? '';
  return name.replace(/[^A-Za-z0-9_-]/g, '-').slice(0, 40) || 'host';
}

/**
 * Opens a repository for the agent: takes its lock, finishes what a crash
 * interrupted, and looks where its branch is published.
 * @throws GitsyncError `not-a-repository`, `locked`, `corrupt`, ...
 */
export async function openSession(config: RepoConfig, log: Log): Promise<RepoSession> {
  const repo = await openRepo(config.path, { log, hooks: config.hooks });
  const lock = await takeLock(`${repo.ownDir}/lock`, config.path);
  try {
    return await prepare(repo, config, lock, log);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function prepare(repo: Repo, config: RepoConfig, lock: HeldLock, log: Log): Promise<RepoSession> {
  const index = openPrivateIndex(repo);
  await checkObjects(repo);
  await dropTemporaryFiles(repo);
  const locks = await clearStaleLocks(repo);
  const recovered = await recoverApply(repo, index, config.conflict, { host: hostName(), sign: config.sign });
  if (recovered !== 'nothing') log.warn('An update of the work tree had been interrupted', { outcome: recovered });
  if (locks === 'cleared' || (await clearStaleLocks(repo)) === 'cleared') log.warn('Removed a stale index.lock');
  if (await repairIndex(repo)) log.warn('The index was damaged and has been built anew');
  return {
    repo,
    config,
    host: hostName(),
    index,
    capturer: createCapturer(repo, index),
    own: await readOwnState(repo),
    branch: undefined,
    lastHead: undefined,
    targets: new Map(),
    containers: new Map(),
    mode: 'once',
    lastReport: undefined,
    conflicts: [],
    lastError: undefined,
    watchProblems: new Map(),
    ignoreFiles: await findIgnoreFiles(repo),
    warned: new Set(),
    close: () => index.close().finally(() => lock.release()),
  };
}

async function findIgnoreFiles(repo: Repo): Promise<string[]> {
  const configured = await gitText(repo, ['config', '--type=path', '--get', 'core.excludesFile'], { expect: [0, 1] });
  const global = configured === '' ? `${process.env['XDG_CONFIG_HOME'] ?? `${homedir()}/.config`}/git/ignore` : configured;
  return [`${repo.commonDir}/info/exclude`, global];
}

/** How files are called that a process makes to put them in the place of others: what was killed meanwhile has left them. */
const halfMade = /^tmp-|\.new$|^index\.next$/;

/** What a killed process was in the middle of making; with the lock in hand, nobody else is. */
async function dropTemporaryFiles(repo: Repo): Promise<void> {
  const names = (await readdir(repo.ownDir)).filter((name) => halfMade.test(name));
  await Promise.all(names.map((name) => rm(`${repo.ownDir}/${name}`, { recursive: true, force: true })));
}

/** HEAD must be readable before anything is built on it. */
async function checkObjects(repo: Repo): Promise<void> {
  const result = await git(repo, ['rev-list', '--max-count=1', '--objects', '--no-object-names', 'HEAD', '--'], { expect: [0, 1, 128] });
  if (result.exitCode === 0 || /unknown revision|bad revision 'HEAD'|ambiguous argument 'HEAD'/.test(result.stderr)) return;
  throw new GitsyncError('corrupt', `The last commit of ${repo.workTree} cannot be read: ${result.stderr.trim().split('\n')[0] ?? ''}`, { hint: `gitsync doctor --fix ${repo.workTree}` });
}

/** Notes where the branches go (`known`: as was just read); says whether anything changed. */
export async function refreshTargets(session: RepoSession, branch: string | undefined, known?: LoopTarget[]): Promise<boolean> {
  const targets = known ?? (await findTargets(session.repo, session.config, branch));
  const keyOf = (list: Iterable<LoopTarget>): string => JSON.stringify([...list].map((target) => [target.key, target.branch, target.side]));
  const changed = session.branch !== branch || keyOf(session.targets.values()) !== keyOf(targets);
  session.branch = branch;
  session.targets = new Map(targets.map((target) => [target.key, target]));
  return changed;
}

/** The error's kind, sentence and hint, for a remote's state. */
export function failureOf(error: unknown): { kind: GitsyncError['kind']; sentence: string; hint: string | undefined } {
  const { kind, message, hint, cause } = toGitsyncError(error);
  const detail = cause instanceof Error && kind !== 'bug' ? ` (${cause.message})` : '';
  return { kind, sentence: `${message}${detail}`, hint };
}
