/** The command line of `git gidit`: the original's flags, and words beside them. */
import { parseArgs } from 'node:util';
import { exitCodes, GitsyncError } from '../errors.ts';
import { version } from '../version.ts';
import { openContext, type CommandContext } from './command-context.ts';
import { initProject, initStore, printBundle, printList, printMissing, printPushObject, printStoredBundle, storeBundle, updateList, verifyList, verifyPushObject } from './seed-commands.ts';
import { heal, initPerson, mirror, release, showLog, showOrMoveKey, showStatus, verifyStored, type WordOptions } from './word-commands.ts';

const options = {
  // What to do, as in 2009.
  init: { type: 'boolean' }, pushobj: { type: 'boolean' }, 'verify-pobj': { type: 'boolean' }, 'create-bundle': { type: 'boolean' }, 'proj-init': { type: 'boolean' },
  updatepl: { type: 'boolean' }, polist: { type: 'boolean' }, 'store-bundle': { type: 'boolean' }, 'get-bundle': { type: 'boolean' }, 'verify-polist': { type: 'boolean' }, 'list-missing': { type: 'boolean' },
  // How.
  base: { type: 'string', short: 'b' }, sign: { type: 'boolean', short: 's' }, 'local-user': { type: 'string', short: 'u' }, tags: { type: 'boolean' }, project: { type: 'string', short: 'p' },
  key: { type: 'string' }, name: { type: 'string' }, 'no-passphrase': { type: 'boolean' }, json: { type: 'boolean' }, 'max-size': { type: 'string' },
  verbose: { type: 'boolean', short: 'v' }, help: { type: 'boolean', short: 'h' }, version: { type: 'boolean' },
} as const;

type Values = ReturnType<typeof parse>['values'];

const flags: Record<string, { input: string; summary: string; run(context: CommandContext, values: Values): Promise<number> }> = {
  init: { input: '', summary: 'make the store', run: (context) => initStore(context) },
  pushobj: { input: '', summary: 'write the refs of this repository (-s or -u KEY: signed; --tags; -p PROJECT)', run: (context, values) => printPushObject(context, { sign: values.sign === true || values['local-user'] !== undefined, tags: values.tags === true, project: values.project }) },
  'verify-pobj': { input: '[pushobject]', summary: 'whether this repository has all that it points to', run: (context) => verifyPushObject(context) },
  'create-bundle': { input: '[pushobject]', summary: 'write what this repository has beyond it', run: (context, values) => printBundle(context, { tags: values.tags === true }) },
  'proj-init': { input: '[projname]\\n[PGP key]', summary: 'make a project', run: (context) => initProject(context) },
  updatepl: { input: '[SHA-1 of key][projname]\\n[pushobject]', summary: 'take it into the list, once verified', run: (context) => updateList(context) },
  polist: { input: '[SHA-1 of key][projname]\\n', summary: 'write the list, newest first', run: (context) => printList(context) },
  'store-bundle': { input: '[start][end][bundle]', summary: 'keep a bundle', run: (context) => storeBundle(context) },
  'get-bundle': { input: '[start][end]', summary: 'write a bundle', run: (context) => printStoredBundle(context) },
  'verify-polist': { input: '[list]', summary: 'whether this repository has all that a list points to', run: (context) => verifyList(context) },
  'list-missing': { input: '[list]', summary: 'the ids of what is new in a list, oldest first', run: (context) => printMissing(context) },
};

const words: Record<string, { usage: string; summary: string; run(context: CommandContext, rest: string[], options: WordOptions): Promise<number> }> = {
  init: { usage: 'init', summary: 'choose or make a key (--key FPR, --name, --no-passphrase), make the store', run: (context, _, each) => initPerson(context, each) },
  status: { usage: 'status', summary: 'who holds what, how fresh, who disagrees (--json)', run: (context, _, each) => showStatus(context, each) },
  mirror: { usage: 'mirror ADDRESS', summary: "hold somebody's project, without their key (--max-size 500MB)", run: mirror },
  release: { usage: 'release ADDRESS', summary: 'do not hold it any more', run: release },
  log: { usage: 'log [ADDRESS]', summary: 'the PushObjects of a project (--json)', run: showLog },
  verify: { usage: 'verify [ADDRESS]', summary: 'check every signature and link in the store', run: verifyStored },
  heal: { usage: 'heal [ADDRESS]', summary: 'end a fork: one object that follows from both', run: heal },
  key: { usage: 'key [FPR]', summary: 'what peers know of a key', run: showOrMoveKey },
  'key successor': { usage: 'key successor NEW PROJECT', summary: 'another key of yours takes over', run: showOrMoveKey },
};

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new GitsyncError('usage', `${(error as Error).message.split('.')[0] ?? ''}.`, { hint: 'git gidit -h' });
  }
}

function helpText(): string {
  const rows = Object.values(words).map(({ usage, summary }) => `  ${usage.padEnd(28)}${summary}\n`);
  const old = Object.entries(flags).map(([name, { input, summary }]) => `  --${name.padEnd(16)}${summary}${input === '' ? '' : `; reads ${input}`}\n`);
  return `git gidit: a cloud without a server, of signed PushObjects and bundles.\n\n${rows.join('')}\nwith standard input as in 2009:\n${old.join('')}\n  -b BASE  the store; default: gidit.base, or ~/.local/share/gidit\n  -u KEY   the key to sign with; default: gidit.key\n\nAddresses: PROJECT (your own), FINGERPRINT/PROJECT (anybody's).\n`;
}

/** Runs one call of the program; the result is the exit code. */
export async function runGitGidit(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args);
  if (values.version === true) return print(`${version}\n`);
  const wanted = Object.keys(flags).filter((name) => values[name as keyof Values] === true);
  const [word, ...rest] = positionals;
  if (values.help === true || word === 'help') return print(helpText());
  if (wanted.length + (word === undefined ? 0 : 1) !== 1) {
    if (wanted.length > 0 || word !== undefined) throw new GitsyncError('usage', 'One thing at a time.', { hint: 'git gidit -h' });
    process.stderr.write(helpText());
    return exitCodes.usage;
  }
  const command = word === undefined ? undefined : words[word];
  if (word !== undefined && command === undefined) throw new GitsyncError('usage', `There is no command ${JSON.stringify(word)}.`, { hint: 'git gidit -h' });
  const context = await openContext({ base: values.base, key: values['local-user'] ?? values.key });
  if (command === undefined) return (flags[wanted[0] as string] as (typeof flags)[string]).run(context, values);
  return command.run(context, rest, { key: values.key ?? values['local-user'], name: values.name, noPassphrase: values['no-passphrase'] === true, json: values.json === true, maxSize: values['max-size'] });
}

function print(text: string): number {
  process.stdout.write(text);
  return exitCodes.ok;
}
