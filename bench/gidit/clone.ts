/**
 * A clone of a repository of many commits from a chain of bundles of another
 * node, against `git clone` from a local path; and how many signatures are checked in a second.
 * Run: npm run build && npx tsx bench/gidit/clone.ts [COMMITS [PUSHES]]
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { openStore } from '../../src/gidit/store.ts';
import { verifyMessage } from '../../src/gidit/verify.ts';
import { describeMachine, printTable } from '../measure.ts';
import { endNodes, git, makeKey, makeRoot, startNode, status, type Node } from './nodes.ts';

const commits = Number(process.argv[2] ?? 15_200);
const pushes = Number(process.argv[3] ?? 20);

/** A history made by fast-import: one line changes in one of 400 files with each commit. */
function makeHistory(node: Node, repo: string): void {
  git(node, node.home, 'init', '-q', repo);
  const lines: string[] = [];
  for (let i = 1; i <= commits; i++) {
    const content = Array.from({ length: 30 }, (_, line) => `line ${line} of ${i - (i % (line + 7))}`).join('\n');
    lines.push(`commit refs/heads/main\nmark :${i}\ncommitter Bench <bench@example.org> ${1_600_000_000 + i * 60} +0000\ndata <<END\ncommit ${i}\nEND\nM 100644 inline dir-${i % 20}/file-${i % 400}.txt\ndata ${Buffer.byteLength(content)}\n${content}\n`);
  }
  execFileSync('git', ['fast-import', '--quiet', '--force'], { cwd: repo, env: node.env, input: lines.join('') });
}

const seconds = (work: () => unknown): number => {
  const startedAt = performance.now();
  work();
  return (performance.now() - startedAt) / 1000;
};

const root = makeRoot();
const nodes: Node[] = [];
try {
  nodes.push(await startNode(root, 0, undefined));
  const [publisher] = nodes as [Node];
  nodes.push(await startNode(root, 1, (await status(publisher)).addresses[0]));
  const reader = nodes[1] as Node;
  makeKey(publisher);
  const repo = join(publisher.home, 'repo');
  makeHistory(publisher, repo);
  const list = git(publisher, repo, 'rev-list', '--reverse', 'main').split('\n');
  const published = seconds(() => {
    for (let i = 1; i <= pushes; i++) git(publisher, repo, 'push', '-q', 'gidit::bench', `${list[Math.floor((list.length * i) / pushes) - 1] as string}:refs/heads/main`);
  });
  const address = `${git(publisher, repo, 'config', 'gidit.key')}/bench`;
  const chain = seconds(() => git(reader, reader.home, 'clone', '-q', `gidit::${address}`, 'from-peer'));
  const local = seconds(() => git(reader, reader.home, 'clone', '-q', '--no-local', repo, 'from-path'));
  const hardLinks = seconds(() => git(reader, reader.home, 'clone', '-q', repo, 'from-path-linked'));
  const store = await openStore(publisher.store);
  const [fingerprint = '', project = ''] = address.split('/');
  const message = (await store.message({ fingerprint, project })) as Buffer;
  const checks = 500;
  const startedAt = performance.now();
  for (let i = 0; i < checks; i++) await verifyMessage(message);
  const rate = Math.round((checks * 1000) / (performance.now() - startedAt));
  printTable(describeMachine(), ['what', 's'], [
    [`${pushes} pushes, ${commits} commits`, published.toFixed(2)],
    ['git clone from a peer', chain.toFixed(2)],
    ['git clone --no-local from a path', local.toFixed(2)],
    ['git clone from a path (hard links)', hardLinks.toFixed(2)],
    ['signatures checked in a second', rate],
  ]);
} finally {
  endNodes(root, nodes);
}
