import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseBundleHeader } from '../../src/gidit/bundle-header.ts';
import { ancestorAt, closureOf, planBundles, rollUpDistances, supersededBundles, type OfferedBundle } from '../../src/gidit/chain.ts';
import { checkLinks, nextChain, relate, type Links } from '../../src/gidit/fork.ts';
import { zeroId } from '../../src/gidit/push-object.ts';
import { Refusal } from '../../src/gidit/refusal.ts';

/** An id that can be read: `n` objects in a line are `a1`, `a2`, ... */
const id = (name: string): string => name.padEnd(40, '_');
const link = (name: string, seq: number, ...prev: string[]): Links => ({ id: id(name), seq: BigInt(seq), prev: prev.length === 0 ? [zeroId] : prev.map(id) });
const mapOf = (...links: Links[]): Map<string, Links> => new Map(links.map((each) => [each.id, each]));
const line = (length: number): Map<string, Links> => mapOf(...Array.from({ length }, (_, index) => (index === 0 ? link('a1', 1) : link(`a${index + 1}`, index + 1, `a${index}`))));
const bundle = (start: string, end: string, sizeBytes = 1): OfferedBundle => ({ start: start === '' ? zeroId : id(start), end: id(end), sizeBytes });
const spansOf = (plan: OfferedBundle[] | undefined): string[] | undefined => plan?.map(({ start, end }) => `${start.replace(/^0+$|_+$/, '')}-${end.replace(/_+$/, '')}`);

describe('two objects of one project', () => {
  const [first, mine, mine2, yours, healed] = [link('a1', 1), link('b2', 2, 'a1'), link('b3', 3, 'b2'), link('c2', 2, 'a1'), link('d4', 4, 'b3', 'c2')];
  const all = mapOf(first, mine, mine2, yours, healed);
  const lookUp = (key: string): Links | undefined => all.get(key);
  const known = (...links: Links[]) => (key: string): Links | undefined => mapOf(...links).get(key);

  test.each([
    ['the same', mine, mine, 'same'],
    ['the next', first, mine, 'descends'],
    ['one further on', first, mine2, 'descends'],
    ['one before', mine2, first, 'older'],
    ['two after one', mine, yours, 'fork'],
    ['another one with a higher number', yours, mine2, 'fork'],
    ['another one with a lower number', mine2, yours, 'fork'],
    ['a heal, seen from one side', mine2, healed, 'descends'],
    ['a heal, seen from the other', yours, healed, 'descends'],
    ['one side, seen from the heal', healed, yours, 'older'],
    ['two beginnings', first, link('e1', 1), 'fork'],
  ])('%s', (_, a, b, relation) => expect(relate(a, b, lookUp).relation).toBe(relation));

  test('with others missing between them cannot be told apart yet', () => {
    expect(relate(first, mine2, known(first))).toEqual({ relation: 'gap', missing: [mine.id] });
    expect(relate(mine, link('f9', 9, 'f8'), known(mine))).toEqual({ relation: 'gap', missing: [id('f8')] });
  });

  test('of which the older part was cut off count as in order', () => {
    expect(relate(mine2, first, known(mine2)).relation).toBe('older');
  });

  test('have numbers that go up by one', () => {
    checkLinks(mine2, lookUp);
    checkLinks(healed, lookUp);
    checkLinks(link('x9', 9, 'unknown'), lookUp);
    for (const wrong of [link('x3', 3, 'a1'), link('x1', 1, 'a1'), link('x3', 3, 'b3', 'c2')]) expect(() => checkLinks(wrong, lookUp)).toThrow(Refusal);
  });

  test('are followed by one that names both, the same wherever it is made', () => {
    expect(nextChain('p', [])).toEqual({ project: 'p', prev: [zeroId], seq: 1n });
    expect(nextChain('p', [mine2])).toEqual({ project: 'p', prev: [mine2.id], seq: 4n });
    expect(nextChain('p', [mine2, yours])).toEqual(nextChain('p', [yours, mine2]));
    expect(() => nextChain('p', [first, mine, yours])).toThrow(Refusal);
  });

  test('in a random history: what follows is never a fork, and the answers mirror each other (property)', () => {
    const histories = fc.array(fc.tuple(fc.nat(), fc.nat(), fc.boolean()), { minLength: 1, maxLength: 25 });
    fc.assert(
      fc.property(histories, fc.nat(), fc.nat(), (steps, x, y) => {
        const links: Links[] = [];
        for (const [index, [a, b, heal]] of steps.entries()) {
          const tips = links.length === 0 ? [] : [links[a % links.length] as Links, ...(heal ? [links[b % links.length] as Links] : [])];
          links.push({ id: id(`n${index}`), ...nextChain('p', tips) });
        }
        const map = mapOf(...links);
        const [one, other] = [links[x % links.length] as Links, links[y % links.length] as Links];
        const [there, back] = [relate(one, other, (key) => map.get(key)).relation, relate(other, one, (key) => map.get(key)).relation];
        const wanted = one === other ? 'same' : closureOf([other.id], map).has(one.id) ? 'descends' : closureOf([one.id], map).has(other.id) ? 'older' : 'fork';
        expect(there).toBe(wanted);
        expect(back).toBe({ same: 'same', descends: 'older', older: 'descends', fork: 'fork' }[wanted]);
      }),
    );
  });
});

describe('the way through bundles', () => {
  test('from nothing is one bundle if there is one', () => {
    const offered = [bundle('', 'a1'), bundle('a1', 'a2'), bundle('a2', 'a3'), bundle('', 'a3', 9)];
    expect(spansOf(planBundles([], id('a3'), line(3), offered))).toEqual(['-a3']);
  });

  test('is a chain otherwise, and takes the longest of it', () => {
    const offered = [bundle('', 'a1'), bundle('a1', 'a2'), bundle('a2', 'a3'), bundle('a3', 'a4'), bundle('', 'a4'), bundle('a4', 'a5')];
    expect(spansOf(planBundles([], id('a5'), line(5), offered))).toEqual(['-a4', 'a4-a5']);
    expect(spansOf(planBundles([id('a2')], id('a5'), line(5), offered.filter(({ start }) => start !== zeroId)))).toEqual(['a2-a3', 'a3-a4', 'a4-a5']);
  });

  test('uses a bundle that begins earlier than what one has', () => {
    expect(spansOf(planBundles([id('a3')], id('a8'), line(8), [bundle('', 'a4'), bundle('a2', 'a8')]))).toEqual(['a2-a8']);
  });

  test('goes through a heal from either side', () => {
    const objects = mapOf(link('a1', 1), link('b2', 2, 'a1'), link('c2', 2, 'a1'), link('d3', 3, 'b2', 'c2'));
    const offered = [bundle('', 'a1'), bundle('b2', 'd3'), bundle('c2', 'd3')];
    for (const side of ['b2', 'c2']) expect(spansOf(planBundles([id(side)], id('d3'), objects, offered))).toEqual([`${side}-d3`]);
    expect(planBundles([], id('d3'), objects, offered)).toBeUndefined();
  });

  test('is said not to exist where a bundle is missing', () => {
    expect(planBundles([], id('a3'), line(3), [bundle('', 'a1'), bundle('a2', 'a3')])).toBeUndefined();
    expect(planBundles([id('a3')], id('a3'), line(3), [])).toEqual([]);
  });

  test('is short where a publisher makes its roll-ups, also once the small ones are gone', () => {
    const objects = line(1000);
    let offered: OfferedBundle[] = [];
    for (let seq = 1; seq <= 1000; seq++) {
      for (const distance of rollUpDistances(BigInt(seq))) {
        const start = ancestorAt(id(`a${seq}`), distance, objects) as string;
        offered.push({ start, end: id(`a${seq}`), sizeBytes: Number(distance) });
      }
      if (seq % 200 !== 0) continue;
      const gone = new Set(supersededBundles(id(`a${seq}`), objects, offered));
      offered = offered.filter((each) => !gone.has(each));
    }
    const lengths = [0, 1, 7, 300, 777, 999].map((have) => planBundles(have === 0 ? [] : [id(`a${have}`)], id('a1000'), objects, offered)?.length ?? -1);
    expect(Math.min(...lengths)).toBeGreaterThan(0);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(15);
    expect(offered.length).toBeLessThan(250);
  });

  test('has roll-ups at powers of four', () => {
    expect([1n, 2n, 4n, 8n, 16n, 48n, 64n].map((seq) => rollUpDistances(seq).map(Number))).toEqual([[1], [1], [1, 4], [1, 4], [1, 4, 16], [1, 4, 16], [1, 4, 16, 64]]);
    expect(ancestorAt(id('a4'), 4n, line(4))).toBe(zeroId);
    expect(ancestorAt(id('a4'), 3n, line(4))).toBe(id('a1'));
    expect(ancestorAt(id('a4'), 2n, mapOf(link('a4', 4, 'a3')))).toBeUndefined();
  });
});

test('the header of a bundle is refused or read, whatever comes (fuzz)', () => {
  const good = Buffer.from(`# v3 git bundle\n@object-format=sha1\n-${'1'.repeat(40)} x\n${'2'.repeat(40)} refs/heads/main\n\nPACK`);
  const mutated = fc.tuple(fc.nat(good.length), fc.nat(8), fc.uint8Array({ maxLength: 8 })).map(([at, cut, put]) => Buffer.concat([good.subarray(0, at), put, good.subarray(at + cut)]));
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      try {
        const { tips, packOffset } = parseBundleHeader(bytes);
        expect(Buffer.from(bytes).subarray(packOffset, packOffset + 4).toString()).toBe('PACK');
        for (const { name } of tips) expect(name).toMatch(/^(HEAD$|refs\/)/);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
      }
    }),
    { numRuns: 1000 },
  );
});
