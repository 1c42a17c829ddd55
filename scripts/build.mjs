// Bundles each program into one self-contained file in dist/.
import { build } from 'esbuild';
import { chmodSync, readFileSync } from 'node:fs';
import { buildGittedClient } from './build-gitted.mjs';

const root = new URL('..', import.meta.url).pathname;
const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
const programs = { gitsync: 'src/cli.ts' };

await build({
  absWorkingDir: root,
  entryPoints: Object.fromEntries(Object.entries(programs).map(([name, file]) => [name, file])),
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  minifySyntax: true,
  legalComments: 'none',
  define: { __GITSYNC_VERSION__: JSON.stringify(version) },
  banner: {
    // CommonJS dependencies inside the bundle ask for `require`.
    js: "#!/usr/bin/env node\nimport { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);",
  },
  logLevel: 'warning',
});
for (const name of Object.keys(programs)) chmodSync(`${root}dist/${name}.js`, 0o755);
await buildGittedClient(root, version);
