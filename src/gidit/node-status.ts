/** What a daemon says of itself. */
import { formatAddress } from './address.ts';
import { planBundles } from './chain.ts';
import type { DaemonParts } from './daemon.ts';

export interface ProjectStatus {
  address: string;
  how: 'own' | 'mirror';
  /** Number of the newest object. */
  seq: number;
  id: string;
  /** More than one while the project is forked. */
  tips: string[];
  bundles: number;
  sizeBytes: number;
  maxBytes: number;
  /** Other nodes that are known to hold it. */
  holders: string[];
  /** The bundles here lead from nothing to every tip. */
  whole: boolean;
  /** A connected node tells us of moves. */
  live: boolean;
  trouble: string | undefined;
}

export interface NodeStatus {
  id: string;
  pid: number;
  addresses: string[];
  upSeconds: number;
  memoryBytes: number;
  peers: { id: string; address: string }[];
  unreached: { address: string; why: string }[];
  denied: string[];
  projects: ProjectStatus[];
  watched: string[];
}

/** Collects it. */
export async function nodeStatus(parts: DaemonParts): Promise<NodeStatus> {
  const { node, notices, keeper, joining } = parts;
  const { engine, memory, holdings } = node;
  const peers = new Map(engine.connections().map(({ peer, address }) => [peer, address]));
  const projects = memory.state.held.map(async (held): Promise<ProjectStatus> => {
    const [tips, bundles, links] = await Promise.all([holdings.tips(held), holdings.bundles(held), holdings.links(held)]);
    return {
      address: formatAddress(held),
      how: held.how,
      seq: Number(tips[0]?.chain?.seq ?? 0n),
      id: tips[0]?.id ?? '',
      tips: tips.map(({ id }) => id),
      bundles: bundles.length,
      sizeBytes: bundles.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      maxBytes: held.maxBytes,
      holders: node.holders.of(held),
      whole: tips.length > 0 && tips.every(({ id }) => planBundles([], id, links, bundles) !== undefined),
      live: notices.isLive(held),
      trouble: keeper.troubles.get(formatAddress(held)),
    };
  });
  return {
    id: engine.id,
    pid: process.pid,
    addresses: engine.addresses(),
    upSeconds: Math.round((Date.now() - parts.startedAt.getTime()) / 1000),
    memoryBytes: process.memoryUsage.rss(),
    peers: [...peers].map(([id, address]) => ({ id, address })),
    unreached: [...joining.troubles].map(([address, why]) => ({ address, why })),
    denied: memory.state.denied,
    projects: await Promise.all(projects),
    watched: [...parts.watchers].flatMap(({ addresses }) => addresses.map(formatAddress)),
  };
}

function formatSize(sizeBytes: number): string {
  return sizeBytes < 1024 ** 2 ? `${Math.ceil(sizeBytes / 1024)} KiB` : `${(sizeBytes / 1024 ** 2).toFixed(1)} MiB`;
}

/** The status for people: this node, then a line for each project, trouble last. */
export function formatNodeStatus(status: NodeStatus): string {
  const lines = [`node ${status.id}, ${status.peers.length} peers connected`, ...status.addresses.map((address) => `  join it with: git-gidit-daemon --peer ${address}`)];
  for (const project of status.projects) {
    const state = project.tips.length > 1 ? 'FORKED' : project.whole ? 'whole' : 'NOT WHOLE';
    const others = project.holders.length === 0 ? 'nobody else is known to hold it' : `${project.holders.length} other${project.holders.length === 1 ? '' : 's'}`;
    lines.push(`gidit::${project.address}  ${project.how}  number ${project.seq}  ${state}  ${formatSize(project.sizeBytes)}, ${others}`);
    if (project.tips.length > 1) lines.push(`  two objects do not follow from each other: ${project.tips.join(' and ')}   -> git gidit heal ${project.address}`);
    if (project.trouble !== undefined) lines.push(`  ${project.trouble}`);
  }
  for (const { address, why } of status.unreached) lines.push(`not reached: ${address}  ${why}`);
  return `${lines.join('\n')}\n`;
}
