/** Nodes for the benchmarks: daemons as processes of their own, on loopback, each with a home. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askDaemon } from '../../src/gidit/local-client.ts';
import type { NodeStatus } from '../../src/gidit/node-status.ts';
import { pause } from '../measure.ts';

const dist = new URL('../../dist/', import.meta.url).pathname;

export interface Node {
  home: string;
  env: NodeJS.ProcessEnv;
  store: string;
  child: ChildProcess;
}

export async function waitFor(condition: () => boolean | Promise<boolean>, deadlineMs = 120_000, everyMs = 20): Promise<void> {
  for (const until = Date.now() + deadlineMs; Date.now() < until; await pause(everyMs)) if (await Promise.resolve(condition()).catch(() => false)) return;
  throw new Error('it did not happen in time');
}

export const status = (node: Node): Promise<NodeStatus> => askDaemon<NodeStatus>(node.store, 'status', {}, { env: node.env });
export const git = (node: Node, cwd: string, ...args: string[]): string => execFileSync('git', args, { cwd, env: node.env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

export async function startNode(root: string, index: number, join_: string | undefined, nodeArgs: readonly string[] = []): Promise<Node> {
  const home = join(root, `n${index}`);
  for (const directory of ['run', 'gnupg']) mkdirSync(join(home, directory), { recursive: true, mode: 0o700 });
  writeFileSync(join(home, '.gitconfig'), '[user]\n\tname = bench\n\temail = bench@example.org\n[init]\n\tdefaultBranch = main\n');
  const env = { ...process.env, HOME: home, PATH: `${root}/bin:${process.env['PATH']}`, XDG_DATA_HOME: join(home, 'data'), XDG_RUNTIME_DIR: join(home, 'run'), GNUPGHOME: join(home, 'gnupg') };
  const args = ['--listen', '/ip4/127.0.0.1/tcp/0', '--no-lan', '--joins-per-second', '1000', ...(join_ === undefined ? [] : ['--peer', join_])];
  const child = spawn(process.execPath, [...nodeArgs, join(dist, 'git-gidit-daemon.js'), ...args], { env, stdio: 'ignore' });
  const node = { home, env, store: join(home, 'data/gidit'), child };
  await waitFor(async () => (await status(node)).addresses.length > 0);
  return node;
}

/** A temporary place with the programs under the names that git looks for. */
export function makeRoot(): string {
  const root = mkdtempSync(join(tmpdir(), 'gidit-bench-'));
  mkdirSync(join(root, 'bin'));
  for (const name of ['git-gidit', 'git-gidit-daemon', 'git-remote-gidit']) if (existsSync(join(dist, `${name}.js`))) symlinkSync(join(dist, `${name}.js`), join(root, 'bin', name));
  return root;
}

/** Gives the person at this node a key. */
export function makeKey(node: Node): void {
  execFileSync('git-gidit', ['init', '--name', 'Bench <bench@example.org>', '--no-passphrase'], { env: node.env, stdio: 'ignore' });
}

export function endNodes(root: string, nodes: readonly Node[]): void {
  for (const { child, env } of nodes) {
    child.kill('SIGKILL');
    execFileSync('gpgconf', ['--kill', 'all'], { env, stdio: 'ignore' });
  }
  rmSync(root, { recursive: true, force: true, maxRetries: 5 });
}
