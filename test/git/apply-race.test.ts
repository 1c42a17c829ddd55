import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from '@jest/globals';
import { applyLate, checkTrash } from '../../src/git/apply.ts';
import { converge } from '../helpers/converge.ts';
import { sh } from '../helpers/repos.ts';
import { applied, filesOnDisk, makeFixture, type Fixture } from './apply-fixture.ts';

const filesPerUpdate = 50;
/** Of each kind of editor; the long run (see docs/torture.md) makes 6 000. */
const trials = Number(process.env['GITSYNC_RACE_TRIALS'] ?? 400);
/** The first of the seeds, one for each update: a long run can be made in parts. */
const firstSeed = Number(process.env['GITSYNC_RACE_FIRST'] ?? 0);
const updatesPerEditor = Math.ceil(trials / filesPerUpdate);
/** How many updates are kept for the second look; for each it waits until nothing is young any more. */
const secondLooks = 8;

/** The contents of all blobs that a ref reaches. */
function reachableContents(root: string): Set<string> {
  const objects = execFileSync('git', ['rev-list', '--objects', '--no-object-names', '--all'], { cwd: root, maxBuffer: 1 << 28 });
  const output = execFileSync('git', ['cat-file', '--batch'], { cwd: root, input: objects, maxBuffer: 1 << 28 }).toString('latin1');
  const contents = new Set<string>();
  for (let at = 0; at < output.length; ) {
    const end = output.indexOf('\n', at);
    const [, type, size] = output.slice(at, end).split(' ');
    if (type === 'blob') contents.add(output.slice(end + 1, end + 1 + Number(size)));
    at = end + 1 + Number(size) + 1;
  }
  return contents;
}

function trashContents(root: string): string[] {
  const apply = join(root, '.git/gitsync/apply');
  return readdirSync(apply).flatMap((update) => readdirSync(join(apply, update, 'trash')).map((name) => readFileSync(join(apply, update, 'trash', name), 'latin1')));
}

function findLost(root: string, saved: readonly string[], withTrash: boolean): string[] {
  const kept = reachableContents(root);
  for (const content of Object.values(filesOnDisk(root))) kept.add(content.slice('100644 '.length));
  if (withTrash) for (const content of trashContents(root)) kept.add(content);
  return saved.filter((content) => !kept.has(content));
}

/** One update of many files, each of which an editor saves once while it is being replaced. */
async function race(kind: string, seed: number): Promise<{ fixture: Fixture; saved: string[]; unseen: number }> {
  // In the order in which they are replaced.
  const names = Array.from({ length: filesPerUpdate }, (_, i) => `${i % 5}/note-${String(i).padStart(2, '0')}.txt`).sort();
  const fixture = await makeFixture(Object.fromEntries(names.map((name) => [name, `old ${name}\n`])));
  const to = fixture.incoming(Object.fromEntries(names.map((name) => [name, `new ${name}\n`])));
  const files = names.map((name) => ({ file: join(fixture.root, name), content: `saved ${kind} ${seed} ${name}\n` }));
  const counters = new SharedArrayBuffer(8);
  const [updated, prepared] = [0, 1];
  const counts = new Int32Array(counters);
  const editor = new Worker(new URL('apply-editor.mjs', import.meta.url), { workerData: { kind, files, counters, seed } });
  await once(editor, 'message');
  const done = once(editor, 'message');
  /** No file is replaced before the editor is ready to save it; from then on both do as they like. */
  const meet = (step: string): void => {
    if (step !== 'journal written' && !step.startsWith('brought in')) return;
    const next = step === 'journal written' ? 0 : Atomics.add(counts, updated, 1) + 1;
    const until = Date.now() + 1_000;
    while (Atomics.load(counts, prepared) < Math.min(next + 1, files.length) && Date.now() < until);
  };
  const outcome = applied(await fixture.apply(to, { onStep: meet }));
  await done;
  await editor.terminate();
  return { fixture, saved: files.map(({ content }) => content), unseen: outcome.unseen.length };
}

describe('an editor that saves while files are replaced', () => {
  test.each(['atomic save', 'in place'])('%s: no save is ever lost', async (kind) => {
    const raced: { fixture: Fixture; saved: string[] }[] = [];
    let unseen = 0;
    for (let seed = firstSeed; seed < firstSeed + updatesPerEditor; seed += 1) {
      const result = await race(kind, seed);
      expect(findLost(result.fixture.root, result.saved, true)).toEqual([]);
      if (raced.length < secondLooks) raced.push(result);
      else rmSync(result.fixture.root, { recursive: true });
      unseen += result.unseen;
    }
    // The saves have really met the replacements.
    expect(unseen).toBeGreaterThan(trials / 8);

    // The second look: afterwards nothing is in the trash any more, and still nothing is lost.
    for (const { fixture, saved } of raced) {
      await converge('the trash is empty', async () => (await checkTrash(fixture.repo)).waiting === 0);
      expect(findLost(fixture.root, saved, false)).toEqual([]);
      const from = sh(fixture.root, 'rev-parse', 'main');
      await applyLate(fixture.repo, fixture.index, { ref: 'refs/heads/main', from, keep: new Set(), rules: [] });
      expect(findLost(fixture.root, saved, false)).toEqual([]);
    }
  }, 300_000 + trials * 400);
});
