/** A repository with a machine that it is pushed to, driven by stock git and the built client. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { tempDir, sh, write } from './repos.ts';

/** The program as it is built. */
export const clientFile = new URL('../../dist/gitted-client.js', import.meta.url).pathname;

export interface Said {
  status: number;
  /** Standard output and standard error together. */
  text: string;
  stdout: string;
}

export interface TestMachine {
  root: string;
  name: string;
  /** The directory of a local machine. */
  inside: string;
  git(...args: string[]): Said;
  /** Runs git, which must succeed, and returns what it printed. */
  must(...args: string[]): Said;
  client(...args: string[]): Said;
  commit(files: Record<string, string | null>, message?: string): void;
  /** Writes a file of the machine's live directory. */
  live(path: string, content: string): void;
  liveText(path: string): string;
  head(ref?: string): string;
}

export function runProgram(cwd: string, file: string, args: readonly string[], env: Record<string, string> = {}): Said {
  const result = spawnSync(file, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env }, maxBuffer: 1 << 28 });
  return { status: result.status ?? -1, text: `${result.stdout}${result.stderr}`, stdout: result.stdout };
}

/** The manifest of the handler `files` for plain files of root. */
export function manifestOf(paths: readonly string[]): string {
  return [...paths].sort().map((path) => `f\t0644\troot\troot\t${path}\n`).join('');
}

/** A repository on `master` with the given engines scaffolded and a machine registered; nothing is pushed yet. */
export function makeMachine(options: { engines?: string[]; driver?: string[]; name?: string; files?: Record<string, string> } = {}): TestMachine {
  const root = tempDir('machine');
  const name = options.name ?? 'box';
  sh(root, 'init', '-q', '-b', 'master', `--object-format=${process.env['GITSYNC_TEST_OBJECT_FORMAT'] ?? 'sha1'}`);
  const git = (...args: string[]): Said => runProgram(root, 'git', args);
  const client = (...args: string[]): Said => runProgram(root, clientFile, args);
  const must = (...args: string[]): Said => {
    const said = git(...args);
    if (said.status !== 0) throw new Error(`git ${args.join(' ')}: ${said.text}`);
    return said;
  };
  const inside = join(root, '.git/gitted-machines', name);
  const machine: TestMachine = {
    root, name, inside, git, must, client,
    commit(files, message = 'change') {
      for (const [path, content] of Object.entries(files)) {
        if (content === null) rmSync(join(root, path), { recursive: true, force: true });
        else write(root, path, content);
      }
      must('add', '-A');
      must('commit', '-q', '-m', message);
    },
    live(path, content) {
      mkdirSync(dirname(join(inside, 'srv/files', path)), { recursive: true });
      writeFileSync(join(inside, 'srv/files', path), content);
    },
    liveText: (path) => readFileSync(join(inside, 'srv/files', path), 'utf8'),
    head: (ref = 'HEAD') => sh(root, 'rev-parse', ref),
  };
  const scaffolded = client('scaffold', '--with', (options.engines ?? ['files']).join(','));
  if (scaffolded.status !== 0) throw new Error(scaffolded.text);
  machine.commit(options.files ?? { 'files/manifest.tsv': manifestOf(['hello.txt']), 'files/tree/hello.txt': 'hello\n' }, 'first');
  const initialised = runProgram(root, join(root, 'sysconf/gitted-client'), ['init', name, ...(options.driver ?? ['--driver', 'local'])]);
  if (initialised.status !== 0) throw new Error(initialised.text);
  return machine;
}

/** The ref of the local machine's own repository, or ''. */
export function insideRef(machine: TestMachine, ref: string): string {
  const directory = join(machine.inside, 'local.repository.git');
  if (!existsSync(directory)) return '';
  return runProgram(directory, 'git', ['rev-parse', '-q', '--verify', ref]).stdout.trim();
}
