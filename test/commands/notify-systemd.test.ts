/** What the daemon tells a service manager, read from a real socket by a program that systemd's own would speak to. */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { converge } from '../helpers/converge.ts';
import { children } from '../helpers/hermetic-env.ts';
import { makeMachine, type Machine } from '../helpers/machine.ts';
import { tempDir, twoMachines, write } from '../helpers/repos.ts';
import { describeWith } from '../helpers/requires.ts';

/** Node has no datagram sockets of the unix domain. */
const listener = 'use Socket; socket(my $s, PF_UNIX, SOCK_DGRAM, 0); unlink $ARGV[0]; bind($s, sockaddr_un($ARGV[0])) or die $!; open(my $log, ">>", $ARGV[1]); $log->autoflush(1); print $log "listening\n"; while (defined recv($s, my $text, 65536, 0)) { print $log "$text\n" }';

describeWith(['systemd-notify'], 'under a service manager', () => {
  let machine: Machine;
  let said: () => string;

  beforeEach(async () => {
    const place = tempDir('notify');
    const [socket, log] = [join(place, 's'), join(place, 'log')];
    const child = spawn('perl', ['-MIO::Handle', '-e', listener, socket, log], { stdio: 'ignore' });
    children.add(child);
    child.on('exit', () => children.delete(child));
    await converge('it listens', () => existsSync(log));
    said = () => readFileSync(log, 'utf8');
    machine = makeMachine('served');
    machine.env['NOTIFY_SOCKET'] = socket;
    machine.env['WATCHDOG_USEC'] = '400000';
  });
  afterEach(() => machine.stop());

  test('the daemon says when it is ready, how it is, that it is alive, and when it ends', async () => {
    const { a } = twoMachines();
    machine.configure([a]);
    await machine.start();
    await converge('ready and alive', () => /^READY=1$[\s\S]*^WATCHDOG=1$/m.test(said()));
    await converge('how it is', () => /^STATUS=1 repository safe$/m.test(said()));
    await machine.stop();
    expect(said()).toMatch(/^STOPPING=1$/m);
  });

  test('a path cannot add words of its own', async () => {
    const { a } = twoMachines();
    const bent = join(tempDir('bent'), 'x\u001b[2JMAINPID=1');
    renameSync(a, bent);
    write(bent, '.env', 'PASSWORD=hunter2hunter2\n');
    machine.configure([bent]);
    await machine.start();
    await converge('the held file is told of', () => /^STATUS=0 of 1 repository safe; .*\\x1b\[2JMAINPID=1: held 1$/m.test(said()));
    expect(said()).not.toMatch(/^MAINPID/m);
  });

  test('git, and what it starts, do not learn of the socket', async () => {
    const { a } = twoMachines();
    write(a, '.git/hooks/pre-push', `#!/bin/sh\nenv >'${a}/.git/seen-env'\n`);
    chmodSync(`${a}/.git/hooks/pre-push`, 0o755);
    machine.configure([a], 'quiet = 100ms\nhooks = yes');
    await machine.start();
    write(a, 'new.txt', 'new\n');
    await converge('the hook ran', () => existsSync(`${a}/.git/seen-env`));
    await machine.stop();
    const env = readFileSync(`${a}/.git/seen-env`, 'utf8');
    expect(env).toContain('HOME=');
    expect(env).not.toMatch(/NOTIFY_SOCKET|WATCHDOG/);
  });
});
