/**
 * The base image of a distribution: a container that is never started, from which
 * others are made in a moment. First the image server, else a Debian mirror.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { GitsyncError } from '../errors.ts';
import { run } from '../process/run.ts';
import { runStep, withBaseLock } from './base-lock.ts';
import { imageServer, servesImages } from './image-server.ts';
import { isRoot, lxc, lxcEnvironment, lxcPath, markerOf, removeFiles, wordsOf } from './lxc.ts';
import { findMirror } from './mirror.ts';
import { detail, secondsSince } from './report.ts';

/** Changes when what is in the base does, so that an old one is not taken for it. */
const edition = 3;

/** What every container needs before its profiles can do the rest. */
const packages = ['systemd', 'systemd-sysv', 'systemd-resolved', 'dbus', 'iproute2', 'netbase', 'git', 'ca-certificates', 'procps'];

export interface BaseImage {
  container: string;
  distribution: string;
  release: string;
}

/** The base container's name; it changes when what is in it does. */
export const baseName = (distribution: string, release: string): string => `gitted-base-${distribution}-${release.replaceAll('.', '-')}-${edition}`;

const systemCache = '/var/cache/gitted';
const ownCache = (): string => (isRoot() ? systemCache : join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'gitted'));

/** The kept archive of a base system, root's or our own; undefined where there is none. */
function findArchive(release: string): string | undefined {
  return [systemCache, ownCache()].map((directory) => archiveIn(directory, release)).find((file) => existsSync(file));
}

const archiveIn = (directory: string, release: string): string => join(directory, `debian-${release}-${edition}.tar.xz`);

/** Steps inside the new file system: an address by DHCP, names, and no identity yet (two machines with one machine-id get one address). */
const finishing = [
  'printf "[Match]\\nName=eth0\\n[Network]\\nDHCP=yes\\n" >"$1/etc/systemd/network/eth0.network"',
  // Where /sys can be written (containers of normal users), networkd would wait for a udev that is not there.
  'mkdir -p "$1/etc/systemd/system/systemd-networkd.service.d" && printf "[Service]\\nReadOnlyPaths=/sys\\n" >"$1/etc/systemd/system/systemd-networkd.service.d/no-udev.conf"',
  'chroot "$1" systemctl enable -q systemd-networkd systemd-resolved',
  'chroot "$1" systemctl mask -q sys-kernel-debug.mount systemd-networkd-wait-online.service',
  'ln -sf ../run/systemd/resolve/stub-resolv.conf "$1/etc/resolv.conf"',
  ': >"$1/etc/machine-id"; rm -f "$1/var/lib/dbus/machine-id" "$1/etc/hostname"',
  // The lists of packages stay, with their age (see sysconf.base), so that the first containers need not fetch them.
  'mkdir -p "$1/var/lib/sysconf"; : >"$1/var/lib/sysconf/apt-updated"',
  'rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/usr/share/doc/* "$1"/usr/share/man/*',
].join('\n');

async function bootstrapArchive(file: string, release: string): Promise<void> {
  const path = await lxcPath();
  const mirror = await findMirror(release);
  const args = ['--variant=minbase', '--quiet', `--include=${packages.join(',')}`, '--format=tar', '--skip=cleanup/apt/lists', ...mirror.options.map((option) => `--aptopt=${option}`), '--aptopt=Acquire::Retries "3"', `--customize-hook=${finishing}`, release, `${file}.tar`, ...mirror.lines];
  const made = await runStep(path, 'mmdebstrap', args, { env: { ...lxcEnvironment(), LC_ALL: 'C.UTF-8' }, idleTimeoutMs: 900_000 });
  if (/flock: failed to execute/.test(made.stderr)) throw new GitsyncError('container', 'The image server cannot be reached, and mmdebstrap is not installed.', { hint: 'as root: apt-get install mmdebstrap' });
  if (made.exitCode !== 0) throw new GitsyncError('container', `The base system could not be made: ${made.stderr.trim().split('\n').slice(-30).join('\n')}`, { hint: 'gitted-client doctor' });
  // lxc-create's template reads xz only; the lightest level, since it is read once or twice.
  const packed = await runStep(path, 'xz', ['-0', '-T0', '-f', `${file}.tar`], { idleTimeoutMs: 600_000 });
  if (packed.exitCode !== 0) throw new GitsyncError('container', `The base system could not be packed: ${packed.stderr.trim()}`);
}

/** Makes sure of the archive of a base system. Under the lock. */
async function ensureArchive(release: string): Promise<string> {
  const known = findArchive(release);
  if (known !== undefined) return known;
  const startedMs = performance.now();
  const directory = ownCache();
  mkdirSync(directory, { recursive: true });
  detail(`Debian ${release} from a mirror (once; about half a minute) ...`);
  // A run that is cut off must not leave an archive that looks complete, and what it leaves goes with the next run.
  for (const name of readdirSync(directory)) if (name.includes('.making')) rmSync(join(directory, name), { force: true });
  const making = join(directory, `debian-${release}-${edition}.making`);
  await bootstrapArchive(making, release);
  renameSync(`${making}.tar.xz`, archiveIn(directory, release));
  detail(`made the base system in ${secondsSince(startedMs)}`);
  return archiveIn(directory, release);
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

async function create(path: string, name: string, args: readonly string[], timeoutMs: number): Promise<string | undefined> {
  const { exitCode, stdout, stderr } = await runStep(path, 'lxc-create', ['-n', name, ...args], { env: lxcEnvironment(), idleTimeoutMs: timeoutMs });
  return exitCode === 0 ? undefined : wordsOf(`${stdout.toString('utf8')}\n${stderr}`);
}

async function unpackArchive(name: string, release: string): Promise<void> {
  const archive = await ensureArchive(release);
  const directory = mkdtempSync(join(tmpdir(), 'gitted-'));
  try {
    const failure = await create(await lxcPath(), name, ['-t', 'local', '--', '-m', await writeMetadata(directory), '-f', archive], 900_000);
    if (failure !== undefined) throw new GitsyncError('container', `The base system could not be unpacked: ${failure}`, { hint: `gitted-client doctor; where ${archive} is broken: rm ${archive}` });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Makes a container from the kept archive of a base system. */
export async function createFromArchive(name: string, release: string): Promise<void> {
  await withBaseLock(await lxcPath(), () => unpackArchive(name, release));
}

async function createFromServer(name: string, distribution: string, release: string): Promise<boolean> {
  const server = imageServer();
  if (!isRoot() || !(await servesImages(server))) return false;
  const path = await lxcPath();
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  detail(`${distribution} ${release} from ${server} ...`);
  let failure = await create(path, name, ['-t', 'download', '--', '--server', server, '-d', distribution, '-r', release, '-a', arch], 600_000);
  if (failure === undefined) {
    const script = `set -e\nchroot "$1" apt-get -q update\nDEBIAN_FRONTEND=noninteractive chroot "$1" apt-get install -q -y --no-install-recommends ${packages.join(' ')}\n${finishing}`;
    const prepared = await runStep(path, 'sh', ['-c', script, 'sh', join(path, name, 'rootfs')], { env: lxcEnvironment(), idleTimeoutMs: 900_000 });
    if (prepared.exitCode === 0) return true;
    failure = wordsOf(prepared.stderr);
  }
  await lxc('destroy', ['-n', name, '-f'], { expect: [0, 1] });
  detail(`that did not work (${failure}); a mirror instead`);
  return false;
}

async function makeBase(path: string, container: string, distribution: string, release: string): Promise<void> {
  // Whoever was here before us may have been cut off.
  if (existsSync(join(path, container))) await removeFiles(join(path, container));
  writeFileSync(markerOf(path, container), '');
  if (!(await createFromServer(container, distribution, release))) {
    if (distribution !== 'debian') throw new GitsyncError('container', `${distribution} comes only from ${imageServer()}, which cannot be reached.`, { hint: 'put "debian bookworm" into sysconf/type' });
    await unpackArchive(container, release);
  }
  rmSync(markerOf(path, container), { force: true });
}

/** Makes sure of the base container. */
export async function ensureBase(distribution: string, release: string): Promise<BaseImage> {
  const container = baseName(distribution, release);
  const path = await lxcPath();
  const isWhole = async (): Promise<boolean> =>
    !existsSync(markerOf(path, container)) && !existsSync(join(path, container, 'partial')) && (await lxc('info', ['-n', container, '-s', '-H'], { expect: [0, 1] })).exitCode === 0;
  if (!(await isWhole())) {
    await withBaseLock(path, async () => {
      if (!(await isWhole())) await makeBase(path, container, distribution, release);
    });
  }
  return { container, distribution, release };
}
