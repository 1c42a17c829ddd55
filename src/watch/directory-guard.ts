/** Notices when a directory is gone, replaced by another one, or back: unmounted drives, moved or deleted work trees. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { errnoOf } from '../errors.ts';
import { untilNextMs } from '../process/steady-clock.ts';
import { createQuickStat } from './quick-stat.ts';

export interface GuardOptions {
  /** An entry (`.git`) that must be there again before a directory that had it counts as back: a bare mount point has none. */
  marker: string;
  /** Called once when the directory is no longer there, or no longer the same one. */
  onGone(why: string): void;
  /** Called when it is there again. */
  onBack(): void;
  /** How often to look while it is gone. Default 1 000. */
  goneCheckMs?: number;
}

export interface DirectoryGuard {
  /** Looks now; resolved when looked. Whether the directory is there. */
  check(): Promise<boolean>;
  close(): void;
}

/** No event tells that a parent was moved or that something was mounted over it; one look is one stat. */
const presentCheckMs = 10_000;

interface Sight {
  /** Device and inode; undefined when there is no such directory to be read. */
  identity: string | undefined;
  why: string;
  hasMarker: boolean;
  /** Changes with every name in it and with its permissions (nanoseconds). */
  ctimeNs?: bigint;
}

async function lookAt(path: string, marker: string, last: Sight | undefined, stat: ReturnType<typeof createQuickStat>): Promise<Sight> {
  try {
    const info = await stat(path);
    if (last?.ctimeNs === info.ctimeNs && last.identity === `${info.dev}:${info.ino}`) return last;
    if (!info.isDirectory()) return { identity: undefined, why: `${path} is no directory any more.`, hasMarker: false };
    await access(path, constants.R_OK | constants.X_OK);
    const hasMarker = await access(`${path}/${marker}`).then(() => true, () => false);
    return { identity: `${info.dev}:${info.ino}`, why: '', hasMarker, ctimeNs: info.ctimeNs };
  } catch (error) {
    const code = errnoOf(error) ?? 'unknown error';
    const why = code === 'ENOENT' || code === 'ENOTDIR' ? `${path} is not there.` : `${path} cannot be read (${code}).`;
    return { identity: undefined, why, hasMarker: false };
  }
}

/** Begins to guard; the first check only takes note, or calls onGone. Its timer does not keep the process alive. */
export function guardDirectory(path: string, options: GuardOptions): DirectoryGuard {
  const stat = createQuickStat(path);
  let identity: string | undefined;
  let last: Sight | undefined;
  let phase: 'new' | 'here' | 'gone' = 'new';
  let needsMarker = false;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  /** A look that has not begun yet serves everyone who asks for one. */
  let queued: Promise<void> | undefined;

  const becomeGone = (why: string): void => {
    phase = 'gone';
    options.onGone(why);
  };
  const compare = (sight: Sight): void => {
    if (phase !== 'gone' && sight.identity === undefined) return becomeGone(sight.why);
    if (phase === 'here' && sight.identity !== identity) becomeGone(`${path} was replaced by another directory.`);
    if (sight.identity === undefined || (phase === 'gone' && needsMarker && !sight.hasMarker)) return;
    const isBack = phase === 'gone';
    phase = 'here';
    identity = sight.identity;
    needsMarker ||= sight.hasMarker;
    if (isBack) options.onBack();
  };
  const lookOnce = async (): Promise<void> => {
    queued = undefined;
    clearTimeout(timer);
    const sight = await lookAt(path, options.marker, last, stat);
    if (isClosed) return;
    last = sight;
    compare(sight);
    clearTimeout(timer);
    timer = setTimeout(() => void check(), phase === 'here' ? untilNextMs(presentCheckMs) : (options.goneCheckMs ?? 1_000)).unref();
  };
  const check = async (): Promise<boolean> => {
    if (!isClosed) running = queued ??= running.then(lookOnce);
    await running;
    return phase === 'here';
  };
  return {
    check,
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
