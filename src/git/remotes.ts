/** Which remotes a repository has, and where a branch is published. */
import { splitNul } from '../core/raw-path.ts';
import { git, type Repo } from './git.ts';

export interface RemoteInfo {
  name: string;
  /** Where fetches go, after `url.*.insteadOf`. */
  url: string;
  /** Where pushes go (the first, where there are several). */
  pushUrl: string;
}

/** A branch on a remote, by its short name there. */
export interface PublishTarget {
  remote: string;
  branch: string;
}

/** The remotes that have a URL, in git's order (by name). */
export async function listRemotes(repo: Repo): Promise<RemoteInfo[]> {
  const { stdout } = await git(repo, ['remote', '-v']);
  const remotes = new Map<string, { url: string; pushUrl?: string }>();
  for (const line of stdout.toString().split('\n')) {
    // "NAME\tURL (fetch) [blob:none]", then a line for each push URL; a remote without a URL has no direction.
    const [, name, url, direction] = /^([^\t]+)\t(.*) \((fetch|push)\)(?: \[.*\])?$/.exec(line) ?? [];
    if (name === undefined || url === undefined) continue;
    const known = remotes.get(name);
    if (known === undefined) remotes.set(name, { url });
    else if (direction === 'push') known.pushUrl ??= url;
  }
  return [...remotes].map(([name, { url, pushUrl }]) => ({ name, url, pushUrl: pushUrl ?? url }));
}

/** The part of a repository's configuration that says where its branches go. */
interface BranchConfig {
  /** Those that are no containers: a machine that runs is a place to publish to only where someone said so. */
  remotes: string[];
  containers: ReadonlySet<string>;
  /** branch.NAME.remote, .merge and .pushRemote, else remote.pushDefault */
  remote: string | undefined;
  merge: string | undefined;
  pushRemote: string | undefined;
}

async function readBranchConfig(repo: Repo, branch: string): Promise<BranchConfig> {
  const { stdout } = await git(repo, ['config', '-z', '--get-regexp', '^(remote|branch|gitted)\\.'], { expect: [0, 1] });
  const found: Omit<BranchConfig, 'containers'> = { remotes: [], remote: undefined, merge: undefined, pushRemote: undefined };
  let pushDefault: string | undefined;
  const containers = new Set<string>();
  for (const entry of splitNul(stdout)) {
    const text = Buffer.from(entry, 'latin1').toString('utf8');
    const newline = text.indexOf('\n');
    if (newline < 0) continue; // a key without a value
    const [key, value] = [text.slice(0, newline), text.slice(newline + 1)];
    const remote = /^remote\.(.+)\.(url|pushurl)$/s.exec(key)?.[1];
    if (remote !== undefined && !found.remotes.includes(remote)) found.remotes.push(remote);
    const container = /^gitted\.(.+)\.driver$/s.exec(key)?.[1];
    if (container !== undefined) containers.add(container);
    if (key === 'remote.pushdefault') pushDefault = value;
    // The last entry wins, as in git.
    if (key === `branch.${branch}.remote`) found.remote = value;
    if (key === `branch.${branch}.pushremote`) found.pushRemote = value;
    if (key === `branch.${branch}.merge` && value.startsWith('refs/heads/')) found.merge = value.slice('refs/heads/'.length);
  }
  const remotes = found.remotes.filter((name) => !containers.has(name));
  return { ...found, remotes, containers, pushRemote: found.pushRemote ?? pushDefault };
}

/**
 * Where `branch` (short name) is published: on each of the configured remotes,
 * else where the person's own `git push` would send it (branch.NAME.pushRemote,
 * remote.pushDefault), else its upstream, else `origin`, else the only remote that is no container.
 * On its upstream remote it keeps the upstream's name. Names of remotes that do
 * not exist are passed on, so that the fetch can say so.
 */
export async function publishTargets(repo: Repo, branch: string, configured: readonly string[] | undefined): Promise<PublishTarget[]> {
  const config = await readBranchConfig(repo, branch);
  const targetOn = (remote: string): PublishTarget => ({ remote, branch: remote === config.remote ? (config.merge ?? branch) : branch });
  if (configured !== undefined) return [...new Set(configured)].filter((name) => !config.containers.has(name)).map(targetOn);
  const wanted = [config.pushRemote, config.remote, 'origin'].find((name) => name !== undefined && config.remotes.includes(name));
  const remote = wanted ?? (config.remotes.length === 1 ? config.remotes[0] : undefined);
  return remote === undefined ? [] : [targetOn(remote)];
}
