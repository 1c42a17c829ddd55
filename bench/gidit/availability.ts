/**
 * A seeded simulation, in memory, of the rules for records and replicas:
 *   node --import tsx bench/gidit/availability.ts [--nodes 1000] [--days 60] [--seed 1]
 * Each day a share of the nodes leaves for good and as many new ones come; beside
 * that every node is online for a part of each hour only. Asked every hour: can the
 * newest record be found in the table, and is a holder of the bundles online?
 */
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { nodes: { type: 'string', default: '1000' }, days: { type: 'string', default: '30' }, seed: { type: 'string', default: '1' }, online: { type: 'string', default: '0.7' } } });
const nodeCount = Number(values.nodes);
const days = Number(values.days);
const onlineShare = Number(values.online);

/** As in kad-dht: a record goes to the 20 nodes nearest to its key. */
const replicas = 20;
/** Records live 48 h; whoever holds the project puts it again every 12 h while online. */
const recordLifeHours = 48;
const renewHours = 12;
const projects = 100;

/** mulberry32: small, seeded, good enough for counting. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

interface Node {
  place: number;
  gone: boolean;
  online: boolean;
  /** Hour at which each record kept here was put. */
  records: Map<number, number>;
}

interface Project {
  key: number;
  /** The publisher first, then mirrors. */
  holders: Node[];
  lost: boolean;
}

interface Outcome {
  recordFound: number;
  holderOnline: number;
  lostForGood: number;
}

/** One run: what share of the hourly questions had an answer. */
function simulate(churnPerDay: number, mirrors: number, isReplacing: boolean, random: () => number): Outcome {
  const newNode = (): Node => ({ place: random(), gone: false, online: random() < onlineShare, records: new Map() });
  const nodes = Array.from({ length: nodeCount }, newNode);
  const pick = (): Node => nodes[Math.floor(random() * nodes.length)] as Node;
  const all: Project[] = Array.from({ length: projects }, () => ({ key: random(), holders: Array.from({ length: 1 + mirrors }, pick), lost: false }));
  const ring = (a: number, b: number): number => Math.min(Math.abs(a - b), 1 - Math.abs(a - b));
  // Only those in a window around the key are sorted; it holds several times as many as are needed.
  const window = (4 * replicas) / nodeCount / onlineShare;
  const nearest = (key: number): Node[] => nodes.filter(({ online, place }) => online && ring(place, key) < window).sort((a, b) => ring(a.place, key) - ring(b.place, key)).slice(0, replicas);
  let asked = 0;
  const outcome: Outcome = { recordFound: 0, holderOnline: 0, lostForGood: 0 };
  for (let hour = 0; hour < days * 24; hour++) {
    // Who leaves for good, spread over the day, and who comes instead.
    const leaving = Math.round((nodes.length * churnPerDay) / 24);
    for (let i = 0; i < leaving; i++) {
      const index = Math.floor(random() * nodes.length);
      (nodes[index] as Node).gone = true;
      nodes[index] = newNode();
    }
    for (const node of nodes) if (random() < 0.25) node.online = random() < onlineShare;
    for (const [index, project] of all.entries()) {
      project.holders = project.holders.filter(({ gone }) => !gone);
      const online = project.holders.filter((holder) => holder.online);
      project.lost ||= project.holders.length === 0;
      // A mirror that left is replaced by somebody who is asked: takes a holder that is online, and about a day.
      if (isReplacing && online.length > 0 && project.holders.length < 1 + mirrors && random() < 1 / 24) project.holders.push(pick());
      if ((hour + index) % renewHours === 0 && online.length > 0) for (const node of nearest(project.key)) node.records.set(index, hour);
      if (hour < 48 || hour % 4 !== index % 4) continue;
      asked += 1;
      const found = nearest(project.key).some(({ records }) => hour - (records.get(index) ?? -1e9) <= recordLifeHours);
      outcome.recordFound += Number(found);
      outcome.holderOnline += Number(online.length > 0);
    }
  }
  return { recordFound: outcome.recordFound / asked, holderOnline: outcome.holderOnline / asked, lostForGood: all.filter(({ lost }) => lost).length / projects };
}

const percent = (share: number): string => `${(share * 100).toFixed(share > 0.999 && share < 1 ? 2 : 1)} %`;
console.log(`${nodeCount} nodes, each online ${percent(onlineShare)} of the time; ${days} days; ${projects} projects; seed ${values.seed}\n`);
console.log('| leave for good, a day | mirrors | replaced | record found | a holder is online | lost for good |\n|---|---|---|---|---|---|');
for (const churn of [0.1, 0.3, 0.5]) {
  for (const mirrors of [0, 2, 5, 10]) {
    for (const isReplacing of mirrors === 0 ? [false] : [false, true]) {
      const { recordFound, holderOnline, lostForGood } = simulate(churn, mirrors, isReplacing, seededRandom(Number(values.seed)));
      console.log(`| ${percent(churn)} | ${mirrors} | ${isReplacing ? 'within a day' : 'never'} | ${percent(recordFound)} | ${percent(holderOnline)} | ${percent(lostForGood)} |`);
    }
  }
}
