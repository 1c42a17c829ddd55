/** What a container needs on this machine; every finding with the command that helps. */
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { exitCodes } from '../errors.ts';
import { run } from '../process/run.ts';
import { bridgeFix, bridgeTrouble } from './bridge.ts';
import { isRoot, lxcEnvironment } from './lxc.ts';

export interface Finding {
  what: string;
  /** Commands, one a line, to be run as root unless they say otherwise. */
  fix: string;
}

const has = async (program: string): Promise<boolean> => (await run('sh', ['-c', 'command -v "$1"', 'sh', program], { env: lxcEnvironment() })).exitCode === 0;

const readText = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');

async function checkPrograms(): Promise<Finding[]> {
  const packages: [program: string, name: string][] = [['lxc-create', 'lxc'], ['dnsmasq', 'dnsmasq-base'], ['mmdebstrap', 'mmdebstrap'], ['xz', 'xz-utils'], ['ip', 'iproute2'], ...(isRoot() ? [] : ([['newuidmap', 'uidmap']] as [string, string][]))];
  const missing: string[] = [];
  for (const [program, name] of packages) if (!(await has(program))) missing.push(name);
  if (!(await has('nft')) && !(await has('iptables'))) missing.push('nftables');
  return missing.length === 0 ? [] : [{ what: `not installed: ${missing.join(', ')}`, fix: `apt-get install ${missing.join(' ')}` }];
}

function checkBridge(): Finding[] {
  const what = bridgeTrouble();
  return what === undefined ? [] : [{ what, fix: bridgeFix() }];
}

/** First free range of 65536 ids after those that others have. */
function freeRange(): number {
  const ends = ['/etc/subuid', '/etc/subgid'].flatMap((file) => readText(file).split('\n').map((line) => line.split(':')).filter((parts) => parts.length === 3).map(([, start, count]) => Number(start) + Number(count)));
  return Math.max(100_000, ...ends.filter(Number.isFinite));
}

function subordinate(file: string, user: string, uid: number): [start: number, count: number] | undefined {
  const line = readText(file).split('\n').map((text) => text.split(':')).find(([name, , count]) => (name === user || name === String(uid)) && Number(count) >= 65_536);
  return line === undefined ? undefined : [Number(line[1]), Number(line[2])];
}

function checkIds(user: string, uid: number): Finding[] {
  if (subordinate('/etc/subuid', user, uid) !== undefined && subordinate('/etc/subgid', user, uid) !== undefined) return [];
  const start = freeRange();
  return [{ what: `${user} has no range of 65536 subordinate ids`, fix: `usermod --add-subuids ${start}-${start + 65_535} --add-subgids ${start}-${start + 65_535} ${user}` }];
}

function checkConfig(user: string, uid: number): Finding[] {
  const file = join(process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'lxc/default.conf');
  const [uids, gids] = [subordinate('/etc/subuid', user, uid), subordinate('/etc/subgid', user, uid)];
  const text = readText(file);
  if (/^lxc\.idmap\s*=\s*u 0 /m.test(text) && /^lxc\.net\.0\.link\s*=\s*lxcbr0/m.test(text)) return [];
  const lines = [
    'lxc.net.0.type = veth', 'lxc.net.0.link = lxcbr0', 'lxc.net.0.flags = up',
    `lxc.idmap = u 0 ${uids?.[0] ?? freeRange()} 65536`, `lxc.idmap = g 0 ${gids?.[0] ?? freeRange()} 65536`,
    ...(existsSync('/sys/kernel/security/apparmor') ? ['lxc.apparmor.profile = unconfined'] : []),
  ];
  return [{ what: `${file} does not say which ids and which network`, fix: `as ${user}: mkdir -p ${dirname(file)} && printf '%s\\n' ${lines.map((line) => `'${line}'`).join(' ')} > ${file}` }];
}

function checkNetworkRight(user: string): Finding[] {
  if (new RegExp(`^${user.replaceAll('.', '\\.')}\\s+veth\\s+lxcbr0\\s+[1-9]`, 'm').test(readText('/etc/lxc/lxc-usernet'))) return [];
  return [{ what: `${user} may not connect containers to lxcbr0`, fix: `echo '${user} veth lxcbr0 10' >> /etc/lxc/lxc-usernet` }];
}

/** The container's root is another user, who must be able to walk to the file system. */
function checkTraverse(): Finding[] {
  const path = join(process.env['XDG_DATA_HOME'] ?? join(homedir(), '.local/share'), 'lxc');
  const steps = path.split('/').map((_, index, all) => all.slice(0, index + 1).join('/') || '/');
  const closed = steps.filter((step) => existsSync(step) && (statSync(step).mode & 0o001) === 0);
  return closed.length === 0 ? [] : [{ what: `others may not walk through ${closed.join(', ')}`, fix: `chmod o+x ${closed.join(' ')}` }];
}

function canWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** LXC makes a cgroup for the container below the one that it is started from. */
function checkCgroup(user: string): Finding[] {
  const line = readText('/proc/self/cgroup').split('\n').find((text) => text.startsWith('0::'));
  const unified = existsSync('/sys/fs/cgroup/cgroup.controllers') ? '/sys/fs/cgroup' : '/sys/fs/cgroup/unified';
  const own = line === undefined ? undefined : join(unified, line.slice(3));
  if (own === undefined || !existsSync(own) || canWrite(own) || canWrite(dirname(own))) return [];
  const fix = existsSync('/run/systemd/system')
    ? `as ${user}, start containers inside a scope of your own: systemd-run --user --scope -p Delegate=yes -- git push NAME BRANCH (and as root, once: loginctl enable-linger ${user})`
    : `for c in ${unified === '/sys/fs/cgroup' ? unified : '/sys/fs/cgroup/*'}; do mkdir -p $c/${user}; [ ! -f $c/cpuset.mems ] || { cat $c/cpuset.cpus > $c/${user}/cpuset.cpus; cat $c/cpuset.mems > $c/${user}/cpuset.mems; }; chown -R ${user}: $c/${user}; echo $PPID > $c/${user}/cgroup.procs; done`;
  return [{ what: `${user} may not make cgroups below ${own}`, fix }];
}

/** Everything that is missing here. */
export async function findTrouble(): Promise<Finding[]> {
  const found = [...(await checkPrograms()), ...checkBridge()];
  if (isRoot()) return found;
  const { username, uid } = userInfo();
  return [...found, ...checkIds(username, uid), ...checkConfig(username, uid), ...checkNetworkRight(username), ...checkTraverse(), ...checkCgroup(username)];
}

/** Prints the findings; exit code 0 when there is none. */
export async function runDoctor(): Promise<number> {
  const found = await findTrouble();
  for (const { what, fix } of found) process.stdout.write(`${what}\n  ${fix}\n`);
  if (found.length === 0) process.stdout.write('Everything that containers need is here.\n');
  return found.length === 0 ? exitCodes.ok : exitCodes.container;
}
