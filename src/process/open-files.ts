/** Which files some process holds open for writing, from `/proc` (proc(5)). */
import { lstat, readdir, readlink } from 'node:fs/promises';

/** The write bit of the owner, which the kernel sets on `/proc/PID/fd/N` links of descriptors open for writing. */
const writeBit = 0o200;

async function writtenBy(pid: string, wanted: ReadonlySet<string>, found: Set<string>): Promise<void> {
  const directory = `/proc/${pid}/fd`;
  // Another user's process, or one that just ended, cannot be looked into.
  const descriptors = await readdir(directory).catch(() => []);
  for (const descriptor of descriptors) {
    const link = `${directory}/${descriptor}`;
    const target = await readlink(link, 'latin1').catch(() => undefined);
    if (target === undefined || !wanted.has(target)) continue;
    const info = await lstat(link).catch(() => undefined);
    if (info !== undefined && (info.mode & writeBit) !== 0) found.add(target);
  }
}

/**
 * Those of the given absolute paths (bytes as latin1) that a process has open
 * for writing. Only processes that this user may look into count; where there
 * is no `/proc`, none does.
 */
export async function findOpenForWriting(paths: ReadonlySet<string>): Promise<Set<string>> {
  const found = new Set<string>();
  if (paths.size === 0 || process.platform !== 'linux') return found;
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  await Promise.all(pids.map((pid) => writtenBy(pid, paths, found)));
  return found;
}
