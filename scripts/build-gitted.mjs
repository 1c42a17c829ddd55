// Bundles gitted-client into one file that runs wherever it is copied to: beside any package.json
// (as a CommonJS script or as a module alike), under any name, with or without `.js`.
import { build } from 'esbuild';
import { chmodSync, copyFileSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

/** Every profile goes into the program, for `scaffold` and for the first push. */
function readProfiles(root) {
  const files = readdirSync(`${root}sysconf`, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return Object.fromEntries(files.map((file) => [relative(`${root}sysconf`, file), [statSync(file).mode & 0o111 ? 0o755 : 0o644, readFileSync(file).toString('base64')]]));
}

export async function buildGittedClient(root, version) {
  await build({
    absWorkingDir: root,
    entryPoints: ['src/gitted-client.ts'],
    outfile: 'dist/gitted-client.js',
    bundle: true,
    platform: 'node',
    format: 'iife',
    target: 'node20.19',
    minify: true,
    keepNames: true,
    legalComments: 'none',
    define: { __GITSYNC_VERSION__: JSON.stringify(version), __GITTED_PROFILES__: JSON.stringify(readProfiles(root)) },
    // `var`, since a CommonJS script has a `require` already and a module has none.
    banner: { js: '#!/usr/bin/env node\nvar require = (name) => process.getBuiltinModule(name);' },
    logOverride: { 'empty-import-meta': 'silent' },
    logLevel: 'warning',
  });
  for (const name of ['glxc-client', 'git-remote-gitted']) copyFileSync(`${root}dist/gitted-client.js`, `${root}dist/${name}.js`);
  for (const name of ['gitted-client', 'glxc-client', 'git-remote-gitted']) chmodSync(`${root}dist/${name}.js`, 0o755);
}
