/** The tutorials in docs/ are executed as they are printed. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { program } from '../helpers/machine.ts';
import { bareRemote, tempDir } from '../helpers/repos.ts';

/** Words that the tutorials use beside real commands: switching machines, and waiting without guessing how long. */
function prelude(root: string): string {
  return `
set -eu
export GITSYNC_ROOT=${root} SERVER=${bareRemote()} PATH="${root}/bin:$PATH"
machine() {
  export HOME="$GITSYNC_ROOT/$1" XDG_CONFIG_HOME="$GITSYNC_ROOT/$1/.config" XDG_RUNTIME_DIR="$GITSYNC_ROOT/$1/run" GITSYNC_HOST="$1"
  cd "$HOME"
}
desk() { machine desk; }
laptop() { machine laptop; }
gitsync_conflict() { ls "$1"/*.conflict-* >/dev/null 2>&1; }
gitsync_safe() { gitsync status "$1" >/dev/null; }
wait_for() {
  n=0
  until "$@"; do n=$((n + 1)); [ $n -lt 300 ] || { echo "waited in vain: $*" >&2; exit 1; }; sleep 0.1; done
}
trap 'kill $(jobs -p) 2>/dev/null && wait || true' EXIT
`;
}

/** The same for the cloud of peers. */
function peersPrelude(root: string): string {
  return `
set -eu
export GITSYNC_ROOT=${root} PATH="${root}/bin:$PATH"
machine() {
  export HOME="$GITSYNC_ROOT/$1" XDG_CONFIG_HOME="$GITSYNC_ROOT/$1/.config" XDG_DATA_HOME="$GITSYNC_ROOT/$1/data" XDG_RUNTIME_DIR="$GITSYNC_ROOT/$1/run" GNUPGHOME="$GITSYNC_ROOT/$1/gnupg"
  cd "$HOME"
}
desk() { machine desk; }
laptop() { machine laptop; }
friend() { machine friend; }
address() { sed -n 's/^  *"\\(\\/ip4[^"]*\\)".*/\\1/p' | head -1; }
connected() { git-gidit-daemon status --json | grep -q '"id": "12D3.*' && ! git-gidit-daemon status | grep -q ', 0 peers'; }
held() { git-gidit-daemon status | grep -q "number $1  whole"; }
stop_daemon() { kill "$(jobs -p | head -1)"; }
wait_for() {
  n=0
  until "$@" >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 600 ] || { echo "waited in vain: $*" >&2; exit 1; }; sleep 0.1; done
}
finish() { kill $(jobs -p) 2>/dev/null || true; for m in desk laptop friend; do GNUPGHOME="$GITSYNC_ROOT/$m/gnupg" gpgconf --kill all; done; }
trap finish EXIT
`;
}

function blocksOf(page: string): string {
  const text = readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8');
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((match) => match[1]).join('\n');
}

describe('tutorials run as printed', () => {
  test('two machines', () => {
    const root = tempDir('tutorial');
    for (const name of ['desk', 'laptop']) {
      mkdirSync(join(root, name, '.config'), { recursive: true });
      mkdirSync(join(root, name, 'run'), { mode: 0o700 });
      writeFileSync(join(root, name, '.gitconfig'), `[user]\n\tname = ${name}\n\temail = ${name}@example.org\n[init]\n\tdefaultBranch = main\n`);
    }
    // A program and not a shell function: what runs in the background is then the agent itself, which can be ended.
    mkdirSync(join(root, 'bin'));
    writeFileSync(join(root, 'bin/gitsync'), `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`, { mode: 0o755 });
    const script = join(root, 'tutorial.sh');
    writeFileSync(script, prelude(root) + blocksOf('tutorial-two-machines.md'));
    const result = spawnSync('bash', [script], { encoding: 'utf8', timeout: 100_000, env: process.env });
    expect({ status: result.status, stderr: result.status === 0 ? '' : result.stderr + result.stdout }).toEqual({ status: 0, stderr: '' });
  });

  test('two people, three machines, no server', () => {
    const root = tempDir('peers-tutorial');
    for (const name of ['desk', 'laptop', 'friend']) {
      for (const directory of ['run', 'gnupg']) mkdirSync(join(root, name, directory), { recursive: true, mode: 0o700 });
      mkdirSync(join(root, name, '.config'));
      writeFileSync(join(root, name, '.gitconfig'), `[user]\n\tname = ${name}\n\temail = ${name}@example.org\n[init]\n\tdefaultBranch = main\n`);
    }
    mkdirSync(join(root, 'bin'));
    for (const name of ['git-gidit', 'git-gidit-daemon', 'git-remote-gidit']) symlinkSync(program.replace('gitsync.js', `${name}.js`), join(root, 'bin', name));
    const script = join(root, 'tutorial.sh');
    writeFileSync(script, peersPrelude(root) + blocksOf('tutorial-peers.md'));
    const result = spawnSync('bash', [script], { encoding: 'utf8', timeout: 250_000, env: process.env });
    expect({ status: result.status, stderr: result.status === 0 ? '' : result.stderr + result.stdout }).toEqual({ status: 0, stderr: '' });
  }, 280_000);
});
