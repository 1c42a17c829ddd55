/** The packages, made as `npm run dist` makes them. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempDir } from '../helpers/repos.ts';

export const root = new URL('../..', import.meta.url).pathname;

interface Manifest {
  version: string;
  bin: Record<string, string>;
}

export const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
export const programs = Object.keys(manifest.bin);

/** Makes the tarball and the .deb in a directory of their own, from what is built already. */
export function makePackages(): { directory: string; tarball: string; deb: string } {
  const directory = tempDir('dist');
  execFileSync(process.execPath, ['--import', 'tsx', 'scripts/dist.mjs', directory], { cwd: root, env: { ...process.env, GITSYNC_SKIP_BUILD: '1' }, stdio: ['ignore', 'ignore', 'inherit'] });
  return { directory, tarball: join(directory, `gitsync-${manifest.version}.tar.gz`), deb: join(directory, `gitsync_${manifest.version}_all.deb`) };
}
