/** Keeps the node connected: to the peers that were named, and to those that were reached before. */
import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from '../core/backoff.ts';
import type { Log } from '../log.ts';
import { connectedPeers, type Engine } from './engine.ts';
import type { NodeMemory } from './node-files.ts';
import { deadline } from './streams/deadline.ts';

export interface Joining {
  /** Joins at one more address, now. */
  join(address: string): Promise<string>;
  /** Tries all again now, however often it failed before. */
  wake(): void;
  /** Why named peers are not reached, by address. */
  troubles: ReadonlyMap<string, string>;
  close(): void;
}

const dialMs = 8_000;
/** So many are tried from memory; the table brings the others. */
const fromMemory = 16;
const lookMs = 15_000;
/** A dial costs little, and nobody tells us when somebody is back. */
const longestRetryMs = 60_000;
const aroundDelayMs = 500;
/** A look around is work for everybody who is asked, so it rests afterwards for so many times what it took: many that start at once would do nothing else. */
const restFactor = 10;
/** A small cloud that is known stays small for a while; the engine itself looks around as often. */
const longestAroundMs = 5 * 60_000;
/** With fewer the node looks for more. */
const fewConnections = 12;
const rememberDelayMs = 2_000;

/** An address that says something on another machine too, or on this one where all is on it. */
function isOutside(address: string): boolean {
  return /^\/(ip4|ip6|dns4|dns6|dns)\//.test(address) && !/\/ip4\/0\.0\.0\.0\/|\/p2p-circuit/.test(address);
}

/** Starts to join. Named peers are tried for ever, with back-off; remembered ones when there are few connections. */
export function startJoining(engine: Engine, memory: NodeMemory, named: readonly string[], log: Log): Joining {
  const troubles = new Map<string, string>();
  const failures = new Map<string, number>();
  const retryAt = new Map<string, number>();
  let closed = false;
  const join = (address: string): Promise<string> => engine.join(address, deadline(dialMs));
  const idOf = (address: string): string => address.split('/p2p/').at(-1) as string;

  const attempt = async (address: string, isNamed: boolean): Promise<void> => {
    try {
      await join(address);
      troubles.delete(address);
      failures.delete(address);
    } catch (error) {
      const count = (failures.get(address) ?? 0) + 1;
      failures.set(address, count);
      // More than a few joins a second from one address are refused, so a first failure is no reason to wait long.
      retryAt.set(address, Date.now() + Math.min(longestRetryMs, backoffMs(count, Math.random())));
      if (isNamed && !closed) {
        if (!troubles.has(address)) log.warn('A peer cannot be reached', { address, error: String(error) });
        troubles.set(address, String((error as Error).message ?? error));
      }
    }
  };
  const look = async (): Promise<void> => {
    if (closed) return;
    const connected = connectedPeers(engine);
    const isDue = (address: string): boolean => !connected.has(idOf(address)) && idOf(address) !== engine.id && (retryAt.get(address) ?? 0) <= Date.now();
    const remembered = connected.size < fromMemory ? memory.state.peers.filter((address) => !named.includes(address)).slice(0, fromMemory) : [];
    await Promise.all([...named.filter(isDue).map((address) => attempt(address, true)), ...remembered.filter(isDue).map((address) => attempt(address, false))]);
  };
  /** Somebody new knows others; the engine itself looks around only every five minutes. */
  let around: NodeJS.Timeout | undefined;
  let aroundEveryMs = lookMs;
  let nextAroundMs = 0;
  let restedAtMs = 0;
  const lookAround = (): void => {
    if (around !== undefined || engine.connections().length >= fewConnections) return;
    around = setTimeout(() => {
      const startedAtMs = performance.now();
      void engine
        .lookAround(deadline(dialMs))
        .catch((error: unknown) => log.debug('Looking around failed', { error: String(error) }))
        .finally(() => {
          around = undefined;
          restedAtMs = performance.now() + Math.min(lookMs, restFactor * (performance.now() - startedAtMs));
        });
    }, Math.max(aroundDelayMs, restedAtMs - performance.now())).unref();
  };
  const remember = async (peer: string): Promise<void> => {
    // What it listens at comes with its first words, a moment after the connection.
    await sleep(rememberDelayMs, undefined, { ref: false });
    const addresses = (await engine.addressesOf(peer)).filter(isOutside);
    if (addresses[0] !== undefined && !closed) await memory.rememberPeer(addresses[0]);
  };
  const lookAndAround = (): void => {
    void look();
    // A node that has just come is in the routing table only after a while, so once is not enough.
    if (Date.now() < nextAroundMs) return;
    nextAroundMs = Date.now() + aroundEveryMs;
    aroundEveryMs = Math.min(longestAroundMs, 2 * aroundEveryMs);
    lookAround();
  };
  const lookAgain = (): void => {
    nextAroundMs = 0;
    lookAndAround();
  };
  engine.onPeer((peer, isConnected) => {
    if (closed) return;
    [aroundEveryMs, nextAroundMs] = [lookMs, 0];
    if (!isConnected) return;
    lookAround();
    void remember(peer).catch((error: unknown) => log.debug('A peer was not remembered', { error: String(error) }));
  });
  void look();
  // The first attempts come soon after each other: a whole house may be starting at once.
  const early = [1_000, 2_500, 5_000, 10_000].map((ms) => setTimeout(lookAgain, ms).unref());
  const timer = setInterval(lookAndAround, lookMs).unref();
  return {
    join,
    wake() {
      retryAt.clear();
      failures.clear();
      restedAtMs = 0;
      lookAgain();
    },
    troubles,
    close() {
      closed = true;
      clearInterval(timer);
      clearTimeout(around);
      early.forEach(clearTimeout);
    },
  };
}
