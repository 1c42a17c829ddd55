/** What happens to a container of kind `local`: its database, and its end. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { endAll, pidsWithEnvironment } from './processes.ts';

export interface LocalContainer {
  /** Runs SQL in the database of the application, as the application would. */
  sql(text: string): string;
  /** What runs in it now, git's talk with it included. */
  processes(): number[];
  /** Ends all that runs in it, and leaves it stopped. */
  kill(): void;
  /** Starts it as the host would at boot, without anyone's asking gitsync. */
  boot(): void;
}

/** @param inside the container's directory */
export function localContainer(inside: string): LocalContainer {
  const database = join(inside, 'var/lib/app/app.db');
  const stopped = join(inside, 'etc/gitted/stopped');
  const processes = (): number[] => pidsWithEnvironment(`GITTED_ROOT=${inside}`);
  return {
    sql(text) {
      mkdirSync(dirname(database), { recursive: true });
      return execFileSync('sqlite3', ['-cmd', '.timeout 20000', database, text], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
    },
    processes,
    kill() {
      writeFileSync(stopped, '');
      for (let pids = processes(); pids.length > 0; pids = processes()) endAll(pids);
    },
    boot: () => rmSync(stopped, { force: true }),
  };
}
