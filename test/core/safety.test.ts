import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { rawFromText, type RawPath } from '../../src/core/raw-path.ts';
import { judge, type Candidate, type SafetyContext } from '../../src/core/safety.ts';

const mb = 1_000_000;

function context(overrides: Partial<SafetyContext> = {}): SafetyContext {
  return {
    limits: { maxFileSizeBytes: 50 * mb, maxBatchBytes: 500 * mb },
    trackedCount: 100,
    rootChanged: false,
    readFailed: false,
    allowed: new Set(),
    checkSecrets: true,
    ...overrides,
  };
}

function add(path: string, sizeBytes = 10, newOid?: string): Candidate {
  return { path: rawFromText(path), kind: 'add', sizeBytes, ...(newOid === undefined ? {} : { newOid }) };
}
function modify(path: string, sizeBytes = 10): Candidate {
  return { path: rawFromText(path), kind: 'modify', sizeBytes };
}
function remove(path: string, oldOid?: string): Candidate {
  return { path: rawFromText(path), kind: 'delete', sizeBytes: 0, ...(oldOid === undefined ? {} : { oldOid }) };
}
const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const allow = (...paths: string[]): Partial<SafetyContext> => ({ allowed: new Set(paths.map(rawFromText)) });
const reasons = (candidates: Candidate[], overrides: Partial<SafetyContext> = {}): [string, string][] =>
  judge(candidates, context(overrides)).held.map(({ path, reason }) => [path, reason]);

describe('size', () => {
  test('a new file over the limit waits, with both sizes for people', () => {
    expect(judge([add('film.mkv', 120 * mb), add('a.md')], context())).toEqual({
      go: [add('a.md')],
      held: [{ path: 'film.mkv', reason: 'too-large', detail: 'bigger than 50 MB (120 MB)' }],
    });
  });

  test('a new file of exactly the limit goes ahead', () => expect(reasons([add('a', 50 * mb)])).toEqual([]));
  test('a tracked file that grew beyond the limit goes ahead', () => expect(reasons([modify('film.mkv', 120 * mb)])).toEqual([]));
  test('a large file that a person let through goes ahead', () => expect(reasons([add('film.mkv', 120 * mb)], allow('film.mkv'))).toEqual([]));
  test('a large file that was only moved goes ahead', () => expect(reasons([remove('a.mkv', 'x'), add('b.mkv', 120 * mb, 'x')])).toEqual([]));
});

describe('batch', () => {
  const limits = { maxFileSizeBytes: 50 * mb, maxBatchBytes: 100 };

  test('the smallest files go ahead and the rest waits', () => {
    const { go, held } = judge([add('c', 60), add('b', 50), modify('a', 40), remove('d')], context({ limits }));
    expect(go.map(({ path }) => path)).toEqual(['b', 'a', 'd']);
    expect(held).toEqual([{ path: 'c', reason: 'batch', detail: 'more than 100 B changed at once (150 B)' }]);
  });

  test('a batch of exactly the limit goes ahead', () => expect(reasons([add('a', 60), add('b', 40)], { limits })).toEqual([]));
  test('of equal files the first by name go ahead', () => expect(reasons([add('b', 60), add('a', 60)], { limits })).toEqual([['b', 'batch']]));
  test('what is held for its size does not count', () => expect(reasons([add('big', 60 * mb), add('a', 90)], { limits })).toEqual([['big', 'too-large']]));

  test('what an earlier batch left behind waits on, though it would fit now', () => {
    expect(reasons([add('a', 60), add('b', 60)], { limits, heldForBatch: new Set([rawFromText('a')]) })).toEqual([['a', 'batch']]);
    expect(reasons([add('a', 60)], { limits, heldForBatch: new Set([rawFromText('a')]), ...allow('a') })).toEqual([]);
  });
});

describe('secrets', () => {
  test('a new file with the name of a secret waits', () => {
    expect(judge([add('app/.env')], context()).held).toEqual([{ path: 'app/.env', reason: 'secret-name', detail: 'usually holds passwords (environment file)' }]);
  });

  test('a tracked one, a deleted one, an allowed one and a moved one go ahead', () => {
    expect(reasons([modify('.env'), remove('.netrc'), add('id_rsa'), remove('.pgpass', 'x'), add('old/.pgpass', 5, 'x')], allow('id_rsa'))).toEqual([]);
  });

  test('names are not looked at when secrets are not checked', () => expect(reasons([add('.env')], { checkSecrets: false })).toEqual([]));
});

describe('mass deletion', () => {
  const gone = (count: number): Candidate[] => many(count, (i) => remove(`f${i}`));

  test('more than 20 files and more than a quarter: the deletions wait, the rest goes ahead', () => {
    const { go, held } = judge([...gone(26), add('new'), modify('changed')], context());
    expect(go.map(({ path }) => path)).toEqual(['new', 'changed']);
    expect(held).toHaveLength(26);
    expect(held[0]).toEqual({ path: 'f0', reason: 'mass-deletion', detail: '26 of 100 files disappeared at once' });
  });

  test('20 files of 20 go', () => expect(reasons(gone(20), { trackedCount: 20 })).toEqual([]));
  test('exactly a quarter goes', () => expect(reasons(gone(25))).toEqual([]));
  test('21 of 80 wait', () => expect(reasons(gone(21), { trackedCount: 80 })).toHaveLength(21));

  test('a folder that was renamed is no deletion', () => {
    const moved = many(50, (i) => [remove(`old/f${i}`, `oid${i}`), add(`new/f${i}`, 10, `oid${i}`)]).flat();
    expect(reasons(moved)).toEqual([]);
  });

  test('of a renamed folder, only what did not come along is counted', () => {
    const moved = many(50, (i) => [remove(`old/f${i}`, `oid${i}`), add(`new/f${i}`, 10, `oid${i}`)]).flat();
    expect(reasons([...moved, ...gone(25)])).toEqual([]);
    expect(reasons([...moved, ...gone(26)])).toHaveLength(26);
  });

  test('one new empty file does not make up for many deleted ones', () => {
    expect(reasons([...many(40, (i) => remove(`f${i}`, 'empty')), add('new', 0, 'empty')])).toHaveLength(39);
  });

  test.each([['rootChanged', 'is a drive not mounted'], ['readFailed', 'could not be read']] as const)('every deletion waits when %s, a moved file too', (flag, words) => {
    const { go, held } = judge([remove('a', 'x'), add('b', 10, 'x'), remove('c')], context({ [flag]: true }));
    expect(go.map(({ path }) => path)).toEqual(['b']);
    expect(held.map(({ path, reason }) => [path, reason])).toEqual([['a', 'mass-deletion'], ['c', 'mass-deletion']]);
    expect(held[0]?.detail).toContain(words);
  });

  test('what went in the commits just before counts with it', () => {
    const { held } = judge([...gone(9), add('new')], context({ trackedCount: 83, goneBefore: 17 }));
    expect(held).toHaveLength(9);
    expect(held[0]?.detail).toBe('26 of 100 files disappeared, 17 of them in commits just before (gitsync log)');
    expect(reasons(gone(8), { trackedCount: 83, goneBefore: 17 })).toEqual([]);
    expect(reasons([add('new')], { trackedCount: 50, goneBefore: 50 })).toEqual([]);
  });

  test('what waits already counts with it', () => {
    expect(judge(gone(1), context({ deletionsWaiting: 25 })).held).toEqual([{ path: 'f0', reason: 'mass-deletion', detail: '26 of 100 files disappeared' }]);
    expect(reasons(gone(1), { deletionsWaiting: 24 })).toEqual([]);
  });

  test('deletions that a person let through go and are not counted', () => {
    const paths = many(10, (i) => `f${i}`);
    expect(reasons(gone(35), allow(...paths))).toEqual([]);
    expect(reasons(gone(36), allow(...paths))).toHaveLength(26);
  });
});

describe('judge, whatever comes', () => {
  const oid = fc.constantFrom('o1', 'o2', 'o3', 'o4');
  const name = fc.oneof(fc.constantFrom('.env', 'id_rsa', 'a/.env', 'notes.md'), fc.string({ minLength: 1, maxLength: 6 }));
  const candidate = fc.record({ path: name.map(rawFromText), kind: fc.constantFrom('add', 'modify', 'delete'), sizeBytes: fc.nat(200), oldOid: oid, newOid: oid }) as fc.Arbitrary<Candidate>;
  const candidates = fc.uniqueArray(candidate, { selector: ({ path }) => path, maxLength: 60 });
  const situation = fc.record({
    trackedCount: fc.nat(200),
    goneBefore: fc.nat(40),
    deletionsWaiting: fc.nat(40),
    rootChanged: fc.boolean(),
    readFailed: fc.boolean(),
    checkSecrets: fc.boolean(),
    limits: fc.record({ maxFileSizeBytes: fc.nat(200), maxBatchBytes: fc.nat(2000) }),
  });
  const check = (property: (all: Candidate[], verdict: ReturnType<typeof judge>, given: SafetyContext) => void): void =>
    fc.assert(
      fc.property(candidates, situation, fc.nat(), fc.nat(), (all, rest, a, b) => {
        const some = (seed: number): Set<RawPath> => new Set(all.filter((_, i) => (seed >> i % 31) & 1).map(({ path }) => path));
        const given = { ...rest, allowed: some(a), heldForBatch: some(b) };
        property(all, judge(all, given), given);
      }),
    );

  test('every candidate either goes or is held', () =>
    check((all, { go, held }) => expect([...go, ...held].map(({ path }) => path).sort()).toEqual(all.map(({ path }) => path).sort())));

  test('what a person let through always goes', () =>
    check((_all, { held }, { allowed }) => expect(held.filter(({ path }) => allowed.has(path))).toEqual([])));

  test('deletions are held for mass deletion only, and nothing else is', () =>
    check((all, { held }) => {
      for (const { path, reason } of held) expect(reason === 'mass-deletion').toBe(all.find((one) => one.path === path)?.kind === 'delete');
    }));

  test('no deletion goes while the folder is in doubt, unless let through', () =>
    check((_all, { go }, { rootChanged, readFailed, allowed }) => {
      if (rootChanged || readFailed) expect(go.filter(({ kind, path }) => kind === 'delete' && !allowed.has(path))).toEqual([]);
    }));

  test('either all deletions that are no moves are held, or none', () =>
    check((all, _verdict, given) => {
      const withoutOids = all.map(({ path, kind, sizeBytes }) => ({ path, kind, sizeBytes }));
      const { held } = judge(withoutOids, given);
      const deletions = all.filter(({ kind, path }) => kind === 'delete' && !given.allowed.has(path)).length;
      expect([0, deletions]).toContain(held.filter(({ reason }) => reason === 'mass-deletion').length);
    }));

  test('the order of the candidates does not matter', () =>
    check((all, { held }, given) => {
      const byPath = (a: { path: string }, b: { path: string }): number => (a.path < b.path ? -1 : 1);
      expect(judge([...all].reverse(), given).held.sort(byPath)).toEqual([...held].sort(byPath));
    }));
});
