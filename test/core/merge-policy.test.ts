import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { clampTime, decide, isProse, looksMachineWritten, mergeModes, otherSide, policyFor, structuredFormatOf, type ConflictCase, type ConflictKind, type MergeEntry, type Side, type Version } from '../../src/core/merge-policy.ts';
import { rawFromText, type RawPath } from '../../src/core/raw-path.ts';

const path = (text: string): RawPath => rawFromText(text);
const emptyOid = 'e0';
const file = (oid: string, mode: MergeEntry['mode'] = '100644'): MergeEntry => ({ oid, mode });
const version = (side: Side, entry: MergeEntry, timeSeconds: number): Version => ({ side, entry, timeSeconds });

function conflict(versions: Version[], changes: Partial<ConflictCase> = {}): ConflictCase {
  return { path: path('n.md'), kind: 'content', base: file('b0'), versions, binary: false, ...changes };
}

describe('rules', () => {
  const rules = [{ glob: undefined, policy: 'pause' }, { glob: '**/*.md', policy: 'ours' }, { glob: 'ä/**', policy: 'theirs' }] as const;
  test.each([
    ['x', 'pause'],
    ['a/b.md', 'ours'],
    ['b.md', 'ours'],
    ['.hidden/.b.md', 'ours'],
    ['ä/b.md', 'theirs'],
  ])('%j: %s', (name, policy) => expect(policyFor(rules, path(name))).toBe(policy));

  test('without any: copies', () => expect(policyFor([], path('x'))).toBe('copies'));
});

describe('names', () => {
  test('of prose', () => {
    expect(['a.md', 'a.TXT', 'd/a.org', 'a.tex', 'a.rst', 'a.markdown', 'a.adoc'].filter((name) => !isProse(path(name)))).toEqual([]);
    expect(['a.ts', 'md', 'a.md/b', 'a.mdx', ''].filter((name) => isProse(path(name)))).toEqual([]);
  });

  test('of structured files', () => {
    expect(['a.json', 'a.YML', 'a.yaml', 'a.toml', 'a.md', 'json', 'a.constructor'].map((name) => structuredFormatOf(path(name)))).toEqual(['json', 'yaml', 'yaml', 'toml', undefined, undefined, undefined]);
  });

  test.each(['.obsidian/workspace.json', '.obsidian/workspace-mobile.json', 'a/.DS_Store', 'package-lock.json', 'app.log', 'x/history.sqlite-wal.db', '.idea/misc.xml', 'a/550e8400-e29b-41d4-a716-446655440000.dat', 'yarn.lock', '.zsh_history', '.obsidian/workspace.conflict-20261120-101500-desktop-93513af.json'])(
    '%s looks machine-written',
    (name) => expect(looksMachineWritten(path(name))).toBe(true),
  );

  test.each(['notes/todo.md', 'src/index.ts', 'data.json', 'config.yaml', '550e8400e29b41d4a716446655440000.md', 'history.md', 'logs/2026.org', 'locksmith.tex', 'photo.jpg'])(
    '%s does not',
    (name) => expect(looksMachineWritten(path(name))).toBe(false),
  );
});

describe('times', () => {
  test('are never later than the commit or the tip, nor before 1970, nor not a number', () => {
    expect([clampTime(5, 9, 9), clampTime(9, 5, 9), clampTime(9, 9, 5), clampTime(-3, 5, 5), clampTime(Number.NaN, 5, 5), clampTime(7, 8, Infinity)]).toEqual([5, 5, 5, 0, 0, 7]);
  });
});

describe('modes', () => {
  const [plain, executable] = [file('1'), file('1', '100755')];
  test('without a base: executable if either says so; else what one side changed', () => {
    expect(mergeModes(undefined, [plain, executable])).toBe('100755');
    expect(mergeModes(undefined, [plain, plain])).toBe('100644');
    expect(mergeModes(plain, [plain, executable])).toBe('100755');
    expect(mergeModes(executable, [plain, executable])).toBe('100644');
    expect(mergeModes(executable, [executable, executable])).toBe('100755');
    expect(mergeModes(executable, [plain, plain])).toBe('100644');
  });
});

describe('decisions', () => {
  const older = version('local', file('a1'), 10);
  const newer = version('remote', file('a2'), 20);
  const copies = { copies: true, emptyOid };

  test('the newer keeps the name, the other goes beside; prose takes hunks of both', () => {
    expect(decide(conflict([older, newer]), copies)).toEqual({ winner: 'remote', at: { version: newer, mode: '100644' }, beside: [older], hunks: true });
  });

  test.each([
    ['no prose', { path: path('n.ts') }],
    ['binary', { binary: true }],
    ['both added', { kind: 'both-added', base: undefined }],
    ['invalid result', { kind: 'invalid-result', base: undefined }],
  ] as const)('no hunks: %s', (_, changes) => expect(decide(conflict([older, newer], changes), copies)).toMatchObject({ hunks: false, beside: [older] }));

  test('a copy that is empty, equals the base or is a commit of a submodule is left out', () => {
    for (const left of [file(emptyOid), file('b0'), file('a9', '160000')]) {
      expect(decide(conflict([version('local', left, left.mode === '160000' ? 1 : 10), version('remote', file('a2', left.mode), 20)]), copies).beside).toEqual([]);
    }
  });

  test('a preferred side wins whatever the times, without copies; what it deleted is deleted', () => {
    expect(decide(conflict([older, newer]), { ...copies, prefer: 'local' })).toEqual({ winner: 'local', at: { version: older, mode: '100644' }, beside: [], hunks: false });
    expect(decide(conflict([newer], { kind: 'edit-delete' }), { ...copies, prefer: 'local' })).toEqual({ winner: 'local', at: undefined, beside: [], hunks: false });
    expect(decide(conflict([newer], { kind: 'edit-delete' }), { ...copies, prefer: 'remote' })).toMatchObject({ winner: 'remote', at: { version: newer } });
  });

  test('machine-written: the newer whole, no copy', () => {
    expect(decide(conflict([older, newer]), { copies: false, emptyOid })).toEqual({ winner: 'remote', at: { version: newer, mode: '100644' }, beside: [], hunks: false });
  });

  test('a directory keeps its name; the file goes beside it, unless a rule gives the path to the directory\'s side', () => {
    const clash = conflict([newer], { kind: 'file-directory', directorySide: 'local' });
    expect(decide(clash, copies)).toEqual({ winner: 'local', at: undefined, beside: [newer], hunks: false });
    expect(decide(clash, { ...copies, prefer: 'remote' })).toMatchObject({ winner: 'remote', beside: [newer] });
    expect(decide(clash, { ...copies, prefer: 'local' })).toMatchObject({ winner: 'local', beside: [] });
  });

  test('a file that the other side renamed to here never takes the name', () => {
    const guest = { ...version('remote', file('a9'), 99), isGuest: true };
    expect(decide(conflict([older, guest], { base: undefined, kind: 'both-added' }), copies)).toMatchObject({ at: { version: older }, beside: [guest] });
  });

  test('with the sides swapped: the same content stays, the same goes beside, and without a rule nothing is dropped but what is empty or old', () => {
    const entry = fc.record({ oid: fc.constantFrom('b0', 'e0', 'a1', 'a2', 'a3'), mode: fc.constantFrom('100644', '100755', '120000', '160000') as fc.Arbitrary<MergeEntry['mode']> });
    const kinds: ConflictKind[] = ['content', 'both-added', 'type', 'invalid-result'];
    const one = fc.record({ local: entry, remote: entry, times: fc.tuple(fc.nat(2), fc.nat(2)), kind: fc.constantFrom(...kinds), based: fc.boolean(), copies: fc.boolean() });
    fc.assert(
      fc.property(one, ({ local, remote, times, kind, based, ...options }) => {
        fc.pre(local.oid !== remote.oid);
        const versions = [version('local', local, times[0]), version('remote', remote, times[1])];
        const swapped = versions.map((each) => ({ ...each, side: otherSide(each.side) })).reverse();
        const base = based ? file('b0') : undefined;
        const here = decide(conflict(versions, { kind, base }), { ...options, emptyOid });
        const there = decide(conflict(swapped, { kind, base }), { ...options, emptyOid });
        expect({ ...there, winner: otherSide(there.winner), at: there.at?.version.entry, mode: there.at?.mode, beside: there.beside.map((each) => each.entry) }).toEqual({ ...here, at: here.at?.version.entry, mode: here.at?.mode, beside: here.beside.map((each) => each.entry) });
        const kept = [here.at?.version, ...here.beside].map((each) => each?.entry.oid);
        const dropped = versions.filter(({ entry: { oid } }) => !kept.includes(oid));
        if (options.copies) for (const { entry: lost } of dropped) expect([emptyOid, base?.oid].includes(lost.oid) || lost.mode === '160000').toBe(true);
      }),
    );
  });
});
