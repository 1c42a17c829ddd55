/** Remotes of the peers' cloud (`gidit::`): the daemon of this machine tells when the project moved. */
import { backoffMs } from '../core/backoff.ts';
import { formatAddress, parseAddress } from '../gidit/address.ts';
import { askDaemon } from '../gidit/local-client.ts';
import { baseDirectory, readGiditConfig } from '../gidit/node-settings.ts';
import type { Log } from '../log.ts';
import type { Notifier, NotifierEvents } from './notifier.ts';

/** The daemon says something every 15 s. */
const silenceMs = 45_000;
/** A daemon that is not running may be started at any moment, and looking costs next to nothing. */
const longestWaitMs = 10_000;

/** Listens to the daemon about one project. */
export function startPeerNotifier(url: string, branch: string, events: NotifierEvents, log: Log): Notifier {
  let live = false;
  let isClosed = false;
  let failures = 0;
  let waiting: NodeJS.Timeout | undefined;
  let session: AbortController | undefined;

  const watch = async (): Promise<void> => {
    waiting = undefined;
    const config = await readGiditConfig();
    const address = parseAddress(url, config.get('key')?.at(-1));
    const abort = (session = new AbortController());
    if (isClosed) return;
    let deadline = setTimeout(() => abort.abort(), silenceMs).unref();
    try {
      await askDaemon(baseDirectory(undefined, config), 'watch', { addresses: [formatAddress(address)] }, {
        signal: abort.signal,
        onPart(part) {
          clearTimeout(deadline);
          deadline = setTimeout(() => abort.abort(), silenceMs).unref();
          if (part['live'] === true) {
            live = true;
            failures = 0;
            events.onState(true);
          } else if (part['moved'] !== undefined) events.onMoved(tipOf(part, branch));
        },
      });
    } finally {
      clearTimeout(deadline);
    }
  };
  const connect = (): void => {
    const end = (why: string): void => {
      if (isClosed) return;
      live = false;
      failures += 1;
      log.debug('Not notified by the gidit daemon', { url, why });
      events.onState(false, why);
      waiting = setTimeout(connect, Math.min(longestWaitMs, backoffMs(failures, Math.random()))).unref();
    };
    watch().then(() => end('the daemon ended'), (error: unknown) => end(error instanceof Error ? error.message : String(error)));
  };
  connect();
  return {
    kind: 'peer',
    get live() {
      return live;
    },
    wake() {
      if (waiting === undefined) return;
      clearTimeout(waiting);
      connect();
    },
    close() {
      isClosed = true;
      clearTimeout(waiting);
      session?.abort();
      return Promise.resolve();
    },
  };
}

/** Where the branch is now; undefined while the project is forked, since git is then shown the other end. */
function tipOf({ forked, refs }: Record<string, unknown>, branch: string): string | undefined {
  const tip = forked === true ? undefined : (refs as Record<string, unknown> | undefined)?.[`refs/heads/${branch}`];
  return typeof tip === 'string' ? tip : undefined;
}
