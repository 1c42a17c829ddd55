/** Reading the config file. */
import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { errnoOf, GitsyncError } from '../errors.ts';
import { checkContainers } from './check-containers.ts';
import { checkDirectory } from './check-directory.ts';
import type { Config } from './config.ts';
import type { ConfigProblem, Finding } from './config-problem.ts';
import { parseConfig } from './parse-config.ts';
import { separateListings } from './work-paths.ts';

/** A file larger than this was not written by hand. */
const maxConfigBytes = 1_000_000;

/**
 * Reads a config and looks at its directories. One that is missing or no
 * repository is a problem of its own and absent from `repos`; call this again
 * to find out whether it has come (back).
 * @throws GitsyncError `config` if the file cannot be read
 */
export async function loadConfig(file: string): Promise<Config> {
  const config = parseConfig(await readConfigText(file), file, homedir());
  const places = new Map<string, string>();
  const problems: ConfigProblem[] = [];
  const checks = config.repos.map(async ({ path, line }) => {
    const check = await checkDirectory(path);
    if ('place' in check) places.set(path, check.place);
    else problems.push({ file, line, ...check.trouble, severity: 'error', scope: path });
  });
  await Promise.all(checks);
  const present = config.repos.filter(({ path }) => places.has(path));
  const { kept, findings } = separateListings(present, (path) => places.get(path) as string);
  for (const { path, ...finding } of findings) problems.push({ file, ...finding, severity: 'error', scope: path });
  const report = (finding: Finding, scope: string | undefined): void => void problems.push({ file, ...finding, severity: 'error', scope });
  const repos = await Promise.all(kept.map(async (repo) => ({ ...repo, containers: await checkContainers(repo, report) })));
  return { ...config, repos, problems: [...config.problems, ...problems].sort((a, b) => a.line - b.line) };
}

/**
 * The text of a config file.
 * @throws GitsyncError `config` with what to do about it
 */
export async function readConfigText(file: string): Promise<string> {
  try {
    const info = await stat(file);
    if (info.isDirectory()) throw new GitsyncError('config', `${file} is a directory.`, { hint: 'gitsync keeps its settings in one file of that name; move the directory away, or name a file with --config' });
    if (info.size > maxConfigBytes) throw new GitsyncError('config', `${file} is no config file: it has ${info.size} bytes.`, { hint: 'name the right file with --config' });
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof GitsyncError) throw error;
    const missing = errnoOf(error) === 'ENOENT';
    const hint = missing ? 'begin with: gitsync init PATH' : `see its owner and mode: ls -l ${file}`;
    throw new GitsyncError('config', missing ? `There is no config file ${file}.` : `The config file ${file} cannot be read.`, { cause: error, hint });
  }
}
