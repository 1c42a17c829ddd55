/** A container as a remote: whether it runs, and git's talk with it, with failures in its own words. */
import { readContainerWords } from '../core/container-words.ts';
import { GitsyncError, toGitsyncError } from '../errors.ts';
import { fetchBranch, trackingRef, type FetchOutcome } from '../git/fetch.ts';
import type { Repo } from '../git/git.ts';
import { publishBranch } from '../git/publish.ts';
import { readRef } from '../git/ref-file.ts';
import type { PublishTarget } from '../git/remotes.ts';
import type { RemoteStepOptions } from '../git/remote-step.ts';
import type { Driver, MachineState } from '../gitted/driver.ts';
import { driverOf } from '../gitted/drivers.ts';
import { findProject, type Project } from '../gitted/project.ts';
import { readSettings, type Settings } from '../gitted/settings.ts';

/** A registered container. */
export interface Container {
  project: Project;
  settings: Settings;
  driver: Driver;
}

/** What was seen of a machine, and when. */
export interface MachineView {
  state: MachineState;
  address: string | undefined;
  atMs: number;
}

/** Why there is nobody to talk to. */
export type Away = { kind: 'away'; state: Exclude<MachineState, 'running'> };

/** Exports and imports of large databases are silent for long. */
const idleTimeoutMs = 20 * 60_000;

/**
 * @param known the project, where it was found before
 * @throws GitsyncError `config` when it is not registered
 */
export async function openContainer(repo: Repo, name: string, known?: Project): Promise<Container> {
  const project = known ?? (await findProject(repo.workTree));
  const settings = await readSettings(project, name);
  return { project, settings, driver: driverOf(project, settings) };
}

/** One look at the machine; nothing is started for it. */
export async function lookAt({ driver }: Container, nowMs: number): Promise<MachineView> {
  const state = await driver.state();
  return { state, address: state === 'running' ? await driver.address() : undefined, atMs: nowMs };
}

function optionsFor(start: boolean, signal: AbortSignal): RemoteStepOptions {
  return {
    signal, idleTimeoutMs, explain,
    // The machine may be stopped between our look and git's.
    ...(start ? {} : { env: { GITTED_START: 'no' } }),
  };
}

function explain(stderr: string): GitsyncError | undefined {
  const words = readContainerWords(stderr);
  if (words === undefined) return undefined;
  const cause = words.kind === 'stopped' || words.kind === 'absent' ? new WentAway(words.kind) : undefined;
  return new GitsyncError(words.kind === 'locked' ? 'locked' : 'container', words.sentence, { ...(words.hint === undefined ? {} : { hint: words.hint }), ...(cause === undefined ? {} : { cause }) });
}

/** Fetches the branch, which exports what changed inside first. @throws GitsyncError `container` in the container's words */
export async function fetchFromContainer(repo: Repo, container: Container, target: PublishTarget, options: { start: boolean; signal: AbortSignal }): Promise<FetchOutcome | Away> {
  const state = await container.driver.state();
  // A fetch never makes a machine.
  if (state === 'absent' || state === 'partial' || (state === 'stopped' && !options.start)) return { kind: 'away', state };
  const known = await readRef(repo, trackingRef(target));
  const tip = state === 'running' && known !== undefined ? await askForTip(repo, container, target, options.signal) : undefined;
  if (tip !== undefined && tip === known) return { kind: 'fetched', tip, moved: false };
  const { env, ...rest } = optionsFor(options.start, options.signal);
  return orAway(() => fetchBranch(repo, target, { ...rest, env: { ...env, ...(tip === undefined ? {} : { GITTED_FRESH: 'yes' }) } }));
}

/**
 * Where the branch is inside once what changed there is exported: all that there is to do
 * where nothing changed, without git and its helpers, which cost far more than the query.
 * Undefined where that is not told: then the fetch finds out, and says what is wrong.
 */
async function askForTip(repo: Repo, { settings, driver }: Container, { branch }: PublishTarget, signal: AbortSignal): Promise<string | undefined> {
  if (!settings.ready) return undefined;
  const words = ['gitted', 'git-remote-command', '--remote', settings.name, '--id', settings.id, '--branch', branch, 'look'];
  try {
    const { exitCode, stdout, stderr, ms } = await driver.exec(words, { timeoutMs: idleTimeoutMs, signal });
    const tip = stdout.toString('utf8').trim();
    repo.log.debug('Looked into the container', { container: settings.name, exit: exitCode, ms: Math.round(ms), ...(exitCode === 0 ? {} : { why: stderr.trim().split('\n').at(-1) ?? '' }) });
    return exitCode === 0 && /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(tip) ? tip : undefined;
  } catch (error) {
    if (toGitsyncError(error).kind === 'interrupted') throw error;
    repo.log.debug('The container could not be looked into', { container: settings.name, why: String(error) });
    return undefined;
  }
}

/** That the machine went away between our look and git's is no failure of its own. */
async function orAway<T>(work: () => Promise<T>): Promise<T | Away> {
  try {
    return await work();
  } catch (error) {
    const away = error instanceof GitsyncError && error.kind === 'container' && error.cause instanceof WentAway ? error.cause : undefined;
    if (away === undefined) throw error;
    return { kind: 'away', state: away.state };
  }
}

class WentAway extends Error {
  readonly state: 'stopped' | 'absent';
  constructor(state: 'stopped' | 'absent') {
    super(state);
    this.state = state;
  }
}

export type ContainerPush =
  | { kind: 'pushed' }
  /** It has newer state: fetch, integrate, push again. */
  | { kind: 'rejected' }
  /** It could not make the commit live; all is as it was. */
  | { kind: 'import-failed'; sentence: string; hint: string | undefined }
  | Away;

/** Pushes the commit, which becomes the live state. @throws GitsyncError `container` when it did not come to that */
export async function pushToContainer(repo: Repo, container: Container, target: PublishTarget, commit: string, options: { start: boolean; make: boolean; signal: AbortSignal }): Promise<ContainerPush> {
  const state = await container.driver.state();
  const isAway = state !== 'running' && !(state === 'stopped' ? options.start : options.make);
  if (isAway) return { kind: 'away', state };
  let refusal: { sentence: string; hint: string | undefined } | undefined;
  const outcome = await orAway(() => publishBranch(repo, target, commit, {
    ...optionsFor(options.start || options.make, options.signal),
    readRefusal(stderr) {
      const words = readContainerWords(stderr);
      if (words?.kind === 'changed') return { kind: 'rejected' };
      const error = explain(stderr);
      if (words?.kind === 'refused') refusal = { sentence: words.sentence, hint: words.hint };
      if (words?.kind !== 'refused' && error !== undefined) throw error;
      return undefined;
    },
  }));
  if (outcome.kind === 'away') return outcome;
  if (outcome.kind === 'rejected') return { kind: 'rejected' };
  if (outcome.kind === 'refused') return { kind: 'import-failed', ...(refusal ?? { sentence: outcome.reason, hint: outcome.error.hint }) };
  return { kind: 'pushed' };
}
