/**
 * npm run bench [-- NAME [ARGUMENTS]]: every benchmark, or one of them, in a
 * process of its own; Markdown on standard output, with the machine and the date.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeMachine } from './measure.ts';

const here = import.meta.dirname;
/** What others import measures nothing by itself. */
const isProgram = (file: string): boolean => file.endsWith('.ts') && !/^export /m.test(readFileSync(file, 'utf8'));
/** In this order; those of the containers and peers come last. */
const own = ['start', 'ready', 'commit', 'history', 'watch', 'latency', 'burst', 'large-file', 'idle', 'agent-containers'];
const others = ['gitted', 'gidit'].flatMap((directory) => (existsSync(join(here, directory)) ? readdirSync(join(here, directory)).filter((name) => isProgram(join(here, directory, name))).sort().map((name) => `${directory}/${name.slice(0, -3)}`) : []));
const [name, ...args] = process.argv.slice(2);
const chosen = name === undefined ? [...own, ...others] : [...own, ...others].filter((each) => each === name || each.startsWith(`${name}/`));
if (chosen.length === 0) {
  console.error(`There is no benchmark "${name}". There are: ${[...own, ...others].join(', ')}`);
  process.exit(2);
}
let failed = false;
for (const each of chosen) {
  console.log(`\n### ${each}\n\n${describeMachine()}`);
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', join(here, `${each}.ts`), ...args], { stdio: 'inherit' });
  if (status !== 0) failed = true;
  if (status !== 0) console.log(`\n${each} ended with ${status}.`);
}
process.exit(failed ? 1 : 0);
