/** Notices that the network came up, and that the machine woke from sleep. */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';

export interface NetworkTiming {
  intervalMs: number;
  /** A tick this much later than it should be means that the machine, or this process, stood still. */
  lateMs: number;
}

const defaultTiming: NetworkTiming = { intervalMs: 5_000, lateMs: 10_000 };

/** Where IPv4 packets leave for the rest of the world: `eth0 010011AC`, one for each default route (Linux only). */
function defaultRoutes(): string[] {
  try {
    const lines = readFileSync('/proc/net/route', 'latin1').split('\n').slice(1);
    return lines.map((line) => line.split('\t')).filter(([, destination]) => destination === '00000000').map(([name, , gateway]) => `${name} ${gateway}`);
  } catch {
    return [];
  }
}

/** The ways out of this machine: its addresses, save those that reach no further than the next cable, and its default routes. */
export function networkWays(): Set<string> {
  const ways = new Set(defaultRoutes());
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    for (const { address, internal } of addresses ?? []) {
      // Every container that starts brings a link-local address, which is no news.
      if (!internal && !/^(fe80:|169\.254\.)/.test(address)) ways.add(`${name} ${address}`);
    }
  }
  return ways;
}

/** Whether there is a way now that was not there before. */
export function hasNewWay(before: ReadonlySet<string>, now: ReadonlySet<string>): boolean {
  return [...now].some((way) => !before.has(way));
}

/**
 * Calls back when remotes may be within reach again. A look costs well under a
 * millisecond and happens every 5 s; a false alarm only means one attempt more.
 */
export function watchNetwork(onUp: () => void, timing: Partial<NetworkTiming> = {}): { close(): void } {
  const { intervalMs, lateMs } = { ...defaultTiming, ...timing };
  let ways = networkWays();
  let lastMs = Date.now();
  const look = (): void => {
    const nowMs = Date.now();
    // Timers stand still while the machine sleeps, wall-clock time does not.
    const hasSlept = nowMs - lastMs > intervalMs + lateMs;
    const now = networkWays();
    const isUp = hasNewWay(ways, now);
    lastMs = nowMs;
    ways = now;
    if (isUp || hasSlept) onUp();
  };
  const timer = setInterval(look, intervalMs).unref();
  return { close: () => clearInterval(timer) };
}
