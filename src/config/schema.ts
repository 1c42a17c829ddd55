/**
 * Every section and key of the config file, one row each. The parser,
 * config.example.ini, `gitsync config --help` and docs/config.md all come from
 * this table; a new section is an entry in `Settings` and `sections`, and its rows.
 */
import type { ConflictRule } from '../core/conflict-rule.ts';
import type { LogLevel } from '../log.ts';
import { driverKind, exportPoints, pullWhen, pushWhen, repoPath, type PullWhen, type PushWhen } from './container-types.ts';
import { branch, byteSize, choice, conflictRules, duration, messageTemplate, paths, remoteNames, schedule, yesNo, type ValueType } from './value-types.ts';

/** What a repository's keys mean to the program. */
export interface RepoSettings {
  branch: string | undefined;
  remotes: string[] | undefined;
  quietMs: number;
  maxDelayMs: number;
  pollMs: number;
  schedule: string | undefined;
  conflict: ConflictRule[];
  maxFileSizeBytes: number;
  maxBatchBytes: number;
  message: string | undefined;
  hooks: boolean;
  sign: boolean;
  fullScanMs: number;
  keepMs: number;
  secrets: boolean;
}

/** What the keys mean that hold for the whole program. */
export interface GlobalSettings {
  /** As written, with `~` not yet expanded. */
  workDirs: string[];
  logLevel: LogLevel;
  notify: boolean;
}

/** What the keys of a container mean. */
export interface ContainerSettings {
  /** As written, with `~` not yet expanded. */
  repo: string | undefined;
  branch: string | undefined;
  driver: 'lxc' | 'ssh' | 'local' | undefined;
  push: PushWhen;
  pull: PullWhen;
  /** Absolute, inside the container. */
  exportPoints: string[];
  start: boolean;
}

export interface Settings {
  gitsync: GlobalSettings;
  repo: RepoSettings;
  container: ContainerSettings;
}

export type SectionName = keyof Settings;

export interface SectionRow {
  /** What follows the name in the header, if anything does. */
  argument: string | undefined;
  /** Its keys may also stand in [gitsync], as defaults for all sections of this name. */
  defaultsInGitsync: boolean;
  doc: string;
}

/** The sections that a file may have. */
export const sections: Record<SectionName, SectionRow> = {
  gitsync: { argument: undefined, defaultsInGitsync: false, doc: 'What to keep in sync. Every key of [repo PATH] may stand here too, as the default for all repositories.' },
  repo: { argument: 'PATH', defaultsInGitsync: true, doc: 'Overrides for the repository at PATH, which is kept in sync whether or not work_dir lists it.' },
  container: { argument: 'NAME', defaultsInGitsync: false, doc: 'A container that is a remote NAME of a repository (made by gitted-client init NAME): what changes in the work directory goes into it, and what changes inside comes back, by itself.' },
};

/** One key of one section, and what it means as `field`. */
export interface Row<T = unknown> {
  section: SectionName;
  key: string;
  field: string;
  type: ValueType<T>;
  /** As it would be written in the file ('' is an empty list); undefined: there is none. */
  default: string | undefined;
  /** What stands in the example where there is no default. */
  example?: string;
  /** Sentences for people; the first says what it is. */
  doc: string;
}

/** A row whose type of value is that of its field. */
type TypedRow = {
  [S in SectionName]: { [F in keyof Settings[S]]: Row<Settings[S][F]> & { section: S; field: F } }[keyof Settings[S]];
}[SectionName];

/** The table, in the order in which people read about it. */
export const schema: readonly TypedRow[] = [
  { section: 'gitsync', key: 'work_dir', field: 'workDirs', type: paths, default: '', example: '~/Notes, ~/Articles', doc: 'The directories to keep in sync, each the top of a git work tree. Separate them with commas, spaces or indented lines; put quotes around a path with spaces.' },
  { section: 'gitsync', key: 'log_level', field: 'logLevel', type: choice(['error', 'warn', 'info', 'debug']), default: 'info', doc: 'How much is logged.' },
  { section: 'gitsync', key: 'notify', field: 'notify', type: yesNo, default: 'yes', doc: 'Desktop notifications when something turns unsafe, and when it is safe again.' },
  { section: 'repo', key: 'branch', field: 'branch', type: branch, default: undefined, example: 'main', doc: 'The only branch to keep in sync. Without it: the one that is checked out.' },
  { section: 'repo', key: 'remotes', field: 'remotes', type: remoteNames, default: undefined, example: 'origin, backup', doc: 'The git remotes to keep in sync with. Without it: the upstream of the branch, else origin, else the only remote.' },
  { section: 'repo', key: 'quiet', field: 'quietMs', type: duration('0s', '1h'), default: '0.3s', doc: 'A change is committed once nothing has changed for this long.' },
  { section: 'repo', key: 'max_delay', field: 'maxDelayMs', type: duration('0.1s', '1d'), default: '15s', doc: 'A file that never rests is committed after this long all the same (never sooner than quiet).' },
  { section: 'repo', key: 'poll', field: 'pollMs', type: duration('1s', '7d'), default: '60s', doc: 'How often to ask a remote that cannot say by itself that it has moved.' },
  { section: 'repo', key: 'schedule', field: 'schedule', type: schedule, default: undefined, example: '*/15 * * * *', doc: 'A cron expression: fetch and push at these times only. Changes are still committed at once.' },
  { section: 'repo', key: 'conflict', field: 'conflict', type: conflictRules('copies'), default: 'copies', example: 'copies, *.po=theirs, data/**=ours', doc: 'What to do where both sides changed the same place. copies: one side keeps the name, the other goes beside it; ours, theirs: that side wins, the other stays in history; branch: merge nothing, publish ours as gitsync/HOST/BRANCH; pause: wait for a person. GLOB=POLICY rules may follow; the last one that matches counts.' },
  { section: 'repo', key: 'max_file_size', field: 'maxFileSizeBytes', type: byteSize('1kB', '1TB'), default: '50MB', doc: 'A new file larger than this is held until it is allowed.' },
  { section: 'repo', key: 'max_batch', field: 'maxBatchBytes', type: byteSize('1kB', '10TB'), default: '1GB', doc: 'More new content than this in one commit is held until it is allowed.' },
  { section: 'repo', key: 'secrets', field: 'secrets', type: yesNo, default: 'yes', doc: 'Hold files that look like secrets (keys, tokens, .env) until they are allowed.' },
  { section: 'repo', key: 'message', field: 'message', type: messageTemplate, default: undefined, example: '{host}: {summary}', doc: 'The commit message: {host}, {summary}, {paths}, {date} and {branch} are filled in. Without it: the host, what changed, and a line for each path.' },
  { section: 'repo', key: 'hooks', field: 'hooks', type: yesNo, default: 'no', doc: 'Run the pre-commit, commit-msg, post-commit and pre-push hooks.' },
  { section: 'repo', key: 'sign', field: 'sign', type: yesNo, default: 'no', doc: 'Sign commits, as git is set up to do it.' },
  { section: 'repo', key: 'full_scan', field: 'fullScanMs', type: duration('1m', '7d'), default: '15m', doc: 'How often to look at every file, in case the system did not report a change.' },
  { section: 'repo', key: 'keep', field: 'keepMs', type: duration('1d', '3650d'), default: '90d', doc: 'For how long a former state can be brought back.' },
  { section: 'container', key: 'repo', field: 'repo', type: repoPath, default: undefined, example: '~/Articles', doc: 'The repository whose remote the container is, as it is listed here.' },
  { section: 'container', key: 'branch', field: 'branch', type: branch, default: undefined, example: 'main', doc: 'The branch that the container runs. Without it: the one that is checked out. Another one than that is kept in step too, without a work directory.' },
  { section: 'container', key: 'driver', field: 'driver', type: driverKind, default: undefined, example: 'lxc', doc: 'What kind of container it is. Without it: what gitted-client init said; where both say it, they must agree.' },
  { section: 'container', key: 'push', field: 'push', type: pushWhen, default: 'debounce 5s', doc: 'When new commits go in: debounce TIME, once none has come for this long; cron "EXPRESSION", at these times; manual, when a person asks (gitsync container push NAME, or gitsync sync).' },
  { section: 'container', key: 'pull', field: 'pull', type: pullWhen, default: 'every 5m', doc: 'When changes of databases and files inside are fetched: every TIME, cron "EXPRESSION" or manual. A database that did not change costs one query.' },
  { section: 'container', key: 'export_points', field: 'exportPoints', type: exportPoints, default: '', example: '/var/www/uploads, /etc/nginx', doc: 'Directories inside the container that are watched: a change there is fetched once they have rested, without waiting for the time of pull.' },
  { section: 'container', key: 'start', field: 'start', type: yesNo, default: 'no', doc: 'Start the container where it is stopped, and make it where it was never made.' },
];

/** The rows whose keys may stand in a section. */
export function rowsOf(section: SectionName): Row[] {
  return schema.filter((row) => row.section === section || (section === 'gitsync' && sections[row.section].defaultsInGitsync));
}

/** The values that a section's fields have when the file says nothing. */
export function defaultsOf<S extends SectionName>(section: S): Settings[S] {
  const values = schema.filter((row) => row.section === section).map((row) => [row.field, defaultOf(row)]);
  // The type of each row ties its value to its field, which fromEntries cannot see.
  return Object.fromEntries(values) as Settings[S];
}

function defaultOf(row: Row): unknown {
  return row.default === undefined ? undefined : row.type.schema.parse(row.default === '' ? [] : [row.default]);
}
