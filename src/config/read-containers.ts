/** The sections [container NAME]: whose remote each is, and what cannot be meant. */
import type { ContainerConfig } from './config.ts';
import { suggest, type Finding, type Report } from './config-problem.ts';
import type { IniSection } from './ini-document.ts';
import { matchEntries, readValues, valuesFor } from './read-section.ts';
import { defaultsOf, rowsOf } from './schema.ts';
import { resolvePath, type Listing } from './work-paths.ts';

/** What gitted-client takes for a name. */
const namePattern = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** Containers by the path of their repository. One with a mistake in its section is left out, and nothing else is. */
export function readContainers(found: readonly IniSection[], repos: readonly Listing[], home: string, report: Report): Map<string, ContainerConfig[]> {
  const containers = new Map<string, ContainerConfig[]>();
  for (const section of found) {
    const name = section.argument as string;
    const { entries, findings } = matchEntries(section, rowsOf('container'));
    const values = valuesFor('container', readValues(entries, (finding) => findings.push(finding)));
    const path = values.repo === undefined ? undefined : resolvePath(values.repo, home);
    const hasRepo = [...entries.keys()].some(({ key }) => key === 'repo');
    if (!namePattern.test(name)) findings.push({ line: section.line, message: `"${name}" cannot name a container`, expected: 'lower-case letters, digits and hyphens, at most 63' });
    if (!hasRepo) findings.push({ line: section.line, message: `[container ${name}] does not say whose it is`, expected: 'repo = PATH' });
    const lineOfRepo = [...entries].find(([{ key }]) => key === 'repo')?.[1][0]?.line ?? section.line;
    if (path !== undefined && !repos.some((repo) => repo.path === path)) findings.push(explainUnlisted(path, repos, lineOfRepo));
    const known = path === undefined ? [] : (containers.get(path) ?? []);
    const first = known.find((container) => container.name === name);
    if (first !== undefined) findings.push({ line: section.line, message: `[container ${name}] stands twice for ${path ?? ''}, first on line ${first.line}`, expected: 'one section for each container' });
    const scope = path !== undefined && repos.some((repo) => repo.path === path) ? path : `container ${name}`;
    for (const finding of findings) report(finding, scope);
    if (findings.length > 0 || path === undefined) continue;
    const { repo: _repo, ...settings } = { ...defaultsOf('container'), ...values };
    containers.set(path, [...known, { ...settings, name, line: section.line }]);
  }
  return containers;
}

function explainUnlisted(path: string, repos: readonly Listing[], line: number): Finding {
  const hint = suggest(path, repos.map((repo) => repo.path)) ?? `list it too: work_dir = ${path}`;
  return { line, message: `repo: ${path} is not listed here`, expected: repos.length === 0 ? 'a repository of this file' : `one of ${repos.map((repo) => repo.path).join(', ')}`, hint };
}
