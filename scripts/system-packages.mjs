// Brings the programs that the tests use: installed by itself as root on Debian, named anywhere else.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';

/** Program -> the Debian package (or packages) that has it. */
const packages = {
  git: 'git',
  ssh: 'openssh-client',
  sshd: 'openssh-server',
  'git-lfs': 'git-lfs',
  strace: 'strace',
  chattr: 'e2fsprogs',
  // A C compiler, the smallest there is, where there is none: what kills at a call is a library.
  cc: ['tcc', 'libc6-dev'],
  faketime: 'faketime',
  // What machines over ssh may have: the kernel's word, or little at all.
  inotifywait: 'inotify-tools',
  busybox: 'busybox',
  shellcheck: 'shellcheck',
  // Containers: the programs, their bridge, and the base image.
  'lxc-create': 'lxc',
  dnsmasq: 'dnsmasq-base',
  ip: 'iproute2',
  nft: 'nftables',
  newuidmap: 'uidmap',
  mmdebstrap: 'mmdebstrap',
  // Peers sign with gpg.
  gpg: 'gnupg',
  'systemd-notify': 'systemd',
  // Packages: made, looked into, and what they bring for shells and readers.
  rpmbuild: 'rpm',
  cpio: 'cpio',
  man: 'man-db',
  zsh: 'zsh',
  fish: 'fish',
  // The databases, of which the handlers' tests start servers of their own.
  sqlite3: 'sqlite3',
  mariadbd: 'mariadb-server',
  psql: 'postgresql',
};

const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', PATH: `${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin` };
const isRoot = process.getuid?.() === 0;

function has(program) {
  // A client may be there without the server, whose programs are on no PATH.
  if (program === 'cc') return ['cc', 'tcc'].some(isOnPath);
  if (program === 'psql' && !existsSync('/usr/lib/postgresql')) return false;
  return isOnPath(program);
}

function isOnPath(program) {
  return spawnSync('sh', ['-c', `command -v ${program}`], { env, stdio: 'ignore' }).status === 0;
}

function aptGet(...args) {
  const words = ['-q', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=3', '-o', 'Acquire::http::Timeout=60', ...args];
  return spawnSync('apt-get', words, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 900_000 });
}

/** Runs `install` while no service of a new package may start: a test run must not open a port. */
function withoutServices(install) {
  const policy = '/usr/sbin/policy-rc.d';
  if (existsSync(policy)) return install();
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    return install();
  } finally {
    rmSync(policy, { force: true });
  }
}

function install(names) {
  // The lists of a fresh image are empty, those of an old one name files that are gone.
  const updated = aptGet('update');
  const result = withoutServices(() => aptGet('install', '-y', '--no-install-recommends', ...names));
  if (names.includes('openssh-server')) spawnSync('systemctl', ['disable', '--quiet', 'ssh.service'], { env, stdio: 'ignore' });
  if (result.status === 0) return;
  const said = [updated, result].map(({ stdout, stderr, error }) => `${stdout ?? ''}${stderr ?? ''}${error ? `${error.message}\n` : ''}`).join('');
  process.stderr.write(`${said.split('\n').slice(-20).join('\n')}\n`);
}

/** Makes sure of the programs as far as this machine allows; says what is missing in the end. */
export function bringPackages() {
  const missing = () => Object.keys(packages).filter((program) => !has(program)).flatMap((program) => packages[program]);
  const wanted = missing();
  if (wanted.length > 0 && isRoot && existsSync('/etc/debian_version') && has('apt-get')) {
    console.log(`Installing Debian packages: ${wanted.join(' ')}`);
    install(wanted);
  }
  const left = missing();
  if (left.length > 0) console.log(`Not installed here: ${left.join(', ')}. Tests that need them are skipped.\n  as root on Debian or Ubuntu: apt-get install ${left.join(' ')}`);
  // sshd run as root insists on its privilege separation directory, which only its service makes.
  if (isRoot && process.platform === 'linux') mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
}
