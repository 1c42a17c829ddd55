/** What a person does with their own git, while the agent works beside them. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Person } from './person.ts';
import { pickWeighted } from './random.ts';

const weights = { commit: 5, 'stage and wait': 3, stash: 1, amend: 2, rebase: 2, 'rebase and wait': 2, detach: 1, pull: 2, push: 1, sync: 2, pause: 1, allow: 2, undo: 1 } as const;

export type GitAction = keyof typeof weights;

/** What the person left in their repository and must find again. */
export interface Belongings {
  stashes: string[];
  branch: string;
  problems: string[];
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Tries again while the agent holds the index for a moment. */
async function insist(person: Person, ...args: string[]): Promise<boolean> {
  for (let i = 0; i < 40; i += 1) {
    const { status, stderr } = person.machine.git(...args);
    if (status === 0) return true;
    if (!/\.lock|Another git process|cannot lock ref/.test(stderr)) return false;
    await wait(150);
  }
  return false;
}

function isOpen({ machine }: Person, ...names: string[]): boolean {
  return names.some((name) => existsSync(join(machine.root, '.git', name)));
}

function hasOpenRebase(person: Person): boolean {
  return isOpen(person, 'rebase-merge', 'rebase-apply');
}

/** Ends what is open and unstages what is staged. */
export async function finishUp(person: Person): Promise<void> {
  const { machine, ledger } = person;
  if (hasOpenRebase(person)) {
    ledger.goneAll(machine.name);
    if (!(await insist(person, 'rebase', '--abort'))) await insist(person, 'rebase', '--quit');
  }
  if (isOpen(person, 'MERGE_HEAD')) {
    ledger.goneAll(machine.name);
    if (!(await insist(person, 'merge', '--abort'))) await insist(person, 'merge', '--quit');
  }
  if (machine.git('symbolic-ref', '-q', 'HEAD').stdout.trim() !== 'refs/heads/main') {
    // Whatever stands in the way of a switch is in the work tree, and stays there.
    await insist(person, 'symbolic-ref', 'HEAD', 'refs/heads/main');
    await insist(person, 'reset', '-q');
  }
  if (machine.git('diff', '--cached', '--quiet').status !== 0) await insist(person, 'reset', '-q');
}

export async function actWithGit(person: Person, belongings: Belongings): Promise<GitAction> {
  const { machine, ledger, random, token } = person;
  const action: GitAction = pickWeighted(random, weights);
  switch (action) {
    case 'commit':
      if ((await insist(person, 'add', '-A')) && !(await insist(person, 'commit', '-q', '-m', `by hand ${token()}`))) await insist(person, 'reset', '-q');
      break;
    case 'stage and wait':
      await stageAndWait(person, belongings);
      break;
    case 'stash':
      await stash(person, belongings);
      break;
    case 'amend':
      ledger.rewrite(machine.name);
      await insist(person, 'commit', '-q', '--amend', '--allow-empty', '-m', `amended ${token()}`);
      break;
    case 'rebase':
      await rebase(person, 'true');
      break;
    case 'rebase and wait':
      await rebase(person, "sed -i '1i break'");
      break;
    case 'detach':
      if (await insist(person, 'checkout', '-q', '--detach')) await wait(500 + random.below(2_500));
      await finishUp(person);
      break;
    case 'pull':
      await pull(person, random.chance(0.5) ? '--rebase' : '--no-rebase');
      break;
    case 'push':
      await insist(person, 'push', '-q', 'origin', 'main');
      break;
    case 'sync':
      void machine.ask('sync', { paths: [], byHand: true });
      break;
    case 'pause':
      await machine.ask('pause', { paths: [], untilMs: Date.now() + 1_500 });
      await machine.ask('resume', { paths: [] });
      break;
    case 'allow':
      await machine.ask('allow', { paths: [machine.root], path: '' });
      break;
    case 'undo':
      await machine.ask('undo', { paths: [machine.root] });
      break;
    default:
      return action satisfies never;
  }
  return action;
}

/** Something staged stays exactly so for as long as the person likes. */
async function stageAndWait(person: Person, belongings: Belongings): Promise<void> {
  const { machine, ledger, random, token } = person;
  const name = `staged ${random.below(5)}.txt`;
  const content = `staged ${token()}\n`;
  ledger.gone(machine.name, name);
  writeFileSync(join(machine.root, name), content);
  ledger.wrote(machine.name, name, content, 'stage');
  if (!(await insist(person, 'add', '--', name))) return;
  const staged = machine.git('diff', '--cached', '--raw', '--abbrev=40').stdout;
  if (staged === '') return;
  await wait(500 + random.below(3_000));
  const after = machine.git('diff', '--cached', '--raw', '--abbrev=40').stdout;
  if (after !== staged) belongings.problems.push(`what was staged is another thing now: ${JSON.stringify(staged)} -> ${JSON.stringify(after)}`);
  if (random.chance(0.5)) await insist(person, 'commit', '-q', '-m', `staged by hand ${token()}`);
  else await insist(person, 'reset', '-q');
}

async function stash(person: Person, belongings: Belongings): Promise<void> {
  const { machine, ledger, random, token } = person;
  ledger.rewrite(machine.name);
  ledger.goneAll(machine.name);
  writeFileSync(join(machine.root, 'stashed.txt'), `${token()}\n`);
  const list = (): string[] => machine.git('stash', 'list', '--format=%H').stdout.split('\n').filter((line) => line !== '');
  const before = list();
  await insist(person, 'stash', 'push', '-q', '-u', '-m', `stash ${random.below(1_000)}`);
  // More than one: where the agent holds the index, git makes the stash, fails to clear the files, and the person tries again.
  belongings.stashes.unshift(...list().filter((stash) => !before.includes(stash)));
}

async function rebase(person: Person, sequenceEditor: string): Promise<void> {
  const { machine, ledger, random } = person;
  ledger.rewrite(machine.name);
  ledger.goneAll(machine.name);
  await insist(person, '-c', `sequence.editor=${sequenceEditor}`, 'rebase', '-q', '-i', `HEAD~${1 + random.below(3)}`);
  if (!hasOpenRebase(person)) return;
  await wait(500 + random.below(2_500));
  const { status } = machine.git('rebase', '--continue');
  if (status !== 0 || hasOpenRebase(person)) await finishUp(person);
}

/** Where it ends in conflicts, the person looks at the markers for a while and gives up. */
async function pull(person: Person, how: '--rebase' | '--no-rebase'): Promise<void> {
  const { machine, ledger, random } = person;
  ledger.rewrite(machine.name);
  ledger.goneAll(machine.name);
  await insist(person, 'pull', '-q', how, 'origin', 'main');
  if (!hasOpenRebase(person) && !isOpen(person, 'MERGE_HEAD')) return;
  await wait(500 + random.below(2_500));
  await finishUp(person);
}
