/** Listens to a remote in the way that suits its URL. */
import { parseRemoteUrl } from '../core/remote-url.ts';
import { integratedTip } from '../git/fetch.ts';
import type { Repo } from '../git/git.ts';
import type { RemoteInfo } from '../git/remotes.ts';
import type { Log } from '../log.ts';
import { localPathOf, startLocalNotifier } from './local-path.ts';
import { noNotifier, type Notifier, type NotifierEvents } from './notifier.ts';
import { startPeerNotifier } from './peer.ts';
import { isForge, startSshNotifier } from './ssh.ts';

export type { Notifier, NotifierEvents } from './notifier.ts';

/**
 * Tells when `branch` moves on the remote: a path of this machine is watched, an
 * ssh account with a shell waits for us over there, the gidit daemon listens to peers; for everything else the
 * answer is a notifier that is never live, and the remote has to be polled.
 */
export function startNotifier(repo: Repo, remote: RemoteInfo, branch: string, events: NotifierEvents, log: Log): Notifier {
  const target = { remote: remote.name, branch };
  // Our own pushes come back as moves. The tracking ref would not do: a person's own fetch moves it before we have integrated.
  const isNews = async (tip: string | undefined): Promise<boolean> => tip === undefined || tip !== (await integratedTip(repo, target).catch(() => undefined));
  const filtered: NotifierEvents = {
    onState: events.onState,
    onMoved: (tip) => void isNews(tip).then((news) => (news ? events.onMoved(tip) : undefined)),
  };
  const path = localPathOf(remote.url, repo.workTree);
  if (path !== undefined) return startLocalNotifier(path, branch, filtered);
  const url = parseRemoteUrl(remote.url);
  if (url.kind === 'other' && url.scheme === 'gidit') return startPeerNotifier(remote.url, branch, filtered, log);
  return url.kind === 'ssh' && !isForge(url.host) ? startSshNotifier(repo, url, branch, filtered, log) : noNotifier;
}
