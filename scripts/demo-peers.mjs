// Runs docs/tutorial-peers.md as it is printed: two people, three machines in a temporary place, no server.
// A test runs it too. Exit code 0: every step did what the page says.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = new URL('..', import.meta.url).pathname;
const place = mkdtempSync(join(tmpdir(), 'peers-'));
const machines = ['desk', 'laptop', 'friend'];
const programs = ['git-gidit', 'git-gidit-daemon', 'git-remote-gidit'];

/** Words that the page uses beside real commands: switching machines, and waiting without guessing how long. */
const prelude = `
set -eu
export PLACE='${place}' PATH='${place}/bin':"$PATH"
machine() {
  export HOME="$PLACE/$1" XDG_CONFIG_HOME="$PLACE/$1/.config" XDG_DATA_HOME="$PLACE/$1/data" XDG_RUNTIME_DIR="$PLACE/$1/run" GNUPGHOME="$PLACE/$1/gnupg" GIT_CONFIG_NOSYSTEM=1
  cd "$HOME"
}
desk() { machine desk; }
laptop() { machine laptop; }
friend() { machine friend; }
address() { sed -n 's/^  *"\\(\\/ip4[^"]*\\)".*/\\1/p' | head -1; }
connected() { git-gidit-daemon status > status-now && ! grep -q ', 0 peers' status-now; }
held() { git-gidit-daemon status | grep -q "number $1  whole"; }
stop_daemon() { kill "$(jobs -p | head -1)"; }
wait_for() {
  n=0
  until "$@" >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 600 ] || { echo "waited in vain: $*" >&2; exit 1; }; sleep 0.1; done
}
finish() {
  kill $(jobs -p) 2>/dev/null || true
  for name in ${machines.join(' ')}; do GNUPGHOME="$PLACE/$name/gnupg" gpgconf --kill all 2>/dev/null || true; done
}
trap finish EXIT
`;

function prepare() {
  for (const name of machines) {
    for (const directory of ['run', 'gnupg', '.config']) {
      mkdirSync(join(place, name, directory), { recursive: true });
      chmodSync(join(place, name, directory), 0o700);
    }
    writeFileSync(join(place, name, '.gitconfig'), `[user]\n\tname = ${name}\n\temail = ${name}@example.org\n[init]\n\tdefaultBranch = main\n`);
  }
  mkdirSync(join(place, 'bin'));
  for (const program of programs) symlinkSync(join(root, 'dist', `${program}.js`), join(place, 'bin', program));
}

/** The page as a program: prose and commands are shown before they are run. */
function script() {
  const page = readFileSync(join(root, 'docs/tutorial-peers.md'), 'utf8');
  const parts = page.split(/^```sh\n([\s\S]*?)^```$/m);
  const show = (text) => `cat <<'END_OF_TEXT'\n${text}\nEND_OF_TEXT\n`;
  return prelude + parts.map((part, index) => (index % 2 === 0 ? show(part.trim()) : `${show(`\n${part.replace(/^/gm, '    ').trimEnd()}\n`)}${part}`)).join('');
}

if (!programs.every((program) => existsSync(join(root, 'dist', `${program}.js`)))) {
  console.error('Build it first: npm run build');
  process.exit(1);
}
prepare();
writeFileSync(join(place, 'story.sh'), script());
const { status } = spawnSync('bash', [join(place, 'story.sh')], { stdio: ['ignore', 'inherit', 'inherit'], timeout: 600_000 });
if (status === 0) console.log('\nEvery step did what the page says.');
else console.error(`\nA step failed (exit code ${status ?? 'none'}).`);
rmSync(place, { recursive: true, force: true, maxRetries: 5 });
process.exit(status ?? 1);
