/** Notices that a remote's name stands for another place than before: what was known of the old place says nothing of the new one. */
import { deleteOwnRef, listRefs, ownRefs } from '../git/refs.ts';
import { listRemotes } from '../git/remotes.ts';
import { changeOwnState } from './own-state.ts';
import type { RepoSession } from './repo-session.ts';

/** The remotes' URLs by name; undefined when they are what they were. */
export async function readChangedUrls(session: RepoSession): Promise<Record<string, string> | undefined> {
  const urls = Object.fromEntries((await listRemotes(session.repo)).map(({ name, url }) => [name, url]));
  return JSON.stringify(urls) === JSON.stringify(session.own.remoteUrls) ? undefined : urls;
}

/**
 * Forgets the tips of remotes whose URL is another one now. Without this, the
 * new place would be taken for the old one with its branch deleted, or with its
 * history rewritten. Returns their names.
 */
export async function forgetMovedRemotes(session: RepoSession, urls: Record<string, string>): Promise<string[]> {
  const known = session.own.remoteUrls;
  const moved = Object.entries(urls).filter(([name, url]) => known[name] !== undefined && known[name] !== url);
  for (const [name, url] of moved) {
    session.repo.log.info('The remote has another URL now', { remote: name, url });
    const refs = [...(await listRefs(session.repo, `${ownRefs}/remote/${name}/`)), ...(await listRefs(session.repo, `refs/remotes/${name}/`))];
    for (const { ref } of refs) await deleteOwnRef(session.repo, ref);
  }
  session.own = await changeOwnState(session.repo, () => ({ remoteUrls: urls }));
  return moved.map(([name]) => name);
}
