/** Every test file runs with a home of its own, a fixed identity, UTC, and no system-wide git settings. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What test/helpers/environment.mjs gives each test file. */
interface TestGlobals {
  gitsyncTest: { temporary: string; children: Set<{ kill(signal: NodeJS.Signals): boolean }> };
}

export const { temporary, children } = (globalThis as unknown as TestGlobals).gitsyncTest;

const home = join(temporary, 'home');
mkdirSync(join(home, '.config'), { recursive: true });
mkdirSync(join(home, 'run'), { mode: 0o700 });
writeFileSync(join(home, '.gitconfig'), '[user]\n\tname = Test Person\n\temail = person@example.org\n[init]\n\tdefaultBranch = main\n[protocol "file"]\n\tallow = always\n');

for (const name of Object.keys(process.env)) if (/^(GIT_(?!SYNC)|SSH_|XDG_)/.test(name)) delete process.env[name];
Object.assign(process.env, {
  HOME: home,
  TMPDIR: temporary,
  XDG_CONFIG_HOME: join(home, '.config'),
  XDG_RUNTIME_DIR: join(home, 'run'),
  XDG_STATE_HOME: join(home, '.local/state'),
  GIT_CONFIG_NOSYSTEM: '1',
  TZ: 'UTC',
});
delete process.env['JOURNAL_STREAM'];
delete process.env['NOTIFY_SOCKET'];
