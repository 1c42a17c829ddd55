/** Tells a person when a repository turns from safe to unsafe or back, once each way. */
import { run } from '../process/run.ts';
import type { Log } from '../log.ts';
import type { RepoStatus } from './repo-status.ts';

export interface SafetyWatch {
  noteChange(): void;
  close(): void;
}

/** Changes are looked at together, and not before trouble has lasted a moment. */
const settleMs = 2_000;

/** A repository, and each of its containers, turn unsafe and back by themselves. */
function placesOf(status: RepoStatus): Pick<RepoStatus, 'path' | 'level' | 'why' | 'commands'>[] {
  return [status, ...status.containers.map((container) => ({ ...container, path: `${status.path} (container ${container.name})` }))];
}

export function watchSafety(read: () => Promise<RepoStatus[]>, options: { log: Log; notify: () => boolean }): SafetyWatch {
  const unsafe = new Map<string, string>();
  let timer: NodeJS.Timeout | undefined;

  const tell = (title: string, text: string): void => {
    if (!options.notify()) return;
    run('notify-send', ['--app-name=gitsync', '--', title, text], { timeoutMs: 5_000 }).catch(() => options.log.debug('No desktop to notify'));
  };

  const look = async (): Promise<void> => {
    for (const status of (await read()).flatMap(placesOf)) {
      const before = unsafe.get(status.path);
      if (status.level === 'unsafe' && before === undefined) {
        unsafe.set(status.path, status.why);
        options.log.warn('NOT SAFE', { repo: status.path, why: status.why, hint: status.commands[0] });
        tell(`Not safe: ${status.path}`, [status.why, ...status.commands].join('\n'));
      } else if (status.level === 'safe' && before !== undefined) {
        unsafe.delete(status.path);
        options.log.info('Safe again', { repo: status.path });
        tell(`Safe again: ${status.path}`, status.why);
      }
    }
  };

  return {
    noteChange() {
      timer ??= setTimeout(() => {
        timer = undefined;
        look().catch((error: unknown) => options.log.debug('The status could not be read', { error: String(error) }));
      }, settleMs);
      timer.unref();
    },
    close() {
      clearTimeout(timer);
    },
  };
}
