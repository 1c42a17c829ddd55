/** What a capture found: kept for the status, and told in the log. */
import { directoriesAbove, rawToDisplay, type RawPath } from '../core/raw-path.ts';
import type { CaptureReport } from '../git/capture.ts';
import { saveHeld } from '../git/snapshot.ts';
import type { LogFields } from '../log.ts';
import { changeOwnState } from './own-state.ts';
import type { RepoSession } from './repo-session.ts';

/** Keeps what the status shows, and lets the work tree's root be what it is now, once no deletion waits. */
export async function rememberReport(session: RepoSession, report: CaptureReport, scan: ReadonlySet<RawPath> | 'all', inode: string): Promise<void> {
  const before = session.lastReport;
  const known = report.complete || scan === 'all' || before === undefined ? report : mergeReports(before, report, scan);
  session.lastReport = known;
  const secrets = report.held.filter(({ reason }) => reason === 'secret-name' || reason === 'secret-content');
  // So is what lies where an incoming version waits for its place.
  await saveHeld(session.repo, [...secrets.map(({ path }) => path), ...report.aside]);
  const deletionsWait = known.held.some(({ reason }) => reason === 'mass-deletion');
  if (!deletionsWait && session.own.rootInode !== inode) session.own = await changeOwnState(session.repo, () => ({ rootInode: inode }));
}

/** A partial look replaces only what it looked at; what it no longer finds there is over. */
function mergeReports(before: CaptureReport, report: CaptureReport, scan: ReadonlySet<RawPath>): CaptureReport {
  const isLookedAt = (path: RawPath): boolean => [path, ...directoriesAbove([path])].some((each) => scan.has(each));
  const stays = (path: RawPath): boolean => report.readProblem !== undefined || !isLookedAt(path);
  const merge = (was: readonly RawPath[], is: readonly RawPath[]): RawPath[] => [...new Set([...was.filter(stays), ...is])];
  const held = new Map(before.held.filter(({ path }) => stays(path)).map((each) => [each.path, each]));
  if (report.outcome.kind === 'committed') for (const path of report.outcome.paths) held.delete(path);
  for (const each of report.held) held.set(each.path, each);
  return {
    ...report,
    held: [...held.values()],
    failed: [...before.failed.filter(({ path }) => stays(path)), ...report.failed],
    nested: merge(before.nested, report.nested),
    movedSubmodules: merge(before.movedSubmodules, report.movedSubmodules),
  };
}

/** Tells it: what is held or cannot be saved as a warning the first time. */
export function logReport(session: RepoSession, { outcome, held, failed }: CaptureReport): void {
  const { log } = session.repo;
  if (outcome.kind === 'committed') log.info('Committed', { commit: outcome.commit.slice(0, 10), paths: outcome.paths.length });
  if (outcome.kind === 'snapshot' && outcome.commit !== undefined) log.info('Kept a snapshot', { why: outcome.why, commit: outcome.commit.slice(0, 10) });
  const byReason = new Map<string, RawPath[]>();
  for (const { path, detail } of held) byReason.set(detail, [...(byReason.get(detail) ?? []), path]);
  for (const [why, paths] of byReason) {
    // A mass deletion is one event, not a line for each file.
    const others = paths.length === 1 ? {} : { others: paths.length - 1 };
    warnOnce(session, `held ${paths.join('\0')}`, 'Held back', { path: rawToDisplay(paths[0] as RawPath), ...others, why });
  }
  for (const { path, why } of failed) warnOnce(session, `failed ${path}`, 'Could not be saved', { path: rawToDisplay(path), why });
}

function warnOnce(session: RepoSession, key: string, sentence: string, fields: LogFields): void {
  session.repo.log[session.warned.has(key) ? 'debug' : 'warn'](sentence, fields);
  session.warned.add(key);
}
