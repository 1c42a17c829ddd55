/** Tests for parts that not every machine has: skipped loudly, or failed where GITSYNC_REQUIRE names them. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { describe } from '@jest/globals';
import { canHaveFerretdb } from './ferretdb.ts';

function hasBelow(directory: string, program: string): boolean {
  return existsSync(directory) && readdirSync(directory).some((version) => existsSync(`${directory}/${version}/bin/${program}`));
}

function has(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore', env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` } });
    return true;
  } catch {
    return false;
  }
}

/** The C compiler of this machine, if it has one; the small one is enough. */
export function compilerOf(): string | undefined {
  return ['cc', 'tcc'].find(has);
}

/** Many containers have the program but may not make a user namespace. */
function canMakeUserNamespace(): boolean {
  try {
    execFileSync('unshare', ['-Ur', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Root is not enough: a container may be without the right. */
function canMakeNetworks(): boolean {
  const name = `gitsync-test-${process.pid}`;
  const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
  try {
    execFileSync('ip', ['netns', 'add', name], { stdio: 'ignore', env });
    execFileSync('ip', ['netns', 'delete', name], { stdio: 'ignore', env });
    return true;
  } catch {
    return false;
  }
}

const parts = {
  cc: () => process.platform === 'linux' && compilerOf() !== undefined,
  root: () => process.getuid?.() === 0,
  linux: () => process.platform === 'linux',
  ssh: () => has('ssh') && has('sshd'),
  'git-lfs': () => has('git-lfs'),
  strace: () => has('strace'),
  tmpfs: () => process.getuid?.() === 0 && process.platform === 'linux',
  userns: canMakeUserNamespace,
  netns: canMakeNetworks,
  lxc: () => process.getuid?.() === 0 && has('lxc-create') && has('dnsmasq'),
  mmdebstrap: () => has('mmdebstrap'),
  gpg: () => has('gpg') && has('gpgconf') && has('gpg-agent'),
  'systemd-notify': () => has('systemd-notify') && has('perl'),
  rpm: () => has('rpmbuild') && has('rpm2cpio') && has('cpio'),
  dpkg: () => has('dpkg-deb'),
  shells: () => has('zsh') && has('fish'),
  man: () => has('man'),
  'inotify-tools': () => has('inotifywait'),
  busybox: () => has('busybox'),
  sqlite3: () => has('sqlite3'),
  postgresql: () => hasBelow('/usr/lib/postgresql', 'initdb') && has('psql') && has('setpriv'),
  ferretdb: canHaveFerretdb,
  mariadb: () => has('mariadbd') && has('mariadb-install-db') && has('setpriv'),
} satisfies Record<string, () => boolean>;

export type Part = keyof typeof parts;

/** `describe` for tests that need the parts; what is missing is named on standard error. */
export function describeWith(needs: Part[], title: string, body: () => void): void {
  const missing = needs.filter((part) => !parts[part]());
  const required = (process.env['GITSYNC_REQUIRE'] ?? '').split(',');
  if (missing.length === 0 || missing.some((part) => required.includes(part))) {
    describe(title, body);
    return;
  }
  process.stderr.write(`SKIPPED (this machine has no ${missing.join(', ')}): ${title}\n`);
  describe.skip(title, body);
}
