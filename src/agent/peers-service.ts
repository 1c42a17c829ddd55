/** The daemon of the peers as a service beside the agent (`gitsync service install --peers`). */
import { GitsyncError } from '../errors.ts';
import { askDaemon } from '../gidit/local-client.ts';
import { baseDirectory, readGiditConfig } from '../gidit/node-settings.ts';
import type { NodeStatus } from '../gidit/node-status.ts';
import { peersUnit, writeUnits, type ProgramPlace } from './service-units.ts';
import { readState } from './unit-state.ts';
import { readJournal, systemctl } from './user-manager.ts';

/** The process that answers for this person's store. */
export async function askPeersPid(): Promise<number | undefined> {
  const base = baseDirectory(undefined, await readGiditConfig());
  return askDaemon<NodeStatus>(base, 'status').then(({ pid }) => pid, () => undefined);
}

/** A daemon that somebody started by hand holds the store. @throws GitsyncError `locked` */
export async function refuseStrangePeers(): Promise<void> {
  const [answers, { pid }] = await Promise.all([askPeersPid(), readState(peersUnit)]);
  if (answers === undefined || answers === pid) return;
  throw new GitsyncError('locked', `A daemon of the peers runs already (process ${answers}), and not as this service.`, { hint: `end it (kill ${answers}), then: gitsync service install --peers` });
}

/**
 * Puts its unit in place, starts it, and has it answer. Returns the files written.
 * @throws GitsyncError with the last words of its journal
 */
export async function startPeers(place: ProgramPlace): Promise<string[]> {
  const written = writeUnits([peersUnit], place);
  await systemctl(['daemon-reload']);
  await systemctl(['enable', '--quiet', peersUnit]);
  await systemctl(['reset-failed', peersUnit], [0, 1]);
  const { exitCode } = await systemctl(['restart', peersUnit], [0, 1, 3, 4, 5]);
  const [{ pid, result }, answers] = await Promise.all([readState(peersUnit), askPeersPid()]);
  if (exitCode === 0 && answers === pid) return written;
  const lines = await readJournal(peersUnit, 4);
  throw new GitsyncError('failed', `${peersUnit} did not start.`, { cause: new Error(lines.length > 0 ? lines.join(' | ') : `systemd says: ${result}`), hint: `journalctl --user -u ${peersUnit}` });
}
