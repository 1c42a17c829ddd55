/** A remote that was force-pushed: what was purged stays away, what this machine did stays. */
import { describe, expect, test } from '@jest/globals';
import { rawToText } from '../../src/core/raw-path.ts';
import { integrate, parseRecordedConflicts, type Integration } from '../../src/git/integrate.ts';
import { openRepo } from '../../src/git/repository.ts';
import type { ConflictRule } from '../../src/core/conflict-rule.ts';
import { copyRepo, filesOf, importBranches, morning, type Content, type LabCommit } from '../helpers/merge-lab.ts';
import { sh, tempDir } from '../helpers/repos.ts';

interface History {
  root: string;
  local: string;
  remote: string;
  /** The remote's tip before it was rewritten. */
  old: string;
}

const lines = (changes: Record<number, string> = {}): string => Array.from({ length: 12 }, (_, i) => `${changes[i + 1] ?? `line ${i + 1}`}\n`).join('');
const first: Record<string, Content> = { 'n.md': lines(), 'secret.txt': 'password\n', 'also-secret.txt': lines() };

/** The old history is two commits, the new one two others with a root of its own; `local` stands on the old one. */
function makeHistory(options: { local: LabCommit[]; remote?: Record<string, Content>; old?: Record<string, Content> }): History {
  const root = tempDir('rewritten');
  sh(root, 'init', '-q', '-b', 'old');
  importBranches(root, [
    { name: 'old', commits: [{ files: first, time: morning - 7200 }, { files: options.old ?? { later: 'later\n' }, time: morning - 3600 }] },
    { name: 'local', from: 'old', commits: options.local },
    { name: 'remote', commits: [{ files: { 'n.md': lines() }, time: morning - 7200 }, { files: options.remote ?? { later: 'later\n' }, time: morning + 60 }] },
  ]);
  // Without commits of its own the branch was not made.
  if (options.local.length === 0) sh(root, 'branch', 'local', 'old');
  const [local = '', remote = '', old = ''] = sh(root, 'rev-parse', 'local', 'remote', 'old').split('\n');
  return { root, local, remote, old };
}

async function run({ root, local, remote, old }: History, rules: ConflictRule[] = []): Promise<Integration> {
  return integrate(await openRepo(root), { local, remote, rewrittenFrom: old, rules });
}

function expectRewritten(result: Integration): Extract<Integration, { kind: 'rewritten' }> {
  if (result.kind !== 'rewritten') throw new Error(JSON.stringify(result));
  return result;
}

describe('a rewritten remote', () => {
  test('nothing of our own: the remote\'s commit, also where we had not even fetched all of the old history', async () => {
    const history = makeHistory({ local: [] });
    expect(await run(history)).toEqual({ kind: 'rewritten', commit: history.remote, conflicts: [], reapplied: 0 });
    const behind = { ...history, local: sh(history.root, 'rev-parse', 'old~1') };
    expect(await run(behind)).toEqual({ kind: 'rewritten', commit: history.remote, conflicts: [], reapplied: 0 });
  });

  test('commits of our own that change nothing, or what the remote has too: the remote\'s commit', async () => {
    const undone = makeHistory({ local: [{ files: { x: 'x\n' }, time: morning }, { files: { x: null }, time: morning }] });
    expect(await run(undone)).toMatchObject({ commit: undone.remote, reapplied: 0 });
    const same = makeHistory({ local: [{ files: { 'n.md': lines({ 2: 'same' }) }, time: morning }], remote: { later: 'later\n', 'n.md': lines({ 2: 'same' }) } });
    expect(await run(same)).toMatchObject({ commit: same.remote, reapplied: 0 });
  });

  test('our changes become one commit on the new history by their author; purged files stay away, and so does their history', async () => {
    const history = makeHistory({ local: [{ files: { 'n.md': lines({ 2: 'mine' }) }, time: morning }, { files: { 'new.md': 'new\n' }, time: morning + 30, author: 'Ada <ada@example.org>' }] });
    const { commit, conflicts, reapplied } = expectRewritten(await run(history));
    expect(await filesOf(history.root, commit)).toEqual({ 'n.md': lines({ 2: 'mine' }), 'new.md': 'new\n', later: 'later\n' });
    expect({ conflicts, reapplied }).toEqual({ conflicts: [], reapplied: 2 });
    expect(sh(history.root, 'log', '-1', '--format=%P|%an <%ae> %at|%cn <%ce> %ct|%s', commit)).toBe(
      `${history.remote}|Ada <ada@example.org> ${morning + 30}|gitsync <gitsync@localhost> ${morning + 60}|gitsync: 2 local changes on top of the rewritten history`,
    );
    expect(sh(history.root, 'log', '--format=%H', commit, '--', 'secret.txt')).toBe('');
  });

  test('a purged file that we edited: the edit stays; one that we did not: gone', async () => {
    const history = makeHistory({ local: [{ files: { 'also-secret.txt': lines({ 6: 'mine' }) }, time: morning }] });
    const { commit, conflicts } = expectRewritten(await run(history));
    expect(await filesOf(history.root, commit)).toEqual({ 'n.md': lines(), 'also-secret.txt': lines({ 6: 'mine' }), later: 'later\n' });
    expect(conflicts).toEqual([{ path: 'also-secret.txt', copy: undefined, kind: 'edit-delete', winner: 'local' }]);
  });

  test('the same place changed here and in the new history: copies, recorded in the message, the same commit on every machine', async () => {
    const history = makeHistory({ local: [{ files: { 'n.md': lines({ 6: 'mine' }) }, time: morning }], remote: { later: 'later\n', 'n.md': lines({ 6: 'theirs', 11: 'theirs too' }) } });
    const result = expectRewritten(await run(history));
    const copy = result.conflicts[0]?.copy as string;
    expect(copy).toMatch(/^n\.conflict-20261120-100000-Test-Person-[0-9a-f]{7}\.md$/);
    expect(await filesOf(history.root, result.commit)).toEqual({ 'n.md': lines({ 6: 'theirs', 11: 'theirs too' }), [copy]: lines({ 6: 'mine' }), later: 'later\n' });
    expect(parseRecordedConflicts(sh(history.root, 'log', '-1', '--format=%B', result.commit))).toEqual([{ path: 'n.md', copy }]);
    expect(await run({ ...history, root: copyRepo(history.root) })).toEqual(result);
    expect(await run(history, [{ glob: '*.md', policy: 'pause' }])).toEqual({ kind: 'stopped', policy: 'pause', paths: ['n.md'].map((path) => path as never) });
  });

  test('a remote that was rolled back: the commits it dropped stay dropped, ours come on top', async () => {
    const { root, local, old } = makeHistory({ local: [{ files: { 'new.md': 'new\n' }, time: morning }] });
    const remote = sh(root, 'rev-parse', 'old~1');
    const { commit, reapplied } = expectRewritten(await run({ root, local, remote, old }));
    expect(reapplied).toBe(1);
    expect(sh(root, 'rev-parse', `${commit}^@`)).toBe(remote);
    expect(Object.keys(await filesOf(root, commit)).map((path) => rawToText(path as never))).toEqual(['also-secret.txt', 'n.md', 'new.md', 'secret.txt']);
  });

  test('what the new history moved or edited beside our changes is kept', async () => {
    const history = makeHistory({ local: [{ files: { 'n.md': lines({ 2: 'mine' }) }, time: morning }], remote: { 'n.md': null, 'moved/n.md': lines({ 11: 'theirs' }) } });
    const { commit } = expectRewritten(await run(history));
    expect(await filesOf(history.root, commit)).toEqual({ 'moved/n.md': lines({ 2: 'mine', 11: 'theirs' }) });
  });

  test('we already have the new history, or it was not rewritten after all: as always', async () => {
    const history = makeHistory({ local: [{ files: { x: 'x\n' }, time: morning }] });
    expect(await run({ ...history, local: history.remote })).toEqual({ kind: 'up-to-date' });
    expect(await run({ ...history, local: sh(history.root, 'rev-parse', 'remote~1') })).toEqual({ kind: 'fast-forward', commit: history.remote });
    importBranches(history.root, [{ name: 'other', from: 'old', commits: [{ files: { y: 'y\n' }, time: morning }] }]);
    expect(await run({ ...history, remote: sh(history.root, 'rev-parse', 'other') })).toMatchObject({ kind: 'merged', conflicts: [] });
  });
});
