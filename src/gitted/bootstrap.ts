/** From a registered name to a machine that answers git: made, started, gitted inside. */
import { GitsyncError } from '../errors.ts';
import { gitAnywhere } from '../git/git.ts';
import type { Driver } from './driver.ts';
import { filesOfProfile } from './profiles.ts';
import type { Project } from './project.ts';
import { waitForNames } from './ready.ts';
import { detail, phase, secondsSince } from './report.ts';
import { writeSetting, type Settings } from './settings.ts';
import { archive } from './tar.ts';

/** The machine's own copy of the files that serve git, who it is, and what kind of ids its repository is to have. */
function bootstrapArchive({ id, name }: Pick<Settings, 'name' | 'id'>, objectFormat: string): Buffer {
  const files = ['sysconf.base', 'sysconf.gitted'].flatMap((profile) => filesOfProfile(profile)).filter(({ path }) => path.startsWith('tree/'));
  const own = { id, name, 'object-format': objectFormat };
  return archive([
    ...files.map((file) => ({ ...file, path: file.path.slice('tree/'.length) })),
    ...Object.entries(own).map(([file, text]) => ({ path: `etc/gitted/${file}`, mode: 0o644, content: Buffer.from(`${text}\n`) })),
  ]);
}

/** Refuses a machine that another repository set up. */
async function checkOwner(driver: Driver, settings: Settings): Promise<void> {
  const { exitCode, stdout } = await driver.exec(['cat', `${driver.rootfs()}/etc/gitted/id`]);
  const id = stdout.toString('utf8').trim();
  if (exitCode === 0 && id !== '' && id !== settings.id) {
    throw new GitsyncError('container', `The machine ${settings.container} belongs to another repository.`, {
      hint: `take another name, or connect to it on purpose: gitted-client add ${settings.name} --adopt`,
    });
  }
}

/** Puts gitted inside a running machine. */
export async function installGitted(project: Project, driver: Driver, settings: Settings): Promise<void> {
  await checkOwner(driver, settings);
  if (driver.kind === 'lxc') await waitForNames(settings.container, driver);
  const objectFormat = (await gitAnywhere(['rev-parse', '--show-object-format'], project.gitDir)).stdout.toString().trim();
  const { exitCode, stderr } = await driver.exec(['tar', '-xf', '-', '--no-same-owner', '-C', driver.rootfs() || '/'], { input: bootstrapArchive(settings, objectFormat) });
  if (exitCode !== 0) throw new GitsyncError('container', `gitted could not be put into ${settings.name}: ${stderr.trim()}`);
  const git = await driver.exec(['sh', '-c', 'command -v git perl >/dev/null || { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get -q update >&2 && DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install git perl >&2; }']);
  if (git.exitCode !== 0) throw new GitsyncError('container', `git is not installed on ${settings.name}: ${git.stderr.trim().split('\n').slice(-30).join('\n')}`);
  await writeSetting(project, settings.name, 'ready', 'true');
}

/** Brings the machine up, making it first where there is none. */
export async function ensureMachine(project: Project, driver: Driver, settings: Settings): Promise<void> {
  const state = await driver.state();
  if (state === 'running' && settings.ready) return;
  const startedMs = performance.now();
  if (state === 'absent' || state === 'partial') {
    phase(`Creating ${settings.name}`);
    await driver.create();
  }
  if (state !== 'running') {
    phase(`Starting ${settings.name}`);
    await driver.start();
  }
  if (!settings.ready || state === 'absent' || state === 'partial') {
    await installGitted(project, driver, settings);
    detail(`${settings.name} is ready for git (${secondsSince(startedMs)})`);
  }
}
