/** Whom a lookup asks, and when it asks again. The network is a list of what was asked. */
import { describe, expect, test } from '@jest/globals';
import type { BringOptions } from '../../src/gidit/bring-bundles.ts';
import { createHolderCache, type CloudNode } from '../../src/gidit/cloud-node.ts';
import { bringFromAnybody, type KnownLookup } from '../../src/gidit/fresh-lookups.ts';
import { lookUp } from '../../src/gidit/lookup.ts';
import { streamLimits } from '../../src/gidit/streams/limits.ts';
import { silentLog } from '../../src/log.ts';
import { tempDir } from '../helpers/repos.ts';

const project = { fingerprint: 'A'.repeat(40), project: 'notes' };
const never = new AbortController().signal;

interface Cloud {
  node: CloudNode;
  asked: string[];
}

/** A node in a cloud in which nobody has anything. */
function cloudOf(connected: string[], providers: string[]): Cloud {
  const asked: string[] = [];
  const engine = {
    connections: () => connected.map((peer) => ({ peer, address: `/at/${peer}` })),
    async *get() {},
    async *findHolders() {
      yield* providers;
    },
    open: (peer: string) => {
      asked.push(peer);
      return Promise.reject(new Error('nothing here'));
    },
  };
  const holdings = { tips: () => Promise.resolve([]), links: () => Promise.resolve(new Map()), bundles: () => Promise.resolve([]) };
  return { asked, node: { engine, holdings, holders: createHolderCache(), limits: streamLimits, log: silentLog } as unknown as CloudNode };
}

describe('a lookup', () => {
  test('asks those who say that they hold the project, and where none of them has it, those who are connected', async () => {
    const { node, asked } = cloudOf(['near', 'holder', 'near'], ['holder', 'far']);
    expect(await lookUp(node, project, never)).toMatchObject({ asked: 2 });
    expect(asked).toEqual(['holder', 'far', 'near']);
  });

  test('asks a few neighbours at most', async () => {
    const { node, asked } = cloudOf(Array.from({ length: 100 }, (_, i) => `peer ${i}`), []);
    expect(await lookUp(node, project, never)).toMatchObject({ asked: 0 });
    expect(asked).toHaveLength(8);
  });
});

describe('bringing bundles that nobody offers', () => {
  const bring = async (connected: string[], isPartial: boolean): Promise<number> => {
    const { node } = cloudOf(connected, []);
    const lookup: KnownLookup = { offers: new Map(), asked: 0, isPartial };
    let lookups = 0;
    const lookUpAll = (): Promise<KnownLookup> => {
      lookups += 1;
      return Promise.resolve({ ...lookup, isPartial: false });
    };
    const options: BringOptions = { have: [], want: '1'.repeat(40), directory: tempDir('incoming'), keep: false, maxBytes: 1e9, signal: never };
    await expect(bringFromAnybody({ lookUp: lookUpAll, lookUpAll }, node, project, lookup, options)).rejects.toMatchObject({ kind: 'not-found', message: expect.stringContaining('Nobody who can be reached') });
    return lookups;
  };

  test('everybody is asked once more, since a connection may have broken', async () => {
    expect(await bring(['near'], true)).toBe(1);
    expect(await bring(['near'], false)).toBe(1);
  });

  test('nobody is asked where nobody is connected', async () => expect(await bring([], false)).toBe(0));
});
