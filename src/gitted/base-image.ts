/**
 * The base image of a distribution: a container that is never started, from which
 * others are made in a moment. First the image server, else a Debian mirror.
 */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { canConnect } from './can-connect.ts';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { GitsyncError } from '../errors.ts';
import { run } from '../process/run.ts';
import { isRoot, lxc, lxcEnvironment, lxcPath } from './lxc.ts';
import { findMirror } from './mirror.ts';
import { detail, secondsSince } from './report.ts';

/** Changes when what is in the base does, so that an old one is not taken for it. */
const edition = 2;

/** What every container needs before its profiles can do the rest. */
const packages = ['systemd', 'systemd-sysv', 'systemd-resolved', 'dbus', 'iproute2', 'netbase', 'git', 'ca-certificates', 'procps'];
const imageServer = 'images.linuxcontainers.org';

export interface BaseImage {
  container: string;
  distribution: string;
  release: string;
}

/** The base container's name; it changes when what is in it does. */
export const baseName = (distribution: string, release: string): string => `gitted-base-${distribution}-${release.replaceAll('.', '-')}-${edition}`;

const cacheDir = (): string => (isRoot() ? '/var/cache/gitted' : join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'gitted'));

/** Steps inside the new file system: an address by DHCP, names, and no identity yet (two machines with one machine-id get one address). */
const finishing = [
  'printf "[Match]\\nName=eth0\\n[Network]\\nDHCP=yes\\n" >"$1/etc/systemd/network/eth0.network"',
  // Where /sys can be written (containers of normal users), networkd would wait for a udev that is not there.
  'mkdir -p "$1/etc/systemd/system/systemd-networkd.service.d" && printf "[Service]\\nReadOnlyPaths=/sys\\n" >"$1/etc/systemd/system/systemd-networkd.service.d/no-udev.conf"',
  'chroot "$1" systemctl enable -q systemd-networkd systemd-resolved',
  'chroot "$1" systemctl mask -q sys-kernel-debug.mount systemd-networkd-wait-online.service',
  'ln -sf ../run/systemd/resolve/stub-resolv.conf "$1/etc/resolv.conf"',
  ': >"$1/etc/machine-id"; rm -f "$1/var/lib/dbus/machine-id" "$1/etc/hostname"',
  'rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/usr/share/doc/* "$1"/usr/share/man/*',
].join('\n');

async function bootstrapArchive(file: string, release: string): Promise<void> {
  const mirror = await findMirror(release);
  const args = ['--variant=minbase', '--quiet', `--include=${packages.join(',')}`, '--format=tar', ...mirror.options.map((option) => `--aptopt=${option}`), '--aptopt=Acquire::Retries "3"', `--customize-hook=${finishing}`, release, `${file}.tar`, ...mirror.lines];
  const made = await run('mmdebstrap', args, { env: { ...lxcEnvironment(), LC_ALL: 'C.UTF-8' }, idleTimeoutMs: 900_000 }).catch((error: unknown) => {
    throw new GitsyncError('container', 'The image server cannot be reached, and mmdebstrap is not installed.', { hint: 'as root: apt-get install mmdebstrap', cause: error });
  });
  if (made.exitCode !== 0) throw new GitsyncError('container', `The base system could not be made: ${made.stderr.trim().split('\n').slice(-30).join('\n')}`, { hint: 'gitted-client doctor' });
  // lxc-create's template reads xz only; the lightest level, since it is read once or twice.
  const packed = await run('xz', ['-0', '-T0', '-f', `${file}.tar`], { idleTimeoutMs: 600_000 });
  if (packed.exitCode !== 0) throw new GitsyncError('container', `The base system could not be packed: ${packed.stderr.trim()}`);
}

const metadata = {
  config: 'lxc.include = LXC_TEMPLATE_CONFIG/common.conf\nlxc.arch = linux64\n',
  'config-user': 'lxc.include = LXC_TEMPLATE_CONFIG/common.conf\nlxc.include = LXC_TEMPLATE_CONFIG/userns.conf\nlxc.arch = linux64\n',
  // A normal user may not make devices; LXC mounts them.
  'excludes-user': './dev/*\n',
};

async function writeMetadata(directory: string): Promise<string> {
  for (const [name, text] of Object.entries(metadata)) writeFileSync(join(directory, name), text);
  const file = join(directory, 'meta.tar.xz');
  const result = await run('tar', ['-C', directory, '-cJf', file, ...Object.keys(metadata)]);
  if (result.exitCode !== 0) throw new GitsyncError('container', `tar failed: ${result.stderr.trim()}`);
  return file;
}

/** Makes a container from the kept archive of a base system. */
export async function createFromArchive(name: string, release: string): Promise<void> {
  const archive = join(cacheDir(), `debian-${release}-${edition}`);
  mkdirSync(cacheDir(), { recursive: true });
  if (!existsSync(`${archive}.tar.xz`)) {
    const startedMs = performance.now();
    detail(`Debian ${release} from a mirror (once; about half a minute) ...`);
    // A run that is cut off must not leave an archive that looks complete.
    const making = `${archive}.making-${process.pid}`;
    await bootstrapArchive(making, release);
    renameSync(`${making}.tar.xz`, `${archive}.tar.xz`);
    detail(`made the base system in ${secondsSince(startedMs)}`);
  }
  const directory = mkdtempSync(join(tmpdir(), 'gitted-'));
  try {
    await lxc('create', ['-n', name, '-t', 'local', '--', '-m', await writeMetadata(directory), '-f', `${archive}.tar.xz`], { timeoutMs: 900_000 });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function createFromServer(name: string, distribution: string, release: string): Promise<boolean> {
  if (!isRoot() || !(await canConnect(imageServer, 443, 3_000))) return false;
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  detail(`${distribution} ${release} from ${imageServer} ...`);
  const result = await lxc('create', ['-n', name, '-t', 'download', '--', '-d', distribution, '-r', release, '-a', arch, '--no-validate'], { expect: [0, 1], timeoutMs: 600_000 });
  if (result.exitCode === 0) {
    const root = join(await lxcPath(), name, 'rootfs');
    const prepared = await run('sh', ['-c', `set -e\nchroot "$1" apt-get -q update\nDEBIAN_FRONTEND=noninteractive chroot "$1" apt-get install -q -y --no-install-recommends ${packages.join(' ')}\n${finishing}`, 'sh', root], { env: lxcEnvironment(), idleTimeoutMs: 900_000 });
    if (prepared.exitCode === 0) return true;
  }
  await lxc('destroy', ['-n', name, '-f'], { expect: [0, 1] });
  detail('that did not work; a mirror instead');
  return false;
}

/** Makes sure of the base container. */
export async function ensureBase(distribution: string, release: string): Promise<BaseImage> {
  const container = baseName(distribution, release);
  const directory = join(await lxcPath(), container);
  if (existsSync(join(directory, 'partial'))) rmSync(directory, { recursive: true, force: true });
  const known = await lxc('info', ['-n', container, '-s', '-H'], { expect: [0, 1] });
  if (known.exitCode !== 0) {
    if (!(await createFromServer(container, distribution, release))) {
      if (distribution !== 'debian') throw new GitsyncError('container', `${distribution} comes only from ${imageServer}, which cannot be reached.`, { hint: 'put "debian bookworm" into sysconf/type' });
      await createFromArchive(container, release);
    }
  }
  return { container, distribution, release };
}
