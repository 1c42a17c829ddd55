/** The .deb in a fresh Debian, and the agent as a service of a real `systemd --user` there. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Driver } from '../../src/gitted/driver.ts';
import { lxcDriver } from '../../src/gitted/lxc-driver.ts';
import { converge } from '../helpers/converge.ts';
import { describeWith } from '../helpers/requires.ts';
import { makePackages, programs } from './make-packages.ts';

const longMs = 600_000;
const deadlineMs = 90_000;

interface Answer {
  exitCode: number;
  stdout: string;
  text: string;
}

describeWith(['root', 'lxc', 'mmdebstrap', 'dpkg'], 'the package and the service in a fresh Debian', () => {
  let machine: Driver;

  const exec = async (words: readonly string[], input?: Buffer): Promise<Answer> => {
    const { exitCode, stdout, stderr } = await machine.exec(words, { timeoutMs: longMs, ...(input === undefined ? {} : { input }) });
    return { exitCode, stdout: stdout.toString(), text: `${stdout.toString()}${stderr}` };
  };
  const root = (script: string): Promise<Answer> => exec(['sh', '-c', script]);
  /** As a person who has no session, like cron: nothing names the runtime directory. */
  const as = (user: string, script: string): Promise<Answer> =>
    exec(['setpriv', '--reuid', user, '--regid', user, '--init-groups', 'env', '-i', `HOME=/home/${user}`, `USER=${user}`, `LOGNAME=${user}`, 'LANG=C.UTF-8', 'PATH=/usr/local/bin:/usr/bin:/bin', 'sh', '-c', `cd; ${script}`]);
  const must = async (answer: Promise<Answer>): Promise<string> => {
    const { exitCode, text, stdout } = await answer;
    if (exitCode !== 0) throw new Error(text);
    return stdout;
  };
  const put = async (file: string, bytes: Buffer, mode: string): Promise<void> => void (await must(exec(['sh', '-c', 'cat >"$1" && chmod "$2" "$1"', 'sh', file, mode], bytes)));
  const systemctl = (words: string): Promise<Answer> => as('anna', `XDG_RUNTIME_DIR=/run/user/$(id -u) systemctl --user ${words}`);
  const show = async (property: string): Promise<string> => (await must(systemctl(`show --value -p ${property} gitsync`))).trim();
  /** Saves a file and waits until the remote has it. */
  const expectArrival = async (name: string): Promise<void> => {
    await must(as('anna', `echo ${name} >Notes/${name}.txt`));
    await converge(`${name} arrives`, async () => (await as('anna', `git -C notes.git show main:${name}.txt`)).stdout === `${name}\n`, deadlineMs);
  };
  const newPid = async (old: string): Promise<void> =>
    converge('another process answers', async () => !['0', old].includes(await show('MainPID')) && (await as('anna', 'gitsync service status')).exitCode === 0, deadlineMs);

  beforeAll(async () => {
    machine = lxcDriver(`gitsync-test-service-${process.pid}`, { distribution: 'debian', release: 'bookworm' });
    const { deb } = makePackages();
    await machine.create();
    await machine.start();
    await put('/root/gitsync.deb', readFileSync(deb), '644');
  }, longMs);
  afterAll(async () => {
    if ((await machine.state()) !== 'absent') await machine.destroy();
  }, longMs);

  test('apt installs the package, with what it depends on', async () => {
    await must(root('apt-get -q -o Acquire::Retries=3 update && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends /root/gitsync.deb openssh-client openssh-server dbus-user-session libpam-systemd bash-completion'));
    expect(await must(root('dpkg-query -W -f "\\${Status}" gitsync'))).toBe('install ok installed');
    expect(await must(root('cd / && md5sum --quiet -c /var/lib/dpkg/info/gitsync.md5sums'))).toBe('');
  }, longMs);

  test('each program says which Node it misses, and which one is too old', async () => {
    for (const name of programs) {
      expect(await exec([name, '--version'])).toMatchObject({ exitCode: 1, text: expect.stringMatching(`^Error: ${name} needs Node.js 20.19 or newer, and there is no node in PATH.\nHint: .*GITSYNC_NODE=`) });
    }
    // Stands for Debian 12's own Node in the one thing that the check looks at.
    await put('/usr/local/bin/node', readFileSync(process.execPath), '755');
    await put('/root/old.cjs', Buffer.from("Object.defineProperty(process, 'version', { value: 'v18.19.0' }); Object.defineProperty(process, 'versions', { value: { node: '18.19.0' } });"), '644');
    expect(await root('NODE_OPTIONS="--require /root/old.cjs" gitsync --version')).toMatchObject({ exitCode: 1, text: expect.stringMatching(/^Error: gitsync needs Node.js 20.19 or newer; \/usr\/local\/bin\/node is v18.19.0\.\nHint: /) });
  }, longMs);

  test('the program, its completion and its units are there', async () => {
    expect(await must(exec(['gitsync', '--version']))).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(await must(exec(['gitted-client', '--help']))).toContain('a repository that runs');
    expect(await must(exec(['bash', '-c', '. /usr/share/bash-completion/bash_completion; _completion_loader gitsync; complete -p gitsync']))).toContain('-F _gitsync gitsync');
    expect(await must(root('ls /usr/lib/systemd/user'))).toContain('gitsync.service');
  }, longMs);

  test('a service is refused with what to do, where there is nothing to watch and nobody logged in', async () => {
    await must(root('useradd -m anna && useradd -m bob'));
    expect(await as('anna', 'gitsync service install')).toMatchObject({ exitCode: 10, text: expect.stringContaining('gitsync init PATH, then gitsync service install') });
    await must(as('anna', 'git config --global init.defaultBranch main && git init -q --bare notes.git && gitsync init Notes --remote ~/notes.git'));
    expect(await as('anna', 'gitsync service install')).toMatchObject({ exitCode: 1, text: expect.stringMatching(/service manager cannot be reached: .*\nHint: log in anew, or let it run without a login: gitsync service install --linger/) });
    // A person may not do this without an administrator, where nothing (polkit) says otherwise.
    expect(await as('anna', 'gitsync service install --linger')).toMatchObject({ exitCode: 1, text: expect.stringContaining('Hint: as root: loginctl enable-linger anna') });
  }, longMs);

  test('install puts it in place, starts it, and proves that it runs', async () => {
    // logind came with the packages of the first test.
    await must(root('systemctl start dbus systemd-logind && loginctl enable-linger anna'));
    const said = await must(as('anna', 'gitsync service install --linger'));
    expect(said).toMatch(/^Service: active \(\/usr\/lib\/systemd\/user\/gitsync\.service\)\nProof: process \d+ answers on its control socket: .*\nIt starts with the machine\.\n$/);
    expect(await show('Type')).toBe('notify');
    expect(await show('UnitFileState')).toBe('enabled');
    await converge('systemd is told how it is', async () => (await show('StatusText')) === '1 repository safe', deadlineMs);
    await expectArrival('first');
  }, longMs);

  test('the status changes with the repositories, and what is unsafe is named', async () => {
    await must(as('anna', 'mv notes.git away.git && echo x >Notes/unsafe.txt'));
    await converge('unsafe', async () => /^0 of 1 repository safe; \/home\/anna\/Notes: NOT SAFE$/.test(await show('StatusText')), deadlineMs);
    await must(as('anna', 'mv away.git notes.git && gitsync sync'));
    await converge('safe again', async () => (await show('StatusText')) === '1 repository safe', deadlineMs);
  }, longMs);

  test('the sandbox holds, and lets a live ssh agent through', async () => {
    const status = await must(root(`cat /proc/${await show('MainPID')}/status`));
    expect(status).toMatch(/NoNewPrivs:\s1\n[\s\S]*Seccomp:\s2\n/);
    await must(root('mkdir -p /run/sshd && systemctl start ssh'));
    await must(as('anna', 'mkdir -m 700 -p .ssh && ssh-keygen -q -t ed25519 -N "" -f key && cp key.pub .ssh/authorized_keys && ssh-keyscan -t ed25519 localhost >.ssh/known_hosts 2>/dev/null'));
    // The key lives in the agent alone, where desktops put its socket.
    await must(as('anna', 'setsid ssh-agent -D -a /run/user/$(id -u)/ssh-agent.socket >/dev/null 2>&1 & cd; for i in 1 2 3 4 5 6 7 8 9; do SSH_AUTH_SOCK=/run/user/$(id -u)/ssh-agent.socket ssh-add -q key && break; sleep 0.2; done; rm key'));
    await must(as('anna', 'git -C Notes remote set-url origin anna@localhost:notes.git'));
    await must(systemctl('restart gitsync'));
    await expectArrival('by-ssh');
    await must(as('anna', 'git -C Notes remote set-url origin ~/notes.git'));
    await must(systemctl('restart gitsync'));
  }, longMs);

  test('an agent that is killed comes back', async () => {
    const pid = await show('MainPID');
    await must(root(`kill -9 ${pid}`));
    await newPid(pid);
    await expectArrival('after-kill');
  }, longMs);

  test('an agent that hangs is replaced', async () => {
    await must(as('anna', 'mkdir -p .config/systemd/user/gitsync.service.d && printf "[Service]\\nWatchdogSec=4\\nTimeoutAbortSec=1\\n" >.config/systemd/user/gitsync.service.d/quick.conf'));
    await must(systemctl('daemon-reload'));
    await must(systemctl('restart gitsync'));
    const pid = await show('MainPID');
    await expectArrival('signs-of-life');
    await must(root(`kill -STOP ${pid}`));
    await newPid(pid);
    await must(as('anna', 'rm -r .config/systemd/user/gitsync.service.d'));
    await must(systemctl('daemon-reload'));
    await expectArrival('after-hang');
  }, longMs);

  test('it is back after a reboot, without anybody logging in', async () => {
    await machine.stop();
    await machine.start();
    await converge('the service is up', async () => (await as('anna', 'gitsync service status')).exitCode === 0, deadlineMs);
    await expectArrival('after-reboot');
  }, longMs);

  test('the daemon of the peers is a service beside it, where that is wanted', async () => {
    expect(await must(as('anna', 'gitsync service install --peers'))).toMatch(/\nPeers: active \(\/usr\/lib\/systemd\/user\/git-gidit-daemon\.service\); process \d+ answers on its socket\n/);
    expect(await must(as('anna', 'git-gidit-daemon status'))).toMatch(/^node \w+, 0 peers connected\n/);
    const pid = (await must(systemctl('show --value -p MainPID git-gidit-daemon'))).trim();
    await must(root(`kill -9 ${pid}`));
    await converge('another one answers', async () => {
      const { exitCode, stdout } = await as('anna', 'gitsync service status');
      return exitCode === 0 && /Peers: active .* answers/.test(stdout) && !stdout.includes(`process ${pid} `);
    }, deadlineMs);
  }, longMs);

  test('a broken config ends it once, does not loop, and is explained', async () => {
    await must(as('anna', 'cp .config/gitsync good && echo "work_dirs = /" >>.config/gitsync'));
    expect((await systemctl('restart gitsync')).exitCode).not.toBe(0);
    expect([await show('ActiveState'), await show('NRestarts'), await show('ExecMainStatus')]).toEqual(['failed', '0', '10']);
    expect(await as('anna', 'gitsync service status')).toMatchObject({ exitCode: 1, text: expect.stringMatching(/Service: failed[\s\S]*exit code 10 {3}-> gitsync config --check, then gitsync service install/) });
    expect((await as('anna', 'gitsync service install')).exitCode).toBe(10);
    await must(as('anna', 'cp good .config/gitsync && gitsync service install'));
    await expectArrival('after-repair');
  }, longMs);

  test('an agent that was started by hand is not pushed aside', async () => {
    await must(systemctl('stop gitsync'));
    await must(as('anna', 'setsid gitsync --daemon >/dev/null 2>&1 & for i in $(seq 100); do gitsync doctor | grep -q "an agent is running" && break; sleep 0.2; done'));
    expect(await as('anna', 'gitsync service install')).toMatchObject({ exitCode: 11, text: expect.stringMatching(/An agent runs already \(process \d+\)[\s\S]*Hint: end it \(kill \d+\)/) });
    await must(as('anna', 'kill $(gitsync doctor | sed -n "s/.*process \\([0-9]*\\).*/\\1/p")'));
    await converge('it ended', async () => !(await as('anna', 'gitsync doctor')).text.includes('an agent is running'), deadlineMs);
  }, longMs);

  test('a timer takes the agent\'s place where that is wanted', async () => {
    await must(as('anna', 'echo timed >Notes/timed.txt'));
    expect(await must(as('anna', 'gitsync service install --once-timer'))).toMatch(/^Timer: active, next in step with everything at .*\(\/usr\/lib\/systemd\/user\/gitsync-once\.timer\)/);
    expect(await must(as('anna', 'git -C notes.git show main:timed.txt'))).toBe('timed\n');
    expect([await show('ActiveState'), await show('UnitFileState')]).toEqual(['inactive', 'disabled']);
  }, longMs);

  test('uninstall stops it for good, and leaves everything else', async () => {
    await must(as('anna', 'gitsync service install && gitsync service uninstall'));
    expect((await systemctl('is-active git-gidit-daemon')).stdout).toBe('inactive\n');
    expect([await show('ActiveState'), await show('UnitFileState')]).toEqual(['inactive', 'disabled']);
    expect(await must(as('anna', 'cat Notes/first.txt .config/gitsync'))).toMatch(/^first\n[\s\S]*Notes/);
  }, longMs);

  test('a program that no package brought writes its own units', async () => {
    await must(root('mkdir -p "/opt/git sync/100%" && cp -r /usr/lib/gitsync/. "/opt/git sync/100%" && DEBIAN_FRONTEND=noninteractive apt-get remove -q -y gitsync && ! command -v gitsync && loginctl enable-linger bob'));
    const program = '/opt/git\\ sync/100%/dist/gitsync.js';
    await must(as('bob', `git config --global init.defaultBranch main && git init -q --bare notes.git && ${program} init Notes --remote ~/notes.git`));
    expect(await must(as('bob', `${program} service install --linger --peers`))).toMatch(/^Wrote ~\/\.config\/systemd\/user\/gitsync\.service\nWrote .*gitsync-install\.conf\nWrote .*\/git-gidit-daemon\.service\nWrote .*gitsync-install\.conf\nService: active[\s\S]*Proof: process[\s\S]*Peers: active/);
    await must(as('bob', 'echo hello >Notes/hello.txt'));
    await converge('it arrives', async () => (await as('bob', 'git -C notes.git show main:hello.txt')).stdout === 'hello\n', deadlineMs);
    expect(await must(as('bob', `${program} service uninstall && ls -A .config/systemd/user`))).toMatch(/^(Removed .*\n){4}The service is stopped[^\n]*\n(default\.target\.wants\n)?$/);
  }, longMs);
});
