/** The profiles that come with the program: put into it by the build, read from sysconf/ when run from source. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { ArchivedFile } from './tar.ts';

/** JSON: path -> [mode, content in base64] */
declare const __GITTED_PROFILES__: string | undefined;

function readSource(): ArchivedFile[] {
  const root = new URL('../../sysconf', import.meta.url).pathname;
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => ({ path: relative(root, file), mode: statSync(file).mode & 0o111 ? 0o755 : 0o644, content: readFileSync(file) }));
}

let all: ArchivedFile[] | undefined;

/** Every file of every profile; paths begin with the profile's name. */
export function profileFiles(): readonly ArchivedFile[] {
  all ??= typeof __GITTED_PROFILES__ === 'undefined' ? readSource() : Object.entries(JSON.parse(__GITTED_PROFILES__) as Record<string, [number, string]>).map(([path, [mode, text]]) => ({ path, mode, content: Buffer.from(text, 'base64') }));
  return all;
}

/** The files of one profile, relative to it. */
export function filesOfProfile(profile: string): ArchivedFile[] {
  return profileFiles().filter(({ path }) => path.startsWith(`${profile}/`)).map((file) => ({ ...file, path: file.path.slice(profile.length + 1) }));
}

/** What `scaffold --with` can name: `postgresql`, `files`, ... */
export function listEngines(): string[] {
  const names = new Set(profileFiles().map(({ path }) => path.split('/')[0] as string));
  return [...names].filter((name) => name.startsWith('sysconf.gitted.')).map((name) => name.slice('sysconf.gitted.'.length)).sort();
}
