import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { tempDir } from '../helpers/repos.ts';
import { describeWith } from '../helpers/requires.ts';
import { readMaxQueuedEvents } from '../../src/watch/watch-limit.ts';
import { closeAllWatchers, put, untilCovered, untilEditsAreNamed, watching } from './watching.ts';

afterEach(closeAllWatchers);

test('reports everything once a burst may have filled the queue, and not for as many events with pauses in between', async () => {
  const root = tempDir('watch');
  const watched = await watching(root, { maxQueuedEvents: 10 });
  for (let i = 0; i < 10; i += 1) {
    put(root, `calm-${i}`);
    await untilCovered(watched, `calm-${i}`);
  }
  expect(watched.reported.has('all')).toBe(false);
  for (let i = 0; i < 10; i += 1) put(root, `burst-${i}`);
  await converge('everything reported', () => watched.reported.has('all'));
});

describeWith(['linux'], 'a kernel queue that really overflows', () => {
  test('loses no directory for good: those made while events were dropped are watched too', async () => {
    const limit = readMaxQueuedEvents();
    // A machine set to a huge queue would take minutes to fill it.
    expect(limit).toBeLessThan(200_000);
    const root = tempDir('watch');
    const before = join(root, 'before');
    mkdirSync(before);
    const watched = await watching(root);
    // Without a break, so that the watcher cannot read: two names in turn, since the kernel merges equal events.
    const files = [join(before, 'a'), join(before, 'b')];
    for (let i = 0; i < limit + 1_000; i += 1) {
      const file = files[i % 2] as string;
      if (i < 2) writeFileSync(file, '');
      else appendFileSync(file, 'x');
    }
    mkdirSync(join(root, 'lost/deep'), { recursive: true });
    writeFileSync(join(root, 'lost/deep/file.txt'), 'x');
    await converge('everything reported', () => watched.reported.has('all'));
    await untilEditsAreNamed(watched, 'lost/deep/file.txt');
    expect(watched.watcher.watchCount).toBe(4);
  });
});
