// `npm run dist`: build/gitsync-VERSION.tar.gz, which rpmbuild -ta takes as it is, and a .deb from the same files.
//   node --import tsx scripts/dist.mjs [DIRECTORY]
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { renderBash, renderFish, renderZsh } from './completions.mjs';
import { renderConfig, renderFromHelp, renderGitsync, renderRemoteHelper } from './man-pages.mjs';

const root = new URL('..', import.meta.url).pathname;
const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
const { version } = manifest;
const programs = Object.keys(manifest.bin);
const target = resolve(process.argv[2] ?? `${root}build`);
const name = `gitsync-${version}`;

/** Second names: who looks for one finds the program that it belongs to. */
const aliases = { 'glxc-client': 'gitted-client' };

/** When the source was last changed, so that the same source makes the same packages. */
function sourceSeconds() {
  if (process.env.SOURCE_DATE_EPOCH) return Number(process.env.SOURCE_DATE_EPOCH);
  const { status, stdout } = spawnSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' });
  return status === 0 ? Number(stdout) : Math.floor(statSync(`${root}package.json`).mtimeMs / 1000);
}

/** What the built programs are made of: their files in dist/, and the packages that they still load, with all that those need. */
async function followPrograms() {
  const { metafile } = await build({ absWorkingDir: root, entryPoints: programs.map((program) => `dist/${program}.js`), bundle: true, write: false, outdir: 'none', platform: 'node', format: 'esm', packages: 'external', metafile: true, logLevel: 'error' });
  const loaded = Object.values(metafile.outputs).flatMap(({ imports }) => imports.filter(({ external }) => external).map(({ path }) => path));
  const packages = new Set();
  const queue = loaded.filter((path) => !path.startsWith('node:') && !builtinModules.includes(path)).map((path) => path.split('/').slice(0, path.startsWith('@') ? 2 : 1).join('/'));
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (packages.has(next)) continue;
    packages.add(next);
    queue.push(...Object.keys(JSON.parse(readFileSync(`${root}node_modules/${next}/package.json`, 'utf8')).dependencies ?? {}));
  }
  return { files: Object.keys(metafile.inputs).sort(), packages: [...packages].sort() };
}

function writeReference(stage) {
  for (const section of ['man1', 'man5']) mkdirSync(`${stage}/man/${section}`, { recursive: true });
  mkdirSync(`${stage}/completions`);
  writeFileSync(`${stage}/man/man1/gitsync.1`, renderGitsync(root, version));
  writeFileSync(`${stage}/man/man5/gitsync.5`, renderConfig(version));
  const renderPage = (program) => {
    if (aliases[program] !== undefined) return `.so man1/${aliases[program]}.1\n`;
    return program.startsWith('git-remote-') ? renderRemoteHelper(program, version) : renderFromHelp(root, program, version);
  };
  for (const program of programs.filter((each) => each !== 'gitsync')) writeFileSync(`${stage}/man/man1/${program}.1`, renderPage(program));
  for (const [shell, render] of Object.entries({ bash: renderBash, zsh: renderZsh, fish: renderFish })) writeFileSync(`${stage}/completions/gitsync.${shell}`, render());
}

function writeSpec(stage, units) {
  const spec = readFileSync(`${root}rpm/gitsync.spec`, 'utf8').replace(/^%global user_units .*$/m, `%global user_units ${units.join(' ')}`).replace(/^%global package_version .*$/m, `%global package_version ${version}`);
  mkdirSync(`${stage}/rpm`);
  writeFileSync(`${stage}/rpm/gitsync.spec`, spec);
}

/** Everything that goes into the packages, laid out as in the repository. */
async function makeStage(stage) {
  mkdirSync(stage);
  for (const path of ['systemd', 'docs', 'packaging', 'config.example.ini', 'README.md', 'CHANGELOG.md', 'LICENSE']) cpSync(`${root}${path}`, `${stage}/${path}`, { recursive: true });
  const { files, packages } = await followPrograms();
  for (const file of files) cpSync(`${root}${file}`, `${stage}/${file}`);
  for (const name of packages) cpSync(`${root}node_modules/${name}`, `${stage}/node_modules/${name}`, { recursive: true, dereference: true });
  const { dependencies: _, devDependencies: __, scripts: ___, files: ____, ...rest } = manifest;
  writeFileSync(`${stage}/package.json`, `${JSON.stringify(rest, null, 2)}\n`);
  writeFileSync(`${stage}/packaging/programs`, programs.map((program) => `${program}\n`).join(''));
  writeReference(stage);
  writeSpec(stage, readdirSync(`${root}systemd`).sort());
}

/** One time for all files, and modes that do not depend on who packs. */
function settle(directory, seconds) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) settle(path, seconds);
    else chmodSync(path, statSync(path).mode & 0o100 ? 0o755 : 0o644);
    utimesSync(path, seconds, seconds);
  }
  chmodSync(directory, 0o755);
}

function makeTarball(work, seconds) {
  const file = join(target, `${name}.tar.gz`);
  execFileSync('sh', ['-c', 'tar --create --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$1" --format=gnu "$2" | gzip -6n >"$3"', 'sh', String(seconds), name, file], { cwd: work });
  return file;
}

const control = (installedKiB) => `Package: gitsync
Version: ${version}
Architecture: all
Maintainer: the gitsync authors <gitsync@example.org>
Installed-Size: ${installedKiB}
Depends: git (>= 1:2.38)
Recommends: nodejs (>= 20.19), openssh-client
Suggests: git-lfs, lxc, libnotify-bin
Section: vcs
Priority: optional
Description: keeps folders and machines in step, with plain git as the only format
 gitsync watches git work directories: what changes is committed by itself,
 travels by itself to the remotes and to the other machines, and can always be
 got back. Conflicts never stop it and never lose a version. With gitted-client
 a container and its databases are a git remote, too.
 .
 It runs with Node.js 20.19 or newer, from wherever that comes: Debian 12 has an
 older one, which is why the package only recommends it, and says what is missing.
`;

function listFiles(directory, prefix = '') {
  return readdirSync(join(directory, prefix), { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? listFiles(directory, join(prefix, entry.name)) : [join(prefix, entry.name)])).sort();
}

function makeDeb(work, stage, seconds) {
  const tree = join(work, 'deb');
  execFileSync('sh', [`${stage}/packaging/install.sh`], { env: { ...process.env, DESTDIR: tree, ZSH_COMPLETIONS: '/usr/share/zsh/vendor-completions' } });
  const files = listFiles(tree);
  const bytes = files.reduce((sum, file) => sum + statSync(join(tree, file)).size, 0);
  mkdirSync(join(tree, 'DEBIAN'));
  writeFileSync(join(tree, 'DEBIAN/control'), control(Math.ceil(bytes / 1024)));
  writeFileSync(join(tree, 'DEBIAN/md5sums'), files.map((file) => `${createHash('md5').update(readFileSync(join(tree, file))).digest('hex')}  ${file}\n`).join(''));
  settle(tree, seconds);
  const file = join(target, `gitsync_${version}_all.deb`);
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zxz', '--build', tree, file], { env: { ...process.env, SOURCE_DATE_EPOCH: String(seconds) }, stdio: ['ignore', 'ignore', 'inherit'] });
  return file;
}

if (process.env.GITSYNC_SKIP_BUILD !== '1') execFileSync(process.execPath, [`${root}scripts/build.mjs`], { stdio: 'inherit' });
mkdirSync(target, { recursive: true });
const work = mkdtempSync(join(tmpdir(), 'gitsync-dist-'));
try {
  const seconds = sourceSeconds();
  const stage = join(work, name);
  await makeStage(stage);
  settle(stage, seconds);
  console.log(makeTarball(work, seconds));
  if (existsSync('/usr/bin/dpkg-deb')) console.log(makeDeb(work, stage, seconds));
  else console.log('No dpkg-deb here, so no .deb was made.');
} finally {
  rmSync(work, { recursive: true, force: true });
}
