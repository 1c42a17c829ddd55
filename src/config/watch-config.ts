/** Hearing that the config file changed, however it was saved. */
import { readlinkSync, realpathSync, statSync, watch, type FSWatcher } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';

/** A change is told once the file has rested for this long; editors write in several steps. */
const restMs = 100;

/** Also looks without being told: network homes report nothing, and the kernel's watches may be used up. */
const lookEveryMs = 30_000;

/** Directories to watch, each with the names in it that matter. */
type Places = Map<string, Set<string>>;

/**
 * Calls `onChange` when the content of `file` may have changed: written in
 * place, replaced by a rename, made, removed, or another target for a symbolic
 * link on the way. Watches directories, since a watched file is lost when an
 * editor puts a new one in its place.
 */
export function watchConfig(file: string, onChange: () => void): { close(): void } {
  const watchers = new Map<string, FSWatcher>();
  let rest: NodeJS.Timeout | undefined;
  const soon = (): void => {
    clearTimeout(rest);
    rest = setTimeout(look, restMs);
  };
  const look = (): void => {
    followPlaces(watchers, file, soon);
    const present = fingerprint(file);
    if (present === seen) return;
    seen = present;
    onChange();
  };
  followPlaces(watchers, file, soon);
  let seen = fingerprint(file);
  const regularly = setInterval(look, lookEveryMs).unref();
  return {
    close() {
      clearTimeout(rest);
      clearInterval(regularly);
      for (const watcher of watchers.values()) watcher.close();
    },
  };
}

/** Watches what leads to the file now, and nothing else. */
function followPlaces(watchers: Map<string, FSWatcher>, file: string, onEvent: () => void): void {
  const wanted = new Map<string, { directory: string; names: Set<string> }>();
  for (const [directory, names] of findPlaces(file)) {
    // A directory that was removed and made again is another one.
    const info = attempt(() => statSync(directory));
    if (info !== undefined) wanted.set(JSON.stringify([directory, info.dev, info.ino, [...names]]), { directory, names: names.add(basename(directory)) });
  }
  for (const [id, watcher] of watchers) {
    if (wanted.has(id)) continue;
    watcher.close();
    watchers.delete(id);
  }
  for (const [id, { directory, names }] of wanted) if (!watchers.has(id)) watchDirectory(watchers, id, directory, names, onEvent);
}

function watchDirectory(watchers: Map<string, FSWatcher>, id: string, directory: string, names: ReadonlySet<string>, onEvent: () => void): void {
  try {
    const watcher = watch(directory, { persistent: false }, (_event, name) => {
      if (name === null || names.has(name)) onEvent();
    });
    watcher.on('error', () => {
      watcher.close();
      watchers.delete(id);
    });
    watchers.set(id, watcher);
  } catch {
    // No watches left, or no right to read the directory: the regular look remains.
  }
}

/** The directories that decide what the file is: its own, those of the links on the way, and where one is missing, the nearest above it. */
function findPlaces(file: string): Places {
  const places: Places = new Map();
  let path = resolve(file);
  for (let steps = 0; steps < 40; steps++) {
    let [directory, name] = [dirname(path), basename(path)];
    while (!attempt(() => statSync(directory).isDirectory()) && directory !== dirname(directory)) [directory, name] = [dirname(directory), basename(directory)];
    places.set(directory, (places.get(directory) ?? new Set()).add(name));
    const target = attempt(() => resolve(realpathSync(dirname(path)), readlinkSync(path)));
    if (target === undefined) break;
    path = target;
  }
  return places;
}

/** A look at something that may be gone by now; a throw would end the agent. */
function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

/** Changes whenever the content may have. */
function fingerprint(file: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(':');
  } catch (error) {
    return String(error);
  }
}
