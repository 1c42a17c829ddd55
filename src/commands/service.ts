/** `gitsync service install|uninstall|status`: the agent as a service of the person's own systemd. */
import { existsSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { installService, readService, uninstallService, type ServiceReport, type ServiceState } from '../agent/service.ts';
import type { ProgramPlace } from '../agent/service-units.ts';
import { formatProblem } from '../config/config-problem.ts';
import type { RepoConfig } from '../config/config.ts';
import { parseRemoteUrl } from '../core/remote-url.ts';
import { GitsyncError } from '../errors.ts';
import { listRemotes } from '../git/remotes.ts';
import { openRepo } from '../git/repository.ts';
import { runtimePaths } from '../process/runtime-dir.ts';
import { readConfig, type Context } from './context.ts';
import { shortPath } from './status-lines.ts';

export interface ServiceOptions {
  linger: boolean;
  onceTimer: boolean;
  peers: boolean;
}

export async function runService(context: Context, action: string, options: ServiceOptions): Promise<number> {
  if (action === 'install') return runInstall(context, options);
  if (action === 'uninstall') return runUninstall(context);
  if (action === 'status') return runServiceStatus(context);
  throw new GitsyncError('usage', `"${action}" is nothing that can be done with the service.`, { hint: 'gitsync service install, uninstall or status' });
}

async function runInstall(context: Context, options: ServiceOptions): Promise<number> {
  const repos = await requireRepos(context);
  const place = await findPlace(context, repos);
  const { written, report } = await installService({ ...options, place, socket: socketOf(context) });
  const lines = written.map((file) => `Wrote ${shortPath(file)}`);
  lines.push(...(options.onceTimer ? timerLines(report.timer) : agentLines(report)), ...peersLines(report), ...lingerLines(report));
  if (!options.peers && report.peers.file === '' && (await hasRemote(repos, 'gidit'))) lines.push('A remote is a project of peers; their daemon as a service: gitsync service install --peers');
  context.answer(lines, { written, ...report });
  return 0;
}

async function runUninstall(context: Context): Promise<number> {
  const removed = await uninstallService();
  const lines = removed.map((file) => `Removed ${shortPath(file)}`);
  context.answer([...lines, 'The service is stopped and starts no more. Nothing else was changed; lingering, where it is on, stays on.'], { removed });
  return 0;
}

async function runServiceStatus(context: Context): Promise<number> {
  const report = await readService(socketOf(context));
  const { agent, timer, peers } = report;
  const isTimed = timer.active === 'active' && agent.active !== 'active';
  const lines = isTimed ? timerLines(timer) : agentLines(report);
  context.answer([...lines, ...peersLines(report), ...lingerLines(report)], report);
  const isPeersWell = !peers.enabled || (peers.active === 'active' && peers.answers === peers.pid);
  return isPeersWell && (isTimed || (agent.active === 'active' && report.answers === agent.pid)) ? 0 : 1;
}

const socketOf = (context: Context): string => runtimePaths('agent', context.configFile).socket;

function agentLines({ agent, answers, journal }: ServiceReport): string[] {
  if (agent.file === '') return ['The service is not installed   -> gitsync service install'];
  const lines = [`Service: ${agent.active}${agent.enabled ? '' : ', and not started by itself'} (${shortPath(agent.file)})`];
  if (agent.active === 'active' && answers === agent.pid) lines.push(`Proof: process ${agent.pid} answers on its control socket: ${agent.text}`);
  else if (answers !== undefined) lines.push(`Process ${answers} answers on the control socket, and is not this service.`);
  else lines.push('No agent answers on the control socket.', ...endLines(agent), ...journal.map((line) => `  | ${line}`));
  return lines;
}

function endLines({ active, result, exitCode }: ServiceState): string[] {
  if (active === 'activating') return ['It is being started, or waits to be started again.'];
  if (active !== 'failed') return ['  -> gitsync service install'];
  return [`It ended with: ${result}, exit code ${exitCode}   -> ${exitCode === 10 ? 'gitsync config --check' : 'gitsync doctor'}, then gitsync service install`];
}

function timerLines({ active, next, file }: ServiceReport['timer']): string[] {
  return [`Timer: ${active}, next in step with everything at ${next === '' ? 'an unknown time' : next} (${shortPath(file)})`];
}

/** Nothing where their daemon is no service: it need not be one. */
function peersLines({ peers }: ServiceReport): string[] {
  const { file, active, enabled, pid, answers } = peers;
  if (file === '' || (!enabled && active === 'inactive')) return [];
  const proof = answers === pid && active === 'active' ? `process ${pid} answers on its socket` : `no daemon answers   -> journalctl --user -u ${peers.unit}`;
  return [`Peers: ${active}${enabled ? '' : ', and not started by itself'} (${shortPath(file)}); ${proof}`];
}

function lingerLines({ lingering, agent, timer }: ServiceReport): string[] {
  if (agent.file === '' && timer.file === '') return [];
  return [lingering ? 'It starts with the machine.' : 'It starts when you log in, and ends when you log out   -> gitsync service install --linger'];
}

/** A service without anything to do would end at once, and say so where nobody looks. */
async function requireRepos(context: Context): Promise<RepoConfig[]> {
  const { repos, problems } = await readConfig(context);
  const fatal = problems.find(({ scope }) => scope === undefined);
  if (fatal !== undefined) throw new GitsyncError('config', formatProblem(fatal), { hint: 'gitsync config --check' });
  if (repos.length === 0 && problems.length === 0) throw new GitsyncError('config', 'There is nothing to watch yet.', { hint: 'gitsync init PATH, then gitsync service install' });
  return repos;
}

/** How a service, which knows nothing of this terminal, finds what runs here. */
async function findPlace(context: Context, repos: readonly RepoConfig[]): Promise<ProgramPlace> {
  const path = (process.env['PATH'] ?? '').split(delimiter);
  const git = path.find((directory) => existsSync(join(directory, 'git')));
  return {
    node: process.execPath,
    script: realpathSync(process.argv[1] as string),
    configFile: context.options.config === undefined ? undefined : context.configFile,
    path: [dirname(process.execPath), ...(git === undefined ? [] : [git])],
    containers: await hasRemote(repos, 'ext', 'gitted'),
  };
}

/** Whether any repository has a remote with one of these schemes: of a container, which a sandboxed agent could not start, or of peers. */
async function hasRemote(repos: readonly RepoConfig[], ...schemes: string[]): Promise<boolean> {
  const remotes = await Promise.all(repos.map(({ path }) => openRepo(path).then(listRemotes, () => [])));
  return remotes.flat().map(({ url }) => parseRemoteUrl(url)).some((url) => url.kind === 'other' && schemes.includes(url.scheme));
}
