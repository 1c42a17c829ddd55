/** `gitsync --daemon`: the agent in the foreground, until it is told to stop. */
import { startAgent } from '../agent/agent.ts';
import { createLog, type LogLevel } from '../log.ts';
import type { Context } from './context.ts';

export async function runDaemon({ configFile, options: { verbose, debug, json } }: Context): Promise<number> {
  const asked: LogLevel | undefined = debug ? 'debug' : verbose ? 'info' : undefined;
  const settings: { level: LogLevel; json: boolean } = { level: asked ?? 'info', json: json ?? false };
  const agent = await startAgent(configFile, createLog(settings), ({ logLevel }) => (settings.level = asked ?? logLevel));
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void agent.stop());
  await agent.stopped;
  return 0;
}
