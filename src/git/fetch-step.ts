/**
 * A fetch of a branch that went on by one commit, as it mostly did. After any
 * fetch, git walks all files of the former state to find that nothing is
 * missing, which with many files takes longer than all else of it. Here only
 * what the commit changes is looked at, which proves as much: all that it left
 * as it was hangs on a ref of ours.
 */
import { existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { parseRemoteUrl } from '../core/remote-url.ts';
import { wasKilled } from '../process/run.ts';
import { rememberStep, type CommitStep } from './commit-step.ts';
import { git, inputLater, type GitResult, type Repo } from './git.ts';
import { updateRefIf } from './refs.ts';
import { readRemoteSettings } from './remote-settings.ts';
import { runRemoteStep, type RemoteStepOptions } from './remote-step.ts';
import { parseRawDiff, rawDiffWords, withoutIndex } from './tree.ts';

export interface StepRequest {
  remote: string;
  /** Where the remote is now, as git would be told. */
  url: string;
  /** Full name of the branch there. */
  ref: string;
  /** Full name of the remote-tracking ref, and its commit. */
  tracking: string;
  before: string;
  /** Settings for git, as `key=value`. */
  config: readonly string[];
}

/** A tip: the tracking ref is there now. `failed`: any other fetch would fail as well. Undefined: it has to be fetched in full. */
export type StepOutcome = { tip: string } | { failed: GitResult } | undefined;

/** @throws GitsyncError `timeout`, `interrupted` and the like. */
export async function fetchStep(repo: Repo, request: StepRequest, options: RemoteStepOptions): Promise<StepOutcome> {
  const { remote, url, ref, tracking, before, config } = request;
  if (!(await isPlain(repo, remote, url))) return undefined;
  // Without a limit for what stays packed: with one, git keeps a larger pack under a lock, and breaks down over checked objects (2.39).
  const result = await runRemoteStep(repo, remote, ['fetch-pack', '--thin', url, ref], { ...options, config: [...config, 'fetch.unpackLimit=0'] }).catch((error: unknown) => {
    // If this git breaks down all the same, a whole fetch need not.
    if (wasKilled(error)) return undefined;
    throw error;
  });
  if (result === undefined) return undefined;
  // A server that was not reached is not asked twice.
  if (result.exitCode === 128 && parseRemoteUrl(url).kind === 'ssh') return { failed: result };
  const tip = /^([0-9a-f]+) (.*)\n$/.exec(result.stdout.toString());
  if (result.exitCode !== 0 || tip?.[1] === undefined || tip[2] !== ref) return undefined;
  const commit = tip[1];
  if (commit === before) return { tip: commit };
  const step = readStep(repo, commit, before);
  // Started meanwhile, as are those in `readStep`: what one is told comes when the one before has answered.
  const moving = updateRefIf(repo, tracking, commit, before, `fetched from ${remote}`, step.then((known) => known !== undefined));
  const [known, hasMoved] = await Promise.all([step, moving]);
  if (known === undefined || !hasMoved) return undefined;
  rememberStep(repo, known);
  return { tip: commit };
}

/** Whether git reaches the remote by itself, over ssh or as a path, and with nothing special about it. */
async function isPlain(repo: Repo, remote: string, url: string): Promise<boolean> {
  const place = parseRemoteUrl(url);
  if (place.kind === 'other' || (place.kind === 'path' && !isAbsolute(place.path)) || existsSync(`${repo.commonDir}/shallow`)) return false;
  const settings = await readRemoteSettings(repo);
  return ![...settings.keys()].some((key) => key.startsWith(`remote.${remote}.`) || key === 'extensions.partialclone');
}

/** What the commit changes, where `parent` is its only parent and all of it is there; undefined otherwise. */
async function readStep(repo: Repo, commit: string, parent: string): Promise<CommitStep | undefined> {
  const listing = git(repo, [...rawDiffWords, '--format=%P', commit], { ...withoutIndex(repo), expect: [0, 128] }).then(({ exitCode, stdout }) => {
    // "PARENTS NUL LF", then the changes.
    const end = stdout.indexOf('\0');
    const isOnly = exitCode === 0 && stdout.subarray(0, Math.max(end, 0)).toString() === parent;
    return isOnly ? parseRawDiff(stdout.subarray(end + 2)) : undefined;
  });
  const asking = listing.then((changes) => (changes ?? []).flatMap(({ new: entry }) => (entry === null || entry.mode === '160000' ? [] : [entry.oid])));
  const answering = git(repo, ['cat-file', '--batch-check=%(objecttype) %(objectsize)'], { input: inputLater(asking.then((oids) => oids.map((oid) => `${oid}\n`).join(''))) });
  const [changes, oids, { stdout }] = await Promise.all([listing, asking, answering]);
  const sizes = stdout.toString().split('\n').slice(0, -1).map((line) => /^blob (\d+)$/.exec(line)?.[1]);
  if (changes === undefined || sizes.length !== oids.length || sizes.includes(undefined)) return undefined;
  return { parent, commit, changes, sizes: new Map(oids.map((oid, i) => [oid, Number(sizes[i])])) };
}
