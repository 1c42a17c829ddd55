/**
 * npm run torture -- [--seconds N] [--seed S] [--agents 2..5] [--runs N] [--faults a,b] [--no-git]
 * Prints a table row for each run; ends with 1 when anything was lost or did not heal.
 */
import { parseArgs } from 'node:util';
import { torture, type TortureReport } from './run.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    agents: { type: 'string', default: '3' },
    runs: { type: 'string', default: '1' },
    faults: { type: 'string' },
    'heal-seconds': { type: 'string', default: '240' },
    'no-git': { type: 'boolean', default: false },
  },
});

const sum = (tally: Record<string, number>): number => Object.values(tally).reduce((total, count) => total + count, 0);

function row({ seed, agents, seconds, actions, faults, versions, healedMs, lost, problems }: TortureReport): string {
  const healed = healedMs === undefined ? 'never' : `${Math.round(healedMs / 1000)} s`;
  return `| ${[seed, agents, seconds, sum(actions), sum(faults), versions.written, versions.owed, healed, lost.length, problems.length].join(' | ')} |`;
}

console.log('| seed | agents | seconds | actions | faults | versions written | versions owed | healed after | lost | problems |\n|---|---|---|---|---|---|---|---|---|---|');
let failed = false;
for (let i = 0; i < Number(values.runs); i += 1) {
  const seed = values.seed === undefined ? Math.floor(Math.random() * 1e6) : Number(values.seed) + i;
  process.stderr.write(`seed ${seed}\n`);
  const report = await torture({
    seed,
    agents: Math.min(5, Math.max(2, Number(values.agents))),
    seconds: Number(values.seconds),
    ...(values.faults === undefined ? {} : { faults: new Set(values.faults.split(',')) }),
    ownGit: !values['no-git'],
    healSeconds: Number(values['heal-seconds']),
  });
  console.log(row(report));
  if (report.lost.length + report.problems.length === 0) continue;
  failed = true;
  for (const { oid, machine, path, action, atMs } of report.lost.slice(0, 20)) console.error(`LOST ${machine} ${JSON.stringify(path)} ${action} at ${(atMs / 1000).toFixed(1)} s: ${oid}`);
  for (const problem of report.problems) console.error(`PROBLEM ${problem}`);
  console.error(`kept: ${report.directory}\nagain: npm run torture -- --seconds ${values.seconds} --agents ${values.agents} --seed ${seed}`);
}
process.exit(failed ? 1 : 0);
