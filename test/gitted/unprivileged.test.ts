/** A normal user's containers: prepared with the commands that `doctor` prints, then the whole story. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { withBaseLock } from '../../src/gitted/base-lock.ts';
import { bridgeTrouble, ensureBridge } from '../../src/gitted/bridge.ts';
import { lxcPath } from '../../src/gitted/lxc.ts';
import { clientFile, manifestOf, runProgram, type Said } from '../helpers/gitted-machine.ts';
import { program } from '../helpers/machine.ts';
import { describeWith } from '../helpers/requires.ts';

const longMs = 900_000;
const systemd = existsSync('/run/systemd/system');

describeWith(['root', 'lxc', 'mmdebstrap'], 'containers of a normal user', () => {
  const user = `gstest${process.pid}`;
  const home = `/home/${user}`;
  const name = `gitsync-test-user-${process.pid}`;
  const environment = [`HOME=${home}`, `USER=${user}`, `LOGNAME=${user}`, 'LANG=C.UTF-8', 'TZ=UTC', `PATH=${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`];
  /** What doctor wants done in the session itself, before it becomes the user's: a cgroup of their own. */
  let session = 'true';

  const root = (script: string): Said => runProgram('/', 'sh', ['-c', script]);
  const asUser = (script: string): Said => {
    const words = systemd ? 'systemd-run --quiet --scope -p Delegate=yes --uid="$user" --gid="$user"' : 'setpriv --reuid="$user" --regid="$user" --init-groups';
    const result = spawnSync('bash', ['-c', `user=$1; sh -c "$2"; shift 2; exec ${words} env -i "$@"`, 'bash', user, session, ...environment, 'bash', '-c', `cd ~\n${script}`], { encoding: 'utf8', cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] });
    return { status: result.status ?? -1, text: `${result.stdout}${result.stderr}`, stdout: result.stdout };
  };
  const must = (said: Said): Said => {
    if (said.status !== 0) throw new Error(said.text);
    return said;
  };

  const inside = (script: string): string => must(asUser(`lxc-attach -n ${name} --clear-env -v PATH=/usr/sbin:/usr/bin:/sbin:/bin -- sh -c '${script}'`)).stdout;

  beforeAll(async () => {
    must(root(`useradd --create-home --shell /bin/bash ${user}`));
    copyFileSync(clientFile, join(home, 'gitted-client'));
    must(root(`chown ${user}: ${home}/gitted-client`));
    if (bridgeTrouble() !== undefined) await withBaseLock(await lxcPath(), ensureBridge);
  }, longMs);

  afterAll(() => {
    asUser(`lxc-destroy -f -n ${name}; lxc-ls -1 | xargs -r -n 1 lxc-destroy -f -n`);
    root(`userdel -r ${user}; rm -rf ${home}; sed -i '/^${user} /d' /etc/lxc/lxc-usernet; find /sys/fs/cgroup -depth -type d -path '*/${user}*' -exec rmdir {} +`);
  }, longMs);

  test('doctor names what is missing, and its commands bring it', () => {
    for (let round = 0; round < 6; round += 1) {
      const said = asUser('./gitted-client doctor');
      if (said.stdout.includes('Everything that containers need is here.')) break;
      expect(said.status).toBe(13);
      for (const [, what = '', fix = ''] of said.stdout.matchAll(/^(\S.*)\n {2}(.*)$/gm)) {
        if (/may not make cgroups/.test(what)) session = systemd ? 'true' : fix;
        else if (fix.startsWith(`as ${user}: `)) must(asUser(fix.slice(`as ${user}: `.length)));
        else must(root(fix));
      }
    }
    expect(asUser('./gitted-client doctor')).toMatchObject({ status: 0, stdout: 'Everything that containers need is here.\n' });
    expect(readFileSync('/etc/lxc/lxc-usernet', 'utf8')).toContain(`${user} veth lxcbr0 10\n`);
  }, longMs);

  test('init, push, pull, push', () => {
    must(asUser(`git config --global user.name User; git config --global user.email user@example.org
      mkdir app && cd app && git init -q -b master && ../gitted-client scaffold --with files && mkdir -p files/tree && echo hello >files/tree/hello.txt`));
    writeFileSync(join(home, 'app/files/manifest.tsv'), manifestOf(['hello.txt']));
    must(asUser(`cd app && git add -A && git commit -q -m start && sysconf/gitted-client init ${name}`));
    expect(must(asUser(`cd app && git push ${name} master`)).text).toMatch(/-----> Creating[\s\S]*is up at 10\.[\s\S]*Importing[\s\S]*=====> http:/);
    expect(inside('cat /srv/files/hello.txt; id -u; awk "{ print (\\$2 > 0) }" /proc/self/uid_map')).toMatch(/^hello\n0\n1\n/);
    inside('echo from inside >/srv/files/hello.txt');
    must(asUser(`cd app && git pull -q ${name} master`));
    expect(readFileSync(join(home, 'app/files/tree/hello.txt'), 'utf8')).toBe('from inside\n');
    must(asUser(`cd app && echo from outside >files/tree/hello.txt && git commit -q -a -m change && git push -q ${name} master`));
    expect(inside('cat /srv/files/hello.txt')).toBe('from outside\n');
  }, longMs);

  test('an agent of that user hears of a file in an export point without waiting for the time of pull', () => {
    must(root(`install -m 755 ${program} ${home}/gitsync.js`));
    const said = asUser(`mkdir -p .config && umask 077 && mkdir -p run && export XDG_RUNTIME_DIR=~/run
      cat >.config/gitsync <<END
[gitsync]
work_dir = ~/app
[container ${name}]
repo = ~/app
push = debounce 300ms
pull = every 1h
export_points = /srv/files
END
      node gitsync.js --daemon --debug 2>agent.log & agent=$!
      trap 'kill $agent; wait' EXIT
      wait_for() { for i in $(seq 600); do "$@" && return; sleep 0.2; done; echo "in vain: $*"; grep -v debug agent.log; node gitsync.js status; exit 1; }
      wait_for grep -q 'The container runs' agent.log
      in_step() { node gitsync.js container list | grep -q 'in step'; }
      wait_for in_step
      for round in 1 2; do
        lxc-attach -n ${name} --clear-env -v PATH=/usr/bin:/bin -- sh -c "echo $round >/srv/files/watched.txt"
        wait_for grep -qx $round app/files/tree/watched.txt
      done
      grep -o 'Export points are watched from inside.*' agent.log || echo 'watched from the host'`);
    process.stderr.write(`export points of a normal user's container: ${said.stdout.trim().split('\n').at(-1) ?? ''}\n`);
    must(said);
  }, longMs);

  test('destroy saves what is inside first', () => {
    inside('echo last words >/srv/files/hello.txt');
    must(asUser(`cd app && .git/gitted-client destroy ${name}`));
    expect(must(asUser(`cd app && git show ${name}/master:files/tree/hello.txt && .git/gitted-client list`)).stdout).toBe(`last words\n${name}\tabsent\tlxc\n`);
  }, longMs);
});
