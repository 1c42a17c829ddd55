/** Hears that a container started or stopped, and that something changed in its export points. */
import { closeSync, existsSync, statSync } from 'node:fs';
import { backoffMs } from '../core/backoff.ts';
import type { Log } from '../log.ts';
import { lxc } from '../gitted/lxc.ts';
import { startProcess, type StartedProcess } from '../process/long-lived.ts';
import { openConfined } from '../watch/confined-directory.ts';
import { watchConfined, type ConfinedWatcher } from '../watch/confined-watcher.ts';
import type { Container } from './container.ts';
import { hintScript, hintWord, type HintMeans } from './hint-script.ts';
import type { Notifier, NotifierEvents } from './notifier.ts';

export interface ContainerWatchTiming {
  /** How often a machine that does not run is looked for. */
  awayMs: number;
  /** How often to look whether it still runs. */
  presentMs: number;
  /** A process inside that says nothing for this long is taken for lost. */
  silenceMs: number;
}

const localAwayMs = 2_000;
const defaultTiming: ContainerWatchTiming = { awayMs: 15_000, presentMs: 5_000, silenceMs: 90_000 };

/** Where a running machine's file system is from here; `isThere` says whether it is still the same one. */
interface HostRoot {
  path: string;
  isThere(): boolean;
}

async function findHostRoot({ driver, settings }: Container): Promise<HostRoot | undefined> {
  if (driver.kind === 'local') {
    const root = driver.rootfs();
    return { path: root, isThere: () => existsSync(`${root}/etc/gitted`) && !existsSync(`${root}/etc/gitted/stopped`) };
  }
  if (driver.kind !== 'lxc') return undefined;
  const { exitCode, stdout } = await lxc('info', ['-n', settings.container, '-p', '-H'], { expect: [0, 1] });
  const pid = stdout.toString('utf8').trim();
  if (exitCode !== 0 || !/^\d+$/.test(pid)) return undefined;
  const path = `/proc/${pid}/root`;
  const identity = rootIdentity(pid);
  return { path, isThere: () => identity !== undefined && rootIdentity(pid) === identity };
}

/** A process's number is given to another one in time; when it began is not. */
function rootIdentity(pid: string): string | undefined {
  try {
    const { ino, ctimeMs } = statSync(`/proc/${pid}`);
    return `${ino} ${ctimeMs}`;
  } catch {
    return undefined;
  }
}

/** Containers of a normal user may have a root that this user cannot enter. */
function canEnter(root: string): boolean {
  try {
    closeSync(openConfined(root, '/'));
    return true;
  } catch {
    return false;
  }
}

const meansWords: Record<HintMeans, string> = {
  inotify: 'inotifywait',
  look: 'looking every 2 s (the package inotify-tools inside would tell at once, at no cost)',
  none: 'nothing: it has no find or no checksums; what changes there is found by the next pull',
};

interface Watch {
  isThere(): boolean;
  close(): Promise<void>;
}

/** Watches from the host, where its file system can be reached. */
function watchFromHost(root: HostRoot, paths: readonly string[], onTouched: () => void): Watch {
  const watchers: ConfinedWatcher[] = paths.map((path) => watchConfined(root.path, path, onTouched));
  return {
    isThere: () => root.isThere(),
    close: () => Promise.resolve(watchers.forEach((watcher) => watcher.close())),
  };
}

interface InsideEvents {
  onReady(means: HintMeans): void;
  onTouched(): void;
  onEnd(why: string): void;
}

/** Watches by a process inside. */
function watchFromInside({ driver }: Container, paths: readonly string[], silenceMs: number, events: InsideEvents): Watch {
  const { file, args, env } = driver.command(['sh', '-s']);
  let isOver = false;
  const onLine = (line: string): void => {
    const [word, what, means] = line.split(' ');
    if (word !== hintWord) return; // a login script's greeting
    clearTimeout(deadline);
    deadline = setTimeout(onSilence, silenceMs).unref();
    if (what === 'ready') events.onReady(means as HintMeans);
    if (what === 'touched') events.onTouched();
  };
  const process: StartedProcess = startProcess(file, args, { ...(env === undefined ? {} : { env }), input: hintScript(driver.rootfs(), paths), onLine });
  const onSilence = (): void => void process.close();
  let deadline = setTimeout(onSilence, silenceMs).unref();
  void process.ended.then(({ stderr }) => {
    clearTimeout(deadline);
    isOver = true;
    events.onEnd(stderr.trim().split('\n').at(-1) ?? '');
  });
  return { isThere: () => !isOver, close: () => process.close() };
}

/** Tells that the machine runs (`live`) and when its export points were touched. */
export function startContainerNotifier(container: Container, exportPoints: readonly string[], events: NotifierEvents, log: Log, timing: Partial<ContainerWatchTiming> = {}): Notifier {
  const times = { ...defaultTiming, ...timing };
  const name = container.settings.name;
  let watch: Watch | undefined;
  let isLive = false;
  let isClosed = false;
  let failures = 0;
  let endedWhy: string | undefined;
  let toldMeans: HintMeans | undefined;
  let timer: NodeJS.Timeout | undefined;

  const setLive = (live: boolean, why?: string): void => {
    if (isClosed || live === isLive) return;
    isLive = live;
    log.debug(live ? 'The container runs' : 'The container does not run', { container: name, ...(why === undefined ? {} : { why }) });
    events.onState(live, why);
  };
  const onTouched = (): void => {
    if (!isClosed) events.onMoved();
  };
  const onReady = (means: HintMeans): void => {
    failures = 0;
    if (means !== toldMeans) log[means === 'none' ? 'warn' : 'debug']('Export points are watched from inside', { container: name, by: meansWords[means] });
    toldMeans = means;
    if (means !== 'none') setLive(true);
  };
  const begin = async (): Promise<number> => {
    // Over ssh, a look is a login: without export points, the fetches find out by themselves.
    if (container.driver.kind === 'ssh' && exportPoints.length === 0) return Infinity;
    const root = await findHostRoot(container);
    if (root === undefined && container.driver.kind !== 'ssh') return away('not running');
    if (root !== undefined && !root.isThere()) return away('not running');
    if (root !== undefined && (exportPoints.length === 0 || canEnter(root.path))) {
      failures = 0;
      watch = watchFromHost(root, exportPoints, onTouched);
      setLive(true);
      return times.presentMs;
    }
    watch = watchFromInside(container, exportPoints, times.silenceMs, {
      onReady,
      onTouched,
      // Looked at soon, and not within what is being done now.
      onEnd: (why) => {
        endedWhy = why;
        void check();
      },
    });
    return times.presentMs;
  };
  const away = (why: string): number => {
    setLive(false, why);
    // Whether a directory is there costs nothing.
    return container.driver.kind === 'local' ? Math.min(times.awayMs, localAwayMs) : times.awayMs;
  };
  const look = async (): Promise<number> => {
    if (watch?.isThere() === true) return times.presentMs;
    if (watch !== undefined) {
      const old = watch;
      watch = undefined;
      await old.close();
      failures += 1;
      setLive(false, endedWhy ?? 'not running');
      endedWhy = undefined;
      if (failures > 1) return backoffMs(failures - 1, Math.random());
    }
    return begin();
  };
  let looking: Promise<void> = Promise.resolve();
  const check = (): Promise<void> =>
    (looking = looking
      .then(() => (isClosed ? Infinity : look()))
      .catch((error: unknown) => away(String(error)))
      .then((waitMs) => {
        clearTimeout(timer);
        if (!isClosed && waitMs !== Infinity) timer = setTimeout(() => void check(), waitMs).unref();
      }));
  void check();
  return {
    kind: 'container',
    get live() {
      return isLive;
    },
    wake: () => void check(),
    async close() {
      isClosed = true;
      clearTimeout(timer);
      await looking;
      clearTimeout(timer);
      await watch?.close();
    },
  };
}
