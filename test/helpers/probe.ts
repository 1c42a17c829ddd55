/** A real handler for tests, whose live state is one file, and which stops, fails or dies at the verb that a file names. */
import { spawn } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestMachine } from './gitted-machine.ts';
import { write } from './repos.ts';

const probe = `#!/bin/sh
set -eu
live=$GITTED_ROOT$GITTED_PROBE_FILE
printf '%s %s\\n' "$1" "$GITTED_PROBE_FILE" >>"$GITTED_ROOT/verbs"
where=$GITTED_ROOT/at.$1
for what in pause fail die; do
	[ -e "$where.$what" ] && grep -qxF "$GITTED_PROBE_FILE" "$where.$what" || continue
	case $what in
	pause) while [ -e "$where.pause" ]; do sleep 0.05; done ;;
	fail) echo "the probe was told to fail at $1" >&2; exit 1 ;;
	die)
		rm "$where.die"
		victims='' pid=$$
		while :; do
			pid=$(perl -ne 'print $1 if /^PPid:\\s+(\\d+)/' "/proc/$pid/status")
			victims="$pid $victims"
			tr '\\0' ' ' <"/proc/$pid/cmdline" | grep -q git-remote-command && ! tr '\\0' ' ' <"/proc/$pid/cmdline" | grep -q supervise && break
		done
		kill -KILL $victims $$ ;;
	esac
done
case $1 in
token) if [ -e "$live" ]; then cksum <"$live"; else echo absent; fi ;;
export) cp "$live" "$2/value"; cksum <"$live" >"$GITTED_STATE/token.new" ;;
stage) [ -z "\${GITTED_CHANGED:-}" ] || exit 3; cp "$2/value" "$GITTED_STATE/staged" ;;
verify) [ -s "$GITTED_STATE/staged" ] ;;
recheck) [ "$(if [ -e "$live" ]; then cksum <"$live"; else echo absent; fi)" = "\${GITTED_TOKEN:-absent}" ] || exit 4 ;;
commit) if [ -e "$GITTED_STATE/staged" ]; then mkdir -p "\${live%/*}"; mv "$GITTED_STATE/staged" "$live"; fi; cksum <"$live" >"$GITTED_STATE/token.new" ;;
rollback) rm -f "$GITTED_STATE/staged" ;;
*) exit 2 ;;
esac
`;

const conf = (file: string): string => `GITTED_ENGINE=probe\nGITTED_PROBE_FILE=${file}\n`;

/** Binds the probe to `/live/one` and `/live/two`, filled from `one/value` and `two/value`. */
export function addProbe(box: TestMachine): void {
  const tree = 'sysconf/actual/tree';
  write(box.root, `${tree}/usr/share/gitted/handlers/probe`, probe);
  chmodSync(join(box.root, tree, 'usr/share/gitted/handlers/probe'), 0o755);
  box.commit({ [`${tree}/etc/gitted/sync/master.one.conf`]: conf('/live/one'), [`${tree}/etc/gitted/sync/master.two.conf`]: conf('/live/two') }, 'bindings');
}

/** A push that goes on while the test does something else. */
export interface BackgroundPush {
  /** The process of gitted-client that serves it. */
  client(): number;
  ended: Promise<{ status: number | null; text: string }>;
}

/** Pushes `master` to the machine in a process of its own. */
export function pushInBackground(box: TestMachine): BackgroundPush {
  const child = spawn('git', ['push', box.name, 'master'], { cwd: box.root, stdio: ['ignore', 'pipe', 'pipe'], env: process.env });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (text += data.toString()));
  const ended = new Promise<{ status: number | null; text: string }>((resolve) => child.on('close', (status) => resolve({ status, text })));
  const client = (): number => {
    // git -> git remote-ext -> gitted-client
    const childrenOf = (pid: number): number[] => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter((word) => word !== '').map(Number);
    const queue = [child.pid as number];
    for (let pid = queue.shift(); pid !== undefined; pid = queue.shift()) {
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('handle-remote-protocol') && !readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('git\0')) {
        if (/node/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0] ?? '')) return pid;
      }
      queue.push(...childrenOf(pid));
    }
    throw new Error('no client');
  };
  return { client, ended };
}
