/** Which files some process holds open for writing, from `/proc` (proc(5)). */
import { lstatSync, readdirSync, readlinkSync } from 'node:fs';

/** The write bit of the owner, which the kernel sets on `/proc/PID/fd/N` links of descriptors open for writing. */
const writeBit = 0o200;

/** Adds those of the wanted files that a process has open for writing. */
function addWrittenBy(pid: string, wanted: ReadonlySet<string>, found: Set<string>): void {
  const directory = `/proc/${pid}/fd`;
  for (const descriptor of orElse(() => readdirSync(directory), [])) {
    const link = `${directory}/${descriptor}`;
    const target = orElse(() => readlinkSync(link, 'latin1'), '');
    if (!wanted.has(target)) continue;
    const mode = orElse(() => lstatSync(link).mode, 0);
    if ((mode & writeBit) !== 0) found.add(target);
  }
}

/** Another user's process, or one that just ended, cannot be looked into. */
function orElse<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

/** So long may a look keep everything else from running. */
const sliceMs = 10;

/**
 * Those of the given absolute paths (bytes as latin1) that a process has open
 * for writing. Only processes that this user may look into count; where there
 * is no `/proc`, none does. (Synchronous calls, in slices: `/proc` answers at once,
 * and handing each of thousands of them to a thread costs ten times as much.)
 */
export async function findOpenForWriting(paths: ReadonlySet<string>): Promise<Set<string>> {
  const found = new Set<string>();
  if (paths.size === 0 || process.platform !== 'linux') return found;
  let sliceEndsAt = performance.now() + sliceMs;
  for (const pid of orElse(() => readdirSync('/proc'), []).filter((name) => /^\d+$/.test(name))) {
    addWrittenBy(pid, paths, found);
    if (performance.now() < sliceEndsAt) continue;
    await new Promise((resolve) => setImmediate(resolve));
    sliceEndsAt = performance.now() + sliceMs;
  }
  return found;
}
