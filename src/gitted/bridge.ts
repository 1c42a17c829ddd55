/** The bridge that gives containers an address and names: lxcbr0, made by LXC's own script. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { run } from '../process/run.ts';
import { lxcEnvironment } from './lxc.ts';
import { detail } from './report.ts';

const bridge = '/sys/class/net/lxcbr0';
/** lxc-net's own notes: that it is up, and the process that answers DHCP and DNS. */
const upFile = '/run/lxc/network_up';
const pidFile = '/run/lxc/dnsmasq.pid';

const script = ['/usr/libexec/lxc/lxc-net', '/usr/lib/x86_64-linux-gnu/lxc/lxc-net', '/usr/lib/lxc/lxc-net'].find((file) => existsSync(file));

const readText = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8').trim() : '');

const answers = (): boolean => {
  const pid = readText(pidFile);
  return /^\d+$/.test(pid) && readText(`/proc/${pid}/comm`) === 'dnsmasq';
};

/** Why no container can get an address, or undefined. A bridge that lxc-net did not make is its owner's business. */
export function bridgeTrouble(): string | undefined {
  if (!existsSync(bridge)) return 'the bridge lxcbr0 is not up';
  return existsSync(upFile) && !answers() ? 'the bridge lxcbr0 is up, but its dnsmasq has ended' : undefined;
}

/** The command that mends it, for a person. */
export const bridgeFix = (): string => (existsSync('/run/systemd/system') ? 'systemctl enable lxc-net && systemctl restart lxc-net' : `${script ?? 'lxc-net'} restart`);

/** Brings the bridge up, and a dnsmasq that was killed beside it; containers that hang on the bridge stay there. */
export async function ensureBridge(): Promise<void> {
  if (script === undefined || bridgeTrouble() === undefined) return;
  detail('starting the network of LXC (lxcbr0)');
  // `stop` kills whatever has the number in this file now.
  if (!answers()) rmSync(pidFile, { force: true });
  if (existsSync(upFile)) await run(script, ['stop'], { env: lxcEnvironment(), idleTimeoutMs: 30_000 });
  await run(script, ['start'], { env: lxcEnvironment(), idleTimeoutMs: 30_000 });
}
