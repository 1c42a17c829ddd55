/** Whether the containers of a repository are remotes that gitted-client made, as far as the repository's own config says. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ContainerConfig, RepoConfig } from './config.ts';
import { suggest, type Report } from './config-problem.ts';
import { quoteWord } from './words.ts';

const textOf = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '');

/** The text of the config that all work trees of a repository share. */
async function readSharedConfig(workTree: string): Promise<string> {
  const link = /^gitdir: (.+?)\r?\n?$/.exec(await textOf(`${workTree}/.git`))?.[1];
  const gitDir = link === undefined ? `${workTree}/.git` : resolve(workTree, link);
  const common = (await textOf(`${gitDir}/commondir`)).trim();
  return textOf(`${common === '' ? gitDir : resolve(gitDir, common)}/config`);
}

/** The registered containers and their drivers. The sections are read as gitted-client writes them, with git's own hands. */
function readRegistered(text: string): Map<string, string> {
  const found = new Map<string, string>();
  let name: string | undefined;
  for (const line of text.split('\n')) {
    if (/^\s*\[/.test(line)) name = /^\s*\[gitted "([a-z0-9-]+)"\]/i.exec(line)?.[1];
    const driver = /^\s*driver\s*=\s*"?([a-z]+)"?\s*$/i.exec(line)?.[1];
    if (name !== undefined && driver !== undefined) found.set(name, driver);
  }
  return found;
}

/** The containers that are there to be driven; what is wrong with the others is reported. */
export async function checkContainers(repo: RepoConfig, report: Report): Promise<ContainerConfig[]> {
  if (repo.containers.length === 0) return [];
  const registered = readRegistered(await readSharedConfig(repo.path));
  return repo.containers.filter(({ name, line, driver }) => {
    const known = registered.get(name);
    const problem = known === undefined ? explainUnknown(repo.path, name, driver, [...registered.keys()]) : driver !== undefined && driver !== known ? explainDriver(repo.path, name, driver, known) : undefined;
    if (problem !== undefined) report({ line, ...problem }, repo.path);
    return problem === undefined;
  });
}

function explainUnknown(path: string, name: string, driver: string | undefined, known: readonly string[]): { message: string; expected: string; hint: string } {
  const command = `cd ${quoteWord(path)} && gitted-client init ${name}${driver === undefined || driver === 'lxc' ? '' : ` --driver ${driver}`}`;
  return {
    message: `${path} has no container "${name}"`,
    expected: known.length === 0 ? 'a remote that gitted-client made' : `one of ${known.join(', ')}`,
    hint: suggest(name, known) ?? `to make it: ${command}`,
  };
}

function explainDriver(path: string, name: string, driver: string, known: string): { message: string; expected: string; hint: string } {
  return { message: `driver: "${name}" is of kind ${known}, not ${driver}`, expected: known, hint: `see git -C ${quoteWord(path)} config gitted.${name}.driver` };
}
