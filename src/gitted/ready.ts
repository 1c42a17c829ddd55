/** Waiting until a container that was started can be used. */
import { GitsyncError } from '../errors.ts';
import type { Driver } from './driver.ts';
import { detail, secondsSince } from './report.ts';

const pollMs = 100;

async function poll(deadlineMs: number, condition: () => Promise<boolean>): Promise<boolean> {
  for (;;) {
    if (await condition().catch(() => false)) return true;
    if (performance.now() > deadlineMs) return false;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/**
 * Ready means: its init is up (a service that failed does not count), and it has an address.
 * @throws GitsyncError `container` that names what is missing after the time.
 */
export async function waitUntilReady(name: string, driver: Pick<Driver, 'exec' | 'address'>, timeoutMs = 60_000): Promise<void> {
  const startedMs = performance.now();
  const deadlineMs = startedMs + timeoutMs;
  const init = async (): Promise<boolean> => {
    const { stdout } = await driver.exec(['systemctl', 'is-system-running', '--wait'], { timeoutMs: 20_000 });
    return /^(running|degraded)/.test(stdout.toString('utf8'));
  };
  // What is not systemd is up when it can run a program.
  const anyInit = async (): Promise<boolean> => (await driver.exec(['sh', '-c', 'command -v systemctl >/dev/null && exit 1; exit 0'])).exitCode === 0;
  if (!(await poll(deadlineMs, async () => (await init()) || (await anyInit())))) {
    throw new GitsyncError('container', `${name} has started, but its init is not up after ${secondsSince(startedMs)}.`, { hint: `gitted-client shell ${name}, then: systemctl list-jobs` });
  }
  if (!(await poll(deadlineMs, async () => (await driver.address()) !== undefined))) {
    throw new GitsyncError('container', `${name} has started, but got no address after ${secondsSince(startedMs)}.`, { hint: 'gitted-client doctor (is lxcbr0 up, does dnsmasq run?)' });
  }
  detail(`${name} is up at ${await driver.address()} (${secondsSince(startedMs)})`);
}

/**
 * Waits until the container resolves the host that its packages come from.
 * @throws GitsyncError `container`
 */
export async function waitForNames(name: string, driver: Pick<Driver, 'exec'>, timeoutMs = 30_000): Promise<void> {
  const script = 'host=$(sed -nE "s,^(deb |URIs:).*https?://([^/: ]+).*,\\2,p" /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1); [ -z "$host" ] || getent hosts "$host" >/dev/null || { echo "$host"; exit 1; }';
  let host = '';
  const found = await poll(performance.now() + timeoutMs, async () => {
    const { exitCode, stdout } = await driver.exec(['sh', '-c', script], { timeoutMs: 15_000 });
    host = stdout.toString('utf8').trim();
    return exitCode === 0;
  });
  if (!found) throw new GitsyncError('container', `${name} is up, but does not find ${host}, where its packages come from.`, { hint: 'gitted-client doctor (DNS on lxcbr0, and NAT)' });
}
