/** A network of the test's own: two switches with a cable between them in one network namespace, and for each machine one more, with an address. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';

const path = `${process.env['PATH']}:/usr/sbin:/sbin`;

export interface Machine {
  /** Its address in the test's network. */
  ip: string;
  /** Its daemon looks for others in the local network; nobody need be named. */
  looksAround: boolean;
  /** What goes before the words of a command that shall run there. */
  inside: readonly string[];
}

export type Side = 'left' | 'right';

export interface NetLab {
  machine(side: Side, looksAround?: boolean): Machine;
  /** Plugs in the cable between the two sides, or pulls it. */
  setCable(isPlugged: boolean): void;
  /** Removes the network; the machines' processes have to be ended before. */
  end(): void;
}

function ip(...words: string[]): void {
  execFileSync('ip', words, { env: { ...process.env, PATH: path }, stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Makes the network. Needs root. */
export function makeNetLab(): NetLab {
  const name = `gitsync-test-${randomBytes(3).toString('hex')}`;
  const namespaces: string[] = [];
  const addNamespace = (namespace: string): string => {
    ip('netns', 'add', namespace);
    namespaces.push(namespace);
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
    return namespace;
  };
  const hub = addNamespace(`${name}-hub`);
  ip('-n', hub, 'link', 'add', 'to-left', 'type', 'veth', 'peer', 'name', 'to-right');
  for (const side of ['left', 'right']) {
    ip('-n', hub, 'link', 'add', side, 'type', 'bridge');
    ip('-n', hub, 'link', 'set', side, 'up');
    ip('-n', hub, 'link', 'set', `to-${side}`, 'master', side, 'up');
  }
  return {
    machine(side, looksAround = false) {
      const number = namespaces.length;
      const [namespace, port, address] = [addNamespace(`${name}-${number}`), `port${number}`, `10.99.0.${number}`];
      ip('-n', hub, 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
      ip('-n', hub, 'link', 'set', port, 'master', side, 'up');
      ip('-n', namespace, 'address', 'add', `${address}/24`, 'dev', 'eth0');
      ip('-n', namespace, 'link', 'set', 'eth0', 'up');
      // Where multicast goes, too.
      ip('-n', namespace, 'route', 'add', 'default', 'dev', 'eth0');
      return { ip: address, looksAround, inside: ['ip', 'netns', 'exec', namespace] };
    },
    setCable: (isPlugged) => ip('-n', hub, 'link', 'set', 'to-left', isPlugged ? 'up' : 'down'),
    end() {
      for (const namespace of namespaces.splice(0).reverse()) ip('netns', 'delete', namespace);
    },
  };
}
