/** What lies in the packages, and that their programs run from where the packages put them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { buildProgram } from '../../src/commands/program.ts';
import { tempDir } from '../helpers/repos.ts';
import { describeWith } from '../helpers/requires.ts';
import { makePackages, manifest, programs, root } from './make-packages.ts';

const longMs = 300_000;
const units = readdirSync(join(root, 'systemd'));
const commands = buildProgram(() => undefined).commands.map((command) => command.name()).filter((name) => name !== 'help');

let directory: string;
let tarball: string;
let deb: string;
beforeAll(() => {
  ({ directory, tarball, deb } = makePackages());
}, longMs);

const say = (file: string, args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): string => execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], ...options });
const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** What every package has, whichever directories its system has for the rest. */
const wantedFiles = [
  ...programs.flatMap((name) => [`/usr/bin/${name}`, `/usr/lib/gitsync/dist/${name}.js`, `/usr/share/man/man1/${name}.1.gz`]),
  ...units.map((name) => `/usr/lib/systemd/user/${name}`),
  '/usr/lib/gitsync/package.json', '/usr/share/man/man5/gitsync.5.gz', '/usr/share/doc/gitsync/config.example.ini', '/usr/share/doc/gitsync/README.md',
  '/usr/share/bash-completion/completions/gitsync', '/usr/share/fish/vendor_completions.d/gitsync.fish',
];

/** Runs an unpacked package's programs: the launchers name the place that the package has when it is installed. */
function runUnpacked(unpacked: string): void {
  for (const name of programs) {
    const launcher = readFileSync(join(unpacked, 'usr/bin', name), 'utf8').replaceAll('/usr/lib/gitsync', join(unpacked, 'usr/lib/gitsync'));
    const { status, stdout, stderr } = spawnSync('sh', ['-c', launcher, name, '--help'], { encoding: 'utf8', input: '', timeout: 60_000 });
    // Nobody types the name of a remote helper: it says so, or waits for git to say something.
    if (name.startsWith('git-remote-')) expect({ name, stderr }).toEqual({ name, stderr: expect.stringMatching(/^(Error: git calls this program by itself.*\n(Hint: .*\n)?)?$/) });
    else expect({ name, status, stderr, stdout }).toEqual({ name, status: 0, stderr: '', stdout: expect.stringContaining(' ') });
  }
}

describeWith(['rpm'], 'the rpm', () => {
  let rpm: string;
  const query = (...words: string[]): string => say('rpm', ['-qp', ...words, rpm]);

  beforeAll(() => {
    const top = tempDir('rpm');
    say('rpmbuild', ['-ta', '--define', `_topdir ${top}`, tarball]);
    rpm = join(top, 'RPMS/noarch', readdirSync(join(top, 'RPMS/noarch'))[0] as string);
  }, longMs);

  test('is built from the tarball alone, under the version of package.json', () => {
    expect(query('--queryformat', '%{NAME} %{VERSION} %{ARCH} %{LICENSE}')).toBe(`gitsync ${manifest.version} noarch MIT`);
  });

  test('has the programs, units, pages, completions, the example and the licence', () => {
    const files = lines(query('-l'));
    expect(files).toEqual(expect.arrayContaining([...wantedFiles, '/usr/share/zsh/site-functions/_gitsync']));
    expect(lines(query('--licensefiles'))).toEqual(['/usr/share/licenses/gitsync/LICENSE']);
    expect(lines(query('--docfiles'))).toContain('/usr/share/doc/gitsync/README.md');
  });

  test('requires git and Node, and nothing that was only guessed', () => {
    const required = lines(query('--requires')).map((line) => line.trim()).filter((line) => !line.startsWith('rpmlib('));
    expect([...new Set(required)].sort()).toEqual(['/bin/sh', 'git-core >= 2.38', 'nodejs >= 20.19']);
  });

  test('its scriptlets tell systemd of every unit, and do nothing where there is none', () => {
    const scripts = query('--scripts');
    for (const verb of ['install-user-units', 'remove-user-units', 'mark-restart-user-units']) expect(scripts).toMatch(new RegExp(`${verb} ${units.sort().join(' ')} \\|\\| :`));
    for (const [, body] of scripts.matchAll(/scriptlet \(using \/bin\/sh\):\n([\s\S]*?)(?=\n\w+ scriptlet|$)/g)) {
      for (const count of ['0', '1', '2']) expect(spawnSync('sh', ['-eu', '-c', (body as string).replaceAll('/usr/lib/systemd/', '/nowhere/'), 'scriptlet', count]).status).toBe(0);
    }
  });

  test('its programs run from the unpacked root', () => {
    const unpacked = tempDir('unpacked');
    say('sh', ['-c', 'rpm2cpio "$0" | cpio -idm --quiet', rpm], { cwd: unpacked });
    runUnpacked(unpacked);
  }, longMs);
});

describeWith(['dpkg'], 'the deb', () => {
  let unpacked: string;
  beforeAll(() => {
    unpacked = tempDir('deb');
    say('dpkg-deb', ['-R', deb, unpacked]);
  });

  test('has the same files, and depends on git alone', () => {
    for (const file of [...wantedFiles, '/usr/share/zsh/vendor-completions/_gitsync', '/usr/share/doc/gitsync/copyright']) expect({ file, there: existsSync(join(unpacked, file)) }).toEqual({ file, there: true });
    expect(say('dpkg-deb', ['-f', deb, 'Version', 'Depends'])).toBe(`Version: ${manifest.version}\nDepends: git (>= 1:2.38)\n`);
  });

  test('its programs run from the unpacked root', () => runUnpacked(unpacked), longMs);

  test('is the same, byte by byte, when it is made again', () => {
    const again = makePackages();
    expect(readFileSync(again.deb).equals(readFileSync(deb))).toBe(true);
    expect(readFileSync(again.tarball).equals(readFileSync(tarball))).toBe(true);
  }, longMs);
});

describe('npm', () => {
  test('installs the packed tarball globally, and every program runs', () => {
    const env = { ...process.env, npm_config_cache: process.env['npm_config_cache'] ?? join(tempDir('npm'), 'cache'), npm_config_update_notifier: 'false' };
    const packed = lines(say('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', directory], { cwd: root, env })).at(-1) as string;
    const prefix = tempDir('prefix');
    say('npm', ['install', '--global', '--silent', '--no-audit', '--no-fund', '--prefix', prefix, join(directory, packed)], { env });
    expect(readdirSync(join(prefix, 'bin')).sort()).toEqual([...programs].sort());
    for (const name of programs.filter((each) => !each.startsWith('git-remote-'))) expect(say(join(prefix, 'bin', name), ['--help']).length).toBeGreaterThan(100);
    expect(existsSync(join(prefix, 'lib/node_modules/gitsync/systemd/gitsync.service'))).toBe(true);
  }, longMs);
});

/** The unpacked tarball. */
function unpackTarball(): string {
  const place = tempDir('tarball');
  say('tar', ['xzf', tarball, '-C', place]);
  return join(place, `gitsync-${manifest.version}`);
}

describeWith(['shells', 'man'], 'what comes with the programs', () => {
  let place: string;
  beforeAll(() => void (place = unpackTarball()));
  const bash = (...words: string[]): string[] =>
    lines(say('bash', ['--norc', '-c', '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _gitsync; printf "%s\\n" "${COMPREPLY[@]}"', join(place, 'completions/gitsync.bash'), 'gitsync', ...words], { cwd: place }));
  const fish = (text: string): string[] => lines(say('fish', ['--no-config', '-c', 'source $argv[1]; complete -C $argv[2]', join(place, 'completions/gitsync.fish'), text], { cwd: place })).map((line) => line.split('\t')[0] as string);

  test('bash completes every command, its options, and the words that it takes', () => {
    expect(bash('')).toEqual(expect.arrayContaining([...commands, '--daemon', '--once']));
    expect(bash('sta')).toEqual(['status']);
    expect(bash('--config', 'x', 'doctor', '--f')).toEqual(['--fix']);
    expect(bash('service', '')).toEqual(['install', 'uninstall', 'status']);
    expect(bash('resolve', 'a', '--keep', 'c')).toEqual(['current', 'copy']);
    expect(bash('status', 'READ')).toEqual(['README.md']);
  });

  test('fish does the same', () => {
    expect(fish('gitsync ')).toEqual(expect.arrayContaining(commands));
    expect(fish('gitsync service un')).toEqual(['uninstall']);
    expect(fish('gitsync doctor --f')).toEqual(['--fix']);
    expect(fish('gitsync resolve a --keep cop')).toEqual(['copy']);
  });

  test('zsh finds the function by its name and defines it', () => {
    const functions = join(tempDir('zsh'), 'functions');
    mkdirSync(functions);
    symlinkSync(join(place, 'completions/gitsync.zsh'), join(functions, '_gitsync'));
    const said = say('zsh', ['-f', '-c', 'fpath=($1 $fpath); autoload -Uz compinit; compinit -u -D; print $_comps[gitsync]; autoload +X _gitsync; zsh -n $1/_gitsync', 'zsh', functions]);
    expect(said).toBe('_gitsync\n');
  });

  test.each(programs)('the page of %s is good roff and says what it is', (name) => {
    const { stdout, stderr } = spawnSync('man', ['--warnings', '-l', `man1/${name}.1`], { cwd: join(place, 'man'), encoding: 'utf8', env: { ...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '100' } });
    expect(stderr).toBe('');
    expect(stdout).toMatch(/NAME\n\s+[\w-]+\s+-\s+\S/);
  });

  test('gitsync(1) has every command and exit code, gitsync(5) every key', () => {
    const page = (name: string): string => say('man', ['-l', join(place, 'man', name)], { env: { ...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '200' } });
    const [first, fifth] = [page('man1/gitsync.1'), page('man5/gitsync.5')];
    for (const name of commands) expect(first).toContain(`gitsync ${name}`);
    expect(first).toMatch(/EXIT STATUS[\s\S]*\b130\b/);
    for (const key of ['work_dir', 'quiet', 'max_file_size']) expect(fifth).toContain(`${key} = `);
  });
});
