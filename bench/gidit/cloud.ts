/**
 * Daemons as processes of their own on loopback: from a push to the notice and to
 * the fetched commit, lookups before and after 30 % were killed, idle CPU and memory.
 * Run: npm run bench -- gidit/cloud [NODES,NODES... [SAMPLES]]
 * 40 nodes take about 4 GB of memory and four minutes.
 */
import { spawn } from 'node:child_process';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { askDaemon } from '../../src/gidit/local-client.ts';
import { cpuMs, describeMachine, memoryMb, pause, percentile, printTable } from '../measure.ts';
import { endNodes, git, makeKey, makeRoot, startNode, status, waitFor, type Node } from './nodes.ts';

const counts = (process.argv[2] ?? '10').split(',').map(Number);
const samples = Number(process.argv[3] ?? 20);
const idleSeconds = 30;
/** After the deaths the others close connections and look for new neighbours; idle is what comes then. */
const mostSettlingSeconds = 70;
/** Mirrors put records and look around once more half a minute after the last push. */
const leastSettlingSeconds = 40;
/** Each start costs a second of a core. */
const startedAtOnce = 4;

async function measurePushes(publisher: Node, repo: string, follower: Node, clone: string, address: string): Promise<{ notice: number[]; fetched: number[] }> {
  const notice: number[] = [];
  const fetched: number[] = [];
  const stop = new AbortController();
  let heardAt = 0;
  const live = new Promise<void>((resolve) => {
    void askDaemon(follower.store, 'watch', { addresses: [address] }, { env: follower.env, signal: stop.signal, onPart: (part) => (part['live'] === true ? resolve() : part['moved'] === undefined ? undefined : (heardAt = performance.now())) }).catch(() => undefined);
  });
  await live;
  await pause(2_000);
  for (let i = 0; i < samples; i++) {
    appendFileSync(join(repo, 'file.txt'), `${i}\n`);
    git(publisher, repo, 'commit', '-qam', `${i}`);
    const tip = git(publisher, repo, 'rev-parse', 'HEAD');
    heardAt = 0;
    // Measured from the moment that the signed object is in the store and the daemon is told: signing is gpg's time.
    const push = spawn('git', ['push', '-q', 'cloud', 'main'], { cwd: repo, env: publisher.env, stdio: 'ignore' });
    const head = join(publisher.store, 'pushobjects', ...address.split('/'), 'HEAD');
    const before = readFileSync(head, 'latin1');
    await waitFor(() => readFileSync(head, 'latin1') !== before, 120_000, 2);
    const startedAt = performance.now();
    await waitFor(() => heardAt > 0, 120_000, 2);
    notice.push(heardAt - startedAt);
    git(follower, clone, 'fetch', '-q');
    if (git(follower, clone, 'rev-parse', 'origin/main') !== tip) throw new Error('the fetch brought something else');
    fetched.push(performance.now() - startedAt);
    await new Promise((resolve) => (push.exitCode === null ? push.once('exit', resolve) : resolve(0)));
  }
  stop.abort();
  return { notice, fetched };
}

/** How many nodes find a holder, and how long one of them takes. Two at a time: all nodes share the cores of this machine. */
async function lookups(nodes: readonly Node[], address: string): Promise<string> {
  const tookMs: number[] = [];
  let found = 0;
  const waiting = [...nodes];
  const lookUp = async (): Promise<void> => {
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      const startedAt = performance.now();
      const isFound = await askDaemon<{ holders: number }>(node.store, 'look-up', { address }, { env: node.env }).then(({ holders }) => holders > 0, () => false);
      if (isFound) found += 1;
      tookMs.push(performance.now() - startedAt);
    }
  };
  await Promise.all([lookUp(), lookUp()]);
  return `${found}/${nodes.length}, ${(percentile(tookMs, 0.5) / 1000).toFixed(1)} s`;
}

async function startCloud(root: string, count: number): Promise<Node[]> {
  const nodes = [await startNode(root, 0, undefined)];
  const first = (await status(nodes[0] as Node)).addresses[0];
  while (nodes.length < count) nodes.push(...(await Promise.all(Array.from({ length: Math.min(startedAtOnce, count - nodes.length) }, (_, i) => startNode(root, nodes.length + i, first)))));
  return nodes;
}

/** A repository with one commit, published. */
function publishFirst(publisher: Node, repo: string): string {
  makeKey(publisher);
  git(publisher, publisher.home, 'init', '-q', repo);
  writeFileSync(join(repo, 'file.txt'), 'start\n');
  git(publisher, repo, 'add', '-A');
  git(publisher, repo, 'commit', '-qm', 'start');
  git(publisher, repo, 'remote', 'add', 'cloud', 'gidit::bench');
  git(publisher, repo, 'push', '-q', 'cloud', 'main');
  return `${git(publisher, repo, 'config', 'gidit.key')}/bench`;
}

/** Processor time of each node while nothing happens, in per cent of a core, after it has come down. */
async function measureIdle(nodes: readonly Node[]): Promise<number[]> {
  const during = async (seconds: number): Promise<number[]> => {
    const before = nodes.map(({ child }) => cpuMs(child.pid as number));
    await pause(seconds * 1_000);
    return nodes.map(({ child }, i) => (cpuMs(child.pid as number) - (before[i] as number)) / (seconds * 10));
  };
  const sum = (list: readonly number[]): number => list.reduce((all, each) => all + each, 0);
  for (let [last, at] = [Infinity, 0]; at < mostSettlingSeconds; at += 10) {
    const now = sum(await during(10));
    if (now > 0.8 * last && at >= leastSettlingSeconds) break;
    last = now;
  }
  return during(idleSeconds);
}

async function measure(count: number): Promise<(string | number)[]> {
  const root = makeRoot();
  const nodes: Node[] = [];
  const startedAt = performance.now();
  const say = (what: string): void => console.error(`${count} nodes, ${Math.round((performance.now() - startedAt) / 1000)} s: ${what}`);
  try {
    nodes.push(...(await startCloud(root, count)));
    say('started');
    const [publisher, mirror, follower] = nodes as [Node, Node, Node];
    const repo = join(publisher.home, 'repo');
    const address = publishFirst(publisher, repo);
    let asked = 0;
    await waitFor(async () => (asked++, await askDaemon(mirror.store, 'mirror', { address }, { env: mirror.env }), true), 120_000, 1_000);
    if (asked > 1) say(`the mirror had to ask ${asked} times`);
    git(follower, follower.home, 'clone', '-q', `gidit::${address}`, 'clone');
    say('published and mirrored');
    const { notice, fetched } = await measurePushes(publisher, repo, follower, join(follower.home, 'clone'), address);
    say(`${samples} pushes arrived`);
    const others = nodes.slice(2);
    const before = await lookups(others, address);
    // 30 % of all, the publisher among them, but not the one mirror.
    const dying = [publisher, ...nodes.slice(3, 2 + Math.round(count * 0.3))];
    const dead = dying.map(({ child }) => new Promise((resolve) => child.once('exit', resolve)));
    for (const { child } of dying) child.kill('SIGKILL');
    await Promise.all(dead);
    const alive = nodes.filter((node) => !dying.includes(node));
    const after = await lookups(alive.filter((node) => node !== mirror), address);
    say('looked up');
    const idle = await measureIdle(alive);
    const memory = alive.map(({ child }) => memoryMb(child.pid as number));
    say('idle was measured');
    const ms = (list: readonly number[]): string => `${Math.round(percentile(list, 0.5))} / ${Math.round(percentile(list, 0.99))}`;
    const range = (list: readonly number[], digits: number): string => `${percentile(list, 0.5).toFixed(digits)} / ${Math.max(...list).toFixed(digits)}`;
    return [count, ms(notice), ms(fetched), before, after, range(idle, 2), range(memory, 0)];
  } finally {
    endNodes(root, nodes);
  }
}

const rows: (string | number)[][] = [];
for (const count of counts) rows.push(await measure(count));
printTable(describeMachine(), ['nodes', 'notice p50 / p99, ms', 'fetched p50 / p99, ms', 'lookups that find it', 'after 30 % were killed', 'idle p50 / most, % of a core', 'memory p50 / most, MB'], rows);
