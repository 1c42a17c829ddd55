/** Proves at the end of a run that everything healed and nothing is lost. */
import { execFileSync, spawnSync } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { blobId, type Ledger, type Version } from './ledger.ts';
import { processesOf, type TortureMachine } from './machine.ts';
import type { Belongings } from './person-git.ts';

/** Path to mode and content's id of everything in a work tree. */
function treeOnDisk(root: string): Map<string, string> {
  const found = new Map<string, string>();
  const walk = (directory: string): void => {
    for (const name of readdirSync(join(root, directory))) {
      const path = directory === '' ? name : `${directory}/${name}`;
      if (path === '.git') continue;
      const info = lstatSync(join(root, path));
      if (info.isDirectory()) walk(path);
      else if (info.isSymbolicLink()) found.set(path, `120000 ${blobId(readlinkSync(join(root, path)))}`);
      else found.set(path, `${(info.mode & 0o100) === 0 ? '100644' : '100755'} ${blobId(readFileSync(join(root, path)))}`);
    }
  };
  walk('');
  return found;
}

function treeOfCommit(machine: TortureMachine): Map<string, string> {
  const lines = machine.git('ls-tree', '-r', '-z', 'main').stdout.split('\0').filter((line) => line !== '');
  return new Map(lines.map((line) => [line.slice(line.indexOf('\t') + 1), `${line.split(' ')[0]} ${line.split(/[ \t]/)[2]}`]));
}

function compareTrees(what: string, a: Map<string, string>, b: Map<string, string>): string[] {
  const differing = [...new Set([...a.keys(), ...b.keys()])].filter((path) => a.get(path) !== b.get(path));
  return differing.slice(0, 5).map((path) => `${what} differ at ${JSON.stringify(path)}: ${a.get(path) ?? 'nothing'} / ${b.get(path) ?? 'nothing'}`);
}

/** The ids of everything that refs of a repository lead to. */
export function objectsOf(gitDir: string, ...what: string[]): Set<string> {
  const { stdout } = spawnSync('git', ['--git-dir', gitDir, 'rev-list', '--objects', '--no-object-names', ...what], { encoding: 'utf8', maxBuffer: 1 << 30 });
  return new Set(stdout.split('\n'));
}

/** Versions that are owed and can be found nowhere. */
function findLost(machines: readonly TortureMachine[], remote: string, owed: readonly Version[]): Version[] {
  const gitDirs = [...machines.map(({ root }) => join(root, '.git')), remote];
  const reachable = gitDirs.map((gitDir) => objectsOf(gitDir, '--all'));
  const inReflogs = machines.map(({ root }) => objectsOf(join(root, '.git'), '--all', '--reflog'));
  return owed.filter(({ oid, rewritten }) => !reachable.some((objects) => objects.has(oid)) && !(rewritten && inReflogs.some((objects) => objects.has(oid))));
}

/** Late edits that the branch does not contain yet. */
export function unmergedLateEdits(machine: TortureMachine): string[] {
  const { stdout } = machine.git('for-each-ref', '--format=%(refname)', '--no-merged', 'main', 'refs/gitsync/late');
  return stdout.split('\n').filter((line) => line !== '');
}

const markers = /^(<{7}|>{7}|\|{7}) /m;

function checkMachine(machine: TortureMachine, belongings: Belongings): string[] {
  const { root, name } = machine;
  const problems: string[] = [...belongings.problems];
  const expect = (what: string, fine: boolean): void => void (fine || problems.push(what));
  const disk = treeOnDisk(root);
  problems.push(...compareTrees('files and commit', disk, treeOfCommit(machine)));
  for (const [path, entry] of disk) if (!entry.startsWith('120000')) expect(`conflict markers in ${path}`, !markers.test(readFileSync(join(root, path), 'latin1')));
  const status = machine.git('status', '--porcelain');
  expect(`git status says ${JSON.stringify(status.stdout.slice(0, 300))}${status.stderr}`, status.stdout === '' && status.status === 0);
  // The locks of an upkeep that was killed go before the next one, a day later.
  const leftovers = execFileSync('find', [join(root, '.git'), '-name', '*.lock', '!', '-name', 'maintenance.lock', '!', '-path', '*/objects/*', '-o', '-name', 'journal.json', '-o', '-name', 'undo.json', '-o', '-name', 'tmp-*', '-o', '-name', '.gitsync-stage'], { encoding: 'utf8' });
  expect(`left over: ${leftovers.trim()}`, leftovers === '');
  for (const open of ['MERGE_HEAD', 'CHERRY_PICK_HEAD', 'REVERT_HEAD', 'rebase-merge', 'rebase-apply', 'BISECT_LOG']) expect(`${open} is open`, !readdirSync(join(root, '.git')).includes(open));
  const stashes = machine.git('stash', 'list', '--format=%H').stdout.split('\n').filter((line) => line !== '');
  expect(`the stash is ${stashes.join(' ')} instead of ${belongings.stashes.join(' ')}`, stashes.join() === belongings.stashes.join());
  expect('another branch of the person has moved', machine.git('rev-parse', 'refs/heads/keep').stdout.trim() === belongings.branch);
  const fsck = machine.git('fsck', '--no-dangling', '--no-progress');
  expect(`git fsck: ${fsck.stderr.slice(0, 300)}${fsck.stdout.slice(0, 300)}`, fsck.status === 0);
  const late = unmergedLateEdits(machine);
  expect(`late edits were not merged: ${late.join(' ')}`, late.length === 0);
  return problems.map((problem) => `${name}: ${problem}`);
}

/** Everything that is wrong after a run; the agents are stopped by then. */
export function checkWorld(machines: readonly TortureMachine[], remote: string, ledger: Ledger, belongings: ReadonlyMap<TortureMachine, Belongings>): { problems: string[]; lost: Version[] } {
  const problems = machines.flatMap((machine) => checkMachine(machine, belongings.get(machine) as Belongings));
  const [first, ...others] = machines;
  for (const other of others) problems.push(...compareTrees(`${first?.name} and ${other.name}`, treeOnDisk((first as TortureMachine).root), treeOnDisk(other.root)));
  for (const machine of machines) {
    const left = processesOf(machine.home);
    if (left.length > 0) problems.push(`${machine.name}: processes are left: ${left.map((pid) => `${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')}`).join('; ')}`);
  }
  return { problems, lost: findLost(machines, remote, ledger.owed()) };
}
