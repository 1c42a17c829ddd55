/** From the text of a config file to repositories and problems, without looking at a disk. */
import type { Config, ContainerConfig, RepoConfig } from './config.ts';
import { suggest, type ConfigProblem, type Finding, type Report } from './config-problem.ts';
import { readIni, splitLines, type IniEntry, type IniSection } from './ini-document.ts';
import { readContainers } from './read-containers.ts';
import { checkWords, headerOf, matchEntries, readValues, valuesFor, wordsOf } from './read-section.ts';
import { defaultsOf, rowsOf, schema, sections, type GlobalSettings, type RepoSettings, type Row, type SectionName } from './schema.ts';
import { resolvePath, separateListings, type Listing } from './work-paths.ts';

const sectionNames = Object.keys(sections) as SectionName[];
const knownHeaders = sectionNames.map((name) => `[${headerOf(name)}]`).join(' or ');

/** Reads a config; what is wrong with it is in `problems`, never thrown. Directories are not looked at. */
export function parseConfig(text: string, file: string, home: string): Config {
  const problems: ConfigProblem[] = [];
  const report: Report = ({ line, message, expected, hint }, scope) =>
    void problems.push({ file, line, message, expected, ...(hint === undefined ? {} : { hint }), severity: 'error', scope });

  const broken = findBrokenText(text);
  if (broken !== undefined) report(broken, undefined);
  const found = sortSections(broken === undefined ? readIni(text) : [], report);
  const general = readGeneral(found.gitsync, home, report);
  const own = readRepoSections(found.repo, home, report);
  const listed = listRepos(general.workDirs, own, report);
  const containers = readContainers(found.container, listed, home, report);
  const repos = listed.flatMap(({ path, line }) => {
    const section = own.get(path);
    return section?.clear === false ? [] : [makeRepo({ ...general.repoDefaults, ...section?.values }, path, line, containers.get(path) ?? [])];
  });
  problems.sort((a, b) => a.line - b.line);
  return { file, repos, logLevel: general.settings.logLevel, notify: general.settings.notify, problems };
}

/** The first line outside of comments whose bytes are not UTF-8 (a replacement character stands for them). */
function findBrokenText(text: string): Finding | undefined {
  const index = splitLines(text).findIndex((content) => /[\0\ufffd]/.test(content) && !/^[ \t]*[#;]/.test(content));
  return index < 0 ? undefined : { line: index + 1, message: 'this line is not text', expected: 'UTF-8' };
}

function makeRepo(changed: Partial<RepoSettings>, path: string, line: number, containers: ContainerConfig[]): RepoConfig {
  const settings = { ...defaultsOf('repo'), ...changed };
  return { ...settings, maxDelayMs: Math.max(settings.maxDelayMs, settings.quietMs), path, line, containers };
}

/** Sections by name; those with a name or a header that does not exist are reported. */
function sortSections(found: readonly IniSection[], report: Report): Record<SectionName, IniSection[]> {
  const sorted = Object.fromEntries(sectionNames.map((name) => [name, [] as IniSection[]])) as Record<SectionName, IniSection[]>;
  for (const section of found) {
    const name = sectionNames.find((known) => known === section.name);
    if (name !== undefined && (sections[name].argument === undefined) === (section.argument === undefined)) sorted[name].push(section);
    else if (section.name === undefined) for (const problem of section.problems) report(problem, undefined);
    else report(unknownSection(section), undefined);
  }
  return sorted;
}

function unknownSection({ name = '', argument, line }: IniSection): Finding {
  if (name === '') return { line, message: 'settings without a section', expected: `${knownHeaders} above them`, hint: 'put [gitsync] above' };
  const known = sectionNames.find((candidate) => candidate === name);
  const hint = /^[/~]/.test(name) ? `did you mean "[repo ${[name, argument].filter((part) => part !== undefined).join(' ')}]"?` : suggest(name, sectionNames);
  const header = argument === undefined ? name : `${name} ${argument}`;
  if (known === undefined) return { line, message: `unknown section [${header}]`, expected: knownHeaders, hint };
  return { line, message: argument === undefined ? `[${header}] names no ${sections[known].argument}` : `[${header}] takes no name`, expected: `[${headerOf(known)}]` };
}

/** What [gitsync] says: the directories, the defaults for repositories and the rest. */
function readGeneral(found: readonly IniSection[], home: string, report: Report): { settings: GlobalSettings; repoDefaults: Partial<RepoSettings>; workDirs: Listing[] } {
  const merged: IniSection = { name: 'gitsync', argument: undefined, line: 0, entries: found.flatMap(({ entries }) => entries), problems: found.flatMap(({ problems }) => problems) };
  const { entries, findings } = matchEntries(merged, rowsOf('gitsync'));
  const workDirRow = schema.find(({ field }) => field === 'workDirs') as Row;
  const workDirs = readWorkDirs(workDirRow, entries.get(workDirRow) ?? [], home, report);
  entries.delete(workDirRow);
  const values = readValues(entries, (finding) => findings.push(finding));
  for (const finding of findings) report(finding, undefined);
  return {
    settings: { ...defaultsOf('gitsync'), ...valuesFor('gitsync', values) },
    repoDefaults: valuesFor('repo', values),
    workDirs,
  };
}

/** Each directory by itself, so that a bad one concerns no other. */
function readWorkDirs(row: Row, entries: readonly IniEntry[], home: string, report: Report): Listing[] {
  const listings: Listing[] = [];
  for (const entry of entries) {
    for (const word of wordsOf(entry, row.type.mode)) {
      for (const finding of checkWords(row, [word]).findings) report(finding, word.text);
      const path = resolvePath(word.text, home);
      if (path !== undefined) listings.push({ path, line: word.line });
    }
  }
  return listings;
}

interface RepoSection extends Listing {
  values: Partial<RepoSettings>;
  /** Whether all of it could be read. */
  clear: boolean;
}

function readRepoSections(found: readonly IniSection[], home: string, report: Report): Map<string, RepoSection> {
  const own = new Map<string, RepoSection>();
  for (const section of found) {
    const argument = section.argument as string;
    const path = resolvePath(argument, home);
    if (path === undefined) {
      report({ line: section.line, message: `[repo ${argument}] names no absolute path`, expected: '[repo /PATH] or [repo ~/PATH]' }, argument);
      continue;
    }
    const { entries, findings } = matchEntries(section, rowsOf('repo'));
    const values = readValues(entries, (finding) => findings.push(finding));
    const first = own.get(path);
    // Which of two sections counts cannot be known, so neither does.
    if (first !== undefined) findings.push({ line: section.line, message: `[repo ${path}] stands twice, first on line ${first.line}`, expected: 'one section for each repository' });
    for (const finding of findings) report(finding, path);
    own.set(path, { values: valuesFor('repo', values), path, line: first?.line ?? section.line, clear: findings.length === 0 });
  }
  return own;
}

/** Every path once: those of work_dir, then those that only a section of their own names. */
function listRepos(workDirs: readonly Listing[], own: ReadonlyMap<string, RepoSection>, report: Report): Listing[] {
  const listed = new Set(workDirs.map(({ path }) => path));
  const { kept, findings } = separateListings([...workDirs, ...[...own.values()].filter(({ path }) => !listed.has(path))]);
  for (const { path, ...finding } of findings) report(finding, path);
  return kept;
}
