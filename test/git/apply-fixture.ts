/** A repository, commits to bring into it, and a way to compare work trees with commits. */
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rawFromText, type RawPath } from '../../src/core/raw-path.ts';
import { applyCommit, type ApplyOutcome, type ApplyRequest } from '../../src/git/apply.ts';
import type { Repo } from '../../src/git/git.ts';
import { openPrivateIndex, type PrivateIndex } from '../../src/git/private-index.ts';
import { openRepo } from '../../src/git/repository.ts';
import { sh, tempDir, tempRepo } from '../helpers/repos.ts';

export type FileSpec = string | Buffer | { mode: '100755' | '120000' | '160000'; content: string };

function gitBytes(root: string, args: string[], input: Buffer | string = '', env: Record<string, string> = {}): Buffer {
  return execFileSync('git', args, { cwd: root, input, env: { ...process.env, ...env }, maxBuffer: 1 << 30, stdio: ['pipe', 'pipe', 'pipe'] });
}

/** Makes a commit with changed files (null removes; names are bytes as latin1) without touching work tree, index or refs. */
export function makeCommit(root: string, parent: string | undefined, changes: Record<string, FileSpec | null>): string {
  const scratch = mkdtempSync(join(sh(root, 'rev-parse', '--absolute-git-dir'), 'test-index-'));
  const env = { GIT_INDEX_FILE: join(scratch, 'index') };
  if (parent !== undefined) gitBytes(root, ['read-tree', parent], '', env);
  const specs = Object.entries(changes).map(([path, spec]) => ({ path, ...(typeof spec === 'string' || Buffer.isBuffer(spec) ? { mode: '100644', content: spec } : (spec ?? { mode: '0', content: '' })) }));
  const files = specs.filter(({ mode }) => mode !== '0' && mode !== '160000');
  // Not beside the repository, whose disk may be a small one.
  const contents = tempDir('contents');
  files.forEach(({ content }, i) => writeFileSync(join(contents, String(i)), content));
  const oids = files.length === 0 ? [] : gitBytes(root, ['hash-object', '-w', '--no-filters', '--stdin-paths'], files.map((_, i) => `${join(contents, String(i))}\n`).join('')).toString().split('\n');
  const lines = specs.map((spec) => {
    if (spec.mode === '0') return `0 ${'0'.repeat(40)}\t${spec.path}\0`;
    return `${spec.mode} ${spec.mode === '160000' ? String(spec.content) : oids[files.indexOf(spec)]}\t${spec.path}\0`;
  });
  gitBytes(root, ['update-index', '-z', '--replace', '--index-info'], Buffer.from(lines.join(''), 'latin1'), env);
  const tree = gitBytes(root, ['write-tree'], '', env).toString().trim();
  for (const directory of [scratch, contents]) rmSync(directory, { recursive: true });
  return gitBytes(root, ['commit-tree', tree, ...(parent === undefined ? [] : ['-p', parent])], 'change\n').toString().trim();
}

/** All files of a commit: name (bytes as latin1) to "MODE CONTENT". */
export function filesOfCommit(root: string, commit: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const line of gitBytes(root, ['ls-tree', '-r', '-z', commit]).toString('latin1').split('\0')) {
    if (line === '') continue;
    const [mode, , oid] = line.slice(0, line.indexOf('\t')).split(' ');
    const content = mode === '160000' ? '' : gitBytes(root, ['cat-file', 'blob', oid as string]).toString('latin1');
    files[line.slice(line.indexOf('\t') + 1)] = `${mode} ${content}`;
  }
  return files;
}

/** All files of a work tree, in the same form; `.git` and nested repositories are left out. */
export function filesOnDisk(root: string): Record<string, string> {
  const files: Record<string, string> = {};
  const walk = (directory: Buffer, prefix: string): void => {
    for (const name of readdirSync(directory, { encoding: 'buffer' })) {
      if (name.toString() === '.git') continue;
      const file = Buffer.concat([directory, Buffer.from('/'), name]);
      const path = prefix + name.toString('latin1');
      const info = lstatSync(file);
      if (info.isDirectory()) walk(file, `${path}/`);
      else if (info.isSymbolicLink()) files[path] = `120000 ${readlinkSync(file, { encoding: 'buffer' }).toString('latin1')}`;
      else files[path] = `${(info.mode & 0o100) === 0 ? '100644' : '100755'} ${readFileSync(file).toString('latin1')}`;
    }
  };
  walk(Buffer.from(root), '');
  return files;
}

/** A change of each kind: content, removal, move, a file that becomes a folder and the other way round, mode, link, a new one in a new folder. */
export const everyKind = {
  before: {
    'edit.md': 'one\ntwo\nthree\nfour\nfive\n',
    'gone.txt': 'to be removed\n',
    'old/name.txt': 'moves\n',
    swap: 'a file\n',
    'dir/a': 'in a folder\n',
    'run.sh': 'echo\n',
    link: { mode: '120000', content: 'edit.md' },
  },
  incoming: {
    'edit.md': 'one\ntwo\nthree\nfour\nFIVE\n',
    'gone.txt': null,
    'old/name.txt': null,
    'new/name.txt': 'moves\n',
    swap: null,
    'swap/inner': 'a folder now\n',
    'dir/a': null,
    dir: 'a file now\n',
    'run.sh': { mode: '100755', content: 'echo\n' },
    link: { mode: '120000', content: 'run.sh' },
    'deep/new.txt': 'new\n',
  },
} satisfies Record<string, Record<string, FileSpec | null>>;

export interface Fixture {
  root: string;
  repo: Repo;
  index: PrivateIndex;
  /** The commit that everything starts at. */
  from: string;
  /** Makes a commit on top of `from`. */
  incoming(changes: Record<string, FileSpec | null>): string;
  /** Brings a commit in. */
  apply(to: string, options?: Partial<ApplyRequest>): Promise<ApplyOutcome>;
}

/** A repository on `main` whose first commit holds the given files. */
export async function makeFixture(files: Record<string, FileSpec>, prepare: (root: string) => void = () => {}): Promise<Fixture> {
  const root = tempRepo({}, 'apply');
  prepare(root);
  const from = makeCommit(root, undefined, files);
  sh(root, 'update-ref', 'refs/heads/main', from);
  sh(root, 'reset', '-q', '--hard');
  return openFixture(root);
}

/** The fixture of a repository that exists already. */
export async function openFixture(root: string): Promise<Fixture> {
  const from = sh(root, 'rev-parse', 'HEAD');
  const repo = await openRepo(root);
  const index = openPrivateIndex(repo);
  return {
    root,
    repo,
    index,
    from,
    incoming: (changes) => makeCommit(root, from, changes),
    apply: (to, options = {}) => applyCommit(repo, index, { ref: 'refs/heads/main', from, to, keep: new Set<RawPath>(), rules: [], ...options }),
  };
}

/** The outcome, which must be `applied`. */
export function applied(outcome: ApplyOutcome): ApplyOutcome & { kind: 'applied' } {
  if (outcome.kind !== 'applied') throw new Error(`the outcome is ${outcome.kind}`);
  return outcome;
}

/** What git says about HEAD, index and work tree; first of all by stat data alone, since that must be up to date too. */
export function statusOf(root: string): string {
  const stale = sh(root, 'diff-files');
  const status = sh(root, 'status', '--porcelain', '--untracked-files=all');
  return status === '' ? stale : status;
}

/** What is left of updates in our folder, but for trash that waits for its second look. */
export function leftovers(root: string): string[] {
  const own = join(sh(root, 'rev-parse', '--absolute-git-dir'), 'gitsync');
  const found = readdirSync(own).filter((name) => name !== 'index' && name !== 'apply');
  // An update that was killed early has not even made it.
  const apply = join(own, 'apply');
  const updates = (existsSync(apply) ? readdirSync(apply) : []).flatMap((update) => readdirSync(join(apply, update)));
  return [...found, ...updates.filter((name) => name !== 'trash' && name !== 'trash.json')];
}

/** Every version of a file that a ref's history holds. */
export function historyOf(root: string, path: string): string[] {
  const commits = sh(root, 'rev-list', '--all').split('\n');
  return commits.flatMap((commit) => {
    try {
      return [gitBytes(root, ['cat-file', 'blob', `${commit}:${path}`]).toString()];
    } catch {
      return [];
    }
  });
}

export const raw = rawFromText;
