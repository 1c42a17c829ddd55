/** The `ext::` end: git speaks its own protocol through here with gitted inside the machine. */
import { readFileSync } from 'node:fs';
import { GitsyncError } from '../errors.ts';
import { runAttached } from '../process/run.ts';
import { ensureMachine } from './bootstrap.ts';
import type { Driver } from './driver.ts';
import { driverOf } from './drivers.ts';
import { framing } from './frames.ts';
import type { Project } from './project.ts';
import { finished } from './report.ts';
import { readSettings, type Settings } from './settings.ts';
import { findUrl, probeUrl } from './url.ts';

export type Service = 'git-receive-pack' | 'git-upload-pack';

/** Whether the git that called us only asks what is there (`git ls-remote`, `git remote show`): then nothing is started for it. */
function isMereQuestion(): boolean {
  let pid = process.ppid;
  for (let depth = 0; depth < 6 && pid > 1; depth++) {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      if (/(^|\/)git$/.test(words[0] ?? '') && words.some((word) => word === 'ls-remote' || word === 'remote')) return true;
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      pid = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    } catch {
      return false;
    }
  }
  return false;
}

/** For an agent that may not start anything: a machine that was stopped in this very moment stays so. */
async function requireRunning(driver: Driver, { name }: Settings): Promise<void> {
  const state = await driver.state();
  if (state === 'stopped') throw new GitsyncError('container', `${name} is stopped.`, { hint: `gitted-client start ${name}` });
  if (state !== 'running') throw new GitsyncError('container', `There is no machine ${name} yet.`, { hint: `git push ${name} BRANCH` });
}

/** A push makes and starts the machine; a fetch starts it; a mere question does neither. */
async function prepare(project: Project, driver: Driver, settings: Settings, service: Service): Promise<void> {
  if (process.env['GITTED_START'] === 'no') await requireRunning(driver, settings);
  if (service === 'git-upload-pack') {
    const state = await driver.state();
    if (state === 'absent' || state === 'partial') throw new GitsyncError('container', `There is no machine ${settings.name} yet.`, { hint: `git push ${settings.name} BRANCH` });
    if (state === 'stopped' && isMereQuestion()) throw new GitsyncError('container', `${settings.name} is stopped.`, { hint: `gitted-client start ${settings.name}` });
  }
  await ensureMachine(project, driver, settings);
}

/** gitted's exit code for a push after which every ref is where it was. */
const nothingMoved = 64;

/** Serves one fetch or push; the result is the exit code for git. */
export async function serveGit(project: Project, name: string, service: string): Promise<number> {
  if (service !== 'git-receive-pack' && service !== 'git-upload-pack') throw new GitsyncError('usage', `There is no service "${service}".`);
  const settings = await readSettings(project, name);
  const driver = driverOf(project, settings);
  await prepare(project, driver, settings, service);
  const fresh = service === 'git-upload-pack' && process.env['GITTED_FRESH'] === 'yes' ? ['--fresh'] : [];
  const inside = ['gitted', 'git-remote-command', '--framed', '--remote', name, '--id', settings.id, ...fresh, service];
  const { file, args, env } = driver.command(inside);
  const exitCode = await runAttached(file, args, {
    ...(env === undefined ? {} : { env }),
    // Input stays open after git's own has ended: that it closes tells gitted that we died.
    feed: (input, ended) => {
      process.stdin.pipe(framing()).pipe(input, { end: false });
      void ended.then(() => process.stdin.destroy());
    },
  });
  if (exitCode === 127) throw new GitsyncError('container', `gitted is missing in ${name}.`, { hint: `git config --unset gitted.${name}.ready, and push again` });
  if (exitCode === nothingMoved) return 0;
  if (exitCode === 0 && service === 'git-receive-pack' && driver.kind !== 'local') {
    const url = await findUrl(driver);
    if (url !== undefined) finished(`${url} ${await probeUrl(url)}`);
  }
  return exitCode;
}
