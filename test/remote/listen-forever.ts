/** A program that listens to a remote over ssh until it is killed: WORK_TREE URL. */
import { parseRemoteUrl, type SshUrl } from '../../src/core/remote-url.ts';
import { openRepo } from '../../src/git/repository.ts';
import { silentLog } from '../../src/log.ts';
import { startSshNotifier } from '../../src/remote/ssh.ts';

const [workTree, url] = process.argv.slice(2) as [string, string];
startSshNotifier(await openRepo(workTree), parseRemoteUrl(url) as SshUrl, 'main', { onMoved: () => undefined, onState: () => undefined }, silentLog);
setInterval(() => undefined, 60_000);
