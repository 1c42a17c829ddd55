// Builds the programs into dist/.
import { build } from 'esbuild';
import { chmodSync, copyFileSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pack } from './pack.mjs';

const root = new URL('..', import.meta.url).pathname;
const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
/** The unit files, for `gitsync service install`. */
const units = Object.fromEntries(readdirSync(`${root}systemd`).map((name) => [name, readFileSync(`${root}systemd/${name}`, 'utf8')]));
/** Every profile goes into gitted-client, for `scaffold` and for the first push. */
const profiles = Object.fromEntries(readdirSync(`${root}sysconf`, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name))
  .sort()
  .map((file) => [relative(`${root}sysconf`, file), [statSync(file).mode & 0o111 ? 0o755 : 0o644, readFileSync(file).toString('base64')]]));
/** Share what they have in common, and load the network only where it is needed. */
const peerPrograms = { 'git-gidit': 'src/git-gidit.ts', 'git-gidit-daemon': 'src/git-gidit-daemon.ts', 'git-remote-gidit': 'src/git-remote-gidit.ts' };

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  minifySyntax: true,
  legalComments: 'none',
  define: { __GITSYNC_VERSION__: JSON.stringify(version), __GITSYNC_UNITS__: JSON.stringify(units), __GITTED_PROFILES__: JSON.stringify(JSON.stringify(profiles)) },
  logLevel: 'warning',
};

await pack('src/cli.ts', `${root}dist/gitsync.js`, common);
// Small, since every repository gets a copy.
await pack('src/gitted-client.ts', `${root}dist/gitted-client.js`, { ...common, minify: true, keepNames: true });
for (const name of ['glxc-client', 'git-remote-gitted']) copyFileSync(`${root}dist/gitted-client.js`, `${root}dist/${name}.js`);

rmSync(`${root}dist/gidit`, { recursive: true, force: true });
await build({
  ...common,
  outdir: 'dist',
  format: 'esm',
  entryPoints: peerPrograms,
  splitting: true,
  chunkNames: 'gidit/[name]-[hash]',
  // Under the LGPL: stays a package of its own that can be replaced.
  external: ['openpgp'],
  // CommonJS dependencies inside the bundle ask for `require`.
  banner: { js: "import { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);" },
});
for (const name of Object.keys(peerPrograms)) {
  const file = `${root}dist/${name}.js`;
  writeFileSync(file, `#!/usr/bin/env node\n${readFileSync(file, 'utf8')}`);
}
for (const name of ['gitsync', 'gitted-client', 'glxc-client', 'git-remote-gitted', ...Object.keys(peerPrograms)]) chmodSync(`${root}dist/${name}.js`, 0o755);
