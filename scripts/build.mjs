// Bundles each program into one self-contained file in dist/.
import { build } from 'esbuild';
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { buildGittedClient } from './build-gitted.mjs';

const root = new URL('..', import.meta.url).pathname;
const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
/** The unit files, for `gitsync service install`. */
const units = Object.fromEntries(readdirSync(`${root}systemd`).map((name) => [name, readFileSync(`${root}systemd/${name}`, 'utf8')]));
const programs = { gitsync: 'src/cli.ts' };
/** Share what they have in common, and load the network only where it is needed. */
const peerPrograms = { 'git-gidit': 'src/git-gidit.ts', 'git-gidit-daemon': 'src/git-gidit-daemon.ts', 'git-remote-gidit': 'src/git-remote-gidit.ts' };

const common = {
  absWorkingDir: root,
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  minifySyntax: true,
  legalComments: 'none',
  define: { __GITSYNC_VERSION__: JSON.stringify(version), __GITSYNC_UNITS__: JSON.stringify(units) },
  logLevel: 'warning',
};
// CommonJS dependencies inside the bundle ask for `require`.
const requireLines = "import { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);";

await build({ ...common, entryPoints: programs, banner: { js: `#!/usr/bin/env node\n${requireLines}` } });
rmSync(`${root}dist/gidit`, { recursive: true, force: true });
await build({
  ...common,
  entryPoints: peerPrograms,
  splitting: true,
  chunkNames: 'gidit/[name]-[hash]',
  // Under the LGPL: stays a package of its own that can be replaced.
  external: ['openpgp'],
  banner: { js: requireLines },
});
for (const name of Object.keys(peerPrograms)) {
  const file = `${root}dist/${name}.js`;
  writeFileSync(file, `#!/usr/bin/env node\n${readFileSync(file, 'utf8')}`);
}
for (const name of [...Object.keys(programs), ...Object.keys(peerPrograms)]) chmodSync(`${root}dist/${name}.js`, 0o755);
await buildGittedClient(root, version);
