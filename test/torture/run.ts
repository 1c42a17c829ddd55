/** One torture run: agents, persons and faults for a time, then healing, then the proof. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkWorld, objectsOf, unmergedLateEdits } from './checker.ts';
import { createFaults, findFakeTime, type Faults } from './faults.ts';
import { blobAt, createLedger, type Ledger, type Version } from './ledger.ts';
import { prepareMachine, type TortureMachine } from './machine.ts';
import { actOnFiles, type Person } from './person.ts';
import { actWithGit, finishUp, type Belongings } from './person-git.ts';
import { makeRandom } from './random.ts';

export interface TortureOptions {
  seed: number;
  agents: number;
  seconds: number;
  /** Only these faults, instead of all. */
  faults?: ReadonlySet<string>;
  /** Whether persons use their own git too. */
  ownGit: boolean;
  /** How long the agents may take to agree afterwards. */
  healSeconds: number;
}

export interface TortureReport {
  seed: number;
  agents: number;
  seconds: number;
  actions: Record<string, number>;
  faults: Record<string, number>;
  versions: { written: number; owed: number };
  healedMs: number | undefined;
  lost: Version[];
  problems: string[];
  directory: string;
}

const program = new URL('../../dist/gitsync.js', import.meta.url).pathname;
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
/** How long saving may take on a busy machine. */
const restDeadlineMs = 120_000;

interface World extends TortureOptions {
  directory: string;
  remote: string;
  machines: TortureMachine[];
  ledger: Ledger;
  faultDriver: Faults;
  belongings: Map<TortureMachine, Belongings>;
  report: TortureReport;
  endsAtMs: number;
  note(text: string): void;
}

function mountDisk(home: string): boolean {
  mkdirSync(home, { recursive: true });
  if (process.getuid?.() !== 0 || process.platform !== 'linux') return false;
  return spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=300m', 'gitsync-torture', home], { stdio: 'ignore' }).status === 0;
}

function makeRemote(directory: string): string {
  const [remote, first] = [join(directory, 'remote.git'), join(directory, 'rewriter')];
  const git = (...args: string[]): unknown => spawnSync('git', args, { stdio: 'ignore' });
  git('init', '-q', '--bare', '-b', 'main', remote);
  git('init', '-q', '-b', 'main', first);
  for (const [key, value] of [['user.name', 'rewriter'], ['user.email', 'rewriter@example.org']]) git('-C', first, 'config', key as string, value as string);
  writeFileSync(join(first, 'welcome.md'), '# Welcome\n\none\ntwo\nthree\n');
  git('-C', first, 'add', '-A');
  // Who amends the very first commit has a history that nothing joins with the others'.
  for (let i = 0; i < 8; i += 1) git('-C', first, 'commit', '-q', '--allow-empty', '-m', `first ${i}`);
  git('-C', first, 'push', '-q', remote, 'main');
  return remote;
}

function prepareWorld(options: TortureOptions): World {
  const directory = mkdtempSync(join(tmpdir(), `gitsync-torture-${options.seed}-`));
  const startedAtMs = Date.now();
  const note = (text: string): void => appendFileSync(join(directory, 'story.log'), `${((Date.now() - startedAtMs) / 1000).toFixed(3)} ${text}\n`);
  const copy = join(directory, 'gitsync.js');
  copyFileSync(program, copy);
  const remote = makeRemote(directory);
  const fakeTime = findFakeTime();
  const random = makeRandom(options.seed);
  const machines = Array.from({ length: options.agents }, (_, i) => {
    const home = join(directory, String.fromCharCode(97 + i));
    const settings = `quiet = ${random.pick(['100ms', '200ms', '300ms'])}\npoll = ${random.pick(['1s', '2s'])}\nmax_delay = 2s\n${i % 2 === 1 ? 'branch = main\n' : ''}`;
    return prepareMachine({ name: String.fromCharCode(97 + i), home, remote, program: copy, settings, manyFiles: (options.seed + i) % 2 === 0, ownDisk: i === 0 && mountDisk(home), fakeTime });
  });
  const belongings = new Map(machines.map((machine) => {
    machine.git('branch', 'keep');
    return [machine, { stashes: [], branch: machine.git('rev-parse', 'keep').stdout.trim(), problems: [] } as Belongings];
  }));
  const report: TortureReport = { ...options, faults: {}, actions: {}, versions: { written: 0, owed: 0 }, healedMs: undefined, lost: [], problems: [], directory };
  const faultDriver = createFaults({ machines, remote, rewriter: join(directory, 'rewriter'), random: random.fork('faults'), only: options.faults, note });
  return { ...options, directory, remote, machines, ledger: createLedger(startedAtMs, (name, path) => blobAt(join((machines.find((machine) => machine.name === name) as TortureMachine).root, path))), faultDriver, belongings, report, endsAtMs: startedAtMs + options.seconds * 1_000, note };
}

function count(tally: Record<string, number>, name: string): void {
  tally[name] = (tally[name] ?? 0) + 1;
}

/** Lets a machine rest until everything at rest is saved; from then on nothing of it may be lost. */
async function rest(world: World, machine: TortureMachine): Promise<void> {
  const versions = world.ledger.live(machine.name);
  if (versions.length === 0) return;
  // By any ref: an object that only the person's own git has written hangs on nothing.
  const isSaved = (): boolean => {
    const objects = objectsOf(join(machine.root, '.git'), '--all');
    return versions.every(({ oid }) => objects.has(oid));
  };
  const until = Date.now() + restDeadlineMs;
  while (!isSaved()) {
    if (Date.now() > until) {
      world.report.problems.push(`${machine.name}: what lay at rest was not saved in ${restDeadlineMs / 1000} s: ${JSON.stringify((await machine.status())?.why)}`);
      return;
    }
    await wait(200);
  }
  world.ledger.secure(versions);
  world.note(`${machine.name}: rested with ${versions.length} versions`);
}

async function live(world: World, machine: TortureMachine): Promise<void> {
  const random = makeRandom(world.seed).fork(`person ${machine.name}`);
  let words = 0;
  const person: Person = { machine, ledger: world.ledger, random, token: () => `${machine.name}${world.seed}-${(words += 1)}` };
  while (Date.now() < world.endsAtMs) {
    try {
      if (world.ownGit && random.chance(0.03)) {
        const action = await actWithGit(person, world.belongings.get(machine) as Belongings);
        count(world.report.actions, `git ${action}`);
        world.note(`${machine.name}: git ${action}`);
      } else {
        const done = actOnFiles(person);
        if (done !== undefined) count(world.report.actions, done.action);
        if (done !== undefined) world.note(`${machine.name}: ${done.action} ${JSON.stringify(done.path)}`);
      }
    } catch (error) {
      // The person meets a full disk, or a file that the agent has just replaced by a folder.
      const { code } = error as { code?: string };
      if (!['ENOSPC', 'ENOENT', 'EEXIST', 'EISDIR', 'ENOTDIR', 'ENOTEMPTY', 'EINVAL', 'ELOOP', 'ENAMETOOLONG'].includes(code ?? '')) throw error;
      world.note(`${machine.name}: ${code}`);
    }
    if (random.chance(0.04)) await world.faultDriver.calm(machine, () => rest(world, machine));
    await wait(random.chance(0.2) ? random.below(1_500) : random.below(200));
  }
  await world.faultDriver.calm(machine, () => finishUp(person));
}

async function strikeOnAndOff(world: World, hand: string): Promise<void> {
  const random = makeRandom(world.seed).fork(`pauses of the ${hand} hand`);
  while (Date.now() < world.endsAtMs) {
    await wait(random.below(3_000));
    if (Date.now() > world.endsAtMs) return;
    const fault = await world.faultDriver.strike();
    if (fault !== undefined) count(world.report.faults, fault);
  }
}

async function isHealed(world: World): Promise<string | undefined> {
  const tips = new Set(world.machines.map((machine) => machine.git('rev-parse', 'refs/heads/main').stdout));
  tips.add(spawnSync('git', ['--git-dir', world.remote, 'rev-parse', 'refs/heads/main'], { encoding: 'utf8' }).stdout);
  if (tips.size > 1) return `the branches differ: ${[...tips].map((tip) => tip.slice(0, 8)).join(' ')}`;
  for (const machine of world.machines) {
    const { stdout } = machine.git('--no-optional-locks', 'status', '--porcelain');
    if (stdout !== '') return `${machine.name} has changes: ${stdout.slice(0, 200)}`;
    const area = join(machine.root, '.git/gitsync/apply');
    if (existsSync(area) && spawnSync('find', [area, '-type', 'f'], { encoding: 'utf8' }).stdout !== '') return `${machine.name} has trash that was not looked at`;
    if (unmergedLateEdits(machine).length > 0) return `${machine.name} has late edits that are not merged`;
    const state = await machine.status();
    if (state === undefined || !['safe', 'attention'].includes(state.level) || state.facts.held.length > 0) return `${machine.name} says ${state?.state ?? 'nothing'}: ${state?.why ?? ''}`;
  }
  return undefined;
}

/** Everything is as it should be again; the persons only let through what was held, and in the end ask for a sync. */
async function heal(world: World): Promise<void> {
  const startedAt = Date.now();
  await world.faultDriver.healAll();
  world.note('healing');
  let calm = 0;
  for (let lap = 1; ; lap += 1) {
    const trouble = await isHealed(world);
    // Twice in a row: what one agent still found in its trash sets the others going again.
    calm = trouble === undefined ? calm + 1 : 0;
    if (calm === 2) break;
    if (Date.now() - startedAt > world.healSeconds * 1_000) {
      const said = await Promise.all(world.machines.map(async (machine) => `${machine.name} says ${JSON.stringify((await machine.status())?.why)}`));
      world.report.problems.push(`not healed after ${world.healSeconds} s: ${trouble ?? 'never at rest'}; ${said.join('; ')}`);
      return;
    }
    await wait(500);
    if (lap % 10 !== 0) continue;
    for (const machine of world.machines) {
      const state = await machine.status();
      for (const { path, reason } of state?.facts.held ?? []) await machine.ask('allow', { paths: [machine.root], path: reason === 'mass-deletion' ? '' : path });
      if (lap % 40 === 0) void machine.ask('sync', { paths: [] });
    }
  }
  world.report.healedMs = Date.now() - startedAt;
}

function cleanUp(world: World, keep: boolean): void {
  if (keep) return;
  for (const machine of world.machines) if (machine.ownDisk) spawnSync('umount', ['-l', machine.home]);
  rmSync(world.directory, { recursive: true, force: true, maxRetries: 5 });
}

/** Runs it; where anything is wrong, the run's directory stays for a look. */
export async function torture(options: TortureOptions): Promise<TortureReport> {
  const world = prepareWorld(options);
  const { machines, report } = world;
  // Whoever ends the torture ends what it has started.
  const abandon = (): void => {
    for (const machine of machines) for (const pid of [machine.pid(), ...machine.descendants()]) if (pid !== undefined) process.kill(pid, 'SIGKILL');
    process.exit(130);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, abandon);
  try {
    await Promise.all(machines.map((machine) => machine.start()));
    await Promise.all([...machines.map((machine) => live(world, machine)), strikeOnAndOff(world, 'left'), strikeOnAndOff(world, 'right')]);
    await heal(world);
    for (const machine of machines) {
      const ended = await machine.stop('SIGTERM');
      if (ended !== 0) report.problems.push(`${machine.name}: the agent ended with ${ended}`);
    }
    const { problems, lost } = checkWorld(machines, world.remote, world.ledger, world.belongings);
    report.problems.push(...problems);
    report.lost = lost;
    report.versions = world.ledger.counts();
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, abandon);
    await Promise.all(machines.map((machine) => machine.stop('SIGKILL')));
    writeFileSync(join(world.directory, 'report.json'), JSON.stringify(report, null, 2));
    cleanUp(world, report.lost.length + report.problems.length > 0 || process.env['GITSYNC_KEEP_TMP'] === '1');
  }
  return report;
}
