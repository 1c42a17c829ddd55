/**
 * `gitsync demo`: two machines in a temporary place, each with a real agent,
 * follow each other through a bare repository; every step is checked.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GitsyncError } from '../errors.ts';
import { startProcess, type StartedProcess } from '../process/long-lived.ts';
import { run } from '../process/run.ts';
import type { Context } from './context.ts';

interface Machine {
  name: string;
  /** Its home directory. */
  home: string;
  /** Its work directory. */
  notes: string;
  env: Record<string, string | undefined>;
  agent: StartedProcess | undefined;
}

/** How long a step may take before the demo calls it a failure. */
const patienceMs = 20_000;

/** Ctrl-C: the agents are processes of their own and have to be ended all the same. */
const interruption = new AbortController();

function makeMachine(root: string, name: string): Machine {
  const home = join(root, name);
  mkdirSync(join(home, '.config'), { recursive: true });
  mkdirSync(join(home, 'run'), { mode: 0o700 });
  writeFileSync(join(home, '.gitconfig'), `[user]\n\tname = ${name}\n\temail = ${name}@demo.invalid\n[init]\n\tdefaultBranch = main\n`);
  const env: Record<string, string | undefined> = { PATH: process.env['PATH'], HOME: home, XDG_CONFIG_HOME: join(home, '.config'), XDG_RUNTIME_DIR: join(home, 'run'), GIT_CONFIG_NOSYSTEM: '1', GITSYNC_HOST: name };
  return { name, home, notes: join(home, 'Notes'), env, agent: undefined };
}

interface Stage {
  root: string;
  server: string;
  desk: Machine;
  laptop: Machine;
  say(text: string): void;
}

/** Runs this very program on one of the machines. */
async function gitsync(machine: Machine, ...args: string[]): Promise<{ exitCode: number; text: string }> {
  const { exitCode, stdout, stderr } = await run(process.execPath, [process.argv[1] as string, ...args], { cwd: machine.home, env: machine.env, timeoutMs: 60_000, signal: interruption.signal });
  return { exitCode, text: `${stdout.toString()}${stderr}`.trimEnd() };
}

async function gitOf(machine: Machine, ...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await run('git', args, { cwd: existsSync(machine.notes) ? machine.notes : machine.home, env: machine.env });
  if (exitCode !== 0) throw new GitsyncError('failed', `git ${args.join(' ')} failed on ${machine.name}: ${stderr}`);
  return stdout.toString().trim();
}

function startAgentOf(machine: Machine): void {
  machine.agent = startProcess(process.execPath, [process.argv[1] as string, '--daemon', '--verbose'], { cwd: machine.home, env: machine.env, onLine: () => undefined });
}

/** Waits until something is so, and returns how long that took in milliseconds. */
async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<number> {
  const startedAt = performance.now();
  for (;;) {
    if (interruption.signal.aborted) throw new GitsyncError('interrupted', 'The demo was interrupted.');
    if (await condition()) return performance.now() - startedAt;
    if (performance.now() - startedAt > patienceMs) throw new GitsyncError('failed', `The demo waited ${patienceMs / 1000} s in vain: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function contentOf(machine: Machine, file: string): string {
  const path = join(machine.notes, file);
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

async function sameCommit(stage: Stage): Promise<boolean> {
  const [a, b] = await Promise.all([gitOf(stage.desk, 'rev-parse', 'HEAD'), gitOf(stage.laptop, 'rev-parse', 'HEAD')]);
  const there = readFileSync(join(stage.server, 'refs/heads/main'), 'utf8').trim();
  return a === b && a === there;
}

/** Writes on one machine, waits for it on the other. */
async function follow(stage: Stage, from: Machine, to: Machine, file: string, text: string): Promise<void> {
  writeFileSync(join(from.notes, file), text);
  const ms = await until(`${file} on ${to.name}`, () => contentOf(to, file) === text);
  stage.say(`${from.name} writes ${file}; it is on ${to.name} ${ms.toFixed(0)} ms later`);
}

async function setUp(stage: Stage): Promise<void> {
  const { desk, laptop, server, say } = stage;
  mkdirSync(desk.notes);
  writeFileSync(join(desk.notes, 'welcome.md'), '# Notes\n\nThe first line.\n');
  const init = await gitsync(desk, 'init', desk.notes, '--remote', server);
  if (init.exitCode !== 0) throw new GitsyncError('failed', `gitsync init failed: ${init.text}`);
  say(`desk: gitsync init ~/Notes --remote SERVER\n${indent(init.text)}`);
  await gitOf(laptop, 'clone', '--quiet', server, laptop.notes);
  await gitsync(laptop, 'add', laptop.notes);
  say('laptop: git clone SERVER ~/Notes; gitsync add ~/Notes');
  startAgentOf(desk);
  startAgentOf(laptop);
  const ms = await until('both agents', async () => (await Promise.all([gitsync(desk, 'status'), gitsync(laptop, 'status')])).every(({ exitCode }) => exitCode === 0));
  say(`both agents run and say "safe" (${ms.toFixed(0)} ms after their start)`);
}

async function tellConflict(stage: Stage): Promise<void> {
  const { desk, laptop, say } = stage;
  writeFileSync(join(desk.notes, 'plan.md'), 'Monday: write\nTuesday: rest\n');
  await until('plan.md on laptop', () => contentOf(laptop, 'plan.md') !== '');
  await until('the same commit', () => sameCommit(stage));
  writeFileSync(join(desk.notes, 'plan.md'), 'Monday: write the letter (desk)\nTuesday: rest\n');
  writeFileSync(join(laptop.notes, 'plan.md'), 'Monday: write the song (laptop)\nTuesday: rest\n');
  const copies = (machine: Machine): string[] => readdirSync(machine.notes).filter((name) => name.includes('.conflict-'));
  const ms = await until('a conflict copy on both', async () => copies(desk).length === 1 && copies(laptop).length === 1 && (await sameCommit(stage)));
  const all = [contentOf(desk, 'plan.md'), contentOf(desk, copies(desk)[0] as string)].join('');
  if (!all.includes('(desk)') || !all.includes('(laptop)') || all.includes('<<<<<<<')) throw new GitsyncError('failed', 'A version of plan.md is missing.');
  say(`both write the same line of plan.md at once: ${ms.toFixed(0)} ms later both have both versions, and the same commit\n${indent(`plan.md: ${contentOf(desk, 'plan.md').split('\n')[0]}\n${copies(desk)[0]}`)}`);
  say(`laptop: gitsync status\n${indent((await gitsync(laptop, 'status')).text)}`);
  const resolved = await gitsync(laptop, 'resolve', join(laptop.notes, 'plan.md'), '--keep', 'current');
  await until('the copy to go on both', async () => copies(desk).length === 0 && copies(laptop).length === 0 && (await sameCommit(stage)));
  say(`laptop: gitsync resolve plan.md --keep current\n${indent(resolved.text)}`);
}

async function goOffline(stage: Stage): Promise<void> {
  const { desk, laptop, server, say } = stage;
  renameSync(server, `${server}.away`);
  writeFileSync(join(desk.notes, 'from-desk.md'), 'written offline on desk\n');
  writeFileSync(join(laptop.notes, 'from-laptop.md'), 'written offline on laptop\n');
  await until('both to notice', async () => (await Promise.all([gitsync(desk, 'status'), gitsync(laptop, 'status')])).every(({ exitCode }) => exitCode === 2));
  say(`the server goes away; both write on, and say the truth\n${indent((await gitsync(desk, 'status')).text)}`);
  renameSync(`${server}.away`, server);
  const ms = await until('both files on both', async () => contentOf(laptop, 'from-desk.md') !== '' && contentOf(desk, 'from-laptop.md') !== '' && (await sameCommit(stage)));
  say(`the server is back: ${ms.toFixed(0)} ms later both have everything`);
}

async function killAgent(stage: Stage): Promise<void> {
  const { desk, laptop, say } = stage;
  writeFileSync(join(laptop.notes, 'half-way.md'), 'saved just before the agent is killed\n');
  process.kill(laptop.agent?.pid as number, 'SIGKILL');
  await laptop.agent?.ended;
  writeFileSync(join(laptop.notes, 'while-dead.md'), 'written while no agent was running\n');
  writeFileSync(join(desk.notes, 'meanwhile.md'), 'written on desk meanwhile\n');
  say('the agent on laptop is killed with -9 in the middle of its work; both go on writing');
  startAgentOf(laptop);
  const ms = await until('everything on both', async () => contentOf(desk, 'half-way.md') !== '' && contentOf(desk, 'while-dead.md') !== '' && contentOf(laptop, 'meanwhile.md') !== '' && (await sameCommit(stage)));
  say(`it starts again: ${ms.toFixed(0)} ms later nothing is missing`);
}

function indent(text: string): string {
  return text.split('\n').map((line) => `             ${line}`).join('\n');
}

const ending = [
  '',
  'That was all real: two agents, git, and nothing else. For a folder of your own:',
  '',
  '  gitsync init ~/Notes --remote SERVER:notes.git',
  '  gitsync --daemon &',
  '  gitsync status',
];

export async function runDemo(context: Context): Promise<number> {
  const root = mkdtempSync(join(tmpdir(), 'gitsync-demo-'));
  const startedAt = performance.now();
  const told: { atMs: number; text: string }[] = [];
  const say = (text: string): void => {
    const atMs = performance.now() - startedAt;
    const shown = text.replaceAll(`${root}/desk`, '~').replaceAll(`${root}/laptop`, '~').replaceAll(`${root}/server.git`, 'SERVER');
    told.push({ atMs, text: shown });
    context.say(...`${(atMs / 1000).toFixed(2).padStart(8)} s   ${shown}`.split('\n'));
  };
  const stage: Stage = { root, server: join(root, 'server.git'), desk: makeMachine(root, 'desk'), laptop: makeMachine(root, 'laptop'), say };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort());
  try {
    await setUp(stage);
    await follow(stage, stage.desk, stage.laptop, 'ideas.md', 'an idea from the desk\n');
    await follow(stage, stage.laptop, stage.desk, 'answers.md', 'an answer from the laptop\n');
    await tellConflict(stage);
    await goOffline(stage);
    await killAgent(stage);
    await until('both to be safe', async () => (await Promise.all([gitsync(stage.desk, 'status'), gitsync(stage.laptop, 'status')])).every(({ exitCode }) => exitCode === 0));
    say(`laptop: gitsync status\n${indent((await gitsync(stage.laptop, 'status')).text)}`);
    context.answer(ending, { ok: true, story: told });
    return 0;
  } finally {
    for (const { agent } of [stage.desk, stage.laptop]) {
      if (agent?.pid === undefined) continue;
      try {
        process.kill(agent.pid, 'SIGTERM');
      } catch {
        continue; // it has ended by itself
      }
      await agent.ended;
    }
    rmSync(root, { recursive: true, force: true });
  }
}
