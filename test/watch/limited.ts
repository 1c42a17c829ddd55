/**
 * Runs a watcher at the kernel's limits, in a user namespace of its own:
 *   unshare -Ur node --import tsx limited.ts ROOT HOST_NAMESPACE STORY
 * It writes only /proc/sys/user/*, which each namespace has for itself.
 * /proc/sys/fs/inotify/* belongs to the whole machine: root in such a namespace
 * could lower it for everyone.
 */
import { readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { startDirectoryWatcher } from '../../src/watch/directory-watcher.ts';
import { silentLog } from '../../src/log.ts';
import { converge } from '../helpers/converge.ts';
import { put, untilEditsAreNamed, watching } from './watching.ts';

const [root = '', hostNamespace = '', story = ''] = process.argv.slice(2);

function setOwnLimit(name: 'max_inotify_watches' | 'max_inotify_instances', value: number): void {
  if (hostNamespace === '' || readlinkSync('/proc/self/ns/user') === hostNamespace) throw new Error('not in a user namespace of our own');
  writeFileSync(`/proc/sys/user/${name}`, `${value}`);
}

const start = () => watching(root, { log: { ...silentLog, error: (sentence, fields) => console.error(sentence, fields) } }, startDirectoryWatcher);

async function reachWatchLimitAtStart(): Promise<void> {
  setOwnLimit('max_inotify_watches', 20);
  const watched = await start();
  const atFirst = { kind: watched.watcher.kind, watchCount: watched.watcher.watchCount, problems: watched.problems.slice() };
  await converge('everything reported', () => watched.reported.has('all'));
  watched.forget();
  put(root, 'd0/unseen.txt');
  await converge('everything reported again by itself', () => watched.reported.has('all'));
  setOwnLimit('max_inotify_watches', 1_000);
  await converge('watching again', () => watched.watcher.kind === 'directories' && watched.watcher.watchCount === 31);
  await untilEditsAreNamed(watched, 'd0/seen.txt');
  await finish({ atFirst, problems: watched.problems.length }, watched);
}

async function reachWatchLimitLater(): Promise<void> {
  setOwnLimit('max_inotify_watches', 50);
  const watched = await start();
  const atFirst = watched.watcher.kind;
  for (let i = 0; i < 40; i += 1) put(root, `more/d${i}/file.txt`);
  await converge('scanning', () => watched.watcher.kind === 'scan-only');
  await converge('everything reported', () => watched.reported.has('all'));
  await finish({ atFirst, problems: watched.problems }, watched);
}

async function reachInstanceLimit(): Promise<void> {
  setOwnLimit('max_inotify_instances', 0);
  const watched = await start();
  await finish({ kind: watched.watcher.kind, problems: watched.problems }, watched);
}

async function finish(result: unknown, watched: Awaited<ReturnType<typeof start>>): Promise<void> {
  await watched.watcher.close();
  console.log(JSON.stringify({ result, machineLimit: readFileSync('/proc/sys/fs/inotify/max_user_watches', 'utf8').trim() }));
}

const stories: Record<string, () => Promise<void>> = { start: reachWatchLimitAtStart, later: reachWatchLimitLater, instances: reachInstanceLimit };
await stories[story]?.();
