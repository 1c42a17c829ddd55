/** A person's own service manager (`systemd --user`). */
import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { GitsyncError } from '../errors.ts';
import { findRuntimeDirectory } from '../process/runtime-dir.ts';
import { run, type RunResult } from '../process/run.ts';

const elsewhere = 'gitsync --daemon in your own autostart, or gitsync --once from cron';
const managerDeadlineMs = 20_000;

/** Services are reached through the runtime directory, which `su`, `sudo` and cron do not name. */
function managerEnvironment(): NodeJS.ProcessEnv {
  const runtime = findRuntimeDirectory();
  return { ...process.env, LC_ALL: 'C.UTF-8', ...(runtime === undefined ? {} : { XDG_RUNTIME_DIR: runtime }) };
}

async function runTool(tool: string, args: readonly string[]): Promise<RunResult> {
  try {
    return await run(tool, args, { env: managerEnvironment(), timeoutMs: 180_000 });
  } catch (error) {
    throw new GitsyncError('failed', `${tool} cannot be started: is there no systemd on this machine?`, { cause: error, hint: elsewhere });
  }
}

/** Runs `systemctl --user`. @throws GitsyncError when its exit code is not expected */
export async function systemctl(args: readonly string[], expect: readonly number[] = [0]): Promise<RunResult> {
  const result = await runTool('systemctl', ['--user', '--no-pager', ...args]);
  if (!expect.includes(result.exitCode)) throw new GitsyncError('failed', `systemctl --user ${args.join(' ')} failed: ${result.stderr.trim()}`);
  return result;
}

/** Whether services of this person stay when they log out, and start with the machine. */
export async function isLingering(): Promise<boolean> {
  return existsSync(`/var/lib/systemd/linger/${userInfo().username}`);
}

/** @throws GitsyncError with the command for an administrator, where the person may not do it */
export async function enableLinger(): Promise<void> {
  if (await isLingering()) return;
  const { username } = userInfo();
  const { exitCode, stderr } = await runTool('loginctl', ['--no-ask-password', 'enable-linger', username]);
  if (exitCode !== 0) throw new GitsyncError('failed', `Lingering could not be switched on: ${stderr.trim()}`, { hint: `as root: loginctl enable-linger ${username}` });
}

/** Waits for the service manager, which begins with the first login or with lingering. @throws GitsyncError when it cannot be reached */
export async function requireUserManager(willStart: boolean): Promise<void> {
  const untilMs = performance.now() + (willStart ? managerDeadlineMs : 0);
  for (;;) {
    const { exitCode, stderr } = await runTool('systemctl', ['--user', 'show-environment']);
    if (exitCode === 0) return;
    if (performance.now() > untilMs) {
      const why = stderr.trim().split('\n')[0] ?? '';
      const booted = existsSync('/run/systemd/system');
      throw new GitsyncError('failed', booted ? `Your service manager cannot be reached: ${why}` : 'This machine was not started by systemd, so it has no services of yours.', {
        hint: booted ? 'log in anew, or let it run without a login: gitsync service install --linger' : elsewhere,
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Properties of a unit, '' for those that it does not have (systemctl(1), show). */
export async function showUnit<Name extends string>(unit: string, names: readonly Name[]): Promise<Record<Name, string>> {
  const { stdout } = await systemctl(['show', '-p', names.join(','), unit]);
  const values = new Map(stdout.toString().split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
  return Object.fromEntries(names.map((name) => [name, values.get(name) ?? ''])) as Record<Name, string>;
}

/** The last lines that a unit logged; none where the journal cannot be read. */
export async function readJournal(unit: string, lines: number): Promise<string[]> {
  const { exitCode, stdout } = await runTool('journalctl', ['--user', '-u', unit, '-n', String(lines), '-o', 'cat', '--no-pager', '-q']);
  return exitCode === 0 ? stdout.toString().split('\n').filter((line) => line !== '') : [];
}
