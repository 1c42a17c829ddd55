/** `gitsync container ...`: the containers that the agent drives, one by one. */
import type { AgentStatus } from '../agent/agent.ts';
import type { ContainerLine } from '../core/container-status.ts';
import type { ContainerConfig, RepoConfig } from '../config/config.ts';
import { suggest } from '../config/config-problem.ts';
import { exitCodes, GitsyncError } from '../errors.ts';
import { runAttached } from '../process/run.ts';
import { ask, readConfig, watchedPaths, type Context } from './context.ts';
import { containerLines, shortPath } from './status-lines.ts';
import { realPath } from './target.ts';

interface Place {
  repo: RepoConfig;
  container: ContainerConfig;
}

const verbs = ['list', 'status', 'push', 'pull', 'logs', 'shell', 'undo', 'start', 'stop'] as const;
type Verb = (typeof verbs)[number];

/** Every container that the config describes, or those of one repository. */
async function listPlaces(context: Context, inPath: string | undefined): Promise<Place[]> {
  const { repos } = await readConfig(context);
  const wanted = inPath === undefined ? repos : repos.filter(({ path }) => realPath(path) === realPath(inPath));
  if (inPath !== undefined && wanted.length === 0) throw new GitsyncError('usage', `${inPath} is not a listed repository.`, { hint: 'gitsync list' });
  return wanted.flatMap((repo) => repo.containers.map((container) => ({ repo, container })));
}

async function findPlace(context: Context, name: string | undefined, inPath: string | undefined): Promise<Place> {
  const places = await listPlaces(context, inPath);
  const found = places.filter(({ container }) => name === undefined || container.name === name);
  const [first] = found;
  if (found.length === 1 && first !== undefined) return first;
  const names = places.map(({ container }) => container.name);
  if (found.length > 1) {
    const hint = name === undefined ? `name one of: ${names.join(', ')}` : `add --in ${found.map(({ repo }) => shortPath(repo.path)).join(' or --in ')}`;
    throw new GitsyncError('usage', name === undefined ? 'Which container?' : `There are ${found.length} containers "${name}".`, { hint });
  }
  const hint = name === undefined || names.length === 0 ? `describe it in ${shortPath(context.configFile)}: [container NAME], see gitsync config --help` : (suggest(name, names) ?? `one of: ${names.join(', ')}`);
  throw new GitsyncError('usage', name === undefined ? 'No container is described in the config file.' : `No container "${name}" is described in the config file.`, { hint });
}

/** The containers' lines, from the agent where it watches their repository, else from the disk. */
async function readLines(context: Context, places: readonly Place[]): Promise<Map<Place, ContainerLine | undefined>> {
  const paths = [...new Set(places.map(({ repo }) => repo.path))];
  const watched = await watchedPaths(context);
  const theirs = paths.filter((path) => watched?.has(path));
  const known = theirs.length === 0 ? undefined : await ask<AgentStatus>(context, 'status', { paths: theirs });
  const byPath = new Map(known?.repos.map((repo) => [repo.path, repo.containers]));
  for (const repo of new Set(places.map((place) => place.repo))) {
    if (byPath.has(repo.path)) continue;
    const { statusWithoutAgent } = await import('../agent/offline-status.ts');
    byPath.set(repo.path, (await statusWithoutAgent(repo, context.log)).containers);
  }
  return new Map(places.map((place) => [place, byPath.get(place.repo.path)?.find(({ name }) => name === place.container.name)]));
}

async function runList(context: Context, inPath: string | undefined): Promise<number> {
  const lines = await readLines(context, await listPlaces(context, inPath));
  const rows = [...lines].map(([{ repo, container }, line]) => ({ name: container.name, repo: repo.path, branch: container.branch ?? null, machine: line?.machine ?? 'unknown', state: line?.state ?? 'unknown' }));
  const widthOf = (key: 'name' | 'machine' | 'state'): number => Math.max(0, ...rows.map((row) => row[key].length));
  const [nameWidth, machineWidth, stateWidth] = [widthOf('name'), widthOf('machine'), widthOf('state')];
  const text = rows.map(({ name, repo, machine, state }) => `${name.padEnd(nameWidth)}  ${machine.padEnd(machineWidth)}  ${state.padEnd(stateWidth)}  ${shortPath(repo)}`);
  context.answer(rows.length === 0 ? ['No container is described in the config file: see gitsync config --help'] : text, rows);
  return exitCodes.ok;
}

const isFailed = (line: ContainerLine): boolean => line.level === 'unsafe' || ['stopped', 'not there', 'busy', 'away'].includes(line.state);

async function runStatus(context: Context, name: string | undefined, inPath: string | undefined): Promise<number> {
  const places = name === undefined ? await listPlaces(context, inPath) : [await findPlace(context, name, inPath)];
  const lines = [...(await readLines(context, places)).values()].flatMap((line) => line ?? []);
  context.answer(containerLines(lines).map((line) => line.trimStart()), lines);
  const [only] = places;
  // What lives where inside, and whether it changed since, is the machine's own to say.
  if (name !== undefined && only !== undefined && !context.options.json && lines[0]?.machine.startsWith('running') === true) await runClient(only, 'status');
  return Math.max(0, ...lines.map(({ level }) => ({ safe: 0, attention: 1, unsafe: 2 })[level]));
}

/** Pushes or pulls now, and says how it went. */
async function runTalk(context: Context, place: Place, what: 'push' | 'pull'): Promise<number> {
  const { repo, container } = place;
  const line = (await watchedPaths(context))?.has(repo.path)
    ? await ask<ContainerLine | null>(context, 'container', { paths: [repo.path], container: container.name, what })
    : await (await import('../agent/once.ts')).talkOnce(repo, container.name, what, context.log);
  if (line === undefined || line === null) throw new GitsyncError('container', `Nothing is known of ${container.name}.`, { hint: 'gitsync status' });
  context.answer(containerLines([line]).map((text) => text.trimStart()), line);
  return isFailed(line) ? exitCodes.container : exitCodes.ok;
}

/** Lets the repository's own gitted-client do it, on this terminal. */
async function runClient({ repo, container }: Place, verb: string): Promise<number> {
  const { openRepo } = await import('../git/repository.ts');
  const { commonDir } = await openRepo(repo.path);
  return runAttached(process.execPath, [`${commonDir}/gitted-client`, verb, container.name], { cwd: repo.path });
}

export async function runContainer(context: Context, word: string | undefined, name: string | undefined, inPath: string | undefined): Promise<number> {
  const verb = verbs.find((known) => known === word);
  if (verb === undefined) {
    const hint = (word === undefined ? undefined : suggest(word, verbs)) ?? `gitsync container ${verbs.join('|')} [NAME]`;
    throw new GitsyncError('usage', word === undefined ? 'What about the containers?' : `There is no "gitsync container ${word}".`, { hint });
  }
  if (verb === 'list') return runList(context, inPath);
  if (verb === 'status') return runStatus(context, name, inPath);
  const place = await findPlace(context, name, inPath);
  return runVerb(context, verb, place);
}

async function runVerb(context: Context, verb: Exclude<Verb, 'list' | 'status'>, place: Place): Promise<number> {
  if (verb === 'push' || verb === 'pull') return runTalk(context, place, verb);
  const code = await runClient(place, verb);
  // What was undone inside is to be undone here as well, before the next push brings it back.
  if (verb === 'undo' && code === exitCodes.ok) return runTalk(context, place, 'pull');
  return code;
}
