/** What git's configuration says about reaching remotes, read again only when it may have changed. */
import { stat } from 'node:fs/promises';
import { splitNul } from '../core/raw-path.ts';
import { git, type Repo } from './git.ts';

const wanted = '^(core\\.sshcommand|ssh\\.variant|extensions\\.partialclone|remote\\..*\\.(uploadpack|vcs|promisor|partialclonefilter|serveroption))$';
/** Settings may also come from files that the repository's config includes, so they do not stay for longer than this. */
const keptMs = 60_000;

const kept = new WeakMap<Repo, { stamp: string; readAtMs: number; settings: ReadonlyMap<string, string> }>();

/** The settings by their keys, as git writes these: `core.sshcommand`, `remote.NAME.uploadpack`. */
export async function readRemoteSettings(repo: Repo): Promise<ReadonlyMap<string, string>> {
  const info = await stat(`${repo.commonDir}/config`).catch(() => undefined);
  const stamp = `${info?.mtimeMs} ${info?.ino} ${info?.size}`;
  const known = kept.get(repo);
  if (known !== undefined && known.stamp === stamp && performance.now() - known.readAtMs < keptMs) return known.settings;
  const { stdout } = await git(repo, ['config', '-z', '--get-regexp', wanted], { expect: [0, 1] });
  const settings = new Map(splitNul(stdout).map((entry) => Buffer.from(entry, 'latin1').toString('utf8').split(/\n(.*)/s, 2) as [string, string]));
  kept.set(repo, { stamp, readAtMs: performance.now(), settings });
  return settings;
}
