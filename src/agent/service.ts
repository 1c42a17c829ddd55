/** The agent as a service of the person's own systemd: put in place, started, looked at, removed. */
import { exitCodes, GitsyncError } from '../errors.ts';
import { askAgent } from './control.ts';
import { askPeersPid, refuseStrangePeers, startPeers } from './peers-service.ts';
import { agentUnit, onceUnit, peersUnit, removeUnit, timerUnit, writeUnits, type ProgramPlace } from './service-units.ts';
import { readState, type ServiceState } from './unit-state.ts';
import { enableLinger, isLingering, readJournal, requireUserManager, showUnit, systemctl } from './user-manager.ts';

export type { ServiceState } from './unit-state.ts';

export interface ServiceReport {
  agent: ServiceState;
  timer: ServiceState & { next: string };
  /** The daemon of the peers, and the process that answers on its socket. */
  peers: ServiceState & { answers: number | undefined };
  lingering: boolean;
  /** The process that answers on the control socket. */
  answers: number | undefined;
  journal: string[];
}

async function askPid(socket: string): Promise<number | undefined> {
  const answer = await askAgent(socket, { op: 'ping', args: {} });
  return (answer?.result as { pid: number } | undefined)?.pid;
}

/** How the service is, by systemd and by the agent itself. */
export async function readService(socket: string): Promise<ServiceReport> {
  await requireUserManager(false);
  const [agent, timer, peers, peersAnswer, next, lingering, answers] = await Promise.all([
    readState(agentUnit), readState(timerUnit), readState(peersUnit), askPeersPid(), showUnit(timerUnit, ['NextElapseUSecMonotonic', 'NextElapseUSecRealtime']), isLingering(), askPid(socket),
  ]);
  const journal = agent.active === 'failed' ? await readJournal(agentUnit, 3) : [];
  return { agent, peers: { ...peers, answers: peersAnswer }, timer: { ...timer, next: next.NextElapseUSecRealtime || next.NextElapseUSecMonotonic }, lingering, answers, journal };
}

export interface InstallOptions {
  linger: boolean;
  /** The timer in place of the agent. */
  onceTimer: boolean;
  place: ProgramPlace;
  /** The daemon of the peers too. */
  peers: boolean;
  /** The agent's control socket. */
  socket: string;
}

export interface Installed {
  written: string[];
  report: ServiceReport;
}

/** Why a unit did not come up, in terms of what helps. */
async function explainFailure(unit: string, socket: string): Promise<GitsyncError> {
  const { exitCode, result } = await readState(unit);
  const lines = await readJournal(unit, 4);
  const cause = new Error(lines.length > 0 ? lines.join(' | ') : `systemd says: ${result}, exit code ${exitCode}`);
  if (exitCode === exitCodes.config) return new GitsyncError('config', 'The agent does not start, since the config file has a mistake.', { cause, hint: 'gitsync config --check, then gitsync service install' });
  if (exitCode === exitCodes.locked) return new GitsyncError('locked', `Another agent (process ${await askPid(socket)}) runs already.`, { cause, hint: 'end it, then: gitsync service install' });
  return new GitsyncError('failed', `${unit} did not start.`, { cause, hint: `journalctl --user -u ${unit}` });
}

/** An agent that somebody started by hand holds the lock that the service needs. */
async function refuseStranger(socket: string): Promise<void> {
  const [answers, { pid }] = await Promise.all([askPid(socket), readState(agentUnit)]);
  if (answers === undefined || answers === pid) return;
  throw new GitsyncError('locked', `An agent runs already (process ${answers}), and not as this service.`, { hint: `end it (kill ${answers}), then: gitsync service install` });
}

async function start(unit: string, socket: string): Promise<void> {
  // A unit that failed too often in a short time refuses to start before that is forgotten.
  await systemctl(['reset-failed', unit], [0, 1]);
  const { exitCode } = await systemctl(['restart', unit], [0, 1, 3, 4, 5]);
  if (exitCode !== 0) throw await explainFailure(unit, socket);
}

/**
 * Puts the service in place and starts it. What systemd says is not believed
 * alone: the agent has to answer on its socket, and to be the service's process.
 * @throws GitsyncError when there is no systemd, or the agent does not come up
 */
export async function installService({ linger, onceTimer, peers, place, socket }: InstallOptions): Promise<Installed> {
  if (linger) await enableLinger();
  await requireUserManager(linger);
  await refuseStranger(socket);
  if (peers) await refuseStrangePeers();
  const [wanted, other] = onceTimer ? [[onceUnit, timerUnit], agentUnit] : [[agentUnit], timerUnit];
  const startedUnit = onceTimer ? timerUnit : agentUnit;
  const written = writeUnits(wanted, place);
  await systemctl(['daemon-reload']);
  // One of the two is enough: what an agent watches, --once leaves to it.
  await systemctl(['disable', '--now', other], [0, 1, 5]);
  await systemctl(['enable', '--quiet', startedUnit]);
  await start(startedUnit, socket);
  if (onceTimer) await start(onceUnit, socket);
  if (peers) written.push(...(await startPeers(place)));
  const report = await readService(socket);
  if (!onceTimer && (report.answers === undefined || report.answers !== report.agent.pid)) throw await explainFailure(agentUnit, socket);
  return { written, report };
}

/** Stops and removes the service. Returns the files removed; what a package brought stays, and so does lingering, which may serve others. */
export async function uninstallService(): Promise<string[]> {
  await requireUserManager(false);
  await systemctl(['disable', '--now', agentUnit, timerUnit], [0, 1, 5]);
  await systemctl(['disable', '--now', peersUnit], [0, 1, 5]);
  const removed = [agentUnit, onceUnit, timerUnit, peersUnit].flatMap(removeUnit);
  await systemctl(['daemon-reload']);
  await systemctl(['reset-failed', agentUnit, onceUnit, peersUnit], [0, 1, 5]);
  return removed;
}
