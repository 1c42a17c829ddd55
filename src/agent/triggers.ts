/** What wakes a repository's loop: its work tree, its own git directory, and its remotes. */
import { watch, type FSWatcher } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isUtf8, joinNul, rawToText, splitNul, type RawPath } from '../core/raw-path.ts';
import type { Event, RepoState } from '../core/repo-state.ts';
import { git } from '../git/git.ts';
import { listRemotes } from '../git/remotes.ts';
import type { Container } from '../remote/container.ts';
import { startContainerNotifier } from '../remote/container-watch.ts';
import { startNotifier, type Notifier } from '../remote/remote.ts';
import { watchRef } from '../watch/ref-watcher.ts';
import { startWatcher, type WatchProblem } from '../watch/watcher.ts';
import { handleOf } from './container-actions.ts';
import type { RepoSession } from './repo-session.ts';
import { readSides } from './targets.ts';

export interface Triggers {
  /** Resolves when every change of the work tree from now on is heard of. */
  watching: Promise<void>;
  /** The network came up: connections are tried again at once. */
  wake(): void;
  /** Listens to the remotes that the branch is published to now. */
  retarget(): Promise<void>;
  close(): Promise<void>;
}

export interface TriggerSink {
  post(event: Event): void;
  /** The work tree went away or came back. */
  reopen(): void;
  state(): RepoState | undefined;
}

/** Argument lists are bounded. */
const pathsPerCall = 300;

/** @see lookAtHead */
const busyRetryMs = 100;

/** git writes its config file in several steps. */
const configRestMs = 200;

/** Files in the git directory whose change may end what made the branch stand still. */
const headFiles = /^(HEAD|index|MERGE_HEAD|CHERRY_PICK_HEAD|REVERT_HEAD|rebase-merge|rebase-apply|BISECT_LOG|sequencer|info)$/;

/** Which directories need no watching: ignored by git, and without a tracked file below. */
async function ignoredAmong(session: RepoSession, directories: readonly RawPath[]): Promise<Set<RawPath>> {
  // With the index, git compares each directory with each tracked file; what is tracked is asked afterwards.
  const { stdout } = await git(session.repo, ['check-ignore', '-z', '--no-index', '--stdin'], {
    // A pattern such as `build/` matches directories only, and a name ending in a slash is one.
    input: joinNul(directories.map((path) => `${path}/`)),
    expect: [0, 1, 128],
  });
  const ignored = new Set(splitNul(stdout).map((path) => path.replace(/\/$/, '') as RawPath));
  const askable = [...ignored].filter(isUtf8);
  for (let i = 0; i < askable.length; i += pathsPerCall) {
    const part = askable.slice(i, i + pathsPerCall);
    const tracked = await git(session.repo, ['ls-files', '-z', '--cached', '--', ...part.map(rawToText)], { env: { GIT_LITERAL_PATHSPECS: '1' } });
    for (const path of splitNul(tracked.stdout)) for (const directory of part) if (path.startsWith(`${directory}/`)) ignored.delete(directory);
  }
  return ignored;
}

export function startTriggers(session: RepoSession, sink: TriggerSink): Triggers {
  const { repo } = session;
  const { log } = repo;
  const notifiers = new Map<string, Notifier>();
  const warned = new Set<string>();

  const onProblem = (problem: WatchProblem): void => {
    if (!warned.has(problem.kind)) log.warn(problem.message, problem.hint === undefined ? {} : { hint: problem.hint });
    warned.add(problem.kind);
    session.watchProblems.set(problem.kind, problem);
    if (problem.kind === 'root-gone') sink.reopen();
  };
  const watcher = startWatcher({
    root: repo.workTree,
    ignoreFiles: session.ignoreFiles,
    ignoredDirectories: (directories) => ignoredAmong(session, directories),
    onChange: (hint) => sink.post({ type: 'changed', hint }),
    onProblem,
    log,
  });

  let retry: NodeJS.Timeout | undefined;
  let reconfigured: NodeJS.Timeout | undefined;
  /** A branch that moved by other hands than ours is worth a whole look. */
  const lookAtHead = async (): Promise<void> => {
    const state = sink.state();
    if (state === undefined) return;
    if (state.busy !== undefined) {
      // It may be our own move: look again when that is over.
      clearTimeout(retry);
      retry = setTimeout(() => void lookAtHead(), busyRetryMs);
      return;
    }
    const ref = session.branch === undefined ? undefined : `refs/heads/${session.branch}`;
    const head = await readFile(`${repo.gitDir}/HEAD`, 'utf8').catch(() => '');
    const tip = ref === undefined ? undefined : (await readFile(`${repo.commonDir}/${ref}`, 'utf8').catch(() => '')).trim();
    if (ref !== undefined && head.trim() === `ref: ${ref}` && tip === state.local && !state.standsStill) return;
    sink.post({ type: 'changed', hint: 'all' });
  };
  /** Remotes or upstreams may be others now. */
  const lookAtConfig = (): void => {
    clearTimeout(reconfigured);
    reconfigured = setTimeout(() => {
      void retarget().catch((error: unknown) => log.debug('The remotes cannot be read', { error: String(error) }));
      sink.post({ type: 'changed', hint: 'all' });
      sink.post({ type: 'network-up' });
    }, configRestMs);
  };
  // What changed before every directory was watched is found by one look afterwards.
  const watching = watcher.ready.then(() => sink.post({ type: 'changed', hint: 'all' })).catch(() => undefined);
  let ownRef: { close(): void } | undefined;
  const sideRefs: { close(): void }[] = [];
  let gitDirWatcher: FSWatcher | undefined;
  try {
    gitDirWatcher = watch(repo.gitDir, (_event, name) => {
      if (name === 'config') lookAtConfig();
      else if (name !== null && headFiles.test(name) && (name !== 'index' || sink.state()?.standsStill)) void lookAtHead();
    });
    gitDirWatcher.on('error', () => undefined);
  } catch (error) {
    log.debug('The git directory cannot be watched', { error: String(error) });
  }

  /** Branches that containers run beside the checked-out one. */
  const watchSides = (): void => {
    for (const watcher of sideRefs.splice(0)) watcher.close();
    const sides = new Set([...session.targets.values()].flatMap(({ side }) => side ?? []));
    const tell = (): void => void readSides(repo, session.targets.values()).then((tips) => sink.post({ type: 'sides', tips })).catch((error: unknown) => log.debug('A branch cannot be read', { error: String(error) }));
    for (const side of sides) sideRefs.push(watchRef(repo.commonDir, `refs/heads/${side}`, tell));
  };

  const retarget = async (): Promise<void> => {
    const known = new Map((await listRemotes(repo)).map((remote) => [remote.name, remote]));
    await Promise.all([...notifiers.values()].map((notifier) => notifier.close()));
    notifiers.clear();
    ownRef?.close();
    ownRef = session.branch === undefined ? undefined : watchRef(repo.commonDir, `refs/heads/${session.branch}`, () => void lookAtHead());
    watchSides();
    // Opened before any notifier begins: one that speaks before the loop knows of its remote is not heard.
    const opened = new Map<string, Container>();
    for (const { remote, container } of session.targets.values()) {
      if (container === undefined) continue;
      const handle = await handleOf(session, remote).catch((error: unknown) => log.warn('The container cannot be watched', { container: remote, error: String(error) }));
      if (handle !== undefined) opened.set(remote, handle.container);
    }
    for (const { key, remote, branch, container } of session.targets.values()) {
      const info = known.get(remote);
      if (info === undefined) continue;
      const events = {
        onMoved: () => sink.post({ type: 'remote-moved', remote: key }),
        onState: (live: boolean) => sink.post({ type: 'remote-live', remote: key, live }),
      };
      const machine = opened.get(remote);
      if (container === undefined) notifiers.set(key, startNotifier(repo, info, branch, events, log));
      else if (machine !== undefined) notifiers.set(key, startContainerNotifier(machine, container.exportPoints, events, log));
    }
  };

  return {
    watching,
    wake() {
      for (const notifier of notifiers.values()) notifier.wake();
    },
    retarget,
    async close() {
      gitDirWatcher?.close();
      clearTimeout(retry);
      clearTimeout(reconfigured);
      ownRef?.close();
      for (const watched of sideRefs) watched.close();
      await Promise.all([watcher.close(), ...[...notifiers.values()].map((notifier) => notifier.close())]);
    },
  };
}
