/** Remotes that are directories of this machine: found as git finds them, their refs watched. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseRemoteUrl } from '../core/remote-url.ts';
import { peekRef } from '../git/ref-file.ts';
import { untilNextMs } from '../process/steady-clock.ts';
import type { PathWatcher } from '../watch/path-watcher.ts';
import { createQuickStat } from '../watch/quick-stat.ts';
import { watchRef } from '../watch/ref-watcher.ts';
import type { Notifier, NotifierEvents } from './notifier.ts';

/** The absolute path that a remote's URL means, or undefined for another kind of URL. Relative ones start at the work tree. */
export function localPathOf(url: string, workTree: string): string | undefined {
  const parsed = parseRemoteUrl(url);
  return parsed.kind === 'path' ? resolve(workTree, parsed.path) : undefined;
}

async function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}

/** What git tries after a path that it was given (enter_repo() in git's path.c). */
const suffixes = ['/.git', '', '.git/.git', '.git'];

/**
 * The git directory, shared by all work trees, of the repository at a path.
 * Undefined while there is none: a drive that is not mounted, a bundle file.
 */
export async function findRepositoryAt(path: string): Promise<string | undefined> {
  for (const suffix of suffixes) {
    const link = /^gitdir: (.+)\n?$/.exec(await textOf(path + suffix))?.[1];
    const gitDirectory = link === undefined ? path + suffix : resolve(path + suffix, '..', link);
    if ((await textOf(`${gitDirectory}/HEAD`)) === '') continue;
    const common = (await textOf(`${gitDirectory}/commondir`)).trim();
    return common === '' ? gitDirectory : resolve(gitDirectory, common);
  }
  return undefined;
}

/** Where a whole repository may go or come: the drive is unmounted, or mounted. */
const presenceCheckMs = 5_000;

interface Watched {
  gitDirectory: string;
  /** The directory itself, since another drive may be mounted at the same place. */
  identity: string;
  /** Of its HEAD: while that is the same file, the rest needs no look. */
  headIdentity: string;
  watcher: PathWatcher;
  tip: string | null | undefined;
}

/** Watches a branch of the repository at a path, which need not be there yet. */
export function startLocalNotifier(path: string, branch: string, events: NotifierEvents): Notifier {
  const ref = `refs/heads/${branch}`;
  const stat = createQuickStat(path);
  let watched: Watched | undefined;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;

  const identityOf = async (at: string): Promise<string> => {
    const info = await stat(at).catch(() => undefined);
    return info === undefined ? '' : `${info.dev}:${info.ino}`;
  };
  const onTouched = async (gitDirectory: string): Promise<void> => {
    const tip = await peekRef(gitDirectory, ref);
    // undefined: only git could tell, so each hint counts.
    if (isClosed || watched?.gitDirectory !== gitDirectory || (tip !== undefined && tip === watched.tip)) return;
    watched.tip = tip;
    events.onMoved(tip ?? undefined);
  };
  const begin = async (gitDirectory: string, identity: string): Promise<void> => {
    const watcher = watchRef(gitDirectory, ref, () => void onTouched(gitDirectory));
    await watcher.ready;
    const [tip, headIdentity] = await Promise.all([peekRef(gitDirectory, ref), identityOf(`${gitDirectory}/HEAD`)]);
    if (isClosed) return watcher.close();
    watched = { gitDirectory, identity, headIdentity, watcher, tip };
    events.onState(true);
  };
  const lookAnew = async (isFirst: boolean): Promise<void> => {
    const gitDirectory = await findRepositoryAt(path);
    const identity = gitDirectory === undefined ? '' : await identityOf(gitDirectory);
    if (isClosed) return;
    if (watched !== undefined && gitDirectory === watched.gitDirectory && identity === watched.identity) {
      watched.headIdentity = await identityOf(`${gitDirectory}/HEAD`);
      return;
    }
    const wasLive = watched !== undefined;
    watched?.watcher.close();
    watched = undefined;
    if (gitDirectory !== undefined) await begin(gitDirectory, identity);
    else if (wasLive || isFirst) events.onState(false, `${path} is not there`);
  };
  /** One stat: with fifty repositories, more than that every few seconds is seen in `top`. */
  const isUnchanged = async (): Promise<boolean> => {
    if (watched === undefined) return false;
    const head = await identityOf(`${watched.gitDirectory}/HEAD`);
    return head !== '' && head === watched.headIdentity;
  };
  const look = async (isFirst: boolean): Promise<void> => {
    clearTimeout(timer);
    if (!(await isUnchanged()) && !isClosed) await lookAnew(isFirst);
    if (!isClosed) timer = setTimeout(() => void check(), untilNextMs(presenceCheckMs)).unref();
  };
  /** The kernel gave no watch, say: the next look may be luckier. */
  const lookLater = (): void => {
    if (!isClosed) timer = setTimeout(() => void check(), untilNextMs(presenceCheckMs)).unref();
  };
  let looking: Promise<void> = Promise.resolve();
  const check = (isFirst = false): Promise<void> => (looking = looking.then(() => (isClosed ? undefined : look(isFirst))).catch(lookLater));
  void check(true);
  return {
    kind: 'local-path',
    get live() {
      return watched !== undefined;
    },
    wake: () => void check(),
    async close() {
      isClosed = true;
      await looking;
      clearTimeout(timer);
      watched?.watcher.close();
    },
  };
}
