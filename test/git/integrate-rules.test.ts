/** What a person's rules change, and when copies stop. */
import { describe, expect, test } from '@jest/globals';
import type { ConflictPolicy, ConflictRule } from '../../src/core/conflict-rule.ts';
import { rawToText } from '../../src/core/raw-path.ts';
import { integrate, parseRecordedConflicts } from '../../src/git/integrate.ts';
import { openRepo } from '../../src/git/repository.ts';
import { continueFrom, filesOf, integrateBoth, makeLab, morning, type Content, type Lab } from '../helpers/merge-lab.ts';
import { sh } from '../helpers/repos.ts';

const always = (policy: ConflictPolicy): ConflictRule[] => [{ glob: undefined, policy }];

/** The result on machine one, whose side is `a`. */
async function integrateOn(lab: Lab, rules: ConflictRule[]): Promise<{ files: Record<string, string>; conflicts: unknown[] }> {
  const result = await integrate(await openRepo(lab.one), { local: lab.a, remote: lab.b, rules });
  if (result.kind !== 'merged') throw new Error(JSON.stringify(result));
  const conflicts = result.conflicts.map(({ path, copy, kind, winner }) => ({ path: rawToText(path), copy, kind, winner }));
  return { files: await filesOf(lab.one, result.commit), conflicts };
}

/** `a` and `b` conflict in every way that a rule can settle. */
function makeQuarrel(): Lab {
  const base: Record<string, Content> = { edited: '1\n2\n3\n', gone: '1\n2\n3\n', gone2: '4\n5\n6\n', old: 'x1\nx2\nx3\nx4\nx5\n', type: 'file\n' };
  return makeLab(
    base,
    { edited: '1\na\n3\n', gone: '1\na\n3\n', gone2: null, old: null, 'new-a': 'x1\nx2\nx3\nx4\nx5\n', added: 'a\n', type: { mode: '120000', content: 'a' }, both: 'a\n', 'both2/x': 'a\n' },
    { edited: '1\nb\n3\n', gone: null, gone2: '4\nb\n6\n', old: null, 'new-b': 'x1\nx2\nx3\nx4\nx5\n', added: 'b\n', type: 'b\n', 'both/x': 'b\n', both2: 'b\n' },
  );
}

describe('rules', () => {
  test('ours: this machine wins everywhere without a copy; only a file in the way of a directory still goes beside it', async () => {
    const { files, conflicts } = await integrateOn(makeQuarrel(), always('ours'));
    const copy = Object.keys(files).find((path) => path.startsWith('both.conflict-')) as string;
    expect(files).toEqual({ edited: '1\na\n3\n', gone: '1\na\n3\n', 'new-a': 'x1\nx2\nx3\nx4\nx5\n', added: 'a\n', type: '->a', 'both/x': 'b\n', [copy]: 'a\n', 'both2/x': 'a\n' });
    expect(conflicts).toHaveLength(8);
    expect(conflicts).toEqual(conflicts.map((conflict) => ({ ...(conflict as object), winner: 'local' })));
  });

  test('theirs: the remote wins everywhere', async () => {
    const { files } = await integrateOn(makeQuarrel(), always('theirs'));
    const copy = Object.keys(files).find((path) => path.startsWith('both2.conflict-')) as string;
    expect(files).toEqual({ edited: '1\nb\n3\n', gone2: '4\nb\n6\n', 'new-b': 'x1\nx2\nx3\nx4\nx5\n', added: 'b\n', type: 'b\n', 'both/x': 'b\n', 'both2/x': 'a\n', [copy]: 'b\n' });
  });

  test('the last rule that matches counts, dot files included; other paths give copies', async () => {
    const lab = makeLab({ '.x/a.cfg': '0\n', 'b.cfg': '0\n', 'c.md': '0\n' }, { '.x/a.cfg': 'a\n', 'b.cfg': 'a\n', 'c.md': 'a\n' }, { '.x/a.cfg': 'b\n', 'b.cfg': 'b\n', 'c.md': 'b\n' });
    const rules: ConflictRule[] = [{ glob: '**/*.cfg', policy: 'theirs' }, { glob: '**/a.*', policy: 'ours' }];
    const { files } = await integrateOn(lab, rules);
    expect(files).toMatchObject({ '.x/a.cfg': 'a\n', 'b.cfg': 'b\n', 'c.md': 'b\n' });
    expect(Object.keys(files).filter((path) => path.includes('.conflict-'))).toEqual([expect.stringMatching(/^c\.conflict-/)]);
  });

  test.each(['branch', 'pause'] as const)('%s: stops with the paths that want a person, and merges where none does', async (policy) => {
    const rules: ConflictRule[] = [{ glob: '*.tex', policy }];
    const lab = makeLab({ 'a.tex': '0\n', 'b.md': '0\n' }, { 'a.tex': 'a\n', 'b.md': 'a\n' }, { 'a.tex': 'b\n', 'b.md': 'b\n' });
    expect(await integrate(await openRepo(lab.one), { local: lab.a, remote: lab.b, rules })).toEqual({ kind: 'stopped', policy, paths: ['a.tex'] });
    const peaceful = makeLab({ 'a.tex': '0\n', 'b.md': '0\n' }, { 'a.tex': 'a\n', 'b.md': 'a\n' }, { 'b.md': 'b\n' });
    expect(await integrate(await openRepo(peaceful.one), { local: peaceful.a, remote: peaceful.b, rules })).toMatchObject({ kind: 'merged' });
  });
});

describe('machine-written files', () => {
  const path = '.obsidian/workspace.json';
  const state = (who: string, round: number): Record<string, Content> => ({ [path]: `{ "${who}": ${round} }\n`, 'n.md': `${who} ${round}\n` });

  test('give copies five times a day; then the newer wins and the loser stays in history; prose always gets its copy', async () => {
    let lab = makeLab({ [path]: '{}\n', 'n.md': 'x\n' }, state('a', 0), state('b', 0));
    const copied: boolean[] = [];
    for (let round = 1; round <= 8; round += 1) {
      const result = await integrateBoth(lab);
      const conflict = result.conflicts.find((one) => one.path === path);
      expect(conflict?.machineWritten ?? false).toBe(conflict?.copy === undefined);
      expect(result.conflicts.find((one) => one.path === 'n.md')?.copy).toBeDefined();
      expect(result.files[path]).toBe(`{ "b": ${round - 1} }\n`);
      copied.push(conflict?.copy !== undefined);
      // Seven rounds in an hour, and one two days later.
      const time = morning + round * 600 + (round === 7 ? 48 * 3600 : 0);
      lab = continueFrom(lab, result.commit, [{ files: state('a', round), time }], [{ files: state('b', round), time: time + 1 }]);
    }
    expect(copied).toEqual([true, true, true, true, true, false, false, true]);
  });
});

describe('what history remembers', () => {
  test('each conflict and its copy, also where names would forge a line', async () => {
    const forged = 'x\nGitsync-Conflict: innocent.md';
    const percent = '100% ünsure .md ';
    const lab = makeLab({ [forged]: '0\n', [Buffer.from(percent).toString('latin1')]: '0\n' }, { [forged]: 'a\n', [Buffer.from(percent).toString('latin1')]: 'a\n' }, { [forged]: 'b\n', [Buffer.from(percent).toString('latin1')]: null });
    const result = await integrateBoth(lab);
    const message = sh(lab.one, 'log', '-1', '--format=%B', result.commit);
    const recorded = parseRecordedConflicts(message).map(({ path, copy }) => [rawToText(path), copy === undefined ? undefined : rawToText(copy)]);
    expect(recorded).toEqual([
      [percent, undefined],
      [forged, result.conflicts.find(({ path }) => path === forged)?.copy],
    ]);
    expect(message).toContain('\nGitsync-Conflict: 100%25 ünsure .md%20\n');
    expect(message).toMatch(/\nGitsync-Conflict: x%0AGitsync-Conflict: innocent\.md\nGitsync-Copy: x%0AGitsync-Conflict: innocent\.conflict-[^\n]+\.md\n/);
    expect(sh(lab.one, 'log', '-1', '--format=%(trailers:key=Gitsync-Copy,valueonly)', result.commit)).toContain('.conflict-');
  });

  test('paths that are not UTF-8 conflict and are recorded like any other', async () => {
    const lab = makeLab({ 'caf\xe9.txt': '0\n' }, { 'caf\xe9.txt': 'a\n' }, { 'caf\xe9.txt': 'b\n' });
    const result = await integrate(await openRepo(lab.one), { local: lab.a, remote: lab.b, rules: [] });
    if (result.kind !== 'merged') throw new Error(result.kind);
    expect(result.conflicts).toMatchObject([{ path: 'caf\xe9.txt', copy: expect.stringMatching(/^caf\xe9\.conflict-/) }]);
    const message = sh(lab.one, 'log', '-1', '--format=%B', result.commit);
    expect(message).toContain('Gitsync-Conflict: caf%E9.txt');
    expect(parseRecordedConflicts(message)).toEqual(result.conflicts.map(({ path, copy }) => ({ path, copy })));
  });

  test('a merge without conflicts records none', async () => {
    const lab = makeLab({}, { a: 'a\n' }, { b: 'b\n' });
    const result = await integrateBoth(lab);
    expect(parseRecordedConflicts(sh(lab.one, 'log', '-1', '--format=%B', result.commit))).toEqual([]);
  });
});
