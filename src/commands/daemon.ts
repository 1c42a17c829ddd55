/** `gitsync --daemon`: the agent in the foreground, until it is told to stop. */
import { startAgent } from '../agent/agent.ts';
import { findSystemd, reportToSystemd, type SystemdReports } from '../agent/notify-systemd.ts';
import { describeAll } from '../core/service-text.ts';
import { createLog, printable, type LogLevel } from '../log.ts';
import type { Context } from './context.ts';

export async function runDaemon({ configFile, options: { verbose, debug, json } }: Context): Promise<number> {
  const asked: LogLevel | undefined = debug ? 'debug' : verbose ? 'info' : undefined;
  const settings: { level: LogLevel; json: boolean } = { level: asked ?? 'info', json: json ?? false };
  const log = createLog(settings);
  // One repository's surprise must not be the end of all the others.
  process.on('unhandledRejection', (error) => log.error('Something failed that nobody waited for', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) }));
  const systemd = findSystemd(log);
  let reports: SystemdReports | undefined;
  const agent = await startAgent(configFile, log, {
    onConfig: ({ logLevel }) => (settings.level = asked ?? logLevel),
    onChange: () => reports?.noteChange(),
  });
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopping ??= Promise.resolve(reports?.close()).then(() => agent.stop()));
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void stop());
  if (systemd !== undefined) reports = await reportToSystemd(systemd, { describe: async () => printable(describeAll((await agent.status()).repos)) }, log);
  await agent.stopped;
  return 0;
}
