/** Real repositories in temporary places. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync, readFileSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A new temporary directory that goes when the test file ends (kept with GITSYNC_KEEP_TMP=1). */
export function tempDir(label = 'dir'): string {
  // jest's sandbox has its own process.env, which os.tmpdir() does not look at.
  return mkdtempSync(join(process.env['TMPDIR'] ?? tmpdir(), `${label}-`));
}

/** Runs stock git in a directory and returns its output without the last newline. */
export function sh(cwd: string, ...args: string[]): string {
  return execFileSync('git', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).replace(/\n$/, '');
}

/** Writes a file below a directory, making its parents. */
export function write(root: string, path: string, content: string | Buffer): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

export function read(root: string, path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

export function exists(root: string, path: string): boolean {
  return existsSync(join(root, path));
}

/** A repository with the given files in one first commit on `main` (no files: unborn branch). */
export function tempRepo(files: Record<string, string | Buffer> = {}, label = 'repo'): string {
  const root = tempDir(label);
  sh(root, 'init', '-q', '-b', 'main');
  commitFiles(root, files, 'first');
  return root;
}

/** Writes files and commits them with stock git; returns the commit's id (or '' without files). */
export function commitFiles(root: string, files: Record<string, string | Buffer>, message = 'change'): string {
  if (Object.keys(files).length === 0) return '';
  for (const [path, content] of Object.entries(files)) write(root, path, content);
  sh(root, 'add', '-A');
  sh(root, 'commit', '-q', '-m', message);
  return sh(root, 'rev-parse', 'HEAD');
}

/** An empty bare repository. */
export function bareRemote(): string {
  const root = tempDir('bare');
  sh(root, 'init', '-q', '--bare', '-b', 'main');
  return root;
}

/** A bare remote and two clones of it that share a first commit, `main` tracking `origin/main` in both. */
export function twoMachines(files: Record<string, string | Buffer> = { 'readme.md': 'hello\n' }): { remote: string; a: string; b: string } {
  const remote = bareRemote();
  const a = tempRepo(files, 'a');
  sh(a, 'remote', 'add', 'origin', remote);
  sh(a, 'push', '-q', '-u', 'origin', 'main');
  const b = tempDir('b');
  sh(b, 'clone', '-q', remote, '.');
  return { remote, a, b };
}
