/** Commands for one machine: start, stop, status, url, shell, logs, undo, destroy, clone. */
import { exitCodes, GitsyncError } from '../errors.ts';
import { version } from '../version.ts';
import { gitAnywhere } from '../git/git.ts';
import { runAttached } from '../process/run.ts';
import { ensureMachine, installGitted } from './bootstrap.ts';
import type { Driver } from './driver.ts';
import { driverOf } from './drivers.ts';
import type { Project } from './project.ts';
import { detail, finished, phase } from './report.ts';
import { addRemote, removeRemote } from './register.ts';
import { listNames, readSettings, type Settings } from './settings.ts';
import { findUrl, probeUrl } from './url.ts';

interface Machine {
  project: Project;
  settings: Settings;
  driver: Driver;
}

/** A registered machine. */
export async function openMachine(project: Project, name: string): Promise<Machine> {
  const settings = await readSettings(project, name);
  return { project, settings, driver: driverOf(project, settings) };
}

/** The named machine, or the only one that there is. */
export async function chooseName(project: Project, name: string | undefined): Promise<string> {
  if (name !== undefined) return name;
  const names = await listNames(project);
  if (names.length === 1) return names[0] as string;
  throw new GitsyncError('usage', names.length === 0 ? 'This repository has no container remote.' : `Which one: ${names.join(', ')}?`, { hint: names.length === 0 ? 'gitted-client init NAME' : `gitted-client ... ${names[0]}` });
}

async function requireRunning({ driver, settings }: Machine): Promise<void> {
  const state = await driver.state();
  if (state !== 'running') throw new GitsyncError('container', `${settings.name} is ${state === 'stopped' ? 'stopped' : 'not there yet'}.`, { hint: state === 'stopped' ? `gitted-client start ${settings.name}` : `git push ${settings.name} BRANCH` });
}

/** Runs a program inside on our own terminal and returns its exit code. */
export async function runInside(machine: Machine, command: readonly string[], terminal = false): Promise<number> {
  await requireRunning(machine);
  const { file, args, env } = machine.driver.command(command, { terminal });
  return runAttached(file, args, env === undefined ? {} : { env });
}

/** The journal, where the machine has one of its own, else what lies in its `/var/log`. */
const logsScript = `
if [ -z "$GITTED_ROOT" ] && command -v journalctl >/dev/null && [ -d /run/log/journal -o -d /var/log/journal ]; then exec journalctl --no-pager -n 200; fi
set -- "$GITTED_ROOT"/var/log/*.log "$GITTED_ROOT"/var/log/messages "$GITTED_ROOT"/var/log/syslog
for file do shift; [ -f "$file" ] && set -- "$@" "$file"; done
[ $# -gt 0 ] || exit 4
exec tail -n 200 "$@"`;

/** Prints what the machine has logged last. */
export async function showLogs(machine: Machine): Promise<number> {
  const code = await runInside(machine, ['sh', '-c', logsScript]);
  if (code === 4) throw new GitsyncError('container', `${machine.settings.name} has no journal and nothing in /var/log.`, { hint: `gitted-client shell ${machine.settings.name}` });
  return code;
}

/** Starts a machine that exists. */
export async function startMachine(machine: Machine): Promise<number> {
  if ((await machine.driver.state()) === 'absent') throw new GitsyncError('container', `${machine.settings.name} is not there yet.`, { hint: `git push ${machine.settings.name} BRANCH` });
  await ensureMachine(machine.project, machine.driver, machine.settings);
  return exitCodes.ok;
}

export async function stopMachine({ driver, settings }: Machine): Promise<number> {
  await driver.stop();
  finished(`${settings.name} is stopped`);
  return exitCodes.ok;
}

/** Prints where it answers, and whether. */
export async function showUrl(machine: Machine): Promise<number> {
  await requireRunning(machine);
  const url = await findUrl(machine.driver);
  if (url === undefined) throw new GitsyncError('container', `${machine.settings.name} has no address.`);
  process.stdout.write(`${url}\n`);
  detail(await probeUrl(url));
  return exitCodes.ok;
}

export interface MachineStatus {
  name: string;
  driver: string;
  state: string;
  address?: string;
  branch?: string;
  head?: string;
  lock?: string;
  unfinished?: string;
  bindings: { name: string; engine: string; path: string; state: string }[];
}

/** What is known of a machine, without starting or changing it. */
export async function readStatus({ driver, settings }: Machine): Promise<MachineStatus> {
  const status: MachineStatus = { name: settings.name, driver: driver.kind, state: await driver.state(), bindings: [] };
  if (status.state !== 'running') return status;
  const address = await driver.address();
  if (address !== undefined) status.address = address;
  const { exitCode, stdout } = await driver.exec(['gitted', 'status']).catch(() => ({ exitCode: 1, stdout: Buffer.alloc(0) }));
  if (exitCode !== 0) return status;
  for (const line of stdout.toString('utf8').split('\n')) {
    const [key = '', value = ''] = line.split('\t');
    if (key === 'branch' || key === 'head' || key === 'lock' || key === 'unfinished') status[key] = value;
    const [name = '', engine = '', path = '', state = ''] = value.split(' ');
    if (key === 'binding') status.bindings.push({ name, engine, path, state });
  }
  return status;
}

/** Prints the status of the named machine, or of all. */
export async function showStatus(project: Project, name: string | undefined, json: boolean): Promise<number> {
  const names = name === undefined ? await listNames(project) : [name];
  const all: MachineStatus[] = [];
  for (const each of names) all.push(await readStatus(await openMachine(project, each)));
  if (json) {
    process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
    return exitCodes.ok;
  }
  for (const status of all) {
    process.stdout.write(`${status.name}  ${status.state}  ${status.driver}${status.address === undefined ? '' : `  ${status.address}`}\n`);
    if (status.branch) process.stdout.write(`  runs ${status.branch} at ${status.head ?? '?'}\n`);
    for (const { path, engine, state } of status.bindings) process.stdout.write(`  ${path} (${engine}): ${state === 'unchanged' ? 'as in the branch' : `may have changed: git pull ${status.name} ${status.branch ?? 'BRANCH'}`}\n`);
    if (status.lock) process.stdout.write(`  at work: ${status.lock}\n`);
    if (status.unfinished) process.stdout.write(`  an import was cut off: gitted-client remote-git ${status.name} -- version finishes it with the next push or pull\n`);
  }
  if (all.length === 0) process.stdout.write('No container remote. Make one: gitted-client init NAME\n');
  return exitCodes.ok;
}

/** Saves what is inside into the repository (`refs/remotes/NAME/*`), then removes the machine. */
export async function destroyMachine(machine: Machine, force: boolean): Promise<number> {
  const { project, driver, settings } = machine;
  const state = await driver.state();
  if (state === 'running' || state === 'stopped') {
    if (!force) await saveState(machine);
    phase(`Removing ${settings.name}`);
    await driver.destroy();
  } else if (state === 'partial') {
    await driver.destroy();
  }
  await gitAnywhere(['config', '--local', '--unset-all', `gitted.${settings.name}.ready`], project.gitDir, { env: { GIT_DIR: project.gitDir }, expect: [0, 5] });
  finished(`${settings.name} is gone; git push ${settings.name} BRANCH makes it anew`);
  return exitCodes.ok;
}

async function saveState({ project, driver, settings }: Machine): Promise<void> {
  if (!settings.ready) return;
  phase(`Saving the state of ${settings.name}`);
  if ((await driver.state()) === 'stopped') await driver.start();
  const env = { GIT_DIR: project.gitDir, GIT_TERMINAL_PROMPT: '0' };
  const { exitCode, stderr } = await gitAnywhere(['fetch', settings.name], project.gitDir, { env, expect: [0, 1, 128] });
  if (exitCode !== 0) {
    throw new GitsyncError('container', `The state of ${settings.name} could not be saved; nothing was removed: ${stderr.trim().split('\n').pop() ?? ''}`, { hint: `gitted-client destroy ${settings.name} --force` });
  }
  detail(`saved as ${settings.name}/BRANCH: git log --remotes=${settings.name}`);
}

/** Registers NEW with the driver of NAME and pushes what NAME has now. */
export async function cloneMachine(machine: Machine, newName: string): Promise<number> {
  const { project, settings } = machine;
  const { driver, host, sshCommand } = settings;
  await addRemote(project, newName, { driver, host, sshCommand, path: undefined, container: undefined });
  await saveState(machine);
  const { branch } = await readStatus(machine);
  if (!branch) throw new GitsyncError('container', `${settings.name} runs no branch yet.`, { hint: `git push ${settings.name} BRANCH` });
  phase(`Pushing ${settings.name}/${branch} to ${newName}`);
  return runAttached('git', ['--git-dir', project.gitDir, 'push', newName, `refs/remotes/${settings.name}/${branch}:refs/heads/${branch}`]);
}

/** Forgets the remote; the machine stays. */
export async function forgetMachine(project: Project, name: string): Promise<number> {
  await removeRemote(project, name);
  return exitCodes.ok;
}

/** Replaces gitted inside by the one that came with this program. */
export async function upgrade(machine: Machine): Promise<number> {
  await requireRunning(machine);
  await installGitted(machine.project, machine.driver, machine.settings);
  finished(`${machine.settings.name} has gitted ${version}; gitted-client scaffold puts the same into sysconf/`);
  return exitCodes.ok;
}
