/** What goes wrong around the agents. Each fault ends by itself; `calm` waits until a machine has none. */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { noteInLog, type TortureMachine } from './machine.ts';
import { pickWeighted, type Random } from './random.ts';

const weights = {
  'kill agent': 6, 'kill git': 8, 'restart agent': 2, suspend: 4, 'cut line': 4, 'slow line': 3, 'breaking line': 4, 'full disk': 3, 'force-push': 1, 'clock jump': 3, 'hold index lock': 2,
} as const;

export type Fault = keyof typeof weights;

export interface Faults {
  /** Runs one fault to its end. */
  strike(): Promise<Fault | undefined>;
  /** Runs `work` while the machine's agent runs undisturbed (its line may be bad). */
  calm<T>(machine: TortureMachine, work: () => Promise<T>): Promise<T>;
  /** Ends what is left of all faults. */
  healAll(): Promise<void>;
}

export interface FaultOptions {
  machines: readonly TortureMachine[];
  remote: string;
  /** A clone from which somebody rewrites the remote's history. */
  rewriter: string;
  random: Random;
  only: ReadonlySet<string> | undefined;
  note(text: string): void;
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** One at a time on each machine: a fault, or a calm. */
function makeQueue(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work, work);
    last = next.catch(() => undefined);
    return next;
  };
}

function signal(pid: number | undefined, name: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(pid, name);
  } catch {
    // Gone already.
  }
}

/** Fills the disk to the last byte. */
export function fillDisk(file: string): void {
  const descriptor = openSync(file, 'w');
  try {
    for (let size = 1 << 20; size >= 512; size >>= 1) {
      try {
        for (;;) writeSync(descriptor, Buffer.alloc(size));
      } catch {
        // Full at this size.
      }
    }
  } finally {
    closeSync(descriptor);
  }
}

export function createFaults(options: FaultOptions): Faults {
  const { machines, remote, rewriter, random, note } = options;
  const queues = new Map(machines.map((machine) => [machine, makeQueue()]));
  const chosen = Object.fromEntries(Object.entries(weights).map(([name, weight]) => [name, options.only === undefined || options.only.has(name) ? weight : 0])) as Record<Fault, number>;
  const filler = (machine: TortureMachine): string => join(machine.home, 'filler');

  const trouble: Record<Exclude<Fault, 'force-push'>, (machine: TortureMachine) => Promise<void>> = {
    async 'kill agent'(machine) {
      await machine.stop('SIGKILL');
      await wait(random.below(2_000));
      await machine.start();
    },
    async 'restart agent'(machine) {
      await machine.stop('SIGTERM');
      await wait(random.below(1_000));
      await machine.start();
    },
    async 'kill git'(machine) {
      // The moments in which git runs are short: look for one for a while.
      const until = Date.now() + 5_000;
      const aim = 1 + random.below(4);
      for (let seen = 0; Date.now() < until; ) {
        const found = machine.descendants();
        if (found.length > 0 && ++seen >= aim) {
          for (const pid of random.chance(0.5) ? found : [random.pick(found)]) signal(pid, 'SIGKILL');
          return;
        }
        await wait(3 + random.below(10));
      }
    },
    async suspend(machine) {
      const stopped = [machine.pid(), ...(random.chance(0.5) ? machine.descendants() : [])];
      for (const pid of stopped) signal(pid, 'SIGSTOP');
      await wait(500 + random.below(5_000));
      for (const pid of stopped) signal(pid, 'SIGCONT');
    },
    async 'cut line'(machine) {
      machine.setLine('cut');
      await wait(500 + random.below(8_000));
      machine.setLine('good');
    },
    async 'slow line'(machine) {
      machine.setLine('slow');
      await wait(2_000 + random.below(6_000));
      machine.setLine('good');
    },
    async 'breaking line'(machine) {
      machine.setLine('breaking');
      await wait(1_000 + random.below(5_000));
      machine.setLine('good');
    },
    async 'full disk'(machine) {
      fillDisk(filler(machine));
      await wait(500 + random.below(4_000));
      rmSync(filler(machine), { force: true });
    },
    async 'clock jump'(machine) {
      machine.setClock(random.pick(['+0', '+3h', '-2h', '+400d', '-30d', '+1m', '-1m']));
      await wait(1_000);
    },
    async 'hold index lock'(machine) {
      const lock = join(machine.root, '.git/index.lock');
      try {
        writeFileSync(lock, '', { flag: 'wx' });
      } catch {
        return;
      }
      const descriptor = openSync(lock, 'w');
      await wait(random.below(3_000));
      closeSync(descriptor);
      rmSync(lock, { force: true });
    },
  };

  const forcePush = async (): Promise<void> => {
    const git = (...args: string[]): number => spawnSync('git', ['-C', rewriter, ...args], { encoding: 'utf8' }).status ?? -1;
    if (git('fetch', '-q', remote, '+refs/heads/main:refs/remotes/origin/main') !== 0) return;
    if (git('reset', '-q', '--hard', `refs/remotes/origin/main~${1 + random.below(6)}`) !== 0) return;
    writeFileSync(join(rewriter, 'rewritten.txt'), `${random.below(1_000_000)}\n`);
    git('add', '-A');
    git('commit', '-q', '-m', 'history rewritten');
    git('push', '-q', '--force', remote, 'HEAD:refs/heads/main');
    await wait(0);
  };

  return {
    async strike() {
      const fault: Fault = pickWeighted(random, chosen);
      const machine = random.pick(machines);
      if (fault === 'force-push') {
        note('force-push');
        await forcePush();
        return fault;
      }
      if ((fault === 'full disk' && !machine.ownDisk) || (fault === 'clock jump' && !machine.ownClock)) return undefined;
      await (queues.get(machine) as ReturnType<typeof makeQueue>)(async () => {
        note(`${machine.name}: ${fault}`);
        noteInLog(machine, fault);
        await trouble[fault](machine);
        note(`${machine.name}: ${fault} over`);
      });
      return fault;
    },
    calm: (machine, work) =>
      (queues.get(machine) as ReturnType<typeof makeQueue>)(async () => {
        await machine.start();
        return work();
      }),
    async healAll() {
      for (const machine of machines) {
        await (queues.get(machine) as ReturnType<typeof makeQueue>)(async () => {
          for (const pid of [machine.pid(), ...machine.descendants()]) signal(pid, 'SIGCONT');
          machine.setLine('good');
          rmSync(filler(machine), { force: true });
          await machine.start();
        });
      }
      clearRemoteLocks(remote);
    },
  };
}

/** As whoever runs the server does: what a killed git has left there and nobody has open. */
export function clearRemoteLocks(remote: string): void {
  // A folder of a push under way that goes meanwhile makes it complain, and find the rest.
  const { stdout } = spawnSync('find', [remote, '-name', '*.lock', '-mmin', '+0.05'], { encoding: 'utf8' });
  for (const name of stdout.split('\n').filter((line) => line !== '')) rmSync(name, { force: true });
}

/** Where libfaketime is on this machine. */
export function findFakeTime(): string | undefined {
  const { stdout } = spawnSync('sh', ['-c', 'ls /usr/lib/*/faketime/libfaketime.so.1 2>/dev/null'], { encoding: 'utf8' });
  const library = stdout.split('\n')[0];
  return library === undefined || library === '' || !readFileSync('/proc/version', 'utf8').includes('Linux') ? undefined : library;
}
