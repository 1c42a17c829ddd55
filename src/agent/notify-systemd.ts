/**
 * Tells systemd that the agent is ready, how it is, and that it is alive
 * (sd_notify(3)). The protocol is a datagram to a unix socket, which Node
 * cannot send, so systemd's own program does: a few milliseconds, and only when
 * there is something to say.
 */
import type { Log } from '../log.ts';
import { run } from '../process/run.ts';

export interface SystemdNotifier {
  /** How often systemd wants to hear from us at least; undefined: never. */
  readonly watchdogMs: number | undefined;
  /** Sends assignments (`READY=1`, `STATUS=...`); never throws. */
  send(assignments: Record<string, string>): Promise<void>;
}

const sendTimeoutMs = 30_000;

/**
 * The service manager that started this process; undefined where none did. Its
 * variables are taken out of `env`, so that git, its hooks and filters, which
 * inherit it, cannot speak in our name.
 */
export function findSystemd(log: Log, env: NodeJS.ProcessEnv = process.env): SystemdNotifier | undefined {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: watchdogUs, WATCHDOG_PID: watchdogPid } = env;
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name];
  if (socket === undefined) return undefined;
  const isForUs = watchdogUs !== undefined && (watchdogPid === undefined || Number(watchdogPid) === process.pid);
  const own = { ...env, NOTIFY_SOCKET: socket };
  return {
    watchdogMs: isForUs && Number(watchdogUs) > 0 ? Number(watchdogUs) / 1000 : undefined,
    async send(assignments) {
      // A line break would begin another assignment.
      const words = Object.entries(assignments).map(([name, value]) => `${name}=${value.replaceAll('\n', ' ')}`);
      try {
        const { exitCode, stderr } = await run('systemd-notify', words, { env: own, timeoutMs: sendTimeoutMs });
        if (exitCode !== 0) log.warn('systemd could not be notified', { error: stderr.trim() });
      } catch (error) {
        log.warn('systemd could not be notified', { error: error instanceof Error ? error.message : String(error) });
      }
    },
  };
}

/** What the reports need of the agent. */
export interface Reported {
  /** One line about all repositories; reading it proves that the agent still answers. */
  describe(): Promise<string>;
}

export interface SystemdReports {
  /** Something changed: the status is sent soon, if it differs from the last one. */
  noteChange(): void;
  /** The agent is about to end. */
  close(): Promise<void>;
}

/** Changes are looked at together: a save is on its way for a moment, and nobody wants to read that. */
const settleMs = 2_000;

/** Says that the agent is ready, and from then on how it is. */
export async function reportToSystemd(systemd: SystemdNotifier, agent: Reported, log: Log): Promise<SystemdReports> {
  let told = await agent.describe();
  let soon: NodeJS.Timeout | undefined;
  await systemd.send({ READY: '1', STATUS: told });

  const look = async (): Promise<void> => {
    const now = await agent.describe();
    if (now === told) return;
    told = now;
    await systemd.send({ STATUS: now });
  };
  const noteChange = (): void => {
    soon ??= setTimeout(() => {
      soon = undefined;
      look().catch((error: unknown) => log.debug('The status could not be read', { error: String(error) }));
    }, settleMs).unref();
  };
  // Not a heart that beats whatever happens: no answer, no sign of life. Twice in the time given, as sd_watchdog_enabled(3) advises.
  const beat = async (): Promise<void> => {
    await agent.describe();
    await systemd.send({ WATCHDOG: '1' });
  };
  const beats = systemd.watchdogMs === undefined ? undefined : setInterval(() => void beat().catch((error: unknown) => log.error('No sign of life could be given', { error: String(error) })), systemd.watchdogMs / 2).unref();
  // What happened while we were getting ready.
  noteChange();
  return {
    noteChange,
    async close() {
      clearTimeout(soon);
      clearInterval(beats);
      await systemd.send({ STOPPING: '1', STATUS: 'Stopping' });
    },
  };
}
