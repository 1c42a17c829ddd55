/** The tutorials in docs/ are executed as they are printed. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { clientFile } from '../helpers/gitted-machine.ts';
import { program } from '../helpers/machine.ts';
import { describeWith } from '../helpers/requires.ts';
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

function blocksOf(page: string): string {
  const text = readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8');
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((match) => match[1]).join('\n');
}

/** What the tutorial about containers waits for. */
const containerWords = `
grep_status() { gitsync status | grep -q "$1"; }
has_conflict() { ls ~/wiki/gitsync-conflicts/sqlite/app/data/page/* >/dev/null 2>&1; }
same_title() { [ "$(title "$inside_a" 1)" = "$(title "$inside_b" 1)" ]; }
`;

describeWith(['sqlite3', 'root'], 'the tutorial about containers', () => {
  test('runs as printed', () => {
    const root = tempDir('tutorial');
    mkdirSync(join(root, 'desk/.config'), { recursive: true });
    mkdirSync(join(root, 'desk/run'), { mode: 0o700 });
    writeFileSync(join(root, 'desk/.gitconfig'), '[user]\n\tname = desk\n\temail = desk@example.org\n');
    mkdirSync(join(root, 'bin'));
    for (const [name, file] of Object.entries({ gitsync: program, 'gitted-client': clientFile })) writeFileSync(join(root, 'bin', name), `#!/bin/sh\nexec "${process.execPath}" "${file}" "$@"\n`, { mode: 0o755 });
    const script = join(root, 'tutorial.sh');
    const patient = prelude(root).replace('$n -lt 300', '$n -lt 1500');
    writeFileSync(script, `${patient}${containerWords}desk\n${blocksOf('tutorial-containers.md')}`);
    const result = spawnSync('bash', [script], { encoding: 'utf8', timeout: 590_000, env: process.env });
    expect({ status: result.status, said: result.status === 0 ? '' : result.stderr + result.stdout }).toEqual({ status: 0, said: '' });
  }, 600_000);
});

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

  describeWith(['gpg'], 'peers', () => test('two people, three machines, no server', () => {
    const demo = new URL('../../scripts/demo-peers.mjs', import.meta.url).pathname;
    const result = spawnSync(process.execPath, [demo], { encoding: 'utf8', timeout: 280_000, env: process.env });
    expect({ status: result.status, said: result.status === 0 ? '' : result.stdout + result.stderr }).toEqual({ status: 0, said: '' });
  }));
});
