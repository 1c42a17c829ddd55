/**
 * Daemons as processes of their own on loopback: from a push to the notice and to
 * the fetched commit, lookups before and after 30 % were killed, idle CPU and memory.
 * Run: npm run build && npx tsx bench/gidit/cloud.ts [NODES,NODES... [SAMPLES]]
 * 40 nodes take about 4 GB of memory.
 */
import { spawn } from 'node:child_process';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { askDaemon } from '../../src/gidit/local-client.ts';
import { cpuMs, describeMachine, pause, percentile, printTable } from '../measure.ts';
import { endNodes, git, makeKey, makeRoot, startNode, status, waitFor, type Node } from './nodes.ts';

const counts = (process.argv[2] ?? '10').split(',').map(Number);
const samples = Number(process.argv[3] ?? 10);
const idleSeconds = 30;

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
    await waitFor(() => readFileSync(head, 'latin1') !== before);
    const startedAt = performance.now();
    await waitFor(() => heardAt > 0);
    notice.push(heardAt - startedAt);
    git(follower, clone, 'fetch', '-q');
    if (git(follower, clone, 'rev-parse', 'origin/main') !== tip) throw new Error('the fetch brought something else');
    fetched.push(performance.now() - startedAt);
    await new Promise((resolve) => (push.exitCode === null ? push.once('exit', resolve) : resolve(0)));
  }
  stop.abort();
  return { notice, fetched };
}

async function lookups(nodes: readonly Node[], address: string): Promise<string> {
  const found = await Promise.all(nodes.map((node) => askDaemon<{ known: boolean; holders: number }>(node.store, 'look-up', { address }, { env: node.env }).then(({ holders }) => holders > 0, () => false)));
  return `${found.filter(Boolean).length}/${nodes.length}`;
}

async function measure(count: number): Promise<(string | number)[]> {
  const root = makeRoot();
  const nodes: Node[] = [];
  try {
    nodes.push(await startNode(root, 0, undefined));
    const first = (await status(nodes[0] as Node)).addresses[0];
    for (let i = 1; i < count; i++) nodes.push(await startNode(root, i, first));
    const [publisher, mirror, follower] = nodes as [Node, Node, Node];
    makeKey(publisher);
    const repo = join(publisher.home, 'repo');
    git(publisher, publisher.home, 'init', '-q', repo);
    writeFileSync(join(repo, 'file.txt'), 'start\n');
    git(publisher, repo, 'add', '-A');
    git(publisher, repo, 'commit', '-qm', 'start');
    git(publisher, repo, 'remote', 'add', 'cloud', 'gidit::bench');
    git(publisher, repo, 'push', '-q', 'cloud', 'main');
    const address = `${git(publisher, repo, 'config', 'gidit.key')}/bench`;
    await askDaemon(mirror.store, 'mirror', { address }, { env: mirror.env });
    git(follower, follower.home, 'clone', '-q', `gidit::${address}`, 'clone');
    const { notice, fetched } = await measurePushes(publisher, repo, follower, join(follower.home, 'clone'), address);
    const others = nodes.slice(2);
    const before = await lookups(others, address);
    // 30 % of all, the publisher among them, but not the one mirror.
    const dying = [publisher, ...nodes.slice(3, 2 + Math.round(count * 0.3))];
    for (const { child } of dying) child.kill('SIGKILL');
    await pause(1_000);
    const after = await lookups(others.filter((node) => !dying.includes(node)), address);
    const pid = mirror.child.pid as number;
    const cpu = cpuMs(pid);
    await pause(idleSeconds * 1_000);
    const idle = (100 * (cpuMs(pid) - cpu)) / (idleSeconds * 1_000);
    const { memoryBytes } = await status(mirror);
    const ms = (list: number[], share: number): number => Math.round(percentile(list, share));
    return [count, `${ms(notice, 0.5)} / ${ms(notice, 0.95)}`, `${ms(fetched, 0.5)} / ${ms(fetched, 0.95)}`, before, after, `${idle.toFixed(1)} %`, `${Math.round(memoryBytes / 1e6)} MB`];
  } finally {
    endNodes(root, nodes);
  }
}

const rows: (string | number)[][] = [];
for (const count of counts) rows.push(await measure(count));
printTable(describeMachine(), ['nodes', 'notice p50 / p95 ms', 'fetched p50 / p95 ms', 'lookups', 'after 30 % died', 'idle CPU', 'memory'], rows);
