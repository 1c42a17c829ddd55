/** The repository that a container belongs to. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GitsyncError } from '../errors.ts';
import { gitAnywhere } from '../git/git.ts';

export interface Project {
  /** Absolute; shared by all work trees of the repository. */
  gitDir: string;
  /** '' in a bare repository. */
  workTree: string;
  /** The folder with the profiles, relative to the work tree; older layouts keep it elsewhere. */
  sysconf: string;
}

const layouts = ['sysconf', 'gitted/sysconf', 'glxc/sysconf', 'gitted', 'glxc'];

/** The repository at `cwd`, or the one that git says it works for (`GIT_DIR`, in a remote helper). */
export async function findProject(cwd: string): Promise<Project> {
  const gitDir = process.env['GIT_DIR'];
  const env: Record<string, string> = gitDir === undefined ? {} : { GIT_DIR: gitDir };
  const ask = async (...words: string[]): Promise<string> => {
    const result = await gitAnywhere(['rev-parse', '--path-format=absolute', ...words], cwd, { env, expect: [0, 128] });
    return result.exitCode === 0 ? result.stdout.toString('utf8').trim() : '';
  };
  const [common, topLevel] = await Promise.all([ask('--git-common-dir'), ask('--show-toplevel')]);
  if (common === '') throw new GitsyncError('not-a-repository', `${cwd} is not in a git repository.`, { hint: 'git init' });
  // Git runs remote helpers without telling where the work tree is; beside .git is where it nearly always is.
  const workTree = topLevel || (common.endsWith('/.git') ? common.slice(0, -'/.git'.length) : '');
  const sysconf = layouts.find((folder) => existsSync(join(workTree, folder, 'actual'))) ?? 'sysconf';
  return { gitDir: common, workTree, sysconf };
}

/** Distribution and release from `sysconf/type`; Debian bookworm where it says nothing. */
export function readType(project: Project): { distribution: string; release: string } {
  const file = join(project.workTree, project.sysconf, 'type');
  const words = existsSync(file) ? readFileSync(file, 'utf8').trim().split(/\s+/) : [];
  const [distribution = 'debian', release = 'bookworm'] = words.filter((word) => word !== '');
  if (!/^[a-z0-9]+$/.test(distribution) || !/^[a-z0-9.]+$/.test(release)) {
    throw new GitsyncError('config', `${file} says "${words.join(' ')}", expected a distribution and a release, such as "debian bookworm".`);
  }
  return { distribution, release };
}
