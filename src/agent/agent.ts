/** The agent: one loop for each configured repository, a control socket, and the config file watched. */
import { GitsyncError } from '../errors.ts';
import { withFields, type Log } from '../log.ts';
import { formatProblem, type ConfigProblem } from '../config/config-problem.ts';
import { isUsable, type Config, type RepoConfig } from '../config/config.ts';
import { loadConfig } from '../config/load-config.ts';
import { watchConfig } from '../config/watch-config.ts';
import { steadyNow } from '../process/steady-clock.ts';
import { watchNetwork } from '../remote/network.ts';
import { serveControl, type ControlRequest } from './control.ts';
import { watchSafety } from './notify.ts';
import { takeLock } from '../process/process-lock.ts';
import { talkTo } from './once.ts';
import { startRepoLoop, type RepoLoop } from './repo-loop.ts';
import { runRepoOperation } from './repo-operations.ts';
import { statusOf, type RepoStatus } from './repo-status.ts';
import { runtimePaths } from '../process/runtime-dir.ts';
import { createSlots } from './slots.ts';

export interface Agent {
  /** Resolves when the agent has stopped. */
  stopped: Promise<void>;
  stop(): Promise<void>;
  /** How everything is, as the control socket answers it. */
  status(): Promise<AgentStatus>;
}

export interface AgentHooks {
  /** Told of the config before it is followed, at the start and whenever it changes. */
  onConfig?(config: Config): void;
  /** Told that some repository's status may have changed. */
  onChange?(): void;
}

/** What `status` answers. */
export interface AgentStatus {
  config: string;
  problems: ConfigProblem[];
  repos: RepoStatus[];
}

/** How often a config with problems is looked at again. */
const lookAgainMs = 30_000;

/** How many repositories may work at the same moment. */
export const workingAtOnce = 4;

/** How many containers may be talked to at the same moment. */
export const containersAtOnce = 4;

/**
 * Starts the agent for a config file and returns once every repository has its loop.
 * @throws GitsyncError `locked` when an agent for this file runs already, `config` when the file cannot be read.
 */
export async function startAgent(configFile: string, log: Log, hooks: AgentHooks = {}): Promise<Agent> {
  const paths = runtimePaths('agent', configFile);
  const lock = await takeLock(paths.lock, `The agent for ${configFile}`);
  const slots = createSlots(workingAtOnce);
  const containerSlots = createSlots(containersAtOnce);
  const loops = new Map<string, RepoLoop>();
  let config: Config | undefined;
  let reloading: Promise<void> = Promise.resolve();
  let lookAgain: NodeJS.Timeout | undefined;
  let stopping: Promise<void> | undefined;
  let resolveStopped: () => void = () => undefined;
  const stopped = new Promise<void>((resolve) => (resolveStopped = resolve));

  const startLoop = (repo: RepoConfig): RepoLoop => startRepoLoop({ config: repo, log, slots, containerSlots, mode: 'daemon', onChange: noteChange });
  const noteChange = (): void => {
    safety.noteChange();
    hooks.onChange?.();
  };

  /** Brings the running loops in line with the file; a repository whose settings stayed the same is not disturbed. */
  const adoptConfig = async (next: Config): Promise<void> => {
    hooks.onConfig?.(next);
    const wanted = new Map(next.repos.map((repo) => [repo.path, repo]));
    for (const [path, loop] of loops) {
      const { line: _line, ...settings } = loop.config;
      const { line: _nextLine, ...nextSettings } = wanted.get(path) ?? { line: 0 };
      if (JSON.stringify(settings) === JSON.stringify(nextSettings)) continue;
      // A directory that is away (a drive not mounted) is still listed: its loop waits for it.
      if (!wanted.has(path) && next.problems.some(({ scope }) => scope === path)) continue;
      loops.delete(path);
      await loop.close();
      log.info(wanted.has(path) ? 'Settings changed' : 'No longer watching', { repo: path });
    }
    for (const [path, repo] of wanted) if (!loops.has(path)) loops.set(path, startLoop(repo));
    const told = new Set(config?.problems.map(formatProblem));
    for (const line of next.problems.map(formatProblem)) log[told.has(line) ? 'debug' : 'error'](line);
    config = next;
    clearTimeout(lookAgain);
    // A listed directory that is not there yet may be mounted later.
    if (next.problems.length > 0) lookAgain = setTimeout(() => void reload(), lookAgainMs).unref();
  };

  const reload = (): Promise<void> => {
    reloading = reloading
      .then(() => loadConfig(configFile))
      .then(async (next) => {
        // A file that cannot be understood as a whole leaves what runs as it is.
        if (!isUsable(next) && config !== undefined) {
          for (const problem of next.problems) log.error(formatProblem(problem));
          config = { ...config, problems: next.problems };
        } else await adoptConfig(next);
      })
      .catch((error: unknown) => log.error('The config file cannot be read', { error: String(error) }));
    return reloading;
  };

  const status = async (only: readonly string[], look = true): Promise<AgentStatus> => {
    const wanted = [...loops.values()].filter(({ config: { path } }) => only.length === 0 || only.includes(path));
    return { config: configFile, problems: config?.problems ?? [], repos: await Promise.all(wanted.map((loop) => statusOf(loop, true, look))) };
  };
  const safety = watchSafety(async () => (await status([], false)).repos, { log, notify: () => config?.notify ?? false });

  const loopsFor = (args: ControlRequest['args']): RepoLoop[] => {
    const only = Array.isArray(args['paths']) ? (args['paths'] as string[]) : [];
    for (const path of only) if (!loops.has(path)) throw new GitsyncError('usage', `The agent does not watch ${path}.`, { hint: `gitsync add ${path}` });
    return [...loops.values()].filter(({ config: { path } }) => only.length === 0 || only.includes(path));
  };

  const handle = async ({ op, args }: ControlRequest): Promise<unknown> => {
    const chosen = loopsFor(args);
    const paths = chosen.map((loop) => loop.config.path);
    switch (op) {
      case 'status':
        return status(paths);
      case 'sync':
        for (const loop of chosen) {
          // Whoever asks for it by hand wants no pause any longer.
          if (args['byHand'] === true && loop.state !== undefined && loop.state.pausedUntilMs > steadyNow()) loop.post({ type: 'resume' });
          loop.post({ type: 'sync' });
        }
        await Promise.all(chosen.map((loop) => loop.settled()));
        return status(paths);
      case 'pause':
        for (const loop of chosen) loop.post({ type: 'pause', untilMs: typeof args['untilMs'] === 'number' ? args['untilMs'] : Infinity });
        await Promise.all(chosen.map((loop) => loop.noted()));
        return status(paths);
      case 'resume':
        for (const loop of chosen) loop.post({ type: 'resume' });
        // Who was told so must not find it paused after a crash.
        await Promise.all(chosen.map((loop) => loop.noted()));
        return status(paths);
      case 'reload':
        await reload();
        await Promise.all([...loops.values()].map((loop) => loop.settled()));
        return status([]);
      case 'ping':
        return { pid: process.pid, repos: [...loops.keys()] };
      default: {
        const [loop] = chosen;
        if (chosen.length !== 1 || loop === undefined) throw new GitsyncError('usage', `"${op}" works on one repository.`);
        if (op === 'container') return talkTo(loop, String(args['container']), args['what'] === 'push' ? 'push' : 'pull');
        const result = await loop.exclusively((session) => runRepoOperation(session, op, args));
        loop.post({ type: 'changed', hint: 'all' });
        loop.post({ type: 'sync' });
        return result;
      }
    }
  };

  const cleanUp: (() => unknown)[] = [() => lock.release()];
  const stop = (): Promise<void> => {
    stopping ??= (async () => {
      safety.close();
      clearTimeout(lookAgain);
      for (const undo of cleanUp.reverse()) await undo();
      await Promise.all([...loops.values()].map((loop) => loop.close()));
      resolveStopped();
    })();
    return stopping;
  };

  try {
    const first = await loadConfig(configFile);
    if (!isUsable(first)) {
      const [problem, ...others] = first.problems.filter(({ scope }) => scope === undefined).map(formatProblem);
      throw new GitsyncError('config', `${problem}${others.length === 0 ? '' : ` (and ${others.length} more)`}`, { hint: 'gitsync config --check' });
    }
    await adoptConfig(first);
    const control = await serveControl(paths.socket, handle, withFields(log, { part: 'control' }));
    cleanUp.push(() => control.close());
    const file = watchConfig(configFile, () => void reload());
    cleanUp.push(() => file.close());
    const network = watchNetwork(() => {
      log.debug('The network came up, or the machine woke up');
      for (const loop of loops.values()) loop.post({ type: 'network-up' });
    });
    cleanUp.push(() => network.close());
  } catch (error) {
    await stop();
    throw error;
  }
  log.info('Watching', { repos: loops.size, config: configFile });
  void stopped.then(() => log.info('Stopped'));
  return { stopped, stop, status: () => status([]) };
}
