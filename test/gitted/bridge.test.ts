/** The network of containers, in a network namespace of its own. */
import { spawnSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { describeWith } from '../helpers/requires.ts';

const moduleUrl = new URL('../../src/gitted/bridge.ts', import.meta.url).href;
const program = `import { bridgeTrouble, ensureBridge } from '${moduleUrl}';
  console.log(bridgeTrouble());
  await ensureBridge();
  console.log(bridgeTrouble());`;

/** A network, and run-time files of LXC, that nobody else sees. */
const prepare = 'mkdir -p /run/lxc && mount -t tmpfs tmpfs /run/lxc && mount -t tmpfs tmpfs /var/lib/misc && mount -t sysfs sysfs /sys && ip link set lo up';
const mend = `node --import tsx --input-type=module -e "$PROGRAM"`;
const end = 'kill "$(cat /run/lxc/dnsmasq.pid)"';

function inNamespace(script: string): string {
  const { stdout, stderr, status } = spawnSync('unshare', ['--mount', '--net', 'sh', '-ec', `${prepare}\n${script}`], {
    encoding: 'utf8',
    cwd: new URL('../..', import.meta.url).pathname,
    env: { ...process.env, PROGRAM: program, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
  });
  if (status !== 0) throw new Error(`${stdout}${stderr}`);
  return stdout;
}

describeWith(['root', 'lxc', 'linux'], 'the bridge of the containers', () => {
  test('is started where there is none', () => {
    expect(inNamespace(`${mend}\n${end}`)).toMatch(/the bridge lxcbr0 is not up\n[^]*undefined\n$/);
  });

  test('answers again after its dnsmasq was killed, and containers stay on it', () => {
    const said = inNamespace(`
      ${mend} >/dev/null
      ip link add veth-test type veth peer name veth-inside && ip link set veth-test master lxcbr0
      killed=$(cat /run/lxc/dnsmasq.pid); kill -9 "$killed"; while [ -d "/proc/$killed" ]; do sleep 0.05; done
      ${mend}
      ls /sys/class/net/lxcbr0/brif
      ${end}`);
    expect(said).toMatch(/its dnsmasq has ended\n[^]*undefined\nveth-test\n$/);
  });

  test('comes back where only the notes of a former one are left', () => {
    expect(inNamespace(`echo 1 >/run/lxc/dnsmasq.pid; touch /run/lxc/network_up\n${mend}\n${end}`)).toMatch(/is not up\n[^]*undefined\n$/);
  });
});
