/** Settings in a repository's own config that make git start programs or take other transports. */
import { splitNul } from '../core/raw-path.ts';
import { git, type Repo } from './git.ts';

export interface ProgramSetting {
  key: string;
  value: string;
}

/** What we cannot switch off without breaking what people have set up: ssh, credentials, filters, merge drivers, containers. */
const startsPrograms = '^(core\\.(sshcommand|gitproxy|alternaterefscommand)|credential\\..*helper|credential\\.helper|filter\\..*\\.(clean|smudge|process)|merge\\..*\\.driver|remote\\..*\\.(uploadpack|receivepack|vcs)|protocol\\..*allow|protocol\\.allow|include\\.path|includeif\\..*\\.path|ssh\\.variant)$';

/** What `git lfs install --local` writes. */
function isUsual({ key, value }: ProgramSetting): boolean {
  return /^filter\.lfs\./.test(key) && /^git-lfs (clean|smudge|filter-process)( |$)/.test(value);
}

/**
 * What a repository's own config (not the person's) lets git start. A clone
 * never brings such settings; a `.git` that somebody else made may.
 */
export async function findLocalPrograms(repo: Repo): Promise<ProgramSetting[]> {
  const { stdout } = await git(repo, ['config', '--local', '--no-includes', '-z', '--get-regexp', startsPrograms], { expect: [0, 1] });
  const settings = splitNul(stdout).map((entry) => {
    const [key = '', value = ''] = Buffer.from(entry, 'latin1').toString('utf8').split(/\n(.*)/s, 2);
    return { key, value };
  });
  return settings.filter((setting) => !isUsual(setting));
}
