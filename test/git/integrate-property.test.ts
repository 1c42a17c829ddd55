/** Random histories of two machines: whatever they did, both make the same commit and nothing that either wrote is lost. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { integrate } from '../../src/git/integrate.ts';
import { openRepo } from '../../src/git/repository.ts';
import { continueFrom, copyRepo, importBranches, integrateBoth, makeLab, morning, type Content, type Lab, type LabCommit, type LabResult } from '../helpers/merge-lab.ts';
import { sh } from '../helpers/repos.ts';

/** A work tree: content by path, `->TARGET` for a symlink. */
type Files = Record<string, string>;

/** Names that clash on purpose: a file where the other side has a directory, prose, structured files, names without extension. */
const paths = ['a.md', 'b.txt', 'c', 'c/x.md', 'c/y.md', 'd.json', 'e', 'f.ts'] as const;

/** One thing that a person does; numbers choose among what there is. */
interface Step {
  act: 'edit' | 'insert' | 'delete' | 'rename' | 'add' | 'link' | 'empty' | 'binary';
  from: number;
  to: number;
  line: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  act: fc.constantFrom('edit', 'edit', 'edit', 'insert', 'delete', 'rename', 'rename', 'add', 'link', 'empty', 'binary') as fc.Arbitrary<Step['act']>,
  from: fc.nat(7),
  to: fc.nat(7),
  line: fc.nat(7),
});
const commit = fc.record({ steps: fc.array(step, { minLength: 1, maxLength: 3 }), minutes: fc.nat(3) });
const side = fc.array(commit, { minLength: 1, maxLength: 3 });
/** Mostly the same few files renamed onto the same few names, and edited in the same lines. */
const tangle = fc.array(
  fc.record({ steps: fc.array(fc.record({ act: fc.constantFrom('edit', 'rename', 'rename', 'add') as fc.Arbitrary<Step['act']>, from: fc.nat(3), to: fc.constantFrom(2, 3, 6, 7), line: fc.nat(1) }), { minLength: 2, maxLength: 5 }), minutes: fc.nat(1) }),
  { minLength: 1, maxLength: 1 },
);
type Plan = { steps: Step[]; minutes: number }[];

/** A line that appears nowhere else, so that it can be found again wherever it went. */
const token = (who: string, n: number): string => `word-${who}-${n}.`;

function baseFiles(count: number): Files {
  const lines = (path: string): string => Array.from({ length: 8 }, (_, i) => `${path} has line ${i}\n`).join('');
  return Object.fromEntries(paths.filter((path) => path !== 'c').slice(0, count).map((path) => [path, path.endsWith('.json') ? '{\n "one": 1,\n "two": 2,\n "three": 3\n}\n' : lines(path)]));
}

/** Puts a file at a path; files in the way go, as they would in a real directory. */
function put(files: Files, path: string, content: string): void {
  for (const other of Object.keys(files)) if (other.startsWith(`${path}/`) || path.startsWith(`${other}/`)) delete files[other];
  files[path] = content;
}

function editLine(content: string, step: Step, text: string): string {
  const lines = content.split('\n');
  const at = lines.length === 1 ? 0 : step.line % (lines.length - 1);
  lines.splice(at, step.act === 'insert' ? 0 : 1, text);
  return lines.join('\n');
}

function doStep(files: Files, step: Step, text: string): void {
  const present = Object.keys(files).sort();
  const from = present[step.from % Math.max(1, present.length)];
  const to = paths[step.to % paths.length] as string;
  const content = from === undefined ? '' : (files[from] as string);
  if (step.act === 'add' || from === undefined) put(files, to, to.endsWith('.json') ? `{ "${text}": 0 }\n` : `${text}\n`);
  else if (step.act === 'link') put(files, from, `->${text}`);
  else if (step.act === 'binary') put(files, from, `\0${text}\n`);
  else if (step.act === 'empty') put(files, from, '');
  else if (step.act === 'delete') delete files[from];
  else if (step.act === 'rename') {
    delete files[from];
    put(files, to, content);
  } else if (!content.startsWith('->')) files[from] = editLine(content, step, from.endsWith('.json') ? ` "${text}": 0,` : text);
}

const contentOf = (text: string): Content => (text.startsWith('->') ? { mode: '120000', content: text.slice(2) } : text);

/** What one side commits when it carries out a plan, starting from some files. */
function carryOut(start: Files, plan: Plan, who: string, startTime: number): { commits: LabCommit[]; files: Files } {
  const files = { ...start };
  let count = 0;
  let time = startTime;
  const commits = plan.map(({ steps, minutes }): LabCommit => {
    const before = { ...files };
    for (const one of steps) doStep(files, one, token(who, (count += 1)));
    time += minutes * 60;
    const gone = Object.keys(before).filter((path) => !(path in files)).map((path) => [path, null] as const);
    const changed = Object.entries(files).filter(([path, text]) => before[path] !== text).map(([path, text]) => [path, contentOf(text)] as const);
    return { files: Object.fromEntries<Content>([...gone, ...changed]), time, message: `${who}\n\nGitsync-Host: machine-${who}\n` };
  });
  return { commits, files };
}

const tokensOf = (files: Files): Set<string> => new Set(Object.values(files).flatMap((text) => text.match(/word-\w+-\d+\./g) ?? []));

/** Everything that must hold of any merge: each word that a side wrote is somewhere, and nothing of git's own notation is. */
function expectNothingLost(result: LabResult, before: readonly Files[], sides: readonly Files[]): void {
  const old = new Set(before.flatMap((files) => [...tokensOf(files)]));
  const kept = tokensOf(result.files);
  const lost = sides.flatMap((files) => [...tokensOf(files)]).filter((word) => !old.has(word) && !kept.has(word));
  expect({ lost, files: result.files }).toEqual({ lost: [], files: result.files });
  for (const [path, text] of Object.entries(result.files)) {
    expect(path).not.toContain('~');
    expect(Buffer.byteLength(path.split('/').at(-1) as string)).toBeLessThanOrEqual(255 + '+x'.length);
    expect(text).not.toContain('<<<<<<< ');
    expect(text).not.toContain('>>>>>>> ');
  }
}

async function expectSettled(lab: Lab, commit: string): Promise<void> {
  const repo = await openRepo(lab.one);
  for (const parent of [lab.a, lab.b]) {
    expect(await integrate(repo, { local: commit, remote: parent, rules: [] })).toEqual({ kind: 'up-to-date' });
    expect(await integrate(repo, { local: parent, remote: commit, rules: [] })).toEqual({ kind: 'fast-forward', commit });
  }
}

/** Both sides did something: without it there is nothing to merge. */
const makeSure = (commits: LabCommit[], who: string): LabCommit[] => [...commits, { files: { [`own-${who}`]: who }, time: commits.at(-1)?.time ?? morning }];

test('whatever two machines did: one commit, nothing lost, and again after both went on from there', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 6 }), side, side, side, side, async (count, planA, planB, laterA, laterB) => {
      const base = baseFiles(count);
      const a = carryOut(base, planA, 'a', morning);
      const b = carryOut(base, planB, 'b', morning);
      const lab = makeLab(base, makeSure(a.commits, 'a'), makeSure(b.commits, 'b'));
      const first = await integrateBoth(lab);
      expectNothingLost(first, [base], [a.files, b.files]);
      await expectSettled(lab, first.commit);

      const nextA = carryOut(first.files, laterA, 'c', morning + 3600);
      const nextB = carryOut(first.files, laterB, 'd', morning + 3600);
      const next = continueFrom(lab, first.commit, makeSure(nextA.commits, 'c'), makeSure(nextB.commits, 'd'));
      const second = await integrateBoth(next);
      expectNothingLost(second, [first.files], [nextA.files, nextB.files]);
      await expectSettled(next, second.commit);
    }),
    { numRuns: Number(process.env['RUNS'] ?? 30) },
  );
}, 600_000);

test('whatever two machines renamed onto whatever: one commit, nothing lost', async () => {
  await fc.assert(
    fc.asyncProperty(tangle, tangle, async (planA, planB) => {
      const base = baseFiles(2);
      const a = carryOut(base, planA, 'a', morning);
      const b = carryOut(base, planB, 'b', morning);
      const result = await integrateBoth(makeLab(base, makeSure(a.commits, 'a'), makeSure(b.commits, 'b')));
      expectNothingLost(result, [base], [a.files, b.files]);
    }),
    { numRuns: Number(process.env['RUNS'] ?? 40) },
  );
}, 600_000);

test('whatever two machines did after merging each other by hand (several common ancestors): one commit, nothing lost', async () => {
  await fc.assert(
    fc.asyncProperty(side, side, side, side, async (planA, planB, laterA, laterB) => {
      const base = baseFiles(5);
      const a = carryOut(base, planA, 'a', morning);
      const b = carryOut(base, planB, 'b', morning);
      const nextA = carryOut(a.files, laterA, 'c', morning + 3600);
      const nextB = carryOut(b.files, laterB, 'd', morning + 3600);
      const lab = makeLab(base, makeSure(a.commits, 'a'), makeSure(b.commits, 'b'));
      importBranches(lab.one, [
        { name: 'c', from: 'a', commits: nextA.commits.map((one, i) => (i === 0 ? { ...one, merges: ['b'] } : one)) },
        { name: 'd', from: 'b', commits: nextB.commits.map((one, i) => (i === 0 ? { ...one, merges: ['a'] } : one)) },
      ]);
      const [c = '', d = ''] = sh(lab.one, 'rev-parse', 'c', 'd').split('\n');
      const crossed: Lab = { ...lab, two: copyRepo(lab.one), a: c, b: d };
      const result = await integrateBoth(crossed);
      expectNothingLost(result, [base, a.files, b.files], [nextA.files, nextB.files]);
      await expectSettled(crossed, result.commit);
    }),
    { numRuns: Number(process.env['RUNS'] ?? 15) },
  );
}, 600_000);
