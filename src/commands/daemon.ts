/** `gitsync --daemon`: the agent in the foreground, until it is told to stop. */
import { startAgent } from '../agent/agent.ts';
import { GitsyncError } from '../errors.ts';
import { existsSync } from 'node:fs';
import type { Context } from './context.ts';

export async function runDaemon(context: Context): Promise<number> {
  if (!existsSync(context.configFile)) throw new GitsyncError('config', `There is no config file ${context.configFile}.`, { hint: 'gitsync init PATH makes one' });
  const agent = await startAgent(context.configFile, context.log);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void agent.stop());
  await agent.stopped;
  return 0;
}
