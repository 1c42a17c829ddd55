/** The promises of docs/design/loop.md, each checked after random work on two or three machines. */
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { syncOnce, withRepository } from '../../src/agent/once.ts';
import { restorePath } from '../../src/agent/operations.ts';
import { defaultRepoConfig, type RepoConfig } from '../../src/config/config.ts';
import { silentLog } from '../../src/log.ts';
import { bareRemote, sh, tempDir, tempRepo } from '../helpers/repos.ts';

const names = ['a.md', 'b.txt', 'dir/c.json', 'dir/d.bin', 'e'] as const;
type Name = (typeof names)[number];
type Step =
  | { do: 'write'; machine: number; name: Name; text: string }
  | { do: 'delete'; machine: number; name: Name }
  | { do: 'rename'; machine: number; name: Name; to: Name }
  | { do: 'mode'; machine: number; name: Name }
  | { do: 'sync'; machine: number };

const machineNumber = fc.integer({ min: 0, max: 2 });
const anyName = fc.constantFrom(...names);
// Lines that collide often, so that conflicts happen.
const text = fc.array(fc.constantFrom('one', 'two', 'three', 'four'), { minLength: 1, maxLength: 5 }).map((lines) => `${lines.join('\n')}\n`);
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('write' as const), machine: machineNumber, name: anyName, text }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), machine: machineNumber, name: anyName }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rename' as const), machine: machineNumber, name: anyName, to: anyName }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('mode' as const), machine: machineNumber, name: anyName }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('sync' as const), machine: machineNumber }) },
);

interface World {
  remote: string;
  machines: { root: string; config: RepoConfig; stash: string; branch: string }[];
  /** Contents that lay at rest when their machine synced. */
  atRest: Set<string>;
}

function makeWorld(): World {
  const remote = bareRemote();
  const first = tempRepo({ 'a.md': 'start\n' });
  sh(first, 'remote', 'add', 'origin', remote);
  sh(first, 'push', '-q', '-u', 'origin', 'main');
  const roots = [first, ...[1, 2].map(() => {
    const root = tempDir('m');
    sh(root, 'clone', '-q', remote, '.');
    return root;
  })];
  return {
    remote,
    atRest: new Set(),
    machines: roots.map((root) => {
      // A stash, another branch and a setting that must survive everything.
      writeFileSync(join(root, 'a.md'), 'stashed\n');
      sh(root, 'stash', '-q');
      sh(root, 'branch', 'mine');
      sh(root, 'config', 'my.setting', 'kept');
      return { root, config: { ...defaultRepoConfig(root), quietMs: 10 }, stash: sh(root, 'rev-parse', 'stash'), branch: sh(root, 'rev-parse', 'mine') };
    }),
  };
}

function change(root: string, step: Exclude<Step, { do: 'sync' }>): void {
  const path = join(root, step.name);
  const isFile = existsSync(path) && lstatSync(path).isFile();
  if (step.do === 'write') {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, step.text);
  } else if (!isFile) return;
  else if (step.do === 'delete') rmSync(path);
  else if (step.do === 'mode') chmodSync(path, 0o755);
  else {
    mkdirSync(dirname(join(root, step.to)), { recursive: true });
    renameSync(path, join(root, step.to));
  }
}

function filesBelow(root: string, directory = ''): string[] {
  return readdirSync(join(root, directory), { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (path === '.git') return [];
    return entry.isDirectory() ? filesBelow(root, path) : [path];
  });
}

async function syncMachine(world: World, number: number): Promise<void> {
  const machine = world.machines[number];
  if (machine === undefined) return;
  for (const path of filesBelow(machine.root)) world.atRest.add(readFileSync(join(machine.root, path), 'utf8'));
  process.env['GITSYNC_HOST'] = `host${number}`;
  await syncOnce([machine.config], silentLog);
}

function allContents(root: string): Set<string> {
  const oids = sh(root, 'rev-list', '--objects', '--all', '--filter=object:type=blob', '--filter-provided-objects', '--no-object-names').split('\n').filter((line) => line !== '');
  return new Set(oids.map((oid) => `${sh(root, 'cat-file', 'blob', oid)}\n`));
}

function checkMachine(world: World, root: string, stash: string, branch: string): void {
  // 4: no markers, no open merge or rebase, no detached HEAD, no leftovers.
  for (const path of filesBelow(root)) expect(readFileSync(join(root, path), 'utf8')).not.toMatch(/^(<<<<<<<|>>>>>>>)/m);
  for (const name of ['MERGE_HEAD', 'rebase-merge', 'rebase-apply', 'index.lock', 'gitsync/journal.json']) expect(existsSync(join(root, '.git', name))).toBe(false);
  expect(sh(root, 'symbolic-ref', 'HEAD')).toBe('refs/heads/main');
  // 3: the branch only ever moved forward.
  const moves = sh(root, 'reflog', 'show', '--format=%H', 'main').split('\n').reverse();
  for (let i = 1; i < moves.length; i++) expect(sh(root, 'merge-base', '--is-ancestor', moves[i - 1] as string, moves[i] as string)).toBe('');
  // 8: stash, other branches and config are as they were; the index equals HEAD.
  expect([sh(root, 'rev-parse', 'stash'), sh(root, 'rev-parse', 'mine'), sh(root, 'config', 'my.setting')]).toEqual([stash, branch, 'kept']);
  expect(sh(root, 'status', '--porcelain')).toBe('');
  // 1 and 2: whatever lay at rest anywhere is in history.
  const kept = allContents(root);
  for (const content of world.atRest) expect({ content, kept: kept.has(content) }).toEqual({ content, kept: true });
}

describe('property: after any work on three machines', () => {
  test('all are equal, nothing that lay at rest is lost, refs only moved forward, and the person\'s own things are untouched', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { minLength: 4, maxLength: 16 }), async (steps) => {
        const world = makeWorld();
        for (const step of steps) {
          if (step.do === 'sync') await syncMachine(world, step.machine);
          else change((world.machines[step.machine] as World['machines'][number]).root, step);
        }
        for (let round = 0; round < 2; round++) for (const number of [0, 1, 2]) await syncMachine(world, number);
        await syncMachine(world, 0);
        const heads = world.machines.map(({ root }) => sh(root, 'rev-parse', 'main'));
        expect(new Set([...heads, sh(world.remote, 'rev-parse', 'main')]).size).toBe(1);
        for (const { root, stash, branch } of world.machines) checkMachine(world, root, stash, branch);
      }),
      { numRuns: 12, endOnFailure: true },
    );
  });

  test('every state that was held can be brought back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 2, maxLength: 5 }), async (versions) => {
        const root = tempRepo({ 'a.md': 'start\n' });
        const config = { ...defaultRepoConfig(root), quietMs: 10 };
        const held: { commit: string; content: string }[] = [];
        for (const content of versions) {
          writeFileSync(join(root, 'a.md'), content);
          await syncOnce([config], silentLog);
          held.push({ commit: sh(root, 'rev-parse', 'HEAD'), content });
        }
        for (const { commit, content } of held) {
          await withRepository(config, silentLog, (session) => restorePath(session, 'a.md', commit));
          expect(readFileSync(join(root, 'a.md'), 'utf8')).toBe(content);
        }
      }),
      { numRuns: 4, endOnFailure: true },
    );
  });
});
