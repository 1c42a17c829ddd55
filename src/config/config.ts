/** What the config file says, as the rest of the program sees it. */
import type { LogLevel } from '../log.ts';
import type { ConfigProblem } from './config-problem.ts';
import { defaultsOf, type ContainerSettings, type RepoSettings } from './schema.ts';

/** One container of a repository and its settings. */
export interface ContainerConfig extends Omit<ContainerSettings, 'repo'> {
  /** The remote's name. */
  name: string;
  /** Where the file describes it, from 1; 0 when no file does. */
  line: number;
}

/** One repository and its settings. */
export interface RepoConfig extends RepoSettings {
  /** Absolute, `~` expanded, no slash at the end. */
  path: string;
  /** Where the file lists it, from 1; 0 when no file does. */
  line: number;
  containers: ContainerConfig[];
}

export interface Config {
  file: string;
  /** The repositories that can be kept in sync; one that its own section makes unclear is left out. */
  repos: RepoConfig[];
  logLevel: LogLevel;
  notify: boolean;
  /** By line. */
  problems: ConfigProblem[];
}

/** The settings of a repository that no config lists. */
export function defaultRepoConfig(path: string): RepoConfig {
  return { ...defaultsOf('repo'), path, line: 0, containers: [] };
}

/** The settings of a container that no config describes. */
export function defaultContainerConfig(name: string): ContainerConfig {
  const { repo: _repo, ...settings } = defaultsOf('container');
  return { ...settings, name, line: 0 };
}

/**
 * Whether the file as a whole says what its owner meant. If not, some value for
 * all repositories could not be read and its default stands in for it: do not
 * start with such a config, and do not take it over from a former one.
 */
export function isUsable(config: Config): boolean {
  return config.problems.every((problem) => problem.scope !== undefined);
}
