/** The command line of gitted-client: one row for each verb. */
import { parseArgs } from 'node:util';
import { exitCodes, GitsyncError } from '../errors.ts';
import { version } from '../version.ts';
import { findProject, type Project } from './project.ts';
import { finished } from './report.ts';
import { serveGit } from './remote-protocol.ts';
import { driverKinds, listNames, type Settings } from './settings.ts';

interface Call {
  project: Project;
  words: string[];
  options: Record<string, string | boolean | undefined>;
  /** The file that runs. */
  program: string;
}

interface Row {
  usage: string;
  summary: string;
  /** Loads what it needs when it is used: a push or a pull waits for this program to start. */
  run(call: Call): Promise<number>;
}

const options = {
  driver: { type: 'string' }, host: { type: 'string' }, path: { type: 'string' }, container: { type: 'string' }, ssh: { type: 'string' },
  with: { type: 'string' }, json: { type: 'boolean' }, force: { type: 'boolean' }, adopt: { type: 'boolean' }, help: { type: 'boolean', short: 'h' }, version: { type: 'boolean' },
} as const;

function word(call: Call, index: number, what: string): string {
  const found = call.words[index];
  if (found === undefined) throw new GitsyncError('usage', `${what} is missing.`, { hint: 'gitted-client help' });
  return found;
}

function driverOption(call: Call): Settings['driver'] {
  const wanted = call.options['driver'] ?? (call.options['host'] === undefined ? 'lxc' : 'ssh');
  const kind = driverKinds.find((each) => each === wanted);
  if (kind === undefined) throw new GitsyncError('usage', `There is no driver "${String(wanted)}".`, { hint: `one of: ${driverKinds.join(', ')}` });
  return kind;
}

const text = (value: string | boolean | undefined): string | undefined => (typeof value === 'string' ? value : undefined);

const machines = () => import('./machine-commands.ts');
const registration = () => import('./register.ts');

async function machine(call: Call) {
  const { chooseName, openMachine } = await machines();
  return openMachine(call.project, await chooseName(call.project, call.words[0]));
}

/** Runs a command inside the machine that the call names. */
const inside = async (call: Call, command: readonly string[], terminal = false): Promise<number> => (await machines()).runInside(await machine(call), command, terminal);

async function add(call: Call): Promise<number> {
  const name = word(call, 0, 'The name of the container');
  const { host, path, container, ssh } = call.options;
  const remote = { driver: driverOption(call), host: text(host), path: text(path), container: text(container), sshCommand: text(ssh) };
  await (await registration()).addRemote(call.project, name, remote);
  if (call.options['adopt'] === true) await adopt(call.project, name, remote);
  return exitCodes.ok;
}

/** Takes over the identity of a machine that another clone of this repository set up. */
async function adopt(project: Project, name: string, remote: Parameters<typeof import('./register.ts').addRemote>[2]): Promise<void> {
  const { driver } = await (await machines()).openMachine(project, name);
  const { exitCode, stdout } = await driver.exec(['cat', `${driver.rootfs()}/etc/gitted/id`]);
  const id = stdout.toString('utf8').trim();
  if (exitCode !== 0 || !/^[0-9a-f-]{36}$/.test(id)) throw new GitsyncError('container', `${name} has no /etc/gitted/id; there is nothing to adopt.`);
  await (await registration()).addRemote(project, name, { ...remote, id });
}

async function init(call: Call): Promise<number> {
  const name = word(call, 0, 'The name of the container');
  await (await registration()).register(call.project, call.program);
  await add(call);
  finished(`${name} is a remote now: git push ${name} BRANCH`);
  return exitCodes.ok;
}

async function list({ project }: Call): Promise<number> {
  const { openMachine } = await machines();
  for (const name of await listNames(project)) {
    const { driver } = await openMachine(project, name);
    process.stdout.write(`${name}\t${await driver.state()}\t${driver.kind}\n`);
  }
  return exitCodes.ok;
}

async function undo(call: Call): Promise<number> {
  const opened = await machine(call);
  return (await machines()).runInside(opened, ['env', `GITTED_REMOTE=${opened.settings.name}`, 'gitted', 'undo']);
}

const rows: readonly Row[] = [
  { usage: 'init NAME', summary: 'make the container NAME a remote of this repository (--driver lxc|local|ssh)', run: init },
  { usage: 'register', summary: 'copy this program into .git and make the settings that git needs', run: async (call) => (await (await registration()).register(call.project, call.program), exitCodes.ok) },
  { usage: 'add NAME', summary: 'add one more container remote (--adopt: one that exists already)', run: add },
  { usage: 'remove NAME', summary: 'forget a remote; its machine stays', run: async (call) => (await machines()).forgetMachine(call.project, word(call, 0, 'The name')) },
  { usage: 'list', summary: 'the containers, their state and kind', run: list },
  { usage: 'status [NAME]', summary: 'what runs, and whether its data is in the branch (--json)', run: async (call) => (await machines()).showStatus(call.project, call.words[0], call.options['json'] === true) },
  { usage: 'refs [NAME]', summary: "the refs of the container's repository", run: (call) => inside(call, ['gitted', 'refs']) },
  { usage: 'remote-git NAME -- ...', summary: "run git in the container's repository", run: (call) => inside(call, ['gitted', 'git', '--', ...call.words.slice(1)]) },
  { usage: 'url [NAME]', summary: 'where it answers, and whether', run: async (call) => (await machines()).showUrl(await machine(call)) },
  { usage: 'shell [NAME]', summary: 'a shell inside', run: (call) => inside(call, ['sh', '-c', 'cd "${GITTED_ROOT:-${HOME:-/}}"; exec "$(command -v bash || echo sh)" -i'], true) },
  { usage: 'logs [NAME]', summary: 'the journal inside, newest last', run: async (call) => (await machines()).showLogs(await machine(call)) },
  { usage: 'start [NAME]', summary: 'start the container', run: async (call) => (await machines()).startMachine(await machine(call)) },
  { usage: 'upgrade [NAME]', summary: "put this program's own gitted inside, where an older one does not work", run: async (call) => (await machines()).upgrade(await machine(call)) },
  { usage: 'stop [NAME]', summary: 'stop it', run: async (call) => (await machines()).stopMachine(await machine(call)) },
  { usage: 'destroy NAME', summary: 'save its state into this repository, then remove it (--force: remove only)', run: async (call) => (await machines()).destroyMachine(await (await machines()).openMachine(call.project, word(call, 0, 'The name')), call.options['force'] === true) },
  { usage: 'undo [NAME]', summary: 'go back to the state before the last push (again: forward)', run: undo },
  { usage: 'clone NAME NEW', summary: 'a second container with the state of the first', run: async (call) => (await machines()).cloneMachine(await (await machines()).openMachine(call.project, word(call, 0, 'The name')), word(call, 1, 'The new name')) },
  { usage: 'scaffold', summary: 'write sysconf/: the profiles that sysconf/actual/deps names, or new ones (--with postgresql,mysql,mongodb,sqlite,files)', run: async (call) => (await (await import('./scaffold.ts')).scaffold(call.project, (text(call.options['with']) ?? '').split(',').filter((each) => each !== ''), call.program), exitCodes.ok) },
  { usage: 'doctor', summary: 'look for what a container needs on this machine, and print the commands that help', run: async () => (await import('./doctor.ts')).runDoctor() },
];

function printHelp(): void {
  const width = Math.max(...rows.map(({ usage }) => usage.length)) + 2;
  process.stdout.write(`gitted-client: a repository that runs. Push to deploy, pull to back up.\n\n${rows.map(({ usage, summary }) => `  ${usage.padEnd(width)}${summary}`).join('\n')}\n`);
}

/** Words after `--` are for git inside, whatever they look like. */
function splitWords(args: readonly string[]): [ours: string[], theirs: string[]] {
  const end = args.indexOf('--');
  return end === -1 ? [[...args], []] : [args.slice(0, end), args.slice(end + 1)];
}

/** Runs one call of the program; the result is the exit code. */
export async function runGittedClient(args: readonly string[], program: string): Promise<number> {
  const [ours, theirs] = splitWords(args);
  if (ours[0] === 'handle-remote-protocol') return serveGit(await findProject(process.cwd()), ours[1] ?? '', ours[2] ?? '');
  if (ours[0] === 'merge-rows') return (await import('./merge-driver.ts')).runMergeDriver([...ours.slice(1), ...theirs]);
  let parsed;
  try {
    parsed = parseArgs({ args: ours, options, allowPositionals: true });
  } catch (error) {
    throw new GitsyncError('usage', (error as Error).message.split('.')[0] + '.', { hint: 'gitted-client help' });
  }
  const [verb = 'help', ...words] = parsed.positionals;
  if (parsed.values.version) process.stdout.write(`${version}\n`);
  else if (parsed.values.help || verb === 'help') printHelp();
  else {
    const row = rows.find(({ usage }) => usage.split(' ')[0] === verb);
    if (row === undefined) throw new GitsyncError('usage', `There is no command "${verb}".`, { hint: 'gitted-client help' });
    const project = verb === 'doctor' ? { gitDir: '', workTree: '', sysconf: '' } : await findProject(process.cwd());
    return row.run({ project, words: [...words, ...theirs], options: parsed.values, program });
  }
  return exitCodes.ok;
}
