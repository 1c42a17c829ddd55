/** The refs of a repository as a PushObject holds them. */
import type { RefEntry } from './push-object.ts';
import { gitFor, type GiditRepository } from './repository.ts';

/** What is about this one clone, or about a work in progress. */
const leftOut = ['refs/remotes/', 'refs/stash', 'refs/gidit/', 'refs/gitsync/', 'refs/bisect/', 'refs/original/', 'refs/prefetch/', 'refs/rewritten/', 'refs/worktree/'];

/** HEAD (unless unborn) and the refs; symbolic refs, remotes and stashes are left out, tags only on request. */
export async function readRefs(repository: GiditRepository, options: { tags?: boolean } = {}): Promise<RefEntry[]> {
  const head = await gitFor(repository, ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'], { expect: [0, 1, 128] });
  const { stdout } = await gitFor(repository, ['for-each-ref', '--format=%(objectname) %(refname) %(symref)']);
  const refs = stdout.toString('utf8').split('\n').flatMap((line) => {
    const [id = '', name = '', symref = ''] = line.split(' ');
    const wanted = name !== '' && symref === '' && !leftOut.some((prefix) => name.startsWith(prefix)) && (options.tags === true || !name.startsWith('refs/tags/'));
    return wanted ? [{ id, name }] : [];
  });
  const headId = head.exitCode === 0 ? head.stdout.toString('latin1').trim() : '';
  return headId === '' ? refs : [{ id: headId, name: 'HEAD' }, ...refs];
}
